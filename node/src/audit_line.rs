//! The result of an audit.

use serde::{Deserialize, Serialize};

/// The states that are compared with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audited {
    /// The served states: view ⊕ tail.
    Served,
    /// The view, which is then replaced by the recomputed states.
    View,
    /// The verdicts about duplicates, which are in the log.
    Verdicts,
}

/// The result of an audit of one metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// The states that were compared with the log.
    pub audited: Audited,
    /// Its source.
    pub source: String,
    /// The metric; empty for verdicts, which are of the source.
    pub metric: String,
    /// Its hash; empty for verdicts.
    pub hash: String,
    /// The frontier at which both end. They begin at the start of the log.
    pub frontier: Vec<u64>,
    /// Number of recomputed groups, or of records whose verdicts were derived.
    pub rows: u64,
    /// XXH3-64 of the served or stored states, or of the positions of the duplicates in the log, in
    /// hexadecimal.
    pub found: String,
    /// XXH3-64 of the recomputed states or positions, in hexadecimal.
    pub recomputed: String,
    /// Number of groups that differ or that only one of the two has, or of records with another verdict.
    pub differences: u64,
}
