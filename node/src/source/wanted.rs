//! The states that a source is to keep, those that its answers have, and how far those are that are computed.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use metricc_compiler::{CompileError, MetricPlan};
use metricc_ir::Source;
use metricc_log::EventDecoder;

use super::NodeSource;
use crate::backfill::{BackfillStatus, Progress};
use crate::loaded_view::LoadedView;
use crate::source_plans::SourcePlans;

/// The backfill of a source, and why its last attempt failed, if one did.
#[derive(Debug)]
pub(super) struct RunningBackfill {
    progress: Arc<Progress>,
    problem: Option<String>,
}

impl NodeSource {
    /// The states that are to be kept.
    pub(crate) fn wanted(&self) -> Arc<SourcePlans> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How its events are to be decoded. Batch brings the log to it.
    pub(crate) fn wanted_declaration(&self) -> Arc<Source> {
        self.declaration.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says how its events are to be decoded from now on: as soon as all that follows the log can read what comes
    /// in then.
    pub(crate) fn want_declared(&self, source: &Arc<Source>) {
        *self.declaration.lock().unwrap_or_else(PoisonError::into_inner) = source.clone();
        self.changed.notify();
    }

    /// The declaration that the log is to be brought to, if it may be: nothing that follows the log is left that
    /// could not read what comes in then.
    pub(crate) fn due_declaration(&self) -> Option<Arc<Source>> {
        let (wanted, log) = (self.wanted_declaration(), self.log.snapshot());
        if log.decoder(self.name()).is_some_and(|decoder| *decoder.source() == wanted) {
            return None;
        }
        let plans = [
            Some(self.wanted()),
            Some(self.latest_view().plan.clone()),
            self.view().map(|view| view.plan.clone()),
        ];
        let declared = plans.iter().flatten().flat_map(|plans| plans.declared());
        let mut sources = declared.map(|declared| &declared.plan.source);
        sources.all(|source| log.check_declared(&wanted, source).is_ok()).then_some(wanted)
    }

    /// Whether its events are decoded as they are to be.
    pub(crate) fn is_declared(&self) -> bool {
        self.decoder().is_none_or(|decoder| *decoder.source() == self.wanted_declaration())
    }

    /// How its events are decoded.
    pub(crate) fn decoder(&self) -> Option<EventDecoder> {
        self.log.snapshot().decoder(self.name()).map(EventDecoder::of_records)
    }

    /// The names of the fields by which its events are decoded now.
    pub(crate) fn fields(&self) -> Vec<String> {
        let decoder = self.decoder();
        let fields = decoder.iter().flat_map(|decoder| &decoder.source().fields);
        fields.map(|field| field.name.clone()).collect()
    }

    /// Says which states are to be kept from now on: those of these metrics. Those that the view lacks are
    /// computed from the log.
    ///
    /// # Errors
    /// If they cannot be planned together.
    pub(crate) fn want(&self, metrics: &[Arc<MetricPlan>]) -> Result<(), CompileError> {
        let plan = self.plan_of(metrics)?;
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = plan;
        self.changed.notify();
        Ok(())
    }

    /// The plans of some of its metrics, each state once.
    ///
    /// # Errors
    /// If they cannot be planned together.
    pub(crate) fn plan_of(&self, metrics: &[Arc<MetricPlan>]) -> Result<Arc<SourcePlans>, CompileError> {
        SourcePlans::new(metrics, &self.imports)
    }

    /// Notes that states are computed from the start of the log.
    pub(crate) fn backfill_started(&self, progress: Arc<Progress>) {
        let mut backfill = self.lock_backfill();
        let problem = backfill.take().and_then(|before| before.problem);
        *backfill = Some(RunningBackfill { progress, problem });
    }

    /// Notes that they are there, or are not wanted any more.
    pub(crate) fn backfill_ended(&self) {
        *self.lock_backfill() = None;
    }

    /// Notes that they could not be computed. It is tried again.
    pub(crate) fn backfill_failed(&self, problem: &str) {
        if let Some(backfill) = &mut *self.lock_backfill() {
            backfill.problem = Some(problem.to_owned());
        }
    }

    /// How far the states are that are computed from the start of the log, if there are any.
    pub(crate) fn backfill(&self) -> Option<BackfillStatus> {
        let backfill = self.lock_backfill();
        backfill.as_ref().map(|backfill| backfill.progress.status(backfill.problem.as_deref()))
    }

    /// Notes how long batch took for positions of the log.
    pub(crate) fn evaluation_took(&self, n_positions: u64, time: Duration) {
        self.speed.took(n_positions, time);
    }

    /// About how long batch takes for so many positions; `None` if that is not known yet.
    pub(crate) fn evaluation_estimate(&self, n_positions: u64) -> Option<Duration> {
        self.speed.estimate(n_positions)
    }

    fn lock_backfill(&self) -> MutexGuard<'_, Option<RunningBackfill>> {
        self.backfill.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the latest view by one with other states, if these are still the ones that are wanted: so what
    /// is wanted and was there never goes in between.
    pub(crate) fn adopt(&self, view: Arc<LoadedView>) -> bool {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = Arc::ptr_eq(&wanted, &view.plan);
        if is_wanted {
            self.set_latest_view(view);
        }
        is_wanted
    }

    /// Whether the answers have the states of a metric, and go on having them: the view that is served keeps
    /// them, and no other one is about to take its place.
    pub(crate) fn holds(&self, metric: &MetricPlan) -> bool {
        let views = self.views();
        let served = views.served.as_ref().map(|(view, _)| view);
        served.is_some_and(|served| Arc::ptr_eq(&served.plan, &views.latest.plan) && served.keeps(metric))
    }
}
