//! The end of a request in a partition.

use serde::{Deserialize, Serialize};

/// The end of a request in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub(crate) struct RequestEnd {
    pub(crate) offset: u64,
    /// The positions of all partitions after the request.
    pub(crate) total: u64,
}

impl From<(u64, u64)> for RequestEnd {
    fn from((offset, total): (u64, u64)) -> Self {
        RequestEnd { offset, total }
    }
}

impl From<RequestEnd> for (u64, u64) {
    fn from(end: RequestEnd) -> Self {
        (end.offset, end.total)
    }
}
