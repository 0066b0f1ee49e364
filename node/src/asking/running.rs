//! The questions that are being computed, by their numbers: how far each is, and how to cancel it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metricc_client::AskProgress;
use tokio::sync::watch;

/// Most characters of a question that its progress shows.
const MOST_SHOWN: usize = 400;

/// Those that are computed, or wait for it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunningQuestions(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    last: AtomicU64,
    questions: Mutex<BTreeMap<u64, Arc<State>>>,
}

#[derive(Debug)]
struct State {
    id: u64,
    question: String,
    events: u64,
    done: AtomicU64,
    since: Instant,
    waits: AtomicBool,
    /// What the computation looks at.
    is_cancelled: Arc<AtomicBool>,
    /// Whether somebody has cancelled it by its number.
    by_number: watch::Sender<bool>,
}

/// A question until its answer is there, or nobody waits for it: then it is cancelled.
#[derive(Debug)]
pub(crate) struct Running {
    state: Arc<State>,
    all: RunningQuestions,
}

impl RunningQuestions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<State>>> {
        self.0.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question that reads so many records.
    pub(crate) fn add(&self, question: &str, events: u64) -> Running {
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let state = Arc::new(State {
            id,
            question: question.chars().take(MOST_SHOWN).collect(),
            events,
            done: AtomicU64::new(0),
            since: Instant::now(),
            waits: AtomicBool::new(events > 0),
            is_cancelled: Arc::default(),
            by_number: watch::Sender::new(false),
        });
        self.lock().insert(id, state.clone());
        Running { state, all: self.clone() }
    }

    /// How far all of them are.
    pub(crate) fn progress(&self) -> Vec<AskProgress> {
        self.lock().values().map(|state| state.progress()).collect()
    }

    /// Cancels a question; `false` if there is none of this number.
    pub(crate) fn cancel(&self, id: u64) -> bool {
        let found = self.lock().get(&id).cloned();
        if let Some(state) = &found {
            state.is_cancelled.store(true, Ordering::Relaxed);
            state.by_number.send_replace(true);
        }
        found.is_some()
    }
}

impl State {
    fn progress(&self) -> AskProgress {
        AskProgress {
            id: self.id,
            question: self.question.clone(),
            done: self.done.load(Ordering::Relaxed),
            events: self.events,
            elapsed_ms: u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            waits: self.waits.load(Ordering::Relaxed),
        }
    }
}

impl Running {
    /// Its number.
    pub(crate) fn id(&self) -> u64 {
        self.state.id
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> AskProgress {
        self.state.progress()
    }

    /// Notes that it waits for no other question any more.
    pub(super) fn begins(&self) {
        self.state.waits.store(false, Ordering::Relaxed);
    }

    /// What the computation looks at.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.state.is_cancelled.clone()
    }

    /// Notes positions that were evaluated.
    pub(super) fn done(&self) -> impl Fn(u64) + Send + Sync + 'static {
        let state = self.state.clone();
        move |n| {
            state.done.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Ready when somebody cancels it by its number.
    pub(super) fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut by_number = self.state.by_number.subscribe();
        let state = self.state.clone();
        async move {
            // The sender is in the state, which lives as long as this.
            let _ = by_number.wait_for(|is_cancelled| *is_cancelled).await;
            drop(state);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.is_cancelled.store(true, Ordering::Relaxed);
        self.all.lock().remove(&self.state.id);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_question_is_known_until_nobody_waits_for_it_and_is_cancelled_then() {
        let all = RunningQuestions::default();
        let (one, two) = (all.add("one", 5), all.add("two", 0));
        (one.done())(3);
        one.begins();
        let shown: Vec<_> =
            all.progress().into_iter().map(|of| (of.id, of.done, of.events, of.waits)).collect();
        assert_eq!(shown, [(1, 3, 5, false), (2, 0, 0, false)]);
        let flag = two.flag();
        drop(two);
        assert!(flag.load(Ordering::Relaxed) && all.progress().len() == 1);
        assert!(!all.cancel(2), "it is known no longer");
        assert!(one.cancelled().now_or_never().is_none());
        assert!(all.cancel(1));
        assert!(one.cancelled().now_or_never().is_some() && one.flag().load(Ordering::Relaxed));
    }
}
