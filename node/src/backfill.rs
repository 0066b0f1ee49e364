//! Backfill: the states that a source is to keep and does not have yet are computed from the start of its log,
//! on threads of their own, while all else goes on.
//!
//! A backfill ends where the view ended when it began. What the view has gained since then is evaluated when
//! the states are adopted, so however long it takes, no position is missed and none is evaluated twice. A
//! backfill that is cut off leaves nothing behind: it begins again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metricc_compiler::{CompileError, EngineOptions, Segment};
use metricc_log::Frontier;

use crate::continued_states::ContinuedStates;
use crate::node::SourceStatus;
use crate::source::NodeSource;
use crate::source_plans::SourcePlans;
use crate::states_of_log::StatesError;
use crate::status::family;
use crate::thread_priority::{Priority, lower_priority};

/// Why states could not be computed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackfillError {
    #[error(transparent)]
    States(#[from] StatesError),
    #[error(transparent)]
    Plan(#[from] CompileError),
    #[error("no thread was started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("its thread panicked")]
    Panic,
}

/// How far a backfill is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillStatus {
    /// The metrics whose states are computed.
    pub metrics: Vec<String>,
    /// Positions that are evaluated.
    pub done: u64,
    /// Positions that are to be evaluated.
    pub positions: u64,
    /// Since it began.
    pub elapsed: Duration,
    /// Why the last attempt failed, if one did.
    pub problem: Option<String>,
}

/// What all who look at a backfill share.
#[derive(Debug)]
pub(crate) struct Progress {
    metrics: Vec<String>,
    done: AtomicU64,
    positions: u64,
    started: Instant,
}

impl Progress {
    pub(crate) fn status(&self, problem: Option<&str>) -> BackfillStatus {
        BackfillStatus {
            metrics: self.metrics.clone(),
            done: self.done.load(Ordering::Relaxed),
            positions: self.positions,
            elapsed: self.started.elapsed(),
            problem: problem.map(str::to_owned),
        }
    }
}

/// A backfill that runs, or has ended.
pub(crate) struct Backfill {
    /// The states that are computed, from the start of the log to a frontier.
    states: Arc<ContinuedStates>,
    is_cancelled: Arc<AtomicBool>,
    /// Gives the outcome, before the batch layer is told that there is one.
    outcome: Receiver<Result<Vec<Segment>, BackfillError>>,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests wait for it"))]
    thread: JoinHandle<()>,
    segments: Option<Vec<Segment>>,
}

impl Backfill {
    /// Starts to compute the states of a plan up to a frontier: from where those of questions end that were asked
    /// before, or from the start of the log.
    ///
    /// # Errors
    /// If no thread can be started, or metrics cannot be planned together.
    pub(crate) fn start(
        source: &Arc<NodeSource>,
        plan: Arc<SourcePlans>,
        to: &Frontier,
        options: EngineOptions,
    ) -> Result<Self, BackfillError> {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let states = Arc::new(ContinuedStates::new(source, plan, to)?);
        let progress = Arc::new(Progress {
            metrics: states.plan().metrics.iter().map(|metric| metric.metric.name.clone()).collect(),
            done: AtomicU64::new(0),
            positions: states.n_positions(),
            started: Instant::now(),
        });
        source.backfill_started(progress.clone());
        let thread = std::thread::Builder::new().name(format!("metricc-backfill-{}", source.name()));
        let (own, source, cancelled) = (states.clone(), source.clone(), is_cancelled.clone());
        let (sender, outcome) = sync_channel(1);
        let thread = thread.spawn(move || {
            lower_priority(Priority::Batch);
            // If nobody waits for it, the backfill was given up.
            let _ = sender.send(segments(&source, &own, &options, &cancelled, &progress));
            source.changed.notify();
        })?;
        Ok(Backfill { states, is_cancelled, outcome, thread, segments: None })
    }

    /// Whether it computes the states of these metrics.
    pub(crate) fn computes(&self, plan: &SourcePlans) -> bool {
        let hashes =
            |plan: &SourcePlans| -> Vec<_> { plan.metrics.iter().map(|metric| metric.state_hash).collect() };
        hashes(self.states.plan()) == hashes(plan)
    }

    /// The frontier up to which it computes them.
    pub(crate) fn end(&self) -> &Frontier {
        self.states.end()
    }

    /// The states, once it has ended.
    ///
    /// # Errors
    /// Why there are none. Then it has to be started again.
    pub(crate) fn segments(&mut self) -> Result<Option<&[Segment]>, BackfillError> {
        if self.segments.is_none() {
            match self.outcome.try_recv() {
                Ok(segments) => self.segments = Some(segments?),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Err(BackfillError::Panic),
            }
        }
        Ok(self.segments.as_deref())
    }

    /// Waits for its thread.
    #[cfg(test)]
    pub(crate) fn join(&self) {
        while !self.thread.is_finished() {
            std::thread::yield_now();
        }
    }

    /// Whether the states are there.
    pub(crate) fn has_ended(&self) -> bool {
        self.segments.is_some()
    }
}

impl Drop for Backfill {
    /// Its thread ends between two batches of rows.
    fn drop(&mut self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }
}

fn segments(
    source: &NodeSource,
    states: &ContinuedStates,
    options: &EngineOptions,
    is_cancelled: &Arc<AtomicBool>,
    progress: &Progress,
) -> Result<Vec<Segment>, BackfillError> {
    let done = |n: u64| {
        progress.done.fetch_add(n, Ordering::Relaxed);
        source.counters.backfilled(source.name(), n);
        if source.is_stopping() {
            is_cancelled.store(true, Ordering::Relaxed);
        }
    };
    Ok(states.evaluate(is_cancelled, source, options, &done)?)
}

/// The backfills in the text format of Prometheus.
pub(crate) fn text(sources: &[SourceStatus]) -> String {
    let mut text = String::new();
    let value = |of: fn(Option<&BackfillStatus>) -> u64| {
        move |source: &SourceStatus| {
            (format!("{{source=\"{}\"}}", source.name), of(source.backfill.as_ref()) as f64)
        }
    };
    let left =
        value(|backfill| backfill.map_or(0, |backfill| backfill.positions.saturating_sub(backfill.done)));
    let metrics = value(|backfill| backfill.map_or(0, |backfill| backfill.metrics.len() as u64));
    let (name, help) =
        ("backfill_left_positions", "Positions that are still to be evaluated for new metrics.");
    family(&mut text, name, "gauge", help, sources.iter().map(left));
    let (name, help) = ("backfill_metrics", "New metrics that are being computed from the log.");
    family(&mut text, name, "gauge", help, sources.iter().map(metrics));
    text
}
