//! The speed layer of a source: a dataflow from the end of the view on, and its successor when batch has committed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metricc_compiler::Segment;
use metricc_log::durable::DurableError;
use metricc_log::{Frontier, Interval};
use metricc_runtime_serve::ServeError;
use metricc_runtime_stream::{Stream, StreamError, StreamOptions};

use crate::source::{LoadedView, NodeSource};

/// Positions that are fed before it is looked whether there is something else to do.
const SLICE: u64 = 262_144;

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
        let rest = Interval::new(at, goal.clone()).map_err(StreamError::from)?;
        let mut left = SLICE;
        for mut slice in rest.slices() {
            slice.to = slice.to.min(slice.from.saturating_add(left));
            left -= slice.n_positions();
            for batch in
                log.read(&slice, &source.plan.columns, options.batch_rows).map_err(StreamError::from)?
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
pub(crate) fn run(source: &NodeSource, first: Arc<LoadedView>, options: &StreamOptions, refresh: Duration) {
    let mut view = first;
    while !source.is_over() {
        // Whatever a panic left behind goes with the generation; the view is only ever replaced as a whole.
        let followed = catch_unwind(AssertUnwindSafe(|| follow(source, &mut view, options, refresh)));
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

/// Runs generation after generation; `view` is the one that the served generation goes on from.
///
/// The tail goes from goal to goal: ends of the log as they were at some moment. What is served is always at a goal, so a
/// request is in an answer as a whole or not at all. The first goal is all that was acknowledged before.
fn follow(
    source: &NodeSource,
    view: &mut Arc<LoadedView>,
    options: &StreamOptions,
    refresh: Duration,
) -> Result<(), SpeedError> {
    let mut current = Generation::start(source, view.clone(), options)?;
    let mut next: Option<Generation> = None;
    let mut goal = source.end();
    let mut served: Option<Frontier> = None;
    let (mut seen, mut last) = (0, Instant::now());
    while !source.is_over() {
        if let Some(offered) = source.take_offer() {
            next = Some(Generation::start(source, offered, options)?);
        }
        let is_level = current.feed(source, options, &goal)?;
        let has_caught_up = match &mut next {
            Some(successor) => successor.feed(source, options, &goal)?,
            None => false,
        };
        if !is_level {
            continue;
        }
        if has_caught_up && let Some(successor) = next.take() {
            // The old dataflow is dropped, and its memory with it, when the new pair is served.
            let old = std::mem::replace(&mut current, successor);
            *view = current.view.clone();
            serve(source, &mut current, &mut served)?;
            drop(old);
        }
        let is_behind = served.as_ref() != Some(&goal);
        if is_behind && (served.is_none() || last.elapsed() >= refresh) {
            serve(source, &mut current, &mut served)?;
            last = Instant::now();
        }
        let end = source.end();
        if end == goal && next.is_none() {
            let is_behind = served.as_ref() != Some(&goal);
            let most = if is_behind { refresh.saturating_sub(last.elapsed()) } else { IDLE };
            seen = source.changed.wait(seen, most);
        }
        goal = end;
    }
    Ok(())
}

fn serve(
    source: &NodeSource,
    generation: &mut Generation,
    served: &mut Option<Frontier>,
) -> Result<(), SpeedError> {
    let frontier = generation.stream.frontier().clone();
    let tail = generation.read()?;
    source.publish(&generation.view, tail)?;
    *served = Some(frontier);
    Ok(())
}
