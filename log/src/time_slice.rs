//! Time slices: long work yields the processor now and then.
//!
//! A kernel lets a thread that computes keep its processor for some milliseconds, even if a thread of a
//! higher priority wakes up: an answer would wait for thousands of records. A thread that yields more often
//! than necessary loses the rest of its share, so beside busy processes it would hardly progress. And where
//! no thread has a higher priority, as in a command that only computes, yielding costs time for nothing.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cpu_time::ThreadTime;

/// Processor time after which a thread yields.
const SLICE: Duration = Duration::from_millis(1);

/// Whether this process has threads of a higher priority than those that do long work.
static IS_ENABLED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The processor time of the thread when it last yielded.
    static LAST: Cell<Option<ThreadTime>> = const { Cell::new(None) };
}

/// Lets long work in this process yield from now on.
pub fn enable_time_slices() {
    IS_ENABLED.store(true, Ordering::Relaxed);
}

/// The processor time that this thread has used; none where the system does not report it.
pub fn thread_time() -> Duration {
    ThreadTime::try_now().map_or(Duration::ZERO, |time| time.as_duration())
}

/// Yields the processor if time slices are enabled and this thread has used a millisecond since it last
/// yielded. Long loops call this every tenth of a millisecond or so.
pub fn yield_if_due() {
    if !IS_ENABLED.load(Ordering::Relaxed) {
        return;
    }
    // Where the system does not report the time of a thread, its scheduler decides alone.
    let Ok(now) = ThreadTime::try_now() else { return };
    let is_due = LAST.get().is_none_or(|last| now.duration_since(last) >= SLICE);
    if is_due {
        std::thread::yield_now();
        LAST.set(Some(now));
    }
}
