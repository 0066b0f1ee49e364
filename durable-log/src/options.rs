//! How a durable log is kept, and the sources that it takes.

use std::sync::Arc;

use metricc_ir::Source;

use crate::dedup_index::DedupWindow;
use crate::opening::OpeningProgress;

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct DurableOptions {
    /// Requests with a key that are remembered, of all sources together.
    pub max_requests: usize,
    /// Length, in bytes, after which a file of the journal is followed by the next.
    pub file_bytes: u64,
    /// Bytes of rows, as they are in memory, that are kept after they are written.
    pub recent_bytes: usize,
    /// Remembered requests that go into a file together; fewer are in every checkpoint.
    pub request_group: usize,
    /// Whether a log is opened that provably has lost events; see
    /// [`DurableLog::losses`](crate::DurableLog::losses).
    pub accept_loss: bool,
    /// Says how far the log is while it is opened.
    pub opening: OpeningProgress,
}

impl Default for DurableOptions {
    fn default() -> Self {
        DurableOptions {
            max_requests: 100_000,
            file_bytes: 64 << 20,
            recent_bytes: 64 << 20,
            request_group: 1024,
            accept_loss: false,
            opening: OpeningProgress::default(),
        }
    }
}

/// A source whose events a log takes.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// The source.
    pub source: Arc<Source>,
    /// Other declarations that it may have. If the log's last rows were decoded by one of them, and not by
    /// `source`, the log goes on with that one until [`DurableLog::declare`](crate::DurableLog::declare).
    pub others: Vec<Arc<Source>>,
    /// Its partitions, fixed when it is first opened; at least 1.
    pub n_partitions: u32,
    /// For a source with an identity: for how long an event is remembered.
    pub window: DedupWindow,
}
