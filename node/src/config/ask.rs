//! What a question may take that no metric declares.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// Limits of questions, which are computed from the log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskConfig {
    /// Most records of the log that a question reads; 0 allows no questions that read it.
    pub max_events: u64,
    /// How long one is computed at most.
    #[serde(deserialize_with = "duration")]
    pub max_time: Duration,
    /// Byte budget of one while it is computed: what is beyond is written to the disk meanwhile; and most
    /// bytes of its states.
    pub max_bytes: usize,
    /// Number of questions that are computed at a time.
    pub at_a_time: usize,
    /// Number of questions that wait for their turn. Further ones get status 503.
    pub waiting: usize,
    /// Threads that compute one.
    pub workers: usize,
    /// How long its states are kept after they were used last.
    #[serde(deserialize_with = "duration")]
    pub keep_for: Duration,
    /// Byte budget of the states that are kept, for each source. Those of the last question always are.
    pub keep_bytes: usize,
}

impl Default for AskConfig {
    fn default() -> Self {
        AskConfig {
            max_events: 1_000_000_000,
            max_time: Duration::from_secs(600),
            max_bytes: 1 << 30,
            at_a_time: 1,
            waiting: 16,
            workers: 1,
            keep_for: Duration::from_secs(600),
            keep_bytes: 256 << 20,
        }
    }
}
