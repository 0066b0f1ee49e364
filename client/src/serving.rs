//! Asking a serving layer: the same questions of one in this process and of a node.
//!
//! An answer comes as the JSON rows that serving writes, and is read into the types of a definition here, so that where
//! it was computed cannot show.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::decode::DecodeError;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadRequest {
    /// The metric.
    pub metric: String,
    /// Hash of the metric that the asker was made for, or of its definition: another one is refused.
    pub hash: Option<String>,
    /// Only rows with these keys.
    pub keys: BTreeMap<String, serde_json::Value>,
    /// Only windows that start at this instant or later.
    pub from: Option<Timestamp>,
    /// Only windows that start before this instant.
    pub to: Option<Timestamp>,
    /// Windows that are put together from those of the metric, such as `6h`, `day in Europe/London`, or `all` for one row of
    /// the whole range.
    pub grain: Option<String>,
    /// Only the latest window among those.
    pub latest: bool,
    /// At this frontier, not at that of now: one offset per partition of the metric's sources, those in the order of
    /// their names. An answer at a frontier is the same whenever it is asked for.
    pub at: Option<Vec<u64>>,
    /// With a receipt.
    pub receipt: bool,
}

/// What is answered: all rows are of one frontier.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Served {
    /// The metric.
    pub metric: String,
    /// Its hash.
    pub hash: String,
    /// The frontier of its source's log up to which the rows go: one offset per partition.
    pub frontier: Vec<u64>,
    /// Rows by window, then keys: `{"metric": …, "key": {…}, "window": {…}, "value": …}`.
    pub rows: Vec<Box<RawValue>>,
    /// Where the rows came from, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReadReceipt>,
}

/// Where the rows of an answer came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReceipt {
    /// The parts that were merged, for each source from the start of the log to the frontier of the answer.
    pub parts: Vec<ServedPart>,
    /// For each source, the end of its log when the answer was given: what lies between the frontier and it is not in the
    /// answer yet. Empty where nobody knows, since there is no log beside what is served.
    #[serde(default)]
    pub ends: BTreeMap<String, Vec<u64>>,
}

/// An interval of a log whose states are in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedPart {
    /// The source.
    pub source: String,
    /// The first frontier.
    pub from: Vec<u64>,
    /// The frontier behind it.
    pub to: Vec<u64>,
    /// Who has computed it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
}

/// Who has computed states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The batch layer, which has committed them to the view.
    Batch,
    /// The speed layer, which follows the log from the end of the view on.
    Tail,
    /// The batch plan, from the log, for this answer.
    Log,
}

/// An answer, and what each part of the log says by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained {
    /// The answer.
    pub answer: Served,
    /// The metrics over events that it is made of.
    pub of: Vec<ExplainedMetric>,
}

/// What each part of the log says of a metric over events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainedMetric {
    /// The metric.
    pub metric: String,
    /// From the start of the log to the frontier of the answer.
    pub parts: Vec<ExplainedPart>,
}

/// What one part of the log says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainedPart {
    /// The part.
    pub part: ServedPart,
    /// Positions in it.
    pub positions: u64,
    /// The rows that the metric would have if the log were this part alone.
    pub rows: Vec<Box<RawValue>>,
}

/// A metric that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedMetric {
    /// Its name.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// What it is, in its author's words.
    pub doc: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// No metric of that name is served.
    #[error("no metric `{name}` is served; there {}", listed(.known))]
    UnknownMetric {
        /// The name.
        name: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// The asker was made for another definition.
    #[error(
        "metric `{metric}` is served as {served}, and this was made for {wanted}; generate it anew, or ask a node that serves that definition"
    )]
    OtherDefinition {
        /// The metric.
        metric: String,
        /// Hash of the metric that is served.
        served: String,
        /// Hash that the asker has.
        wanted: String,
    },
    /// The question makes no sense.
    #[error("{0}")]
    Request(String),
    /// There are no answers yet: what was acknowledged before is still being read.
    #[error("source `{origin}` is not served yet: its log is being read; ask again")]
    NotReady {
        /// The source.
        origin: String,
    },
    /// The other side could not be reached, or did not answer in its own words.
    #[error("{url}: {problem}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What happened.
        problem: String,
    },
    /// The serving layer itself failed.
    #[error("{0}")]
    Failed(String),
    /// The answer is not of the types of its metric.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

fn listed(known: &[String]) -> String {
    match known {
        [] => "are none".to_owned(),
        [one] => format!("is `{one}`"),
        many => format!("are `{}`", many.join("`, `")),
    }
}

/// A serving layer: one in this process, or a node.
pub trait Serving: Send + Sync {
    /// The metrics that are served.
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>>;

    /// The rows of a metric.
    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>>;

    /// The answers to several requests, all of one frontier where they do not say `at`.
    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>>;

    /// The rows of a metric, and what each part of the log has to do with them.
    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>>;

    /// The rows of a metric now, and again whenever the frontier has moved. An error is the last item.
    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>>;
}
