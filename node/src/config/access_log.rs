//! `[access_log]`: who has read what.

use std::path::PathBuf;

use serde::Deserialize;

/// Where reads are written to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLogConfig {
    /// The file.
    pub file: PathBuf,
    /// Most lines that wait to be written; beyond it, lines are dropped and counted.
    #[serde(default = "waiting")]
    pub max_waiting: usize,
}

fn waiting() -> usize {
    10_000
}
