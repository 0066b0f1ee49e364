//! What an answer would take, before it is computed, and whether that is more than it may.

use arrow::array::RecordBatch;
use metricc_client::ServingError;
use metricc_compiler::{MetricPlan, Segment};
use metricc_ir::Window;

use super::{Query, failed};
use crate::published::PublishedStates;
use crate::row_estimate::estimated_rows;
use crate::served_metrics::ServedPlan;
use crate::{FEW_ROWS, Published, ServeError};

/// What an answer would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowEstimate {
    /// Rows of the answer: at least so many where they are merged piece by piece, else about so many.
    pub n_rows: u64,
    /// Whether all rows are in memory before the first one is written; a limit does not change that.
    pub is_whole: bool,
}

impl Query {
    /// Checks that an answer has no more rows than it may.
    ///
    /// # Errors
    /// [`ServingError::TooManyRows`], with the way out.
    pub fn check_rows(&self, estimate: RowEstimate, most: u64) -> Result<(), ServingError> {
        if estimate.n_rows <= most {
            return Ok(());
        }
        let fewer = match (self.entry.window(), estimate.is_whole) {
            (_, false) => {
                "read it in pages, with `limit` and then the `cursor` that each answer has as `next`, or ask"
            }
            (Window::Sliding { .. }, true) => {
                "its windows overlap, and each group is in many of them: define it with a longer `step`, or ask"
            }
            (_, true) => "ask",
        };
        let before_grain = match (&self.options().grain, &self.options().keys) {
            (Some(_), _) => "that is in its own windows, before `grain` joins them; ",
            (None, Some(_)) => "that is by all of its keys, before `by` joins them; ",
            (None, None) => "",
        };
        if self.request.fill {
            let help = "with a row for each key in each window of the range, since it asks to `fill`: ask for a shorter range \
                        with `from` and `to`, or for fewer keys; `max_rows` under `[reading]` in the configuration of the \
                        node allows more";
            let (metric, rows) = (self.metric().to_owned(), estimate.n_rows);
            return Err(ServingError::TooManyRows { metric, rows, most, help: help.to_owned() });
        }
        if !self.reading.beside().is_none() {
            let help = "with those of totals, shares and earlier windows: ask for a shorter range with `from` and `to`, for some \
                        keys, or for fewer of them with `by`; `max_rows` under `[reading]` in the configuration of the node \
                        allows more";
            let (metric, rows) = (self.metric().to_owned(), estimate.n_rows);
            return Err(ServingError::TooManyRows { metric, rows, most, help: help.to_owned() });
        }
        let help = format!(
            "{before_grain}{fewer} for a shorter range with `from` and `to`, for some keys, or for the `latest` window; `max_rows` under \
             `[reading]` in the configuration of the node allows more"
        );
        let (metric, rows) = (self.metric().to_owned(), estimate.n_rows);
        Err(ServingError::TooManyRows { metric, rows, most, help })
    }

    /// What the answer from a version would take.
    ///
    /// # Errors
    /// [`ServingError::Failed`] if states are malformed.
    pub fn estimate(&self, published: &Published) -> Result<RowEstimate, ServingError> {
        let estimate = self.estimate_of(published).map_err(failed)?;
        let is_page = !estimate.is_whole;
        let limit = self.request.limit.filter(|_| is_page).unwrap_or(u64::MAX);
        Ok(RowEstimate { n_rows: estimate.n_rows.min(limit), ..estimate })
    }

    fn estimate_of(&self, published: &Published) -> Result<RowEstimate, ServeError> {
        if let Some((plan, metric)) = self.mergeable(published) {
            let parts = self.parts(plan, metric)?;
            let n_readable = |part: &RecordBatch| match &self.filter {
                Some(filter) => filter.n_kept(plan, part),
                None => Ok(part.num_rows()),
            };
            let n_rows =
                parts.iter().map(n_readable).try_fold(0, |most, n| Ok::<_, ServeError>(n?.max(most)))?;
            return Ok(RowEstimate { n_rows: n_rows as u64, is_whole: false });
        }
        if let Some((plan, metric, _)) = self.overlapping(published) {
            let (states, options) = self.states_of_base(plan, metric)?;
            let n_rows = estimated_rows(plan, &states.states, &options)?;
            return Ok(RowEstimate { n_rows, is_whole: false });
        }
        let bases = self.entry.plan.base();
        let metrics: Option<Vec<_>> = bases.iter().map(|plan| published.states(plan)).collect();
        let n_rows = match (metrics, &self.entry.plan) {
            (None, _) => 0,
            (Some(metrics), ServedPlan::Base(plan)) => self.n_rows_of_base(plan, metrics[0])?,
            (Some(metrics), ServedPlan::Derived(plan)) => {
                let segments = self.readable_bases(&metrics)?;
                let segments: Vec<&Segment> = segments.iter().map(|segment| &**segment).collect();
                self.reading.n_rows_of_derived(plan, &segments)?
            }
        };
        Ok(RowEstimate { n_rows, is_whole: true })
    }

    fn n_rows_of_base(&self, plan: &MetricPlan, metric: &PublishedStates) -> Result<u64, ServeError> {
        if plan.spread.is_none()
            && !self.request.fill
            && self.reading.beside().is_none()
            && let Some(keys) = self.reading.all_keys()
        {
            // An index counts the groups of these keys, and each is a row at most. Of many, a range may leave
            // few.
            let n_groups = metric.n_groups_of_keys(plan, keys);
            if n_groups <= FEW_ROWS {
                return Ok(n_groups as u64);
            }
        }
        let (states, options) = self.states_of_base(plan, metric)?;
        self.reading.n_rows_of_base(plan, &states.states, &options)
    }
}
