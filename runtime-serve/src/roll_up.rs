//! Coarser windows and fewer keys than a metric has. States merge, so means, quantiles and distinct counts of
//! a day come from those of its hours as exactly as sums do: the groups get the coarser window's start, and
//! the form that makes every table of states canonical merges them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use metricc_compiler::scalar::WindowRule;
use metricc_compiler::{CompileError, MetricPlan, StateForm};
use metricc_ir::calendar::instant_text;
use metricc_ir::{CalendarUnit, Metric, Window, expression_text};

use crate::ServeError;

/// States of a metric: one row per window and key.
pub(crate) struct Grouped<'a> {
    /// The metric, with the windows and keys of these rows.
    pub(crate) metric: Arc<Metric>,
    pub(crate) form: Form<'a>,
    pub(crate) states: RecordBatch,
}

/// The form of the plan, or of other windows or keys.
pub(crate) enum Form<'a> {
    Planned(&'a StateForm),
    Other(Box<StateForm>),
}

impl AsRef<StateForm> for Form<'_> {
    fn as_ref(&self) -> &StateForm {
        match self {
            Form::Planned(form) => form,
            Form::Other(form) => form,
        }
    }
}

/// The states merged by some of the metric's keys, given by their indices, in this order.
pub(crate) fn by_keys(
    plan: &MetricPlan,
    states: &RecordBatch,
    keys: &[usize],
) -> Result<Grouped<'static>, ServeError> {
    let all = &plan.metric;
    let metric = Metric { keys: keys.iter().map(|key| all.keys[*key].clone()).collect(), ..(**all).clone() };
    let (groups, states) = states.columns().split_at(plan.form.n_group_columns);
    let n_before = usize::from(all.window.has_start());
    let mut columns: Vec<ArrayRef> = groups[..n_before].to_vec();
    columns.extend(keys.iter().map(|key| groups[n_before + key].clone()));
    regrouped(plan, metric, columns, states)
}

/// The states of a metric's windows, merged to coarser ones.
pub(crate) fn by_window(
    plan: &MetricPlan,
    metric: &Metric,
    states: &RecordBatch,
    window: &Window,
) -> Result<Grouped<'static>, ServeError> {
    // The start of the window, then the keys.
    let (groups, states) = states.columns().split_at(1 + metric.keys.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(groups.len());
    if *window != Window::AllTime {
        columns.push(coarser(metric, &groups[0], window)?);
    }
    columns.extend_from_slice(&groups[1..]);
    regrouped(plan, Metric { window: window.clone(), ..metric.clone() }, columns, states)
}

/// The states of rows by other group columns.
fn regrouped(
    plan: &MetricPlan,
    metric: Metric,
    columns: Vec<ArrayRef>,
    states: &[ArrayRef],
) -> Result<Grouped<'static>, ServeError> {
    let form = plan.form_of(&metric)?;
    let states = form.regrouped(columns, states.iter().cloned())?;
    Ok(Grouped { metric: Arc::new(metric), form: Form::Other(Box::new(form)), states })
}

/// The start of the coarser window of each row. Both ends of a coarser window have to be borders of the
/// metric's windows, also where no events are: whether a metric can be rolled up does not depend on its
/// events alone.
fn coarser(metric: &Metric, fine: &ArrayRef, window: &Window) -> Result<ArrayRef, ServeError> {
    let (of_metric, rule) = (WindowRule::new(&metric.window)?, WindowRule::new(window)?);
    let fine = starts(&metric.name, fine)?;
    let mut last = None;
    let mut coarse = Vec::with_capacity(fine.len());
    for start in fine {
        let start = rule.start_of(*start);
        coarse.push(start);
        if last.replace(start) == Some(start) {
            continue;
        }
        let is_border = |instant: &i64| of_metric.start_of(*instant) == *instant;
        if let Some(border) = [start, rule.end_of(start)].into_iter().find(|instant| !is_border(instant)) {
            let [fine, coarse] =
                [&metric.window, window].map(|window| expression_text::window(&window.cut()));
            let at = instant_text(border, None);
            let way_out = fitting(&metric.window, window, border)
                .map_or_else(String::new, |fitting| format!("; a metric that is `{fitting}` can be read so"));
            let problem = format!(
                "is `{fine}`: one of its windows lies in two of `{coarse}`, which meet at {at}{way_out}"
            );
            return Err(ServeError::options(&metric.name, problem));
        }
    }
    Ok(Arc::new(TimestampMicrosecondArray::from(coarse)))
}

/// Windows with a border where those of a metric have none, as the language writes them.
fn fitting(of_metric: &Window, coarse: &Window, border: i64) -> Option<String> {
    let shorter = match (of_metric, coarse) {
        (Window::Tumbling(width), _) => {
            let (mut width, mut rest) = (*width, border.rem_euclid(*width));
            while rest > 0 {
                (width, rest) = (rest, width % rest);
            }
            Window::Tumbling(width)
        }
        (Window::Calendar(_, of_metric), Window::Calendar(_, coarse)) if of_metric.zone == coarse.zone => {
            Window::Calendar(CalendarUnit::Day, of_metric.clone())
        }
        _ => return None,
    };
    Some(expression_text::window(&shorter.cut()))
}

/// The starts of windows, µs. In a canonical table of states they ascend.
pub(crate) fn starts<'a>(metric: &str, column: &'a ArrayRef) -> Result<&'a [i64], CompileError> {
    let starts = column.as_primitive_opt::<TimestampMicrosecondType>();
    let starts = starts.ok_or_else(|| CompileError::form(metric, "the window column holds no timestamps"))?;
    Ok(starts.values())
}

/// The rows whose windows, which start in the first column, are in a range.
pub(crate) fn in_range(
    metric: &str,
    states: &RecordBatch,
    from: Option<i64>,
    to: Option<i64>,
) -> Result<RecordBatch, CompileError> {
    if from.is_none() && to.is_none() {
        return Ok(states.clone());
    }
    let starts = starts(metric, states.column(0))?;
    debug_assert!(starts.is_sorted(), "states are in the order of their windows");
    let index = |at: i64| starts.partition_point(|start| *start < at);
    let (first, end) = (from.map_or(0, index), to.map_or(starts.len(), index));
    Ok(states.slice(first, end.saturating_sub(first)))
}
