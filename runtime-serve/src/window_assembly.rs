//! Window assembly: the states that segments keep, as states of the windows that are presented.
//!
//! Segments keep what is disjoint, so that they merge: panes of sliding windows, and the sessions of a group
//! as one state. Windows that overlap exist only here, where panes are merged.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::TimestampMicrosecondType;
use metricc_algebra::Sessions;
use metricc_compiler::{CompileError, MetricPlan, Spread, StateForm};

use crate::roll_up::{Form, Grouped, by_keys, by_window, in_range};
use crate::{ReadOptions, ServeError};

/// The states of a plan's segment, by the windows and keys that are read.
pub(crate) fn assemble<'a>(
    plan: &'a MetricPlan,
    states: &RecordBatch,
    options: &ReadOptions,
) -> Result<Grouped<'a>, ServeError> {
    let ReadOptions { from, to, grain, keys } = options;
    options.check(&plan.metric.name, &plan.metric.window)?;
    let grouped = match keys {
        Some(keys) => by_keys(plan, states, keys)?,
        None => {
            Grouped { metric: plan.metric.clone(), form: Form::Planned(&plan.form), states: states.clone() }
        }
    };
    let metric = grouped.metric.clone();
    match &plan.spread {
        Some(Spread::Panes { step, n_panes }) => {
            // A window of the range has panes in the range, and after it up to a window's length.
            let to_last_pane = to.map(|to| to.saturating_add(step.saturating_mul(*n_panes)));
            let panes = in_range(&metric.name, &grouped.states, *from, to_last_pane)?;
            let windows = windows_of_panes(grouped.form.as_ref(), &panes, *step, *n_panes)?;
            Ok(Grouped { states: in_range(&metric.name, &windows, *from, *to)?, ..grouped })
        }
        Some(Spread::Sessions { .. }) if metric.keys.len() < plan.metric.keys.len() => {
            let problem = "has sessions of each key, which cannot be merged";
            Err(ServeError::options(&metric.name, problem))
        }
        Some(Spread::Sessions { sessions, gap, form }) => {
            let rows = rows_of_sessions(plan, sessions, *gap, form, states)?;
            let states = in_range(&metric.name, &rows, *from, *to)?;
            Ok(Grouped { metric, form: Form::Planned(form), states })
        }
        None if metric.window.has_start() => {
            let states = in_range(&metric.name, &grouped.states, *from, *to)?;
            match grain.as_ref().filter(|window| !window.is_cut_as(&metric.window)) {
                Some(window) => by_window(plan, &metric, &states, window),
                None => Ok(Grouped { states, ..grouped }),
            }
        }
        None => Ok(grouped),
    }
}

/// A window of n panes is one of a panes, followed by one of n − a panes. Starting from single panes, lengths
/// double, and those that are bits of n are merged: some 2·log₂(n) merges of all windows at once.
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
                    let later = earlier(form, states, n_first.saturating_mul(step))?;
                    (form.collect(&[first, later])?, n_first + length)
                }
            });
        }
        if length.saturating_mul(2) > n_panes {
            return Ok(windows.map_or_else(|| panes.clone(), |(windows, _)| windows));
        }
        let later = earlier(form, states, length.saturating_mul(step))?;
        doubled = (form.collect(&[states.clone(), later])?, 2 * length);
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

/// A row for each session of each group.
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
