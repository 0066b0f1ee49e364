//! Reading a range of windows, and coarser ones than a metric has: states merge, so means, quantiles and distinct counts of a
//! day come from those of its hours as exactly as sums do.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use metricc_compiler::scalar::WindowRule;
use metricc_compiler::{CompileError, MetricPlan};
use metricc_ir::calendar::instant_text;
use metricc_ir::spelling;
use metricc_ir::{Metric, Window};

use crate::ServeError;
use crate::spread::{Form, Windowed};

/// Which windows are read, and how coarsely.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Only windows of the metric that start at this instant (µs) or later.
    pub from: Option<i64>,
    /// Only windows of the metric that start before this instant (µs).
    pub to: Option<i64>,
    /// Windows that are put together from those of the metric; all time gives one row for the range.
    pub grain: Option<Window>,
    /// The keys that are kept, by their places in the metric, in the order of the rows; the others are merged. All
    /// unless given.
    pub keys: Option<Vec<usize>>,
}

impl Reading {
    pub(crate) fn refused(metric: &str, problem: impl Into<String>) -> ServeError {
        ServeError::Reading { metric: metric.to_owned(), problem: problem.into() }
    }

    /// Whether a metric of a window can be read so.
    pub(crate) fn check(&self, metric: &str, window: &Window) -> Result<(), ServeError> {
        let has_range = self.from.is_some() || self.to.is_some() || self.grain.is_some();
        if *window == Window::AllTime && has_range {
            return Err(Reading::refused(metric, "is of all time: it has no windows to choose from"));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            let (from, to) = (instant_text(from, None), instant_text(to, None));
            return Err(Reading::refused(
                metric,
                format!("is asked for from {from} on, before {to}: the range ends before it begins"),
            ));
        }
        let is_kept = matches!(window, Window::Tumbling(_) | Window::Calendar(..));
        match &self.grain {
            Some(Window::Sliding { .. } | Window::Session { .. }) => {
                Err(Reading::refused(metric, "is put together to windows that do not overlap"))
            }
            Some(_) if !is_kept => {
                let window = spelling::window(window);
                Err(Reading::refused(metric, format!("is `{window}`: such windows are not put together")))
            }
            _ => Ok(()),
        }
    }

    /// The rows whose windows, which start in the first column, are in the range.
    pub(crate) fn in_range(&self, metric: &Metric, states: RecordBatch) -> Result<RecordBatch, ServeError> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(states);
        }
        let starts = starts(metric, states.column(0))?;
        let range = self.from.unwrap_or(i64::MIN)..self.to.unwrap_or(i64::MAX);
        let mask: BooleanArray = starts.values().iter().map(|start| Some(range.contains(start))).collect();
        let kept = filter_record_batch(&states, &mask);
        Ok(kept.map_err(|error| CompileError::engine(&metric.name, error))?)
    }

    /// The metric with the keys that are kept, and its states by them; none where those are all, in their order.
    pub(crate) fn fewer_keys(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
    ) -> Result<Option<Windowed<'static>>, ServeError> {
        let own = &plan.metric;
        let Some(keys) = &self.keys else { return Ok(None) };
        let metric =
            Metric { keys: keys.iter().map(|key| own.keys[*key].clone()).collect(), ..(**own).clone() };
        let form = plan.form_of(&metric)?;
        let (groups, kept) = states.columns().split_at(plan.form.n_group_columns);
        let n_before = usize::from(own.window.has_start());
        let mut columns: Vec<ArrayRef> = groups[..n_before].to_vec();
        columns.extend(keys.iter().map(|key| groups[n_before + key].clone()));
        if columns.is_empty() {
            columns.push(Arc::new(BooleanArray::from(vec![false; states.num_rows()])));
        }
        columns.extend(kept.iter().cloned());
        let moved = RecordBatch::try_new(form.schema.clone(), columns)
            .map_err(|error| CompileError::engine(&metric.name, error))?;
        let states = form.collect(&[moved])?;
        Ok(Some(Windowed { metric: Arc::new(metric), form: Form::Other(Box::new(form)), states }))
    }

    /// The states by the windows that are asked for; none where those are the metric's own.
    pub(crate) fn coarse(
        &self,
        plan: &MetricPlan,
        own: &Metric,
        states: &RecordBatch,
    ) -> Result<Option<Windowed<'static>>, ServeError> {
        let Some(window) = self.grain.as_ref().filter(|window| **window != own.window) else {
            return Ok(None);
        };
        let metric = Metric { window: window.clone(), ..own.clone() };
        let form = plan.form_of(&metric)?;
        // The start of the window, then the keys.
        let (groups, kept) = states.columns().split_at(1 + own.keys.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(states.num_columns());
        if *window != Window::AllTime {
            columns.push(coarser(own, &groups[0], window)?);
        } else if metric.keys.is_empty() {
            columns.push(Arc::new(BooleanArray::from(vec![false; states.num_rows()])));
        }
        columns.extend(groups[1..].iter().chain(kept).cloned());
        let moved = RecordBatch::try_new(form.schema.clone(), columns)
            .map_err(|error| CompileError::engine(&metric.name, error))?;
        let states = form.collect(&[moved])?;
        Ok(Some(Windowed { metric: Arc::new(metric), form: Form::Other(Box::new(form)), states }))
    }
}

/// Where the coarser window of each window starts. Its ends have to be borders of windows: whether metrics can be read so
/// does not depend on where events are.
fn coarser(metric: &Metric, fine: &ArrayRef, window: &Window) -> Result<ArrayRef, ServeError> {
    let (own, rule) = (WindowRule::new(&metric.window)?, WindowRule::new(window)?);
    let fine = starts(metric, fine)?;
    let mut last = None;
    let mut coarse = Vec::with_capacity(fine.values().len());
    for start in fine.values() {
        let start = rule.start_of(*start);
        coarse.push(start);
        if last.replace(start) == Some(start) {
            continue;
        }
        let is_border = |instant: &i64| own.start_of(*instant) == *instant;
        if let Some(border) = [start, rule.end_of(start)].into_iter().find(|instant| !is_border(instant)) {
            let (own, coarse) = (spelling::window(&metric.window), spelling::window(window));
            let at = instant_text(border, None);
            let problem =
                format!("is `{own}`: one of its windows lies in two of `{coarse}`, which meet at {at}");
            return Err(Reading::refused(&metric.name, problem));
        }
    }
    Ok(Arc::new(TimestampMicrosecondArray::from(coarse)))
}

fn starts(metric: &Metric, column: &ArrayRef) -> Result<TimestampMicrosecondArray, CompileError> {
    let starts = column.as_primitive_opt::<TimestampMicrosecondType>().cloned();
    starts.ok_or_else(|| CompileError::form(&metric.name, "the window column holds no timestamps"))
}
