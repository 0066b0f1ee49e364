//! Metrics over the same rows and groups: one row part, one table of groups, and the states of all of them.
//!
//! Engines run groupings, never single metrics: metrics with equal `each`, `where`, window and keys have the
//! same groups, so the segment of each is some columns of the grouping's table. A state that several of them
//! keep is kept once. Metrics of coarser windows whose states are kept anyway are made of the finer table
//! when it is read ([`CoarserTable`]): states merge, so that is the same to the byte.

use std::sync::Arc;

use arrow::array::RecordBatch;
use metricc_algebra::{Layout, Monoid, WordOp, n_words};
use metricc_ir as ir;
use metricc_log::Interval;

use crate::plan::{MetricPlan, MetricStates};
use crate::row_part::{Prepare, Scope, group_fields};
use crate::scalar::WindowRule;
use crate::state::{Arg, ROW_COUNT, State, index_of, position_of};
use crate::state_schema::StateForm;
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
    /// The metrics of its windows, at least one, in the order of the source plan.
    pub members: Vec<Member>,
    /// Tables of coarser windows, each after the one that it is made of.
    pub coarser: Vec<CoarserTable>,
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

/// Metrics of the same rows and keys whose windows consist of windows of the grouping, and whose states the
/// grouping keeps anyway. Their table is made of a finer one when it is read, so that no row is grouped
/// twice.
#[derive(Debug)]
pub struct CoarserTable {
    /// The table that it is made of: 0 is the grouping's own, `n` the coarser one before it at `n - 1`.
    finer: usize,
    /// The states that it has, as columns of that table.
    states: Vec<usize>,
    /// How windows start; none for all time.
    window: Option<WindowRule>,
    /// Its columns.
    form: StateForm,
    /// Its metrics, at least one, in the order of the source plan.
    pub members: Vec<Member>,
}

impl CoarserTable {
    fn new(set: &MetricSet<'_>, finer: usize, finer_set: &MetricSet<'_>) -> Result<Self, CompileError> {
        let group_fields = group_fields(set.first());
        let n_finer = finer_set.n_group_columns();
        let missing = || CompileError::form(&set.first().name, "a finer table lacks one of its states");
        let column = |state| position_of(&finer_set.states, state).map(|index| n_finer + index);
        let columns = set.states.iter().map(column);
        let window = &set.first().window;
        let monoids = set.states.iter().map(|state| state.monoid.clone()).collect();
        Ok(CoarserTable {
            finer,
            states: columns.collect::<Option<_>>().ok_or_else(missing)?,
            window: window.has_start().then(|| WindowRule::new(window)).transpose()?,
            form: StateForm::new(set.names(), group_fields, monoids)?,
            members: set.members(),
        })
    }

    /// The canonical table, from that of finer windows.
    fn of(&self, finer: &RecordBatch) -> Result<RecordBatch, CompileError> {
        let n_keys = self.form.n_group_columns - usize::from(self.window.is_some());
        let n_keys = if self.is_one_group() { 0 } else { n_keys };
        let starts = self.window.as_ref().map(|rule| rule.starts(finer.column(0))).transpose()?;
        let keys = finer.columns()[1..].iter().take(n_keys).cloned();
        let groups = starts.into_iter().chain(keys).collect();
        self.form.regrouped(groups, self.states.iter().map(|&column| finer.column(column).clone()))
    }

    /// Whether it has neither windows nor keys, so that its group column is a constant.
    fn is_one_group(&self) -> bool {
        self.members[0].metric.metric.keys.is_empty()
    }
}

/// Metrics of the same groups, and the distinct states of all of them, the row count first.
struct MetricSet<'a> {
    metrics: Vec<(usize, &'a Arc<MetricPlan>)>,
    states: Vec<State<'a>>,
    /// Per metric, the states of its segments.
    own: Vec<Vec<usize>>,
}

impl<'a> MetricSet<'a> {
    fn of(indices: &[usize], metrics: &'a [Arc<MetricPlan>], of_metrics: &'a [MetricStates<'a>]) -> Self {
        let mut states: Vec<State<'a>> = Vec::new();
        let mut own = Vec::with_capacity(indices.len());
        for &index in indices {
            let of_metric = of_metrics[index].states.iter();
            own.push(of_metric.map(|state| index_of(&mut states, state.clone())).collect());
        }
        MetricSet { metrics: indices.iter().map(|&index| (index, &metrics[index])).collect(), states, own }
    }

    fn first(&self) -> &'a Arc<ir::Metric> {
        &self.metrics[0].1.metric
    }

    fn n_group_columns(&self) -> usize {
        self.metrics[0].1.form.n_group_columns
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.metrics.iter().map(|(_, metric)| metric.metric.name.as_str()).collect();
        names.join(", ")
    }

    fn members(&self) -> Vec<Member> {
        let n_group_columns = self.n_group_columns();
        let member = |((index, metric), own): (&(usize, &Arc<MetricPlan>), &Vec<usize>)| {
            let own = own.iter().map(|state| n_group_columns + state);
            let columns = (0..n_group_columns).chain(own).collect();
            Member { metric: (*metric).clone(), index: *index, columns }
        };
        self.metrics.iter().zip(&self.own).map(member).collect()
    }

    /// Whether the table of the other set has everything that this one's is made of.
    fn is_within(&self, finer: &MetricSet<'_>) -> bool {
        self.first().window.consists_of(&finer.first().window)
            && has_same_keys(self.first(), finer.first())
            && self.states.iter().all(|state| position_of(&finer.states, state).is_some())
    }

