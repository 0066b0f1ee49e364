//! Questions that no metric declares: computed from the log by batch, at the frontier at which declared
//! metrics are answered, while all else goes on.
//!
//! A question is planned as a metric of the live package. States that are served are taken as they are; the
//! others are evaluated from the start of the log, or from where those of an earlier question end. So an
//! answer is the one that the metric would give if it were declared.

mod range_versions;
mod running;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metricc_client::{AskEstimate, ServingError, grouped};
use metricc_compiler::{EngineOptions, EvaluateError};
use metricc_runtime_serve::Published;

pub(crate) use range_versions::RangeVersions;
pub(crate) use running::{Running, RunningQuestions};
pub(crate) use work::Work;

use crate::asked_states::KeepStates;
use crate::config::AskConfig;
use crate::past_answer_turns::PastQueue;
use crate::reading::{NodeServing, blocking, failed};
use crate::states_of_log::StatesError;
use crate::thread_priority::{Priority, lower_priority};

/// What questions may take, and those that are computed.
#[derive(Debug)]
pub(crate) struct Asking {
    limits: AskConfig,
    queue: PastQueue,
    running: RunningQuestions,
}

impl Asking {
    pub(crate) fn new(limits: &AskConfig) -> Self {
        let queue = PastQueue::new(limits.at_a_time, limits.waiting, "questions");
        Asking { limits: limits.clone(), queue, running: RunningQuestions::default() }
    }

    /// The questions that are being computed.
    pub(crate) fn running(&self) -> &RunningQuestions {
        &self.running
    }

    /// Checks that a question takes no more than it may.
    ///
    /// # Errors
    /// [`ServingError::TooMuch`], with the way out.
    pub(crate) fn check(&self, estimate: &AskEstimate) -> Result<(), ServingError> {
        let (events, most) = (estimate.events, self.limits.max_events);
        if events > most {
            let (events, most) = (grouped(events), grouped(most));
            return Err(ServingError::TooMuch(format!(
                "the question would read {events} events of the log, and one may read {most}: {}; `max_events` under `[ask]` in \
                 the configuration of the node allows more",
                way_out()
            )));
        }
        let limit = self.limits.max_time.as_secs_f64();
        match estimate.seconds {
            Some(seconds) if seconds > limit => {
                Err(self.too_long(&format!("would take about {seconds:.0} s")))
            }
            _ => Ok(()),
        }
    }

    fn too_long(&self, takes: &str) -> ServingError {
        ServingError::TooMuch(format!(
            "the question {takes}, and one may take {} s: {}; `max_time` under `[ask]` in the configuration of the node allows \
             more",
            self.limits.max_time.as_secs_f64(),
            way_out()
        ))
    }

    /// Computes the states of a question, on a thread of its own.
    ///
    /// # Errors
    /// [`ServingError`]: why there are none. Whoever drops the future ends the computation.
    pub(crate) async fn compute(
        &self,
        serving: &NodeServing,
        work: Arc<Work>,
        running: &Running,
    ) -> Result<Arc<Published>, ServingError> {
        if let Some(computed) = work.computed() {
            return Ok(computed.clone());
        }
        if work.n_positions() == 0 {
            let options = self.options();
            let own = work.clone();
            let states = move || own.evaluate(&options, &Arc::default(), &|_, _| ()).map_err(states_failed);
            return blocking(move || work.published(&states()?).map(Arc::new)).await;
        }
        let turn = tokio::select! {
            turn = self.queue.turn() => turn?,
            () = running.cancelled() => return Err(cancelled(running.id())),
        };
        running.begins();
        let (sender, outcome) = tokio::sync::oneshot::channel();
        let (options, keep) = (self.options(), self.keep());
        let (max_bytes, is_cancelled) = (self.limits.max_bytes, running.flag());
        let done = running.done();
        let thread = std::thread::Builder::new().name("metricc-ask".to_owned());
        let thread = thread.spawn(move || {
            lower_priority(Priority::Batch);
            let progress = |n, source: &crate::source::NodeSource| {
                done(n);
                source.counters.asked(source.name(), n);
                if source.is_stopping() {
                    is_cancelled.store(true, Ordering::Relaxed);
                }
            };
            let published = published(
                &work,
                &options,
                &is_cancelled,
                &|n, source| progress(n, source),
                (max_bytes, keep),
            );
            // Whoever has the answer may ask the next question; nobody may be waiting any more.
            drop((work, turn));
            let _ = sender.send(published);
        });
        thread.map_err(failed)?;
        tokio::select! {
            outcome = outcome => outcome.map_err(failed)?.map(Arc::new),
            () = running.cancelled() => Err(cancelled(running.id())),
            () = tokio::time::sleep(self.limits.max_time) => Err(self.too_long("was not computed in time")),
            () = serving.closed() => Err(ServingError::Busy("the node shuts down".to_owned())),
        }
    }

    fn options(&self) -> EngineOptions {
        let AskConfig { workers, max_bytes, .. } = self.limits;
        EngineOptions { workers, memory_bytes: max_bytes, ..EngineOptions::default() }
    }

    fn keep(&self) -> KeepStates {
        KeepStates { keep_for: self.limits.keep_for, max_bytes: self.limits.keep_bytes }
    }
}

/// Evaluates what is missing, keeps it, and joins it with what is served.
fn published(
    work: &Work,
    options: &EngineOptions,
    is_cancelled: &Arc<AtomicBool>,
    progress: &work::Progress<'_>,
    (max_bytes, keep): (usize, KeepStates),
) -> Result<Published, ServingError> {
    let states = work.evaluate(options, is_cancelled, progress).map_err(states_failed)?;
    let n_bytes: usize = states.iter().flatten().map(|segment| segment.states.get_array_memory_size()).sum();
    if n_bytes > max_bytes {
        let (n_bytes, most) = (grouped(n_bytes as u64), grouped(max_bytes as u64));
        return Err(ServingError::TooMuch(format!(
            "the states of the question take {n_bytes} bytes, and those of one may take {most}: ask for fewer keys or coarser \
             windows; `max_bytes` under `[ask]` in the configuration of the node allows more"
        )));
    }
    work.keep(&states, keep);
    work.published(&states)
}

/// How to have an answer that a question may not be computed for.
fn way_out() -> &'static str {
    "a later `from` reads less if the windows are not joined and older files have no such events, a question about declared \
     metrics reads none of the log, `metricc ask QUESTION FILE --source` computes it elsewhere, and a \
     metric that is deployed has no such limit"
}

fn cancelled(id: u64) -> ServingError {
    ServingError::Cancelled(format!("question {id} was cancelled"))
}

fn states_failed(error: StatesError) -> ServingError {
    match error {
        StatesError::Evaluate(EvaluateError::Memory { problem, .. }) => ServingError::TooMuch(format!(
            "the question needs more memory than it may: {problem}; ask for fewer keys or coarser windows; `max_bytes` under \
             `[ask]` in the configuration of the node allows more"
        )),
        error if error.is_cancelled() => ServingError::Cancelled("the question was cancelled".to_owned()),
        error => failed(error),
    }
}
