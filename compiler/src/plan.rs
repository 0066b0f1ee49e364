//! The plan of a package: what is read once for all metrics of a source, and what each one keeps.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use metricc_algebra::{Monoid, Op, WordOp, monoid, n_words};
use metricc_dsl::ir;

use crate::explain::state_name;
use crate::groups::GroupRows;
use crate::prepare::{Prepare, Scope, columns_of, group_fields};
use crate::{CompileError, MetricHash, scalar};

/// Words of a state that a difference holds in place; larger products go to the heap.
const MAX_WORDS: usize = 16;

/// All metrics over one source: they share one scan and one decode.
#[derive(Debug)]
pub struct SourcePlan {
    /// The source.
    pub source: Arc<ir::Source>,
    /// Source fields that at least one metric reads, ascending. Batches have exactly these columns.
    pub columns: Vec<usize>,
    /// The metrics, in the order given.
    pub metrics: Vec<Arc<MetricPlan>>,
}

/// The plan of one metric, read by both engines and by serving.
#[derive(Debug)]
pub struct MetricPlan {
    /// The typed metric.
    pub metric: Arc<ir::Metric>,
    /// What it means.
    pub hash: MetricHash,
    /// The row part.
    pub prepare: Prepare,
    /// Number of group columns (at least one); they come first in prepared rows and in segments.
    pub n_group_columns: usize,
    /// The group columns as bytes.
    pub groups: GroupRows,
    /// The state columns: the row count first, then the distinct states of the aggregates. `count()` without a
    /// filter is the row count, and quantiles of one argument are one sketch.
    pub states: Vec<StateColumn>,
    /// Which state each aggregate of the metric presents, and how.
    pub aggregates: Vec<PlannedAggregate>,
    /// Group columns, then canonical state columns.
    pub segment_schema: SchemaRef,
    /// How a state is held as the difference of a collection.
    pub layout: StateLayout,
    /// One column per aggregate, as presented; the scope of `outputs`.
    pub presented_schema: SchemaRef,
    /// One expression per output of the metric, over `presented_schema`.
    pub outputs: Vec<Arc<dyn PhysicalExpr>>,
}

/// One state column of a metric.
#[derive(Debug, Clone)]
pub struct StateColumn {
    /// Its monoid.
    pub monoid: Arc<dyn Monoid>,
    /// Prepared column of the argument; none for counts.
    pub arg: Option<usize>,
    /// Prepared column of `where` behind the aggregate.
    pub filter: Option<usize>,
}

/// An aggregate of a metric on its way from state to value.
#[derive(Debug, Clone)]
pub struct PlannedAggregate {
    /// Presents the state; of the same name and version as the state column's own monoid.
    pub monoid: Arc<dyn Monoid>,
    /// Index into [`MetricPlan::states`].
    pub state: usize,
}

/// How the product of a metric's states is held per key in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLayout {
    /// All states are words, merged by one program.
    Words(Vec<WordOp>),
    /// At least one state is on the heap, or the product is too wide.
    Heap,
}

impl SourcePlan {
    /// Plans the metrics, which must all be over one source; none gives an error.
    pub fn new(metrics: &[Arc<ir::Metric>]) -> Result<Self, CompileError> {
        let Some(first) = metrics.first() else {
            return Err(CompileError::form("plan", "there is no metric to plan"));
        };
        let source = first.source.clone();
        if let Some(other) = metrics.iter().find(|metric| metric.source != source) {
            return Err(CompileError::form(
                &other.name,
                format!("is over `{}`, not over `{}`", other.source.name, source.name),
            ));
        }
        let columns = read_columns(&source, metrics);
        let scope = Scope::new(&source, &columns);
        let metrics = metrics
            .iter()
            .map(|metric| Ok(Arc::new(MetricPlan::new(metric, &scope)?)))
            .collect::<Result<_, CompileError>>()?;
        Ok(SourcePlan { source, columns, metrics })
    }

    /// Plans a whole package: one plan per source that has metrics, in source order.
    pub fn of_package(metrics: &[Arc<ir::Metric>]) -> Result<Vec<Self>, CompileError> {
        let mut by_source: Vec<Vec<Arc<ir::Metric>>> = Vec::new();
        for metric in metrics {
            match by_source.iter_mut().find(|group| group[0].source == metric.source) {
                Some(group) => group.push(metric.clone()),
                None => by_source.push(vec![metric.clone()]),
            }
        }
        by_source.iter().map(|group| SourcePlan::new(group)).collect()
    }
}

