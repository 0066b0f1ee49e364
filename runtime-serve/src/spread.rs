//! States as segments keep them to states of the windows that are presented.
//!
//! Segments keep what is disjoint, so that segments merge: panes of sliding windows, and sessions as part of a group's
//! state. Windows that overlap come about here, by merging panes.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::TimestampMicrosecondType;
use metricc_algebra::Sessions;
use metricc_compiler::{CompileError, MetricPlan, Spread, StateForm};
use metricc_ir::Metric;

use crate::ServeError;
use crate::reading::Reading;

/// Presented states: of which metric, in which form, one row per window and key.
pub(crate) struct Windowed<'a> {
    pub(crate) metric: Arc<Metric>,
    pub(crate) form: Form<'a>,
    pub(crate) states: RecordBatch,
}

/// The plan's own form, or one of other groups.
pub(crate) enum Form<'a> {
    Own(&'a StateForm),
    Other(Box<StateForm>),
}

impl AsRef<StateForm> for Form<'_> {
    fn as_ref(&self) -> &StateForm {
        match self {
            Form::Own(form) => form,
            Form::Other(form) => form,
        }
    }
}

/// The states of the plan's segment by the windows that are presented.
pub(crate) fn windowed<'a>(
    plan: &'a MetricPlan,
    states: &RecordBatch,
    reading: &Reading,
) -> Result<Windowed<'a>, ServeError> {
    reading.check(&plan.metric.name, &plan.metric.window)?;
    let own =
        || Windowed { metric: plan.metric.clone(), form: Form::Own(&plan.form), states: states.clone() };
    let by_keys: Windowed<'a> = reading.fewer_keys(plan, states)?.unwrap_or_else(own);
    let metric = by_keys.metric.clone();
    match &plan.spread {
        Some(Spread::Panes { step, n_panes }) => {
            // The windows of the range are made of its panes and those up to a window's length behind it.
            let behind = |to: i64| to.saturating_add(step.saturating_mul(*n_panes));
            let of_windows = Reading { to: reading.to.map(behind), ..reading.clone() };
            let panes = of_windows.in_range(&metric, by_keys.states)?;
            let windows = windows_of_panes(by_keys.form.as_ref(), &panes, *step, *n_panes)?;
            Ok(Windowed { states: reading.in_range(&metric, windows)?, ..by_keys })
        }
        Some(Spread::Sessions { .. }) if metric.keys.len() < plan.metric.keys.len() => {
            let problem = "has sessions of each key: they are not merged";
            Err(Reading::refused(&metric.name, problem))
        }
        Some(Spread::Sessions { sessions, gap, form }) => {
            let rows = rows_of_sessions(plan, sessions, *gap, form, states)?;
            let states = reading.in_range(&metric, rows)?;
            Ok(Windowed { metric: plan.metric.clone(), form: Form::Own(form), states })
        }
        None if metric.window.has_start() => {
            let states = reading.in_range(&metric, by_keys.states)?;
            let coarse = reading.coarse(plan, &metric, &states)?;
            Ok(coarse.unwrap_or(Windowed { states, ..by_keys }))
        }
        None => Ok(by_keys),
    }
}

/// A window of n panes is one of a panes and one of n − a panes behind it. Starting from single panes, lengths double,
/// and those that are bits of n are put together: some 2·log₂(n) merges of all windows at once.
fn windows_of_panes(
    form: &StateForm,
    panes: &RecordBatch,
    step: i64,
    n_panes: i64,
) -> Result<RecordBatch, CompileError> {
    let mut doubled = (panes.clone(), 1_i64);
    let mut windows: Option<(RecordBatch, i64)> = None;
    loop {
        let (states, length) = &doubled;
        if n_panes & length != 0 {
            windows = Some(match windows {
                None => (states.clone(), *length),
                Some((first, n_first)) => {
                    let behind = earlier(form, states, n_first.saturating_mul(step))?;
                    (form.collect(&[first, behind])?, n_first + length)
                }
            });
        }
        if length.saturating_mul(2) > n_panes {
            return Ok(windows.map_or_else(|| panes.clone(), |(windows, _)| windows));
        }
        let behind = earlier(form, states, length.saturating_mul(step))?;
        doubled = (form.collect(&[states.clone(), behind])?, 2 * length);
    }
}

/// The same states in windows that start earlier.
fn earlier(form: &StateForm, states: &RecordBatch, by: i64) -> Result<RecordBatch, CompileError> {
    let starts = states
        .column(0)
        .as_primitive_opt::<TimestampMicrosecondType>()
        .ok_or_else(|| CompileError::form(&form.place, "the window column holds no timestamps"))?;
    let mut columns = states.columns().to_vec();
    columns[0] = Arc::new(starts.unary::<_, TimestampMicrosecondType>(|start| start.saturating_sub(by)));
    RecordBatch::try_new(form.schema.clone(), columns)
        .map_err(|error| CompileError::engine(&form.place, error))
}

fn rows_of_sessions(
    plan: &MetricPlan,
    sessions: &Sessions,
    gap: i64,
    form: &StateForm,
    states: &RecordBatch,
) -> Result<RecordBatch, ServeError> {
    let exploded = sessions.explode(states.column(plan.form.n_group_columns + 1))?;
    let times = |times: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(times)) as ArrayRef;
    let ends = exploded.last.iter().map(|last| last.saturating_add(gap)).collect();
    let mut columns = vec![times(exploded.first), times(ends)];
    let rows = UInt32Array::from(exploded.rows);
    let failed = |error| CompileError::engine(&form.place, error);
    if !plan.metric.keys.is_empty() {
        for key in &states.columns()[..plan.form.n_group_columns] {
            columns.push(take(key, &rows, None).map_err(failed)?);
        }
    }
    columns.extend(exploded.states);
    let rows = RecordBatch::try_new(form.schema.clone(), columns).map_err(failed)?;
    Ok(form.collect(&[rows])?)
}
