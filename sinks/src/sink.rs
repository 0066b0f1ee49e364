//! The trait of all sinks, and what one write is.

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Changes, SinkError};

/// Where rows of a metric come from: they are the answer of this metric at this frontier, and no other rows
/// are. The JSON of it is part of what sinks store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The hash of the metric.
    #[serde(rename = "metric_hash")]
    pub hash: String,
    /// The epoch of the log that the frontier is of.
    pub epoch: String,
    /// One offset for each partition of the metric's sources.
    pub frontier: Vec<u64>,
    /// The number of the version: one more with each that the sink was sent.
    pub version: u64,
    /// A random name of the version: two nodes with copies of one log give a version different names.
    #[serde(rename = "version_id")]
    pub id: String,
}

/// What a sink says that it holds of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// What it holds.
    Known {
        /// The version that was written last, whether its rows are still there or not; `None` if nothing
        /// says so.
        stored: Option<Stored>,
        /// Whether rows of it may be lost: then all rows are written, and everything else about it holds.
        is_lost: bool,
        /// The epoch of the log whose metrics it holds, where all that it holds must be of one log.
        epoch: Option<String>,
        /// What has to be removed there to have all rows written anew, such as ``key `metricc:revenue` ``.
        removable: String,
    },
    /// It cannot be asked: what it has acknowledged is what it holds.
    Unknown {
        /// What names the receiver, without secrets: another one holds nothing.
        receiver: String,
    },
}

/// One write: from what a sink holds of a metric to a newer version.
#[derive(Debug, Clone)]
pub struct Version {
    /// The metric.
    pub metric: String,
    /// What the sink holds now.
    pub base: Option<Stored>,
    /// What it holds afterwards.
    pub next: Stored,
    /// Whether the changes are all rows of the new version: what is not among them is removed. Otherwise they
    /// are the rows that differ from the base.
    pub is_complete: bool,
    /// The columns of the rows: `window_start` and `window_end` of a metric with windows, keys, outputs.
    pub schema: SchemaRef,
    /// How many of the columns are keys, windows included.
    pub n_keys: usize,
}

impl Version {
    /// Whether the base is of another definition of the metric.
    pub fn is_of_other_hash(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.hash != self.next.hash)
    }

    /// The frontier as text, such as `120,7`.
    pub fn frontier_text(&self) -> String {
        let offsets: Vec<String> = self.next.frontier.iter().map(u64::to_string).collect();
        offsets.join(",")
    }
}

/// What a write has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows that were added, changed or removed.
    pub n_rows: u64,
}

/// A system that presented values are written to.
///
/// Each call may be dropped at any point, and then has happened as a whole or not at all.
#[async_trait]
pub trait Sink: Send {
    /// What it holds of a metric.
    ///
    /// # Errors
    /// [`SinkError`].
    async fn held(&mut self, metric: &str) -> Result<Held, SinkError>;

    /// Writes a version in one step: its readers see the base until they see the whole version.
    ///
    /// # Errors
    /// [`SinkError::Moved`] if it does not hold the base, and any other. It is then to be asked what it holds.
    async fn write(&mut self, version: &Version, changes: &mut dyn Changes) -> Result<Written, SinkError>;
}
