//! Answers whose rows are columns: what a serving layer gives a server, before a format is chosen.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use metricc_client::{
    Explained, ExplainedMetric, ExplainedPart, JsonRows, ReadRequest, Served, Serving, ServingError,
};
use serde_json::value::RawValue;

use crate::{OpenAnswer, Presented, Published, Query, Turns, Versions, json_lines};

/// An answer with its rows as columns.
pub type ServedTable = Served<Presented>;

/// A serving layer that has its rows as columns.
pub trait ServingTables: Serving {
    /// The answers to several requests, as [`Serving::read_many`] gives them.
    fn tables(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<ServedTable>, ServingError>>;

    /// The same answers, whose rows are still to be computed: piece by piece, in [`ServingTables::turns`].
    fn open(&self, requests: Vec<ReadRequest>) -> BoxFuture<'_, Result<Vec<OpenAnswer>, ServingError>>;

    /// Each version in which the frontier of a request has moved, the newest one first. A reader that is slow
    /// misses those that have been replaced meanwhile.
    ///
    /// # Errors
    /// If the metric is not served, or the request names a frontier.
    fn versions(&self, request: ReadRequest) -> Result<Versions, ServingError>;

    /// The newest version.
    fn newest(&self) -> Arc<Published>;

    /// The answer from a version.
    fn open_version(
        &self,
        query: Arc<Query>,
        published: Arc<Published>,
    ) -> BoxFuture<'_, Result<OpenAnswer, ServingError>>;

    /// Where long work on answers is done.
    fn turns(&self) -> Turns;

    /// As [`Serving::explain`].
    fn explain_table(
        &self,
        request: ReadRequest,
    ) -> BoxFuture<'_, Result<Explained<Presented>, ServingError>>;

    /// As [`Serving::subscribe`].
    fn subscribe_table(&self, request: ReadRequest) -> BoxStream<'static, Result<ServedTable, ServingError>>;

    /// Checks before anything is computed that the rows of a request have columns of different names, which
    /// all formats but JSON need.
    ///
    /// # Errors
    /// [`ServingError::Request`].
    fn check_columns(&self, request: &ReadRequest) -> Result<(), ServingError>;

    /// As [`Serving::read`].
    fn table(&self, request: ReadRequest) -> BoxFuture<'_, Result<ServedTable, ServingError>> {
        let answers = self.tables(vec![request]);
        async move {
            let none = || ServingError::Failed("a request has no answer".into());
            answers.await?.pop().ok_or_else(none)
        }
        .boxed()
    }
}

/// The answer with its rows as JSON.
///
/// # Errors
/// [`ServingError::Failed`] if a row is not JSON.
pub fn served(table: ServedTable) -> Result<Served, ServingError> {
    let Served { metric, hash, frontier, epoch, unit, notes, rows, next, receipt } = table;
    Ok(Served { metric, hash, frontier, epoch, unit, notes, rows: json_rows(&rows)?, next, receipt })
}

/// The answer with all rows as JSON.
///
/// # Errors
/// As [`served`].
pub fn explained(explained: Explained<Presented>) -> Result<Explained, ServingError> {
    let part = |part: ExplainedPart<Presented>| {
        let ExplainedPart { part, positions, rows } = part;
        Ok(ExplainedPart { part, positions, rows: json_rows(&rows)? })
    };
    let metric = |ExplainedMetric { metric, parts }| {
        let parts = parts.into_iter().map(part).collect::<Result<_, ServingError>>()?;
        Ok(ExplainedMetric { metric, parts })
    };
    let of = explained.of.into_iter().map(metric).collect::<Result<_, ServingError>>()?;
    Ok(Explained { answer: served(explained.answer)?, of })
}

fn json_rows(presented: &Presented) -> Result<JsonRows, ServingError> {
    let rows = json_lines(presented).map(RawValue::from_string);
    rows.collect::<Result<_, _>>().map_err(|error| ServingError::Failed(error.into()))
}
