//! Funnels and retention: states by actor.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Date32Type, Field, Fields, Int64Type};

use super::keyed_kernels::keyed_kernel;
use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::list_values::{element_field, lists_of};
use crate::states::{Keyed, KeyedBuilder, Periods, Steps};
use crate::values::{Shape, Value, Values};
use crate::{Checked, HeapState};

/// How many actors reached each step, within a time from their first.
#[derive(Debug, Clone)]
pub(crate) struct Funnel {
    /// Of the actor.
    pub(crate) shape: Shape,
    pub(crate) n_steps: usize,
    /// µs.
    pub(crate) within: i64,
}

/// The arguments of a funnel: the actor, event time, and whether the row is each of the steps.
#[derive(Debug)]
pub(crate) struct FunnelColumns {
    actors: Values,
    times: TimestampMicrosecondArray,
    steps: Vec<BooleanArray>,
}

impl Column for FunnelColumns {
    /// Actor, time, and one bit per step.
    type Item<'a> = (Value<'a>, i64, u32);

    fn open(args: &[ArrayRef]) -> Option<Self> {
        let [actors, times, steps @ ..] = args else { return None };
        Some(FunnelColumns {
            actors: Values::of(actors)?,
            times: times.as_primitive_opt()?.clone(),
            steps: steps.iter().map(|step| step.as_boolean_opt().cloned()).collect::<Option<_>>()?,
        })
    }
    fn items(&self) -> impl Iterator<Item = Self::Item<'_>> {
        (0..self.times.len()).map(|row| self.item(row))
    }
    fn item(&self, row: usize) -> Self::Item<'_> {
        let bits = self.steps.iter().enumerate().filter(|(_, step)| step.value(row));
        (self.actors.item(row), self.times.value(row), bits.fold(0, |bits, (place, _)| bits | 1 << place))
    }
    fn nulls(&self) -> Option<NullBuffer> {
        let steps = self.steps.iter().map(|step| Array::nulls(step).cloned());
        let all = steps.chain([self.actors.nulls(), Array::nulls(&self.times).cloned()]);
        all.fold(None, |nulls, other| NullBuffer::union(nulls.as_ref(), other.as_ref()))
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        self.actors.is_proper(selected)
    }
}

impl HeapKernel for Funnel {
    type Column = FunnelColumns;

    keyed_kernel!(Steps, Steps, kernel => kernel.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, (actor, time, steps): <Self::Column as Column>::Item<'_>) {
        if steps != 0 {
            actor.with_bytes(|actor| group.change(actor, |known| known.add(time, steps)));
        }
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        let mut lengths = Vec::new();
        let mut counts: Vec<i64> = Vec::new();
        for state in states {
            let mut n_actors = vec![0_i64; self.n_steps];
            for (_, steps) in state?.entries() {
                let n_reached = steps.n_reached(self.n_steps, self.within);
                n_actors[..n_reached].iter_mut().for_each(|n_actors| *n_actors += 1);
            }
            lengths.push(n_actors.len());
            counts.extend(n_actors);
        }
        lists_of(&lengths, Arc::new(Int64Array::from(counts)))
    }
}

/// How many actors of each cohort (the period in which they came first) were active how many periods later.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    /// Of the actor.
    pub(crate) shape: Shape,
    /// Int64 or Date32.
    pub(crate) period: DataType,
    /// Periods that are presented, the first one included.
    pub(crate) n_periods: usize,
}

/// Periods as numbers: ints, or the days of dates.
#[derive(Debug)]
pub(crate) enum PeriodColumn {
    Ints(Int64Array),
    Dates(Date32Array),
}

impl Column for PeriodColumn {
    type Item<'a> = i64;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        let column = args.first()?;
        match column.data_type() {
            DataType::Date32 => column.as_primitive_opt::<Date32Type>().cloned().map(PeriodColumn::Dates),
            _ => column.as_primitive_opt::<Int64Type>().cloned().map(PeriodColumn::Ints),
        }
    }
    fn items(&self) -> impl Iterator<Item = i64> {
        let n_rows = match self {
            PeriodColumn::Ints(column) => column.len(),
            PeriodColumn::Dates(column) => column.len(),
        };
        (0..n_rows).map(|row| self.item(row))
    }
    fn item(&self, row: usize) -> i64 {
        match self {
            PeriodColumn::Ints(column) => column.value(row),
            PeriodColumn::Dates(column) => i64::from(column.value(row)),
        }
    }
    fn nulls(&self) -> Option<NullBuffer> {
        match self {
            PeriodColumn::Ints(column) => Array::nulls(column).cloned(),
            PeriodColumn::Dates(column) => Array::nulls(column).cloned(),
        }
    }
}

/// The fields of the records that [`Retention`] presents.
pub(crate) fn cohort_fields(period: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("cohort", period.clone(), false),
        Field::new("actors", DataType::List(element_field(&DataType::Int64)), false),
    ])
}

impl Retention {
    /// Cohorts in order, each with its number of actors by the distance of the period.
    fn cohorts(&self, state: &Keyed<Periods>) -> BTreeMap<i64, Vec<i64>> {
        let mut cohorts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (_, periods) in state.entries() {
            let Some(first) = periods.periods().first() else { continue };
            let n_actors = cohorts.entry(*first).or_insert_with(|| vec![0; self.n_periods]);
            for period in periods.periods() {
                let distance = usize::try_from(period.abs_diff(*first)).unwrap_or(usize::MAX);
                if let Some(n_actors) = n_actors.get_mut(distance) {
                    *n_actors += 1;
                }
            }
        }
        cohorts
    }
}

impl HeapKernel for Retention {
    type Column = (Values, PeriodColumn);

    keyed_kernel!(Periods, Periods, kernel => kernel.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, (actor, period): <Self::Column as Column>::Item<'_>) {
        actor.with_bytes(|actor| group.change(actor, |periods| periods.add(period)));
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        let (mut lengths, mut firsts, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for state in states {
            let cohorts = self.cohorts(&state?);
            lengths.push(cohorts.len());
            for (first, n_actors) in cohorts {
                firsts.push(first);
                counts.extend(n_actors);
            }
        }
        let per_cohort = vec![self.n_periods; firsts.len()];
        let actors = lists_of(&per_cohort, Arc::new(Int64Array::from(counts)))?;
        let firsts: ArrayRef = match self.period {
            DataType::Date32 => {
                Arc::new(Date32Array::from_iter_values(firsts.into_iter().map(|first| first as i32)))
            }
            _ => Arc::new(Int64Array::from(firsts)),
        };
        let records = StructArray::try_new(cohort_fields(&self.period), vec![firsts, actors], None)
            .map_err(|_| "the cohorts do not fit their type")?;
        lists_of(&lengths, Arc::new(records))
    }
}
