//! Metrics that look at the same rows in the same groups: one row part, one table of groups, all their states.
//!
//! What the engines run is a grouping, never a metric: metrics with equal `each`, `where`, window and keys have
//! the same groups, so each one's segment is some columns of the grouping's table. A state that several of them
//! keep is kept once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use metricc_algebra::{Layout, Monoid, WordOp, n_words};
use metricc_ir as ir;
use metricc_log::{Interval, POSITION_TYPE};

use crate::form::StateForm;
use crate::plan::{MetricPlan, MetricStates};
use crate::prepare::{Prepare, Scope, group_fields};
use crate::{CompileError, Segment, scalar};

/// Words of a state that a difference holds in place; larger products go to the heap.
const MAX_WORDS: usize = 16;

/// What the engines run for metrics of equal `each`, `where`, window and keys.
#[derive(Debug)]
pub struct Grouping {
    /// The row part.
    pub prepare: Prepare,
    /// The distinct states of the members, the row count first.
    pub states: Vec<StateColumn>,
    /// The table of the states, as the engines emit it.
    pub form: StateForm,
    /// How a state is held as the difference of a collection.
    pub layout: StateLayout,
    /// The metrics, at least one, in the order of the source plan.
    pub members: Vec<Member>,
}

/// One metric of a grouping.
#[derive(Debug)]
pub struct Member {
    /// Its plan.
    pub metric: Arc<MetricPlan>,
    /// Its place in [`SourcePlan::metrics`](crate::SourcePlan::metrics).
    pub place: usize,
    /// Which columns of the grouping's table are its segment, in its order.
    pub columns: Vec<usize>,
}

/// One state column of a grouping.
#[derive(Debug, Clone)]
pub struct StateColumn {
    /// Its monoid.
    pub monoid: Arc<dyn Monoid>,
    /// Prepared columns of the arguments; none for counts.
    pub args: Vec<usize>,
    /// Prepared column of `where` behind the aggregate.
    pub filter: Option<usize>,
}

/// How the product of a grouping's states is held per key in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLayout {
    /// All states are words, merged by one program.
    Words(Vec<WordOp>),
    /// At least one state is on the heap, or the product is too wide.
    Heap,
}

/// A state before its expressions are columns: the monoid over the rows that pass the filter.
#[derive(Debug, Clone)]
pub(crate) struct State<'a> {
    pub(crate) monoid: Arc<dyn Monoid>,
    pub(crate) args: Vec<Arg<'a>>,
    pub(crate) filter: Option<&'a ir::Expr>,
}

/// One column that a monoid takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Arg<'a> {
    /// A value of the row.
    Value(&'a ir::Expr),
    /// Event time, as a timestamp; of a date its midnight in UTC.
    Time,
    /// Place in the order of the log, one for every row that `each` makes.
    Position,
}

impl Arg<'_> {
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Arg::Value(expr) => scalar::data_type(&expr.ty.kind),
            Arg::Time => scalar::data_type(&ir::Kind::Timestamp),
            Arg::Position => POSITION_TYPE,
        }
    }
}

impl State<'_> {
    /// Whether both hold the same states over the same rows.
    fn is_same(&self, other: &State<'_>) -> bool {
        let identity = |state: &State<'_>| (state.monoid.name(), state.monoid.version());
        (&self.args, self.filter) == (&other.args, other.filter) && identity(self) == identity(other)
    }
}

/// Place of a state among the distinct ones, which it joins if it is new.
pub(crate) fn place_of<'a>(states: &mut Vec<State<'a>>, state: State<'a>) -> usize {
    states.iter().position(|known| known.is_same(&state)).unwrap_or_else(|| {
        states.push(state);
        states.len() - 1
    })
}

