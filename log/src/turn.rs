//! Long work in turns.
//!
//! A kernel lets a thread that computes have its processor for some milliseconds, whoever with a better right to it wakes
//! up meanwhile: an answer would wait for thousands of records. A thread that gives way more often than it has to loses
//! what it does not use of its time, so where others compute all the time it would hardly get on; and where nobody has a
//! better right, as in a command that only computes, it gives way for nothing.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cpu_time::ThreadTime;

/// Time of the processor after which a thread gives way.
const TURN: Duration = Duration::from_millis(1);

/// Whether this process has threads with a better right than those that do long work.
static IN_TURNS: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The time of the thread when it last gave way.
    static LAST: Cell<Option<ThreadTime>> = const { Cell::new(None) };
}

/// From now on, long work in this process is done in turns.
pub fn work_in_turns() {
    IN_TURNS.store(true, Ordering::Relaxed);
}

/// Lets others have the processor, if work is done in turns and this thread has computed for a millisecond since it last
/// did. To be called in long loops, every tenth of a millisecond or so.
pub fn give_way() {
    if !IN_TURNS.load(Ordering::Relaxed) {
        return;
    }
    // Where the system does not tell a thread its time, it decides alone.
    let Ok(now) = ThreadTime::try_now() else { return };
    let is_over = LAST.get().is_none_or(|last| now.duration_since(last) >= TURN);
    if is_over {
        std::thread::yield_now();
        LAST.set(Some(now));
    }
}
