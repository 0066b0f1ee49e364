//! How the layers of a node tell each other that something has changed.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two looks of a thread at what has changed: there may be a thousand writes a second,
/// each of which wakes it.
const PACE: Duration = Duration::from_millis(20);

/// Wakes threads when something has changed: the log has grown, a view was committed, the node is shutting
/// down.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    count: Mutex<u64>,
    condition: Condvar,
}

impl Changed {
    pub(crate) fn notify(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.condition.notify_all();
    }

    /// Waits until something has changed since `seen`, at most for a time; returns what to pass next.
    pub(crate) fn wait(&self, seen: u64, most: Duration) -> u64 {
        let until = Instant::now() + most;
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count == seen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            count = self.condition.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *count
    }
}

/// How a thread waits that looks at what has changed at a pace: at once, if it has not looked for a while.
#[derive(Debug)]
pub(crate) struct PacedWait {
    seen: u64,
    looked: Instant,
}

impl PacedWait {
    /// For a thread that looks now.
    pub(crate) fn new() -> Self {
        PacedWait { seen: 0, looked: Instant::now() }
    }

    /// Waits until something has changed since the last look, at most for a time, and as long as the pace says.
    pub(crate) fn wait(&mut self, changed: &Changed, most: Duration) {
        self.seen = changed.wait(self.seen, most);
        std::thread::sleep(PACE.saturating_sub(self.looked.elapsed()));
        self.looked = Instant::now();
    }
}
