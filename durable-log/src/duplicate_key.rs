//! What the log keeps of duplicates, and for how long identities are remembered.

use serde::{Deserialize, Serialize};

use crate::dedup_index::DedupWindow;

/// What is kept of a duplicate, besides its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, i64)", into = "(u64, i64)")]
pub(crate) struct DuplicateKey {
    /// XXH3-64 of its identity.
    pub(crate) hash: u64,
    /// Its event time, in µs.
    pub(crate) time: i64,
}

impl From<(u64, i64)> for DuplicateKey {
    fn from((hash, time): (u64, i64)) -> Self {
        DuplicateKey { hash, time }
    }
}

impl From<DuplicateKey> for (u64, i64) {
    fn from(key: DuplicateKey) -> Self {
        (key.hash, key.time)
    }
}

/// A dedup window, and from which offsets on it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowSince {
    pub(crate) from: Vec<u64>,
    pub(crate) window: DedupWindow,
}
