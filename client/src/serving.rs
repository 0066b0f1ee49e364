//! Reading from a serving layer: the same requests and answers, in this process and from a node.
//!
//! An answer has its rows as JSON, and they are decoded into the types of a definition on the caller's side.
//! So an answer does not depend on where it was computed. A server that has the rows as columns uses the same
//! types with other rows.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{MetricCost, RangeBound, ServingError};

/// A read of one metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadRequest {
    /// The metric.
    pub metric: String,
    /// Hash of the metric, or of its definition, that the caller was generated for: a request for another one
    /// is rejected.
    pub hash: Option<String>,
    /// Only rows with these keys. A condition is a value, an array of values, or an object with `from` (at
    /// least this), `to` (less than this), `prefix`, and `not`, a value or an array of them: all of these
    /// hold.
    pub keys: BTreeMap<String, serde_json::Value>,
    /// The keys of the rows, in this order; the states of the others are merged, so that rows are those of a
    /// metric with these keys alone. `None` keeps all.
    pub by: Option<Vec<String>>,
    /// Only rows with these values: conditions as of keys. The value of a metric with one value is `value`.
    pub having: BTreeMap<String, serde_json::Value>,
    /// The order of the rows, by these values, keys, or `window_start`; `-NAME` descends. Nulls are last, and
    /// rows that are equal in it stand by window, then keys, as all rows do without an order.
    pub order: Vec<String>,
    /// Whether windows without events have rows, with the value of no events, for each of the keys that the
    /// answer has: those of the range, and from the first to the last window with events where it has no
    /// bound.
    pub fill: bool,
    /// At most so many rows of each window: the first ones in the order. Totals are counted by themselves.
    pub per_window: Option<u64>,
    /// Keys that are rolled up beside the rows: the last of them alone, then the last two, up to all of them.
    /// A total is the row of a metric without these keys; conditions on keys apply to it, and those on values
    /// do not change it.
    pub totals: Vec<String>,
    /// Values of which rows have the share in the total of their window, as `OUTPUT_share`: `OUTPUT`, or
    /// `OUTPUT:KEY:KEY` for the share in the total of these keys.
    pub share: Vec<String>,
    /// Rows have their values so many windows before as well, as `OUTPUT_previous`, and what has changed
    /// since, as `OUTPUT_difference` and `OUTPUT_ratio`.
    pub compare: Option<u64>,
    /// Only windows of the metric that start at this date or instant, or later.
    pub from: Option<RangeBound>,
    /// Only windows of the metric that start before this date or instant.
    pub to: Option<RangeBound>,
    /// Roll the metric's windows up to coarser ones: `6h`, `month`, `day in Europe/London`, `week in us_east`
    /// for a calendar of the package, or `all` for one row of the whole range.
    pub grain: Option<String>,
    /// Only the latest window among those.
    pub latest: bool,
    /// Read at this frontier instead of the newest one: one offset per partition of the metric's sources, in
    /// the order of their names. An answer at a frontier never changes.
    pub at: Option<Vec<u64>>,
    /// The newest answer, but not one before this frontier: the reader waits for a time until the events up
    /// to it are readable. One offset per partition, as in `at`.
    pub min_frontier: Option<Vec<u64>>,
    /// The epoch of the log that `at` and `min_frontier` are of, from the answer or receipt that has named
    /// them: if the log has lost events since, the request is rejected.
    pub epoch: Option<String>,
    /// Whether the answer has a receipt.
    pub receipt: bool,
    /// At most so many rows: a page. The answer says where the next one begins.
    pub limit: Option<u64>,
    /// Where the page begins: [`Served::next`] of the page before. All pages are of the frontier of the first
    /// one; the node keeps it for a minute after each page.
    pub cursor: Option<String>,
}

/// An answer: all rows are of one frontier.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Served<R = JsonRows> {
    /// The metric.
    pub metric: String,
    /// Its hash.
    pub hash: String,
    /// The frontier of the rows: one offset per partition of the metric's sources.
    pub frontier: Vec<u64>,
    /// The epoch of the log that the frontier is of. It changes only when the log has lost events, and this
    /// was accepted: their offsets are given out again. `None` without a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The unit of its values, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What the reader should know of the request: a bound at which no window starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Rows by window, then keys: `{"metric": …, "key": {…}, "window": {…}, "value": …}`. A row of which a
    /// value could not be computed has `"overflow": {"value": 2}` as well: the name of the value, and how
    /// many events left their types. A total has `"rolled_up": ["city"]`: the keys that are rolled up. What
    /// the request asks for beside the value is in `"beside": {…}`.
    pub rows: R,
    /// The cursor of the next page, if the request has a limit and rows are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Where the rows come from, if the request asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReadReceipt>,
}

