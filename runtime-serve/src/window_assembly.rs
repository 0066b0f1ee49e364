//! Window assembly: the states that segments keep, as states of the windows that are presented.
//!
//! Segments keep what is disjoint, so that they merge: panes of sliding windows, and the sessions of a group
//! as one state. Windows that overlap exist only here, where panes are merged.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take};
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
            let wanted = Starts::between(from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
            let states = windows_of_panes(grouped.form.as_ref(), &panes, (*step, *n_panes), &wanted)?;
            Ok(Grouped { states, ..grouped })
        }
        Some(Spread::Sessions { .. }) if keys.is_some() => {
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

/// The wanted windows of n panes. One of n panes is one of a panes, followed by one of n − a panes. Starting
/// from single panes, lengths double, and those that are bits of n are merged: some 2·log₂(n) merges of all
/// windows at once. Of each length, only those are made that a wanted window consists of.
fn windows_of_panes(
    form: &StateForm,
    panes: &RecordBatch,
    (step, n_panes): (i64, i64),
    wanted: &Starts,
) -> Result<RecordBatch, CompileError> {
    let needed = needed_of_lengths(wanted, step, n_panes);
    let mut windows: Option<(RecordBatch, i64)> = None;
    let mut states = panes.clone();
    let mut length = 1_i64;
    for (index, needed) in needed.iter().enumerate() {
        if index > 0 {
            let later = earlier(form, &states, length.saturating_mul(step))?;
            states = form.collect(&[needed.of(form, &states)?, needed.of(form, &later)?])?;
            length *= 2;
        }
        if n_panes & length != 0 {
            windows = Some(match windows {
                None => (wanted.of(form, &states)?, length),
                Some((first, n_first)) => {
                    let later = wanted.of(form, &earlier(form, &states, n_first.saturating_mul(step))?)?;
                    (form.collect(&[first, later])?, n_first + length)
                }
            });
        }
    }
    Ok(windows.map_or_else(|| panes.clone(), |(windows, _)| windows))
}

/// For each power of two up to n, the starts of the windows of that length that wanted windows consist of.
fn needed_of_lengths(wanted: &Starts, step: i64, n_panes: i64) -> Vec<Starts> {
    let n_lengths = (i64::BITS - n_panes.max(1).leading_zeros()) as usize;
    let mut needed = vec![Starts::default(); n_lengths];
    for index in (0..n_lengths).rev() {
        let length = 1_i64 << index;
        if n_panes & length != 0 {
            // It follows the shorter ones.
            let of_length = wanted.later(step.saturating_mul(n_panes % length));
            needed[index] = needed[index].union(&of_length);
        }
        if index > 0 {
            let second = needed[index].later(step.saturating_mul(length / 2));
            needed[index - 1] = needed[index].union(&second);
        }
    }
    needed
}

/// Starts of windows: instants (µs) of ranges that are apart, in order.
#[derive(Debug, Clone, Default, PartialEq)]
struct Starts(Vec<(i64, i64)>);

impl Starts {
    /// From an instant on, and before another one.
    fn between(from: i64, to: i64) -> Self {
        Starts(if from < to { vec![(from, to)] } else { Vec::new() })
    }

    fn later(&self, by: i64) -> Self {
        // An open end stays open.
        let moved = |at: i64| if at == i64::MIN { at } else { at.saturating_add(by) };
        Starts(self.0.iter().map(|(from, to)| (moved(*from), moved(*to))).collect())
    }

    fn union(&self, other: &Starts) -> Self {
        let mut all: Vec<(i64, i64)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut ranges: Vec<(i64, i64)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match ranges.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => ranges.push((from, to)),
            }
        }
        Starts(ranges)
    }

    /// The states of windows with these starts.
    fn of(&self, form: &StateForm, states: &RecordBatch) -> Result<RecordBatch, CompileError> {
        let slices = self.0.iter().map(|(from, to)| in_range(&form.place, states, Some(*from), Some(*to)));
        let slices = slices.collect::<Result<Vec<_>, _>>()?;
        match &slices[..] {
            [only] => Ok(only.clone()),
            slices => {
                concat_batches(&form.schema, slices).map_err(|error| CompileError::engine(&form.place, error))
            }
        }
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
