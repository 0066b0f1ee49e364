//! The turns of answers that are computed from the log and may take long, those at earlier frontiers and
//! those to questions: few at a time, a bounded number that waits, and none for a client that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use metricc_client::ServingError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who may compute, and who waits.
#[derive(Debug, Clone)]
pub(crate) struct PastQueue {
    turns: Arc<Semaphore>,
    n_waiting: Arc<AtomicUsize>,
    most_waiting: usize,
    /// What is computed, for messages.
    answers: &'static str,
}

/// One request that waits, until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PastQueue {
    pub(crate) fn new(at_a_time: usize, most_waiting: usize, answers: &'static str) -> Self {
        let turns = Arc::new(Semaphore::new(at_a_time.clamp(1, Semaphore::MAX_PERMITS)));
        PastQueue { turns, n_waiting: Arc::default(), most_waiting, answers }
    }

    /// Waits for a turn, which lasts until the permit is dropped.
    ///
    /// # Errors
    /// [`ServingError::Busy`] if as many wait as may.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, ServingError> {
        if let Ok(permit) = self.turns.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let n_before = self.n_waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(self.n_waiting.clone());
        if n_before >= self.most_waiting {
            let problem = "are asked for as the node computes and lets wait; try again";
            return Err(ServingError::Busy(format!("as many {} {problem}", self.answers)));
        }
        self.turns.clone().acquire_owned().await.map_err(|error| ServingError::Failed(error.into()))
    }
}

/// Set when it is dropped: with the request that waits for an answer, whether it has it or its client is
/// gone.
#[derive(Debug, Default)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// What the computation looks at.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn as_many_wait_as_may_and_those_that_go_make_place() {
        let queue = PastQueue::new(1, 1, "answers");
        let turn = queue.turn().await.unwrap();
        let mut second = Box::pin(queue.turn());
        assert!((&mut second).now_or_never().is_none(), "it waits");
        assert!(matches!(queue.turn().await, Err(ServingError::Busy(_))));
        drop(second);
        let mut third = Box::pin(queue.turn());
        assert!((&mut third).now_or_never().is_none(), "the second is gone, so this one waits");
        drop(turn);
        assert!(third.await.is_ok());
    }
}
