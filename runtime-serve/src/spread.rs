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

use crate::ServeError;

/// Presented states: their form, and one row per window and key.
pub(crate) struct Windowed<'a> {
    pub(crate) form: &'a StateForm,
    pub(crate) states: RecordBatch,
}

/// The states of the plan's segment by the windows that are presented.
pub(crate) fn spread<'a>(plan: &'a MetricPlan, states: &RecordBatch) -> Result<Windowed<'a>, ServeError> {
    match &plan.spread {
        None => Ok(Windowed { form: &plan.form, states: states.clone() }),
        Some(Spread::Panes { step, n_panes }) => {
            Ok(Windowed { form: &plan.form, states: windows_of_panes(&plan.form, states, *step, *n_panes)? })
        }
        Some(Spread::Sessions { sessions, gap, form }) => {
            Ok(Windowed { form, states: rows_of_sessions(plan, sessions, *gap, form, states)? })
        }
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
