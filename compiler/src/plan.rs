//! The plan of a metric: the states that its segments keep, and how they are presented.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use metricc_algebra::{Monoid, SessionPart, Sessions, monoid, user_defined_monoid};
use metricc_ir as ir;
use metricc_ir::functions::Reads;
use metricc_ir::user_defined::Imports;

use crate::row_part::group_fields;
use crate::segment::columns;
use crate::state::{Arg, State, index_of};
use crate::state_schema::StateForm;
use crate::user_defined::{check_signature, not_brought};
use crate::{CompileError, MetricHash, StateHash, scalar};

/// The plan of one metric: its segments, and how they are presented.
#[derive(Debug)]
pub struct MetricPlan {
    /// The typed metric.
    pub metric: Arc<ir::Metric>,
    /// The hash of its meaning.
    pub hash: MetricHash,
    /// The hash of its segments' meaning: metrics of equal state hash present each other's segments.
    pub state_hash: StateHash,
    /// Its segments: the row count first, then the distinct states of the aggregates. `count()` without a
    /// filter is the row count, and quantiles of one argument are one sketch. An aggregate that may lose rows
    /// has their count after it.
    pub form: StateForm,
    /// How states of segments become those of presented windows, if they are not the same.
    pub spread: Option<Spread>,
    /// The state that each aggregate of the metric presents, of `spread` if there is one, else of `form`.
    pub aggregates: Vec<PlannedAggregate>,
    /// One column per aggregate, as presented; the scope of `outputs`.
    pub presented_schema: SchemaRef,
    /// One expression per output of the metric, over `presented_schema`.
    pub outputs: Vec<Arc<dyn PhysicalExpr>>,
}

/// How states of segments become states of presented windows.
#[derive(Debug)]
pub enum Spread {
    /// Panes of `step` µs become windows of `n_panes` of them; the form stays.
    Panes {
        /// Length of a pane, µs.
        step: i64,
        /// Panes of a window.
        n_panes: i64,
    },
    /// Every session becomes a row.
    Sessions {
        /// The state that holds them; the column after the row count.
        sessions: Sessions,
        /// From the last event of a session to its end, µs.
        gap: i64,
        /// Start and end of the session, the keys, and its states, the row count first.
        form: Box<StateForm>,
    },
}

/// An aggregate of a metric on its way from state to value.
#[derive(Debug, Clone)]
pub struct PlannedAggregate {
    /// Presents the state; has the same name and version as the state's monoid.
    pub monoid: Arc<dyn Monoid>,
    /// Index of the state among those that are presented.
    pub state: usize,
    /// Index of the count of rows that could not be computed, if there may be any: where it is not zero, the
    /// aggregate is none.
    pub lost: Option<usize>,
}

/// The distinct states of one metric, the row count first, and which of them each aggregate presents.
pub(crate) struct MetricStates<'a> {
    pub(crate) states: Vec<State<'a>>,
    aggregates: Vec<PlannedAggregate>,
    sessions: Option<Sessions>,
}

impl<'a> MetricStates<'a> {
    pub(crate) fn of(metric: &'a ir::Metric, imports: &Imports) -> Result<Self, CompileError> {
        let rows = State {
            monoid: make(&metric.name, &ir::AggregateOp::Count, &[])?,
            args: Vec::new(),
            filter: None,
        };
        let mut states = vec![rows.clone()];
        let mut aggregates = Vec::with_capacity(metric.aggregates.len());
        for aggregate in &metric.aggregates {
            let args = args_of(aggregate);
            let inputs: Vec<DataType> = args.iter().map(Arg::data_type).collect();
            let monoid = match &aggregate.op {
                ir::AggregateOp::UserDefined(import) => own(import, &inputs, &aggregate.ty, imports)?,
                op => make(&metric.name, op, &inputs)?,
            };
            let filter = aggregate.filter.as_ref();
            let state = index_of(&mut states, State { monoid: monoid.clone(), args, filter });
            let lost = aggregate.lost.as_ref().map(|lost| {
                let filter = Some(lost);
                index_of(&mut states, State { monoid: rows.monoid.clone(), args: Vec::new(), filter })
            });
            aggregates.push(PlannedAggregate { monoid, state, lost });
        }
        let mut sessions = None;
        if let ir::Window::Session { gap } = metric.window {
            let failed = |error| CompileError::engine(&metric.name, error);
            let of_sessions =
                Sessions::new(gap, states.iter().map(session_part).collect()).map_err(failed)?;
            let rows = states[0].clone();
            let mut args = vec![Arg::Time];
            for state in states {
                args.extend(state.args);
                args.extend(state.filter.map(Arg::Value));
            }
            states = vec![rows, State { monoid: Arc::new(of_sessions.clone()), args, filter: None }];
            sessions = Some(of_sessions);
        }
        Ok(MetricStates { states, aggregates, sessions })
    }
}

