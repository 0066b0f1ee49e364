//! The speed layer of a source: a dataflow from the end of the view on, and its successor when batch has
//! committed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metricc_compiler::{EngineOptions, EvaluateError, Segment};
use metricc_durable_log::DurableError;
use metricc_log::{Frontier, Interval, LogError};
use metricc_runtime_serve::ServeError;
use metricc_runtime_stream::Stream;

use crate::loaded_view::LoadedView;
use crate::source::NodeSource;
use crate::source_plans::DeclaredPlan;

/// Most rows of a batch of the tail: between two of them, answers may have the processor.
const BATCH_ROWS: usize = 2048;

/// How long to wait before a tail that failed is started again.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest sleep.
const IDLE: Duration = Duration::from_secs(1);

/// How a tail follows its log.
#[derive(Debug, Clone)]
pub(crate) struct TailOptions {
    pub(crate) stream: EngineOptions,
    /// The least time between two frontiers that are served.
    pub(crate) refresh: Duration,
    /// Positions that are fed in one step, before the tail looks for other work.
    pub(crate) step_positions: u64,
}

impl Default for TailOptions {
    fn default() -> Self {
        let (stream, refresh) = (EngineOptions::default(), Duration::from_millis(200));
        TailOptions { stream, refresh, step_positions: 262_144 }
    }
}

