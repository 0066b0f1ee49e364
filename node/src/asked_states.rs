//! The states of questions that were asked: whoever asks again, or deploys the question as a metric, has what
//! was computed, and only what came in since is evaluated.
//!
//! Invariant: a segment here is the states of its metric from the start of the log to where it ends, as batch
//! evaluates them. It is a cache of the log: without it, the log is evaluated again, with the same result.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metricc_compiler::{Segment, StateHash};
use metricc_log::Frontier;

/// How long states are kept after they were used last, and how many bytes of a source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeepStates {
    pub(crate) keep_for: Duration,
    pub(crate) max_bytes: usize,
}

/// The states of the questions over one source.
#[derive(Debug, Default)]
pub(crate) struct AskedStates(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    segment: Segment,
    until: Instant,
    keep: KeepStates,
}

impl AskedStates {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the states of one question. Of those before, the ones that were used last stay, as far as there
    /// is room.
    pub(crate) fn keep(&self, segments: &[Segment], keep: KeepStates) {
        let mut kept = self.lock();
        let is_other = |known: &Kept| {
            segments
                .iter()
                .all(|new| new.hash != known.segment.hash || new.interval.to() != known.segment.interval.to())
        };
        kept.retain(is_other);
        let until = Instant::now() + keep.keep_for;
        for segment in segments {
            kept.push_front(Kept { segment: segment.clone(), until, keep });
        }
        let (mut n_bytes, mut index) = (0, 0);
        kept.retain(|known| {
            n_bytes += known.segment.states.get_array_memory_size();
            index += 1;
            index <= segments.len() || n_bytes <= keep.max_bytes
        });
    }

    /// The states of a hash that end last, but not after a frontier. They are used again from now on.
    pub(crate) fn before(&self, hash: &StateHash, to: &Frontier) -> Option<Segment> {
        let mut kept = self.lock();
        let now = Instant::now();
        kept.retain(|known| known.until > now);
        let ends_before =
            |known: &Kept| known.segment.interval.to().0.iter().zip(&to.0).all(|(end, to)| end <= to);
        let candidates = kept.iter_mut().filter(|known| known.segment.hash == *hash && ends_before(known));
        let found = candidates.max_by_key(|known| known.segment.interval.to().n_positions())?;
        found.until = now + found.keep.keep_for;
        Some(found.segment.clone())
    }

    /// Whether there are states of a hash that end after a frontier, and none before it.
    pub(crate) fn are_beyond(&self, hash: &StateHash, to: &Frontier) -> bool {
        let has_any = |kept: &VecDeque<Kept>| kept.iter().any(|known| known.segment.hash == *hash);
        self.before(hash, to).is_none() && has_any(&self.lock())
    }

    /// Forgets what was not used for long.
    pub(crate) fn forget_old(&self) {
        let now = Instant::now();
        self.lock().retain(|known| known.until > now);
    }
}
