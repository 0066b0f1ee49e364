//! What a node says while it opens its log, if that takes a while.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use metricc_durable_log::OpeningProgress;

/// After which time it is said first, and then again and again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// Opens a log, and says how far it is if it takes longer than a second.
pub(crate) fn opened<T>(progress: &OpeningProgress, open: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let say = |read: String| tracing::info!("the log is being opened; read so far: {read}");
    let (opened, is_said) = opened_within(PAUSES, progress, &say, open);
    if is_said {
        tracing::info!(seconds = begin.elapsed().as_secs_f64(), "the log is open");
    }
    opened
}

/// What is opened, and whether something was said meanwhile.
fn opened_within<T>(
    (first, next): (Duration, Duration),
    progress: &OpeningProgress,
    say: &(dyn Fn(String) + Sync),
    open: impl FnOnce() -> T,
) -> (T, bool) {
    // Dropped when the log is open, or opening it panics.
    let (is_open, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        let wait = move || {
            let mut pause = first;
            while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = next;
                say(progress.to_string());
            }
            pause != first
        };
        // Without a thread, nothing is said.
        let waiting =
            std::thread::Builder::new().name("metricc-opening".to_owned()).spawn_scoped(scope, wait);
        let opened = open();
        drop(is_open);
        let is_said = waiting.ok().and_then(|thread| thread.join().ok());
        (opened, is_said.unwrap_or(false))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_log_that_takes_long_to_open_says_how_far_it_is_and_a_short_one_nothing() {
        let said = Mutex::new(Vec::new());
        let say = |read| said.lock().unwrap().push(read);
        let progress = OpeningProgress::default();
        let pauses = (Duration::from_millis(20), Duration::from_millis(10));
        let slowly = || {
            while said.lock().unwrap().len() < 3 {
                std::thread::sleep(Duration::from_millis(1));
            }
            7
        };
        assert_eq!(opened_within(pauses, &progress, &say, slowly), (7, true));
        assert_eq!(said.lock().unwrap()[0], "0 MiB of the journal, in file 0 of 0");
        let before = said.lock().unwrap().len();
        assert_eq!(opened_within((Duration::MAX, Duration::MAX), &progress, &say, || 8), (8, false));
        assert_eq!(said.lock().unwrap().len(), before);
    }
}