impl Grouping {
    /// Gathers the metrics into groupings, in the order of their first members.
    pub(crate) fn of_metrics(
        metrics: &[Arc<MetricPlan>],
        states: &[MetricStates<'_>],
        scope: &Scope<'_>,
    ) -> Result<Vec<Arc<Self>>, CompileError> {
        let mut together: Vec<Vec<usize>> = Vec::new();
        for (place, metric) in metrics.iter().enumerate() {
            let same_rows = |other: &Vec<usize>| has_same_rows(&metrics[other[0]].metric, &metric.metric);
            match together.iter_mut().find(|other| same_rows(other)) {
                Some(places) => places.push(place),
                None => together.push(vec![place]),
            }
        }
        let grouping = |places: &Vec<usize>| {
            let members: Vec<_> =
                places.iter().map(|&place| (place, &metrics[place], &states[place])).collect();
            Ok(Arc::new(Grouping::new(&members, scope)?))
        };
        together.iter().map(grouping).collect()
    }

    fn new(
        metrics: &[(usize, &Arc<MetricPlan>, &MetricStates<'_>)],
        scope: &Scope<'_>,
    ) -> Result<Self, CompileError> {
        let first = &metrics[0].1.metric;
        let group_fields = group_fields(first);
        let n_group_columns = group_fields.len();
        let mut states: Vec<State<'_>> = Vec::new();
        let mut members = Vec::with_capacity(metrics.len());
        for (place, metric, own) in metrics {
            let own = own.states.iter().map(|state| n_group_columns + place_of(&mut states, state.clone()));
            let columns = (0..n_group_columns).chain(own).collect();
            members.push(Member { metric: (*metric).clone(), place: *place, columns });
        }
        let mut values: Vec<Arg<'_>> = Vec::new();
        let mut columns: Vec<StateColumn> = Vec::with_capacity(states.len());
        for state in states {
            let mut column = |arg| n_group_columns + value_column(&mut values, arg);
            let args = state.args.into_iter().map(&mut column).collect();
            let filter = state.filter.map(|filter| column(Arg::Value(filter)));
            columns.push(StateColumn { monoid: state.monoid, args, filter });
        }
        let names: Vec<&str> = members.iter().map(|member| member.metric.metric.name.as_str()).collect();
        let monoids = columns.iter().map(|state| state.monoid.clone()).collect();
        Ok(Grouping {
            prepare: Prepare::new(first, scope, &values)?,
            layout: layout_of(&columns),
            form: StateForm::new(names.join(", "), group_fields, monoids)?,
            states: columns,
            members,
        })
    }

    /// The segments of the members, each with its place, from tables of states that came about anywhere,
    /// in any order, with any number of partial states per group. Each has the grouping's form.
    pub fn segments(
        &self,
        interval: &Interval,
        partial: &[RecordBatch],
    ) -> Result<Vec<(usize, Segment)>, CompileError> {
        let states = self.form.collect(partial)?;
        let segment = |member: &Member| {
            let columns = member.columns.iter().map(|&column| states.column(column).clone()).collect();
            let states = RecordBatch::try_new(member.metric.form.schema.clone(), columns)
                .map_err(|error| CompileError::engine(&member.metric.form.place, error))?;
            let segment = Segment { hash: member.metric.state_hash, interval: interval.clone(), states };
            Ok((member.place, segment))
        };
        self.members.iter().map(segment).collect()
    }
}

/// Whether both metrics look at the same rows in the same groups. Names of elements and keys do not count.
fn has_same_rows(left: &ir::Metric, right: &ir::Metric) -> bool {
    let each = |metric: &ir::Metric| metric.each.iter().map(|each| each.list.clone()).collect::<Vec<_>>();
    let keys = |metric: &ir::Metric| metric.keys.iter().map(|key| key.expr.clone()).collect::<Vec<_>>();
    left.window == right.window
        && left.filter == right.filter
        && keys(left) == keys(right)
        && each(left) == each(right)
}

/// Place of a column among the distinct ones, which it joins if it is new.
fn value_column<'a>(values: &mut Vec<Arg<'a>>, arg: Arg<'a>) -> usize {
    values.iter().position(|value| *value == arg).unwrap_or_else(|| {
        values.push(arg);
        values.len() - 1
    })
}

fn layout_of(states: &[StateColumn]) -> StateLayout {
    let mut program = Vec::new();
    for state in states {
        match state.monoid.layout() {
            Layout::Words(words) => program.extend(words),
            Layout::Heap => return StateLayout::Heap,
        }
    }
    if program.len() <= MAX_WORDS && n_words(&program) <= MAX_WORDS {
        StateLayout::Words(program)
    } else {
        StateLayout::Heap
    }
}