/// Why a tail could not go on. Another one is started from the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeedError {
    #[error(transparent)]
    Stream(#[from] EvaluateError),
    #[error(transparent)]
    Log(#[from] DurableError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A view, and the dataflows that continue it: one for each plan, all at one frontier.
struct TailGeneration {
    view: Arc<LoadedView>,
    streams: Vec<Stream>,
    frontier: Frontier,
}

impl TailGeneration {
    fn start(source: &NodeSource, view: Arc<LoadedView>, options: &TailOptions) -> Result<Self, SpeedError> {
        let start = |(index, declared): (usize, &DeclaredPlan)| {
            let cpu_times = Some(view.costs.times(index).stream.clone());
            let stream = EngineOptions { cpu_times, ..options.stream.clone() };
            Stream::start(&declared.plan, view.frontier.clone(), &stream)
        };
        let streams = view.plan.declared().iter().enumerate().map(start).collect::<Result<_, _>>()?;
        source.n_generations.fetch_add(1, Ordering::Relaxed);
        let frontier = view.frontier.clone();
        Ok(TailGeneration { view, streams, frontier })
    }

    /// Feeds what is missing up to a frontier, at most so much of it as one step takes. Returns whether that
    /// was all.
    fn feed(
        &mut self,
        source: &NodeSource,
        options: &TailOptions,
        target: &Frontier,
    ) -> Result<bool, SpeedError> {
        let at = self.frontier.clone();
        if at == *target {
            return Ok(true);
        }
        // The view may end beyond the target of this tail; the next target is beyond the view.
        if at.0.iter().zip(&target.0).any(|(at, target)| at > target) {
            return Ok(false);
        }
        let step = Interval::new(at.clone(), at_most(&at, target, options.step_positions));
        let step = step.map_err(LogError::from).map_err(EvaluateError::from)?;
        let (snapshot, batch_rows) = (source.log.snapshot(), options.stream.batch_rows.unwrap_or(BATCH_ROWS));
        for (stream, declared) in self.streams.iter_mut().zip(self.view.plan.declared()) {
            let log = declared.log(&snapshot, &at)?;
            stream.feed_from(&log, &step, batch_rows.min(BATCH_ROWS), &|_| ())?;
        }
        self.frontier = step.to().clone();
        Ok(self.frontier == *target)
    }

    /// The states since the view, in the order of its plans.
    fn read(&mut self) -> Result<Vec<Segment>, EvaluateError> {
        let mut segments = Vec::with_capacity(self.view.plan.metrics.len());
        for stream in &mut self.streams {
            segments.extend(stream.read()?);
        }
        Ok(segments)
    }
}

/// The frontier after the first positions from one frontier to another.
fn at_most(from: &Frontier, to: &Frontier, n_positions: u64) -> Frontier {
    let mut left = n_positions;
    let offsets = from.0.iter().zip(&to.0).map(|(&from, &to)| {
        let n_taken = (to - from).min(left);
        left -= n_taken;
        from + n_taken
    });
    Frontier(offsets.collect())
}

/// Follows the log of a source and serves it, until the node is shutting down. A tail that fails is started
/// again.
pub(crate) fn run(source: &NodeSource, options: &TailOptions) {
    while !source.is_stopping() {
        // A panic leaves nothing behind but the generation, which is dropped; views are replaced as a whole.
        let followed = catch_unwind(AssertUnwindSafe(|| follow(source, options)));
        let error = match followed {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a panic".to_owned(),
        };
        source.counters.tail_failed(source.name());
        tracing::error!(source = source.name(), error, "the tail failed and is started again from the log");
        std::thread::sleep(PAUSE);
    }
}

fn follow(source: &NodeSource, options: &TailOptions) -> Result<(), SpeedError> {
    let mut follower = Follower::start(source, options)?;
    let mut seen = 0;
    while !source.is_stopping() {
        if let Some(most) = follower.step()? {
            seen = source.changed.wait(seen, most);
        }
    }
    Ok(())
}

/// The speed layer, step by step.
///
/// The tail goes from target to target: ends of the log at some moment. It serves at targets only, so a
/// request is in an answer as a whole or not at all. The first target is the end of all that was acknowledged
/// before.
pub(crate) struct Follower<'a> {
    source: &'a NodeSource,
    options: &'a TailOptions,
    current: TailGeneration,
    /// Replaces the current one when it has caught up.
    successor: Option<TailGeneration>,
    target: Frontier,
    served: Option<Frontier>,
    served_at: Instant,
}

impl<'a> Follower<'a> {
    /// Starts from the latest view.
    pub(crate) fn start(source: &'a NodeSource, options: &'a TailOptions) -> Result<Self, SpeedError> {
        let current = TailGeneration::start(source, source.latest_view(), options)?;
        let (target, served_at) = (source.end(), Instant::now());
        Ok(Follower { source, options, current, successor: None, target, served: None, served_at })
    }

    /// Does one step of the work that there is. Returns how long to wait for a change if there is none.
    pub(crate) fn step(&mut self) -> Result<Option<Duration>, SpeedError> {
        let Follower { source, options, .. } = *self;
        let latest = source.latest_view();
        if !Arc::ptr_eq(&latest, &self.successor.as_ref().unwrap_or(&self.current).view) {
            self.successor = Some(TailGeneration::start(source, latest, options)?);
        }
        let is_level = self.current.feed(source, options, &self.target)?;
        let has_caught_up = match &mut self.successor {
            Some(successor) => successor.feed(source, options, &self.target)?,
            None => false,
        };
        if !is_level {
            return Ok(None);
        }
        if has_caught_up && let Some(successor) = self.successor.take() {
            // The old dataflow is dropped, and its memory with it, when the new pair is served.
            let old = std::mem::replace(&mut self.current, successor);
            self.serve()?;
            // A version of the package may have waited for these states.
            source.changed.notify();
            drop(old);
        }
        let is_behind = self.served.as_ref() != Some(&self.target);
        if is_behind && (self.served.is_none() || self.served_at.elapsed() >= options.refresh) {
            self.serve()?;
            self.served_at = Instant::now();
        }
        let end = source.end();
        let mut most = None;
        if end == self.target && self.successor.is_none() {
            let is_behind = self.served.as_ref() != Some(&self.target);
            let due = || options.refresh.saturating_sub(self.served_at.elapsed());
            most = Some(if is_behind { due() } else { IDLE });
        }
        self.target = end;
        Ok(most)
    }

    fn serve(&mut self) -> Result<(), SpeedError> {
        let frontier = self.current.frontier.clone();
        let tail = self.current.read()?;
        self.source.publish(&self.current.view, tail)?;
        self.served = Some(frontier);
        Ok(())
    }
}