    /// Which of the sets this one's table is made of: the one of the longest windows, if there is one.
    fn finer(&self, sets: &[MetricSet<'_>]) -> Option<usize> {
        let finer = (0..sets.len()).filter(|set| self.is_within(&sets[*set]));
        finer.max_by_key(|set| (sets[*set].first().window.typical_length(), std::cmp::Reverse(*set)))
    }
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
        let sets: Vec<_> = together.iter().map(|indices| MetricSet::of(indices, metrics, states)).collect();
        let finer: Vec<Option<usize>> = sets.iter().map(|set| set.finer(&sets)).collect();
        let roots = (0..sets.len()).filter(|set| finer[*set].is_none());
        roots.map(|root| Ok(Arc::new(Grouping::new(root, &sets, &finer, scope)?))).collect()
    }

    fn new(
        root: usize,
        sets: &[MetricSet<'_>],
        finer: &[Option<usize>],
        scope: &Scope<'_>,
    ) -> Result<Self, CompileError> {
        let set = &sets[root];
        let first = set.first();
        let group_fields = group_fields(first);
        let n_group_columns = group_fields.len();
        let mut values: Vec<Arg<'_>> = Vec::new();
        let mut columns: Vec<StateColumn> = Vec::with_capacity(set.states.len());
        for state in &set.states {
            let mut column = |arg| n_group_columns + value_column(&mut values, arg);
            let args = state.args.iter().copied().map(&mut column).collect();
            let filter = state.filter.map(|filter| column(Arg::Value(filter)));
            columns.push(StateColumn { monoid: state.monoid.clone(), args, filter });
        }
        // The stream drops a group for its row count alone, so no product may begin with another state.
        if columns.get(ROW_COUNT).is_none_or(|state| !is_row_count(state)) {
            return Err(CompileError::form(&first.name, "its first state is not the row count"));
        }
        let monoids = columns.iter().map(|state| state.monoid.clone()).collect();
        Ok(Grouping {
            prepare: Prepare::new(first, scope, &values)?,
            layout: layout_of(&columns),
            form: StateForm::new(set.names(), group_fields, monoids)?,
            states: columns,
            members: set.members(),
            coarser: coarser_tables(root, sets, finer)?,
        })
    }

    /// The member that a metric is, if it is one of the grouping's own windows.
    pub fn member(&self, metric: &MetricPlan) -> Option<&Member> {
        self.members.iter().find(|member| std::ptr::eq(member.metric.as_ref(), metric))
    }

    /// The table of coarser windows that a metric is a member of, if there is one.
    pub fn coarser_of(&self, metric: &MetricPlan) -> Option<&CoarserTable> {
        let is_metric = |member: &Member| std::ptr::eq(member.metric.as_ref(), metric);
        self.coarser.iter().find(|table| table.members.iter().any(is_metric))
    }

    /// The segments of all metrics, each with the index of its metric, from the canonical table of the
    /// grouping.
    pub fn segments(
        &self,
        interval: &Interval,
        states: RecordBatch,
    ) -> Result<Vec<(usize, Segment)>, CompileError> {
        let mut tables = vec![states];
        for coarser in &self.coarser {
            tables.push(coarser.of(&tables[coarser.finer])?);
        }
        let members = std::iter::once(&self.members).chain(self.coarser.iter().map(|table| &table.members));
        let segments = tables.iter().zip(members).flat_map(|(states, members)| {
            members.iter().map(move |member| Ok((member.index, member.segment(interval, states)?)))
        });
        segments.collect()
    }
}

impl Member {
    /// Its segment, from the table that it is a member of.
    fn segment(&self, interval: &Interval, states: &RecordBatch) -> Result<Segment, CompileError> {
        let columns = self.columns.iter().map(|&column| states.column(column).clone()).collect();
        let states = RecordBatch::try_new(self.metric.form.schema.clone(), columns)
            .map_err(|error| CompileError::engine(&self.metric.form.place, error))?;
        Ok(Segment { hash: self.metric.state_hash, interval: interval.clone(), states })
    }
}

/// The tables that are made of a set's own, each after the one that it is made of.
fn coarser_tables(
    root: usize,
    sets: &[MetricSet<'_>],
    finer: &[Option<usize>],
) -> Result<Vec<CoarserTable>, CompileError> {
    let mut order = vec![root];
    let mut tables = Vec::new();
    let mut next = 0;
    while next < order.len() {
        let made_of_it = (0..sets.len()).filter(|set| finer[*set] == Some(order[next]));
        for set in made_of_it.collect::<Vec<_>>() {
            tables.push(CoarserTable::new(&sets[set], next, &sets[order[next]])?);
            order.push(set);
        }
        next += 1;
    }
    Ok(tables)
}

/// Whether both metrics have the same rows in the same groups. Names of elements and keys do not count.
fn has_same_rows(left: &ir::Metric, right: &ir::Metric) -> bool {
    left.window.kept() == right.window.kept() && has_same_keys(left, right)
}

/// Whether both metrics have the same rows by the same keys.
fn has_same_keys(left: &ir::Metric, right: &ir::Metric) -> bool {
    let each = |metric: &ir::Metric| metric.each.iter().map(|each| each.list.clone()).collect::<Vec<_>>();
    let keys = |metric: &ir::Metric| metric.keys.iter().map(|key| key.expr.clone()).collect::<Vec<_>>();
    left.filter == right.filter && keys(left) == keys(right) && each(left) == each(right)
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
