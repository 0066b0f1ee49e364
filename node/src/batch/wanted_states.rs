//! The view is brought to the states that are wanted: those of metrics that are new are computed from the
//! start of the log, and adopted where the view is by then.
//!
//! Invariant: until all of them are there, the view and what is served stay as they are.

use std::sync::Arc;
use std::time::Instant;

use metricc_compiler::{EngineOptions, MetricPlan, Segment};
use metricc_log::Frontier;

use super::{Batch, PAUSE, StepError};
use crate::backfill::Backfill;
use crate::loaded_view::LoadedView;
use crate::source_plans::SourcePlans;
use crate::states_of_log::states_of_log;

impl Batch {
    /// Takes the next step to the wanted states, if there is one. After a failure it waits until `due`.
    pub(super) fn follow_wanted(&self, running: &mut Option<Backfill>, due: &mut Instant) {
        if Instant::now() < *due {
            return;
        }
        if let Err(error) = self.step_to_wanted(running) {
            *due = Instant::now() + PAUSE;
            // States that are there are kept: it was the view that could not be written.
            running.take_if(|backfill| !backfill.has_ended());
            self.source.backfill_failed(&error.to_string());
            if !self.source.is_stopping() {
                self.source.counters.batch_failed(self.source.name());
                tracing::error!(source = self.source.name(), %error, "new metrics could not be computed; this is tried again");
            }
        }
    }

    /// Takes the next step to the wanted states, if there is one: starts to compute those that are missing,
    /// or adopts them when they are there.
    ///
    /// # Errors
    /// [`StepError`]. The view is as it was.
    pub(crate) fn step_to_wanted(&self, running: &mut Option<Backfill>) -> Result<(), StepError> {
        let (latest, wanted) = (self.source.latest_view(), self.source.wanted());
        if Arc::ptr_eq(&latest.plan, &wanted) {
            return Ok(());
        }
        let wanted = &wanted;
        let missing = latest.missing(wanted);
        let is_empty = latest.segments.is_empty();
        if missing.is_empty() || is_empty {
            *running = None;
            self.source.backfill_ended();
            if let Some(view) = latest.of_plan(wanted, &[]) {
                // If not, others are wanted by now, and the next step is to them.
                self.source.adopt(Arc::new(view));
            }
            return Ok(());
        }
        let missing = self.source.plan_of(&missing)?;
        let Some(backfill) = running.as_mut().filter(|backfill| backfill.computes(&missing)) else {
            // One for other states is given up.
            *running = None;
            let latest = self.beyond_asked(&missing, latest)?;
            let workers = self.schedule.backfill_workers;
            let options = EngineOptions { workers, ..self.schedule.options.clone() };
            let names: Vec<&str> = missing.metrics.iter().map(|metric| metric.metric.name.as_str()).collect();
            tracing::info!(
                source = self.source.name(),
                metrics = names.join(", "),
                positions = latest.frontier.n_positions(),
                "computing new metrics from the log"
            );
            *running = Some(Backfill::start(&self.source, missing, &latest.frontier, options)?);
            return Ok(());
        };
        let end = backfill.end().clone();
        let Some(segments) = backfill.segments()? else { return Ok(()) };
        let segments = self.continued(segments, &missing, &end, &latest.frontier)?;
        let Some(view) = latest.of_plan(wanted, &segments) else { return Ok(()) };
        self.step_from(&view)?;
        *running = None;
        self.source.backfill_ended();
        Ok(())
    }

    /// The latest view, which ends where states that questions have left end, or after them: a backfill ends
    /// where the view does, and goes on from them.
    fn beyond_asked(
        &self,
        missing: &SourcePlans,
        latest: Arc<LoadedView>,
    ) -> Result<Arc<LoadedView>, StepError> {
        let asked = &self.source.asked;
        let is_beyond = |metric: &Arc<MetricPlan>| asked.are_beyond(&metric.state_hash, &latest.frontier);
        if !missing.metrics.iter().any(is_beyond) {
            return Ok(latest);
        }
        self.step()?;
        Ok(self.source.latest_view())
    }

    /// The states up to another frontier, which is not before the one where they end.
    fn continued(
        &self,
        segments: &[Segment],
        plan: &SourcePlans,
        from: &Frontier,
        to: &Frontier,
    ) -> Result<Vec<Segment>, StepError> {
        if from == to {
            return Ok(segments.to_vec());
        }
        let fresh = states_of_log(&self.source, plan, (from, to), &self.schedule.options)?;
        let n_positions = to.n_positions() - from.n_positions();
        self.source.counters.backfilled(self.source.name(), n_positions);
        let pairs = segments.iter().zip(&fresh);
        let merged =
            plan.metrics.iter().zip(pairs).map(|(metric, (known, fresh))| known.merge(fresh, metric));
        Ok(merged.collect::<Result<_, _>>()?)
    }
}
