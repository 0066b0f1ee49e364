//! The speed layer of a source: a dataflow from the end of the view on, and its successor when batch has committed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metricc_compiler::Segment;
use metricc_log::LogError;
use metricc_log::durable::DurableError;
use metricc_log::{Frontier, Interval};
use metricc_runtime_serve::ServeError;
use metricc_runtime_stream::{Stream, StreamError, StreamOptions};

use crate::source::{LoadedView, NodeSource};

/// Positions that are fed before it is looked whether there is something else to do. Tests want several slices.
const SLICE: u64 = if cfg!(test) { 3 } else { 262_144 };

/// Most rows of a batch of the tail: between two of them, answers may have the processor.
const BATCH_ROWS: usize = 2048;

/// How long to wait before a tail that failed is started again.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest sleep.
const IDLE: Duration = Duration::from_secs(1);

/// Why a tail could not go on. Another one is started from the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeedError {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Log(#[from] DurableError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A dataflow and the view that it goes on from.
struct Generation {
    view: Arc<LoadedView>,
    stream: Stream,
}

impl Generation {
    fn start(
        source: &NodeSource,
        view: Arc<LoadedView>,
        options: &StreamOptions,
    ) -> Result<Self, SpeedError> {
        let stream = Stream::start(&source.plan, view.frontier.clone(), options)?;
        source.n_generations.fetch_add(1, Ordering::Relaxed);
        Ok(Generation { view, stream })
    }

    /// Feeds what is still missing up to a frontier, at most a slice of it. Whether that was all.
    fn feed(
        &mut self,
        source: &NodeSource,
        options: &StreamOptions,
        goal: &Frontier,
    ) -> Result<bool, SpeedError> {
        let at = self.stream.frontier().clone();
        if at == *goal {
            return Ok(true);
        }
        // A view may be ahead of where the tail has come to; the next goal is beyond it.
        if at.0.iter().zip(&goal.0).any(|(at, goal)| at > goal) {
            return Ok(false);
        }
        let log = source.log_from(&at)?;
        let rest = Interval::new(at, goal.clone()).map_err(LogError::from).map_err(StreamError::from)?;
        let mut left = SLICE;
        for mut slice in rest.slices() {
            slice.to = slice.to.min(slice.from.saturating_add(left));
            left -= slice.n_positions();
            for batch in log
                .read(&slice, &source.plan.columns, options.batch_rows.min(BATCH_ROWS))
                .map_err(StreamError::from)?
            {
                self.stream.feed(&batch.map_err(StreamError::from)?)?;
            }
        }
        Ok(self.stream.frontier() == goal)
    }

    fn read(&mut self) -> Result<Vec<Segment>, SpeedError> {
        Ok(self.stream.read()?)
    }
}

/// Follows the log of a source and serves it, until the node goes down. A tail that fails is started again.
pub(crate) fn run(source: &NodeSource, first: &Arc<LoadedView>, options: &StreamOptions, refresh: Duration) {
    while !source.is_over() {
        // Whatever a panic left behind goes with the generation; the view is only ever replaced as a whole.
        let view = source.latest_view().unwrap_or_else(|| first.clone());
        source.take_offer();
        let followed = catch_unwind(AssertUnwindSafe(|| follow(source, view, options, refresh)));
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

fn follow(
    source: &NodeSource,
    view: Arc<LoadedView>,
    options: &StreamOptions,
    refresh: Duration,
) -> Result<(), SpeedError> {
    let mut follower = Follower::start(source, view, options, refresh)?;
    let mut seen = 0;
    while !source.is_over() {
        if let Some(most) = follower.step()? {
            seen = source.changed.wait(seen, most);
        }
    }
    Ok(())
}

/// The speed layer, step by step.
///
/// The tail goes from goal to goal: ends of the log as they were at some moment. What is served is always at a goal, so a
/// request is in an answer as a whole or not at all. The first goal is all that was acknowledged before.
pub(crate) struct Follower<'a> {
    source: &'a NodeSource,
    options: &'a StreamOptions,
    /// The least time between two frontiers that are served.
    refresh: Duration,
    current: Generation,
    /// What takes the place of the current one when it has caught up.
    next: Option<Generation>,
    goal: Frontier,
    served: Option<Frontier>,
    last: Instant,
}

impl<'a> Follower<'a> {
    pub(crate) fn start(
        source: &'a NodeSource,
        view: Arc<LoadedView>,
        options: &'a StreamOptions,
        refresh: Duration,
    ) -> Result<Self, SpeedError> {
        let current = Generation::start(source, view, options)?;
        let goal = source.end();
        let last = Instant::now();
        Ok(Follower { source, options, refresh, current, next: None, goal, served: None, last })
    }

    /// Does a bit of what there is to do. The time for which there is nothing, unless something changes.
    pub(crate) fn step(&mut self) -> Result<Option<Duration>, SpeedError> {
        let Follower { source, options, refresh, .. } = *self;
        if let Some(offered) = source.take_offer() {
            self.next = Some(Generation::start(source, offered, options)?);
        }
        let is_level = self.current.feed(source, options, &self.goal)?;
        let has_caught_up = match &mut self.next {
            Some(successor) => successor.feed(source, options, &self.goal)?,
            None => false,
        };
        if !is_level {
            return Ok(None);
        }
        if has_caught_up && let Some(successor) = self.next.take() {
            // The old dataflow is dropped, and its memory with it, when the new pair is served.
            let old = std::mem::replace(&mut self.current, successor);
            self.serve()?;
            drop(old);
        }
        let is_behind = self.served.as_ref() != Some(&self.goal);
        if is_behind && (self.served.is_none() || self.last.elapsed() >= refresh) {
            self.serve()?;
            self.last = Instant::now();
        }
        let end = source.end();
        let mut most = None;
        if end == self.goal && self.next.is_none() {
            let is_behind = self.served.as_ref() != Some(&self.goal);
            most = Some(if is_behind { refresh.saturating_sub(self.last.elapsed()) } else { IDLE });
        }
        self.goal = end;
        Ok(most)
    }

    fn serve(&mut self) -> Result<(), SpeedError> {
        let frontier = self.current.stream.frontier().clone();
        let tail = self.current.read()?;
        self.source.publish(&self.current.view, tail)?;
        self.served = Some(frontier);
        Ok(())
    }
}
