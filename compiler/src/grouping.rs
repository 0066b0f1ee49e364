//! Metrics over the same rows and groups: one row part, one table of groups, and the states of all of them.
//!
//! Engines run groupings, never single metrics: metrics with equal `each`, `where`, window and keys have the
//! same groups, so the segment of each is some columns of the grouping's table. A state that several of them
//! keep is kept once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use metricc_algebra::{Layout, Monoid, WordOp, n_words};
use metricc_ir as ir;
use metricc_log::Interval;

use crate::plan::{MetricPlan, MetricStates};
use crate::prepare::{Prepare, Scope, group_fields};
use crate::state::{Arg, ROW_COUNT, State, index_of};
use crate::state_form::StateForm;
use crate::{CompileError, Segment};

/// Words of a state that a difference holds in place; larger products go to the heap.
const MAX_WORDS: usize = 16;

/// Metrics of equal `each`, `where`, window and keys, as the engines run them.
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
    /// Its index in [`SourcePlan::metrics`](crate::SourcePlan::metrics).
    pub index: usize,
    /// Which columns of the grouping's table are its segment, in its order.
    pub columns: Vec<usize>,
}

/// One state column of a grouping.
#[derive(Debug, Clone)]
pub struct StateColumn {
    /// Its monoid.
    pub monoid: Arc<dyn Monoid>,
    /// Prepared columns of the arguments; empty for counts.
    pub args: Vec<usize>,
    /// Prepared column of the aggregate's own `where`.
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

impl Grouping {
    /// Gathers the metrics into groupings, in the order of their first members.
    pub(crate) fn of_metrics(
        metrics: &[Arc<MetricPlan>],
        states: &[MetricStates<'_>],
        scope: &Scope<'_>,
    ) -> Result<Vec<Arc<Self>>, CompileError> {
        let mut together: Vec<Vec<usize>> = Vec::new();
        for (index, metric) in metrics.iter().enumerate() {
            let same_rows = |other: &Vec<usize>| has_same_rows(&metrics[other[0]].metric, &metric.metric);
            match together.iter_mut().find(|other| same_rows(other)) {
                Some(indices) => indices.push(index),
                None => together.push(vec![index]),
            }
        }
        let grouping = |indices: &Vec<usize>| {
            let members: Vec<_> =
                indices.iter().map(|&index| (index, &metrics[index], &states[index])).collect();
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
        for (index, metric, own) in metrics {
            let own = own.states.iter().map(|state| n_group_columns + index_of(&mut states, state.clone()));
            let columns = (0..n_group_columns).chain(own).collect();
            members.push(Member { metric: (*metric).clone(), index: *index, columns });
        }
        let mut values: Vec<Arg<'_>> = Vec::new();
        let mut columns: Vec<StateColumn> = Vec::with_capacity(states.len());
        for state in states {
            let mut column = |arg| n_group_columns + value_column(&mut values, arg);
            let args = state.args.into_iter().map(&mut column).collect();
            let filter = state.filter.map(|filter| column(Arg::Value(filter)));
            columns.push(StateColumn { monoid: state.monoid, args, filter });
        }
        // The stream drops a group for its row count alone, so no product may begin with another state.
        if columns.get(ROW_COUNT).is_none_or(|state| !is_row_count(state)) {
            return Err(CompileError::form(&first.name, "its first state is not the row count"));
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

    /// The member that a metric is, if it is one.
    pub fn member(&self, metric: &MetricPlan) -> Option<&Member> {
        self.members.iter().find(|member| std::ptr::eq(member.metric.as_ref(), metric))
    }

    /// The segments of the members, each with the index of its metric, from tables of states in any order,
    /// with any number of partial states per group. Each table has the grouping's schema.
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
            Ok((member.index, segment))
        };
        self.members.iter().map(segment).collect()
    }
}

/// Whether both metrics have the same rows in the same groups. Names of elements and keys do not count.
fn has_same_rows(left: &ir::Metric, right: &ir::Metric) -> bool {
    let each = |metric: &ir::Metric| metric.each.iter().map(|each| each.list.clone()).collect::<Vec<_>>();
    let keys = |metric: &ir::Metric| metric.keys.iter().map(|key| key.expr.clone()).collect::<Vec<_>>();
    left.window.is_cut_as(&right.window)
        && left.filter == right.filter
        && keys(left) == keys(right)
        && each(left) == each(right)
}

/// Index of a column among the distinct ones; a new column is added.
fn value_column<'a>(values: &mut Vec<Arg<'a>>, arg: Arg<'a>) -> usize {
    values.iter().position(|value| *value == arg).unwrap_or_else(|| {
        values.push(arg);
        values.len() - 1
    })
}

/// Whether a state counts all rows, in one word.
fn is_row_count(state: &StateColumn) -> bool {
    let is_all_rows = state.args.is_empty() && state.filter.is_none();
    is_all_rows && state.monoid.layout() == Layout::Words(vec![WordOp::Add(1)])
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
