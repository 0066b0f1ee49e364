//! What a metric costs a node.

use serde::{Deserialize, Serialize};

/// What a metric costs: its states in memory, and processor time since the node started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricCost {
    /// Its states in the view that is served.
    pub view: StateSize,
    /// Its states in the tail.
    pub tail: StateSize,
    /// Its part of the processor time of batch, in microseconds.
    pub batch_cpu_us: u64,
    /// Its part of the processor time of the tail, in microseconds.
    pub stream_cpu_us: u64,
    /// The metrics that are computed together with it, which have equal parts of that time.
    pub shared_with: Vec<String>,
}

/// The size of states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSize {
    /// Windows and keys.
    pub groups: u64,
    /// Bytes in memory. What metrics share counts for each of them.
    pub bytes: u64,
}
