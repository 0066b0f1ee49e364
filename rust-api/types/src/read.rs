//! Typed reads: the rows of an answer, as the types of a definition.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::BoxStream;
use metricc_client::decode::DecodeError;
use metricc_client::{RangeBound, ReadRequest, Served, Serving, ServingError};
use serde::Serialize;

use crate::metric::{Definition, Metric, Row};

/// Rows with their types, all of one frontier.
#[derive(Debug)]
pub struct TypedRows<D: Definition> {
    /// By window, then keys.
    pub rows: Vec<Row<D>>,
    /// The frontier that they cover: one offset per partition.
    pub frontier: Vec<u64>,
    /// As [`Served::notes`].
    pub notes: Vec<String>,
}

impl<D: Definition> TypedRows<D> {
    /// Reads an answer into the types of the definition.
    ///
    /// # Errors
    /// [`DecodeError`] if the answer does not fit them.
    pub fn of(served: &Served) -> Result<Self, DecodeError> {
        let rows = served.rows.iter().map(|row| Row::from_json(row.get())).collect::<Result<_, _>>()?;
        Ok(TypedRows { rows, frontier: served.frontier.clone(), notes: served.notes.clone() })
    }
}

/// Reads the rows that typed requests of a metric return.
fn request<D: Definition>(key: Option<&D::Key>) -> Result<ReadRequest, ServingError>
where
    D::Key: Serialize,
{
    let keys = match key {
        None => BTreeMap::new(),
        Some(key) => {
            let json = serde_json::to_string(key).and_then(|json| serde_json::from_str(&json));
            json.map_err(|error| ServingError::Request(format!("the key is no JSON: {error}")))?
        }
    };
    let hash = D::HASH.map(str::to_owned);
    Ok(ReadRequest { metric: D::NAME.to_owned(), hash, keys, ..ReadRequest::default() })
}

impl<D: Definition> Metric<D>
where
    D::Key: Serialize + Sync,
{
    /// The rows of one key: one per window.
    ///
    /// # Errors
    /// [`ServingError`] if the request fails, or the answer is for another definition.
    pub async fn get(self, serving: &dyn Serving, key: &D::Key) -> Result<TypedRows<D>, ServingError> {
        Ok(TypedRows::of(&serving.read(request::<D>(Some(key))?).await?)?)
    }

    /// The rows of all keys whose windows start at or after `from` and before `to`: dates of the metric's own
    /// calendar (UTC if it has none), or instants.
    ///
    /// # Errors
    /// [`ServingError`] if the request fails, or the answer is for another definition.
    pub async fn range(
        self,
        serving: &dyn Serving,
        from: impl Into<RangeBound>,
        to: impl Into<RangeBound>,
    ) -> Result<TypedRows<D>, ServingError> {
        let (from, to) = (Some(from.into()), Some(to.into()));
        let request = ReadRequest { from, to, ..request::<D>(None)? };
        Ok(TypedRows::of(&serving.read(request).await?)?)
    }

    /// The rows of all keys in the latest window; of a metric of all time, all rows.
    ///
    /// # Errors
    /// [`ServingError`] if the request fails, or the answer is for another definition.
    pub async fn latest(self, serving: &dyn Serving) -> Result<TypedRows<D>, ServingError> {
        let request = ReadRequest { latest: true, ..request::<D>(None)? };
        Ok(TypedRows::of(&serving.read(request).await?)?)
    }

    /// All rows, page by page: at most `limit` rows each, all of the frontier of the first page. An error
    /// ends the stream: [`ServingError::CursorGone`] if the next page was not asked for within a minute.
    pub fn pages(
        self,
        serving: &dyn Serving,
        limit: u64,
    ) -> BoxStream<'_, Result<TypedRows<D>, ServingError>> {
        match request::<D>(None) {
            Ok(request) => {
                let pages = metricc_client::pages(serving, ReadRequest { limit: Some(limit), ..request });
                pages.map(|served| Ok(TypedRows::of(&served?)?)).boxed()
            }
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    /// All rows now, and again each time the frontier moves. An error ends the stream.
    pub fn subscribe(self, serving: &dyn Serving) -> BoxStream<'static, Result<TypedRows<D>, ServingError>> {
        match request::<D>(None) {
            Ok(request) => {
                let served = serving.subscribe(request);
                served.map(|served| Ok(TypedRows::of(&served?)?)).boxed()
            }
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }
}