fn session_part(state: &State<'_>) -> SessionPart {
    SessionPart { monoid: state.monoid.clone(), has_filter: state.filter.is_some() }
}

impl MetricPlan {
    /// The schema of the same states by the groups of another metric, one with other windows.
    ///
    /// # Errors
    /// If its group columns have types that cannot be compared.
    pub fn form_of(&self, metric: &ir::Metric) -> Result<StateForm, CompileError> {
        StateForm::new(metric.name.clone(), group_fields(metric), self.form.monoids.clone())
    }

    pub(crate) fn new(
        metric: &Arc<ir::Metric>,
        states: &MetricStates<'_>,
        imports: &Imports,
    ) -> Result<Self, CompileError> {
        let aggregates = states.aggregates.clone();
        let (presented_schema, outputs) = presentation(metric, &aggregates, imports)?;
        let rows = states.states.iter().take(1).map(|state| &state.monoid);
        let hashed = rows.chain(aggregates.iter().map(|planned| &planned.monoid));
        let hashed = hashed.map(|monoid| monoid.as_ref());
        let sessions = states.sessions.iter().map(|sessions| sessions as &dyn Monoid);
        let monoids = states.states.iter().map(|state| state.monoid.clone()).collect();
        Ok(MetricPlan {
            metric: metric.clone(),
            hash: MetricHash::of(metric, hashed.chain(sessions)),
            state_hash: StateHash::of(metric, &states.states),
            spread: Spread::of(metric, states)?,
            form: StateForm::new(metric.name.clone(), group_fields(metric), monoids)?,
            aggregates,
            presented_schema,
            outputs,
        })
    }
}

impl Spread {
    fn of(metric: &ir::Metric, states: &MetricStates<'_>) -> Result<Option<Self>, CompileError> {
        match (&metric.window, &states.sessions) {
            (ir::Window::Sliding { length, step }, _) => {
                let n_panes = length.checked_div(*step).unwrap_or(0);
                Ok(Some(Spread::Panes { step: *step, n_panes }))
            }
            (ir::Window::Session { gap }, Some(sessions)) => {
                let instant = |name: &str| Field::new(name, scalar::data_type(&ir::Kind::Timestamp), false);
                let mut groups = vec![instant(columns::WINDOW), instant(columns::WINDOW_END)];
                groups.extend(group_fields(metric).into_iter().filter(|_| !metric.keys.is_empty()));
                let monoids = sessions.parts().iter().map(|part| part.monoid.clone()).collect();
                let form = Box::new(StateForm::new(metric.name.clone(), groups, monoids)?);
                Ok(Some(Spread::Sessions { sessions: sessions.clone(), gap: *gap, form }))
            }
            _ => Ok(None),
        }
    }
}

/// The monoid of an aggregate that the program brings.
fn own(
    import: &ir::Import,
    inputs: &[DataType],
    presented: &ir::Type,
    imports: &Imports,
) -> Result<Arc<dyn Monoid>, CompileError> {
    let aggregate = imports.aggregate_named(&import.name).ok_or_else(|| not_brought(import))?;
    check_signature(import, aggregate.version(), aggregate.arguments(), aggregate.result())?;
    if import.idempotent && !aggregate.laws().idempotent {
        let problem = "declared is an idempotent aggregate, and what the program brings is none";
        return Err(CompileError::form(format!("`{}`", import.name), problem));
    }
    user_defined_monoid(aggregate, inputs, &scalar::data_type(&presented.kind))
        .map_err(|error| CompileError::engine(&import.name, error))
}

fn make(metric: &str, op: &ir::AggregateOp, inputs: &[DataType]) -> Result<Arc<dyn Monoid>, CompileError> {
    monoid(op, inputs).map_err(|error| CompileError::engine(metric, error))
}

/// The columns that an aggregate's monoid takes: its arguments, and what else it reads of a row.
pub(crate) fn args_of(aggregate: &ir::Aggregate) -> Vec<Arg<'_>> {
    let mut args: Vec<Arg<'_>> = aggregate.args.iter().map(Arg::Value).collect();
    match aggregate.op.reads() {
        Reads::Nothing => {}
        Reads::Time => args.insert(1, Arg::Time),
        Reads::TimeAndPosition => args.extend([Arg::Time, Arg::Position]),
    }
    args
}

fn presentation(
    metric: &ir::Metric,
    aggregates: &[PlannedAggregate],
    imports: &Imports,
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
        .map(|output| scalar::compile(&output.expr, &schema, &|column| column, imports))
        .collect::<Result<_, _>>()?;
    Ok((schema, outputs))
}
