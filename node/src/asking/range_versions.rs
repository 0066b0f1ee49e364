//! What was computed of a range of windows, until its rows are read: nothing but the request that it was
//! computed for may be answered from it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metricc_runtime_serve::{Published, Query};

use crate::answer_limits::KEPT_FOR;

/// How many are kept.
const MOST: usize = 4;

/// Those that were computed last. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct RangeVersions(Arc<Mutex<VecDeque<RangeVersion>>>);

#[derive(Debug)]
struct RangeVersion {
    /// What tells requests apart that have other rows.
    fingerprint: u64,
    published: Arc<Published>,
    since: Instant,
}

impl RangeVersions {
    fn lock(&self) -> MutexGuard<'_, VecDeque<RangeVersion>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|version| version.since.elapsed() < KEPT_FOR);
        known
    }

    /// Keeps a version for the rows of its request.
    pub(crate) fn keep(&self, query: &Query, published: &Arc<Published>) {
        let mut known = self.lock();
        let (fingerprint, published) = (query.fingerprint(), published.clone());
        known.push_front(RangeVersion { fingerprint, published, since: Instant::now() });
        known.truncate(MOST);
    }

    /// The version of a request, at the frontier that it names.
    pub(crate) fn find(&self, query: &Query) -> Option<Arc<Published>> {
        let known = self.lock();
        let is_it = |version: &&RangeVersion| {
            version.fingerprint == query.fingerprint() && query.is_at(&version.published) && !query.is_page()
        };
        known.iter().find(is_it).map(|version| version.published.clone())
    }
}
