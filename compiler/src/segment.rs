//! A segment: the table of a metric's states over one interval of the log, by window and keys.
//!
//! Segments are what batch commits, what the speed layer keeps open and what serving merges. Their
//! canonical form is one sorted batch (by window start, then keys, none first), so two segments of one
//! interval are equal if and only if their bytes are. [`Segment::merge`] is the ⊕ of the law.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use metricc_log::{Frontier, Interval};

use crate::{CompileError, MetricHash, MetricPlan};

/// The states of one metric over one interval; canonical.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Which metric the states are of.
    pub hash: MetricHash,
    /// The interval of the log that they cover.
    pub interval: Interval,
    /// Schema `MetricPlan::segment_schema`, one row per window and key, sorted by them.
    pub states: RecordBatch,
}

/// Why two segments are not merged.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The states are of different metrics, or of different versions of one.
    #[error("segments of different metrics do not merge: {left} and {right}")]
    Hash {
        /// Hash of the first segment.
        left: MetricHash,
        /// Hash of the second.
        right: MetricHash,
    },
    /// Positions between the segments are in neither.
    #[error("gap: the first segment ends at {end}, the second starts at {start}")]
    Gap {
        /// End of the first.
        end: Frontier,
        /// Start of the second.
        start: Frontier,
    },
    /// Positions are in both.
    #[error("overlap: the first segment ends at {end}, the second starts at {start}")]
    Overlap {
        /// End of the first.
        end: Frontier,
        /// Start of the second.
        start: Frontier,
    },
    /// The states themselves do not merge.
    #[error(transparent)]
    State(#[from] CompileError),
}

impl Segment {
    /// The canonical segment of states that came about anywhere, in any order, with any number of
    /// partial states per group. Each batch has the plan's segment schema.
    pub fn collect(
        plan: &MetricPlan,
        interval: Interval,
        partial: &[RecordBatch],
    ) -> Result<Self, CompileError> {
        let states = concat_batches(&plan.segment_schema, partial)
            .map_err(|error| CompileError::engine(&plan.metric.name, error))?;
        Ok(Segment { hash: plan.hash, interval, states: combine(plan, &states)? })
    }

    /// `self ⊕ later`: the states of the joined interval. The later segment must start where this one
    /// ends, and both must be of the plan's metric.
    pub fn merge(&self, later: &Segment, plan: &MetricPlan) -> Result<Segment, SegmentError> {
        for hash in [self.hash, later.hash] {
            if hash != plan.hash {
                return Err(SegmentError::Hash { left: plan.hash, right: hash });
            }
        }
        let (end, start) = (self.interval.to(), later.interval.from());
        if end != start {
            let overlap = end.0.iter().zip(&start.0).any(|(end, start)| start < end);
            let (end, start) = (end.clone(), start.clone());
            return Err(if overlap {
                SegmentError::Overlap { end, start }
            } else {
                SegmentError::Gap { end, start }
            });
        }
        let interval = Interval::new(self.interval.from().clone(), later.interval.to().clone())
            .map_err(|error| CompileError::engine(&plan.metric.name, error))?;
        let partial = [self.states.clone(), later.states.clone()];
        Ok(Segment::collect(plan, interval, &partial)?)
    }

    /// The first row in which two segments of one interval differ: window and key columns stand first.
    /// None if they are equal to the byte.
    pub fn first_difference(&self, other: &Segment) -> Option<usize> {
        if self.states == other.states {
            return None;
        }
        let n_rows = self.states.num_rows().min(other.states.num_rows());
        let differs = |row: usize| self.states.slice(row, 1) != other.states.slice(row, 1);
        Some((0..n_rows).find(|&row| differs(row)).unwrap_or(n_rows))
    }
}

/// Sorts by the group columns and merges the states of equal groups.
fn combine(plan: &MetricPlan, states: &RecordBatch) -> Result<RecordBatch, CompileError> {
    let failed = |error| CompileError::engine(&plan.metric.name, error);
    if u32::try_from(states.num_rows()).is_err() {
        return Err(CompileError::form(&plan.metric.name, "a segment has more than 2^32 groups"));
    }
    let groups = &states.columns()[..plan.n_group_columns];
    let (order, firsts) = plan.groups.order(&plan.groups.rows(groups).map_err(failed)?);
    let is_disjoint = firsts.iter().all(|is_first| *is_first);
    let mut group_of = Vec::with_capacity(order.len());
    let mut first_of_group = Vec::new();
    if !is_disjoint {
        for (row, is_first) in order.iter().zip(&firsts) {
            first_of_group.extend(is_first.then_some(*row));
            group_of.push(first_of_group.len() - 1);
        }
    }
    let order = UInt32Array::from(order);
    let n_groups = if is_disjoint { order.len() } else { first_of_group.len() };
    let first_of_group = if is_disjoint { order.clone() } else { UInt32Array::from(first_of_group) };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(states.num_columns());
    for column in groups {
        columns.push(take(column, &first_of_group, None).map_err(failed)?);
    }
    for (state, column) in plan.states.iter().zip(&states.columns()[plan.n_group_columns..]) {
        let sorted = take(column, &order, None).map_err(failed)?;
        columns.push(if is_disjoint {
            sorted
        } else {
            let mut merged = state.monoid.groups();
            merged
                .merge(&sorted, &group_of, n_groups)
                .and_then(|()| merged.emit(n_groups))
                .map_err(|error| CompileError::engine(&plan.metric.name, error))?
        });
    }
    RecordBatch::try_new(plan.segment_schema.clone(), columns).map_err(failed)
}
