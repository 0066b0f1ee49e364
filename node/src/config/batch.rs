//! When batch runs, and who evaluates.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// When batch runs: after `every` or `events`, whichever comes first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Time after the last run, if there are new events.
    #[serde(deserialize_with = "duration")]
    pub every: Duration,
    /// Number of new events.
    pub events: u64,
    /// Threads of the batch engine.
    pub workers: usize,
    /// Whether each version of a view is also written as Delta tables of presented rows, for other programs.
    pub tables: bool,
    /// The scheduler of a cluster that evaluates what is flushed; by default, this process does.
    pub cluster: Option<String>,
    /// The folder that the node and the executors of the cluster share.
    pub store: Option<PathBuf>,
    /// What batch does when the cluster does not evaluate.
    pub without_cluster: WithoutCluster,
}

/// What batch does when its cluster does not evaluate. Answers go on in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutCluster {
    /// The view stays as it is until the cluster is back.
    #[default]
    Wait,
    /// Batch runs in this process.
    Local,
}

impl Default for BatchConfig {
    fn default() -> Self {
        BatchConfig {
            every: Duration::from_secs(300),
            events: 1_000_000,
            workers: 1,
            tables: true,
            cluster: None,
            store: None,
            without_cluster: WithoutCluster::Wait,
        }
    }
}