impl MetricPlan {
    fn new(metric: &Arc<ir::Metric>, scope: &Scope<'_>) -> Result<Self, CompileError> {
        let group_fields = group_fields(metric);
        let n_group_columns = group_fields.len();
        let mut values: Vec<&ir::Expr> = Vec::new();
        let rows = StateColumn { monoid: make(&metric.name, &Op::Count, None)?, arg: None, filter: None };
        let mut states = vec![rows.clone()];
        let mut aggregates = Vec::with_capacity(metric.aggregates.len());
        for aggregate in &metric.aggregates {
            let input = aggregate.arg.as_ref().map(|arg| scalar::data_type(&arg.ty.kind));
            let state = StateColumn {
                monoid: make(&metric.name, &op_of(&aggregate.op), input.as_ref())?,
                arg: value_column(&mut values, &aggregate.arg).map(|place| n_group_columns + place),
                filter: value_column(&mut values, &aggregate.filter).map(|place| n_group_columns + place),
            };
            let monoid = state.monoid.clone();
            let known = states.iter().position(|known| known.is_same(&state));
            let state = known.unwrap_or_else(|| {
                states.push(state);
                states.len() - 1
            });
            aggregates.push(PlannedAggregate { monoid, state });
        }
        let prepare = Prepare::new(metric, scope, &values)?;
        let (presented_schema, outputs) = presentation(metric, &aggregates)?;
        let groups =
            GroupRows::new(&group_fields).map_err(|error| CompileError::engine(&metric.name, error))?;
        let monoids = std::iter::once(&rows.monoid).chain(aggregates.iter().map(|planned| &planned.monoid));
        Ok(MetricPlan {
            metric: metric.clone(),
            hash: MetricHash::of(metric, monoids.map(|monoid| monoid.as_ref()))?,
            prepare,
            n_group_columns,
            groups,
            segment_schema: segment_schema(group_fields, &states),
            layout: layout_of(&states),
            states,
            aggregates,
            presented_schema,
            outputs,
        })
    }
}

impl StateColumn {
    /// Whether both hold the same states over the same rows.
    fn is_same(&self, other: &StateColumn) -> bool {
        let identity = |state: &StateColumn| (state.monoid.name(), state.monoid.version());
        (self.arg, self.filter) == (other.arg, other.filter) && identity(self) == identity(other)
    }
}

/// Place of a value among the distinct ones, which it joins if it is new.
fn value_column<'a>(values: &mut Vec<&'a ir::Expr>, expr: &'a Option<ir::Expr>) -> Option<usize> {
    let expr = expr.as_ref()?;
    Some(values.iter().position(|value| *value == expr).unwrap_or_else(|| {
        values.push(expr);
        values.len() - 1
    }))
}

fn make(metric: &str, op: &Op, input: Option<&DataType>) -> Result<Arc<dyn Monoid>, CompileError> {
    monoid(op, input).map_err(|error| CompileError::engine(metric, error))
}

fn op_of(op: &ir::AggregateOp) -> Op {
    match *op {
        ir::AggregateOp::Count => Op::Count,
        ir::AggregateOp::Sum => Op::Sum,
        ir::AggregateOp::Mean => Op::Mean,
        ir::AggregateOp::Min => Op::Min,
        ir::AggregateOp::Max => Op::Max,
        ir::AggregateOp::Variance => Op::Variance,
        ir::AggregateOp::Stddev => Op::Stddev,
        ir::AggregateOp::Any => Op::Any,
        ir::AggregateOp::All => Op::All,
        ir::AggregateOp::Distinct => Op::Distinct,
        ir::AggregateOp::DistinctWithin { error_ppm } => Op::DistinctWithin { error_ppm },
        ir::AggregateOp::Quantile { q_ppb, error_ppm } => Op::Quantile { q_ppb, error_ppm },
    }
}

/// Source fields that the metrics read; ascending.
fn read_columns(source: &ir::Source, metrics: &[Arc<ir::Metric>]) -> Vec<usize> {
    let mut columns = Vec::new();
    for metric in metrics {
        let aggregates = metric.aggregates.iter().flat_map(|a| a.arg.iter().chain(&a.filter));
        let exprs = metric.each.iter().map(|each| &each.list);
        let exprs = exprs.chain(&metric.filter).chain(metric.keys.iter().map(|key| &key.expr));
        exprs.chain(aggregates).for_each(|expr| columns_of(expr, &mut columns));
        if metric.window != ir::Window::AllTime {
            columns.push(source.time);
        }
    }
    // What lies behind the fields are elements of `each` steps.
    columns.retain(|&column| column < source.fields.len());
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn segment_schema(group_fields: Vec<Field>, states: &[StateColumn]) -> SchemaRef {
    let mut fields = group_fields;
    for (index, state) in states.iter().enumerate() {
        fields.push(Field::new(state_name(index), state.monoid.state_type(), false));
    }
    Arc::new(Schema::new(fields))
}

fn layout_of(states: &[StateColumn]) -> StateLayout {
    let mut program = Vec::new();
    for state in states {
        match state.monoid.layout() {
            metricc_algebra::Layout::Words(words) => program.extend(words),
            metricc_algebra::Layout::Heap => return StateLayout::Heap,
        }
    }
    if program.len() <= MAX_WORDS && n_words(&program) <= MAX_WORDS {
        StateLayout::Words(program)
    } else {
        StateLayout::Heap
    }
}

fn presentation(
    metric: &ir::Metric,
    aggregates: &[PlannedAggregate],
) -> Result<(SchemaRef, Vec<Arc<dyn PhysicalExpr>>), CompileError> {
    let mut fields = Vec::with_capacity(metric.aggregates.len());
    for (index, (aggregate, planned)) in metric.aggregates.iter().zip(aggregates).enumerate() {
        let field = scalar::field(&format!("aggregate{index}"), &aggregate.ty);
        let presented = planned.monoid.presented();
        if *field.data_type() != presented {
            return Err(CompileError::form(
                &metric.name,
                format!("{} presents {presented}, not {}", planned.monoid.name(), field.data_type()),
            ));
        }
        fields.push(field);
    }
    let schema = Arc::new(Schema::new(fields));
    let outputs = metric
        .outputs
        .iter()
        .map(|output| scalar::compile(&output.expr, &schema, &|column| column))
        .collect::<Result<_, _>>()?;
    Ok((schema, outputs))
}