/// The header of an answer that has rows alone: what could not be computed, as `{"s":{"rows":1,"events":2}}`.
pub const OVERFLOW_HEADER: &str = "metricc-overflow";

/// The header of an answer that has rows alone: [`Served::next`].
pub const NEXT_HEADER: &str = "metricc-next";

/// Rows as JSON, one object each.
pub type JsonRows = Vec<Box<RawValue>>;

/// Where the rows of an answer come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReceipt {
    /// The parts that were merged, for each source from the start of the log to the frontier of the answer.
    pub parts: Vec<ServedPart>,
    /// For each source, the end of its log at the time of the answer: positions between the frontier and it
    /// are not in the answer yet. Empty if the serving layer has no log.
    #[serde(default)]
    pub ends: BTreeMap<String, Vec<u64>>,
    /// The condition over keys that chose the rows which the reader may read; `None` if those are all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// An interval of a log whose states are in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedPart {
    /// The source.
    pub source: String,
    /// The first frontier.
    pub from: Vec<u64>,
    /// The frontier after it.
    pub to: Vec<u64>,
    /// The layer that computed it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
}

/// A layer that computes states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The batch layer: the states are in the committed view.
    Batch,
    /// The speed layer, which follows the log from the end of the view.
    Tail,
    /// The batch plan, which read the log for this answer.
    Log,
}

/// An answer, and the rows of each part of the log alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained<R = JsonRows> {
    /// The answer.
    pub answer: Served<R>,
    /// The base metrics of the answer.
    pub of: Vec<ExplainedMetric<R>>,
}

/// A base metric, by parts of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainedMetric<R = JsonRows> {
    /// The metric.
    pub metric: String,
    /// From the start of the log to the frontier of the answer.
    pub parts: Vec<ExplainedPart<R>>,
}

/// The rows of one part of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExplainedPart<R = JsonRows> {
    /// The part.
    pub part: ServedPart,
    /// Positions in it.
    pub positions: u64,
    /// The rows that the metric would have if the log were this part alone.
    pub rows: R,
}

/// A metric that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedMetric {
    /// Its name.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// Its `///` text.
    pub doc: String,
    /// What it costs; only a node says it, and of a derived metric, which costs what its operands do, it does
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<MetricCost>,
}

/// A serving layer: one in this process, or a node.
pub trait Serving: Send + Sync {
    /// The metrics that are served.
    fn metrics(&self) -> BoxFuture<'_, Result<Vec<ServedMetric>, ServingError>>;

    /// The rows of a metric.
    fn read(&self, request: ReadRequest) -> BoxFuture<'_, Result<Served, ServingError>>;

    /// The answers to several requests; those without [`ReadRequest::at`] are all of one frontier.
    fn read_many(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<Served>, ServingError>>;

    /// The rows of a metric, and what each part of the log contributes.
    fn explain(&self, request: ReadRequest) -> BoxFuture<'_, Result<Explained, ServingError>>;

    /// The rows of a metric now, and again each time the frontier moves. An error is the last item.
    fn subscribe(&self, request: ReadRequest) -> BoxStream<'static, Result<Served, ServingError>>;
}

/// All rows of a request, page by page: those of one frontier, each once. An error is the last item.
///
/// A request without a limit has pages of 10,000 rows.
pub fn pages(
    serving: &dyn Serving,
    request: ReadRequest,
) -> impl Stream<Item = Result<Served, ServingError>> + '_ {
    let first = ReadRequest { limit: request.limit.or(Some(10_000)), ..request };
    futures::stream::try_unfold(Some(first), move |request| async move {
        let Some(request) = request else { return Ok(None) };
        let served = serving.read(request.clone()).await?;
        let next = served.next.clone().map(|cursor| ReadRequest { cursor: Some(cursor), ..request });
        Ok(Some((served, next)))
    })
}

/// The items up to the first error.
pub fn until_error<T: Send + 'static>(
    items: impl Stream<Item = Result<T, ServingError>> + Send + 'static,
) -> BoxStream<'static, Result<T, ServingError>> {
    let items = items.scan(false, |has_failed, item| {
        let item = (!*has_failed).then_some(item);
        *has_failed = matches!(item, Some(Err(_)));
        std::future::ready(item)
    });
    items.boxed()
}
