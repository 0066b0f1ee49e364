//! A serving layer over HTTP: reading, and nothing else.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/metrics` | the metrics that are served |
//! | `GET /v1/metrics/{metric}?key.country=IN&from=…&to=…&grain=…&latest=true&hash=…` | rows of one frontier |
//! | `GET /v1/metrics/{metric}?at=120&receipt=true` | rows of an older frontier; with the parts that were merged |
//! | `GET /v1/metrics/{metric}?format=csv` | rows as CSV or, with `format=arrow`, as an Arrow IPC stream; or by `Accept` |
//! | `GET /v1/metrics/{metric}/explain-value?…` | the rows, and those of each part of the log alone |
//! | `GET /v1/metrics/{metric}/live?…` | the rows as server-sent events, each time the frontier moves |
//! | `GET /v1/read?metric=a&metric=b@HASH&from=…` | rows of several metrics, all of one frontier |
//!
//! [`metricc_client`] defines the query parameters and the errors, and says what the value of a key is.

mod error;
mod extract;

use std::convert::Infallible;
use std::sync::Arc;

use arrow::error::ArrowError;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use futures::StreamExt;
use metricc_client::wire::{Endpoint, ROUTES};
use metricc_client::{Format, NOTE_HEADER, OVERFLOW_HEADER, Parameters, ReadRequest, ServingError};
use metricc_runtime_serve::{ServedTable, ServingTables, arrow_stream, csv, to_json};
use serde::Serialize;
use serde_json::json;

pub use error::ApiError;
pub use extract::{Name, Pairs, Query};

/// The routes for a serving layer.
pub fn router(serving: Arc<dyn ServingTables>) -> Router {
    let routes = ROUTES.iter().filter_map(|route| Some((route.path, handler(route.endpoint)?)));
    routes.fold(Router::new(), |router, (path, handler)| router.route(path, handler)).with_state(serving)
}

/// What answers; `None` if that is not the serving layer.
fn handler(endpoint: Endpoint) -> Option<MethodRouter<Arc<dyn ServingTables>>> {
    Some(match endpoint {
        Endpoint::Metrics => get(metrics),
        Endpoint::Metric => get(read),
        Endpoint::Explain => get(explain),
        Endpoint::Live => get(live),
        Endpoint::Read => get(read_many),
        _ => return None,
    })
}

type Shared = State<Arc<dyn ServingTables>>;

async fn metrics(State(serving): Shared) -> Result<Response, ApiError> {
    Ok(Json(json!({ "metrics": serving.metrics().await? })).into_response())
}

async fn read(
    State(serving): Shared,
    Name(metric): Name,
    Pairs(parameters): Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (request, format) = ReadRequest::of_parameters(metric, parameters)?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = format.unwrap_or_else(|| Format::accepted(accept));
    if format != Format::Json {
        serving.check_columns(&request)?;
    }
    let table = serving.table(request).await?;
    Ok(match format {
        Format::Json => json_response(&table)?,
        Format::Csv => {
            let text = csv(&table.rows).map_err(not_in_format)?;
            let media_type = format!("{}; charset=utf-8", format.media_type());
            (stated(&table), [(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Format::Arrow => {
            let bytes = arrow_stream(&table.rows).map_err(not_in_format)?;
            (stated(&table), [(header::CONTENT_TYPE, format.media_type())], bytes).into_response()
        }
    })
}

async fn explain(
    State(serving): Shared,
    Name(metric): Name,
    Pairs(parameters): Pairs,
) -> Result<Response, ApiError> {
    let request = request(metric, parameters)?;
    json_response(&serving.explain_table(ReadRequest { receipt: true, ..request }).await?)
}

async fn read_many(State(serving): Shared, Pairs(parameters): Pairs) -> Result<Response, ApiError> {
    #[derive(Serialize)]
    struct Answers {
        answers: Vec<ServedTable>,
    }
    let answers = serving.tables(ReadRequest::several_of_parameters(parameters)?).await?;
    json_response(&Answers { answers })
}

async fn live(
    State(serving): Shared,
    Name(metric): Name,
    Pairs(parameters): Pairs,
) -> Result<Response, ApiError> {
    let mut answers = serving.subscribe_table(request(metric, parameters)?);
    // If the request is not valid, the response is an error, and not an event.
    let ended = || ServingError::Failed("the serving layer is closed".into());
    let first = answers.next().await.ok_or_else(ended)??;
    let events = futures::stream::once(async { Ok(first) }).chain(answers).map(event);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// A request whose answer has one format.
fn request(metric: String, parameters: Parameters) -> Result<ReadRequest, ServingError> {
    match ReadRequest::of_parameters(metric, parameters)? {
        (request, None | Some(Format::Json)) => Ok(request),
        (_, Some(format)) => {
            let problem = format!("this answer has no format `{}`: leave out `format`", format.name());
            Err(ServingError::Request(problem))
        }
    }
}

fn event(answer: Result<ServedTable, ServingError>) -> Result<Event, Infallible> {
    let failed = |error: &ApiError| Event::default().event("error").data(json!(error.fields()).to_string());
    Ok(match answer {
        Ok(table) => match to_json(&table) {
            Ok(text) => Event::default().event("rows").data(text),
            Err(error) => failed(&ApiError::failed(&error)),
        },
        Err(error) => failed(&error.into()),
    })
}

/// An answer as JSON, written from its columns.
fn json_response(answer: &impl Serialize) -> Result<Response, ApiError> {
    let text = to_json(answer).map_err(|error| ServingError::Failed(error.into()))?;
    Ok(([(header::CONTENT_TYPE, Format::Json.media_type())], text).into_response())
}

/// Why rows do not have a format. If it is for their names, the request can be mended.
fn not_in_format(error: ArrowError) -> ServingError {
    match error {
        ArrowError::InvalidArgumentError(problem) => {
            ServingError::Request(format!("{problem}, or use `format=json`"))
        }
        error => ServingError::Failed(error.into()),
    }
}

/// Hash, frontier and notes of an answer, and what could not be computed, as headers: CSV and Arrow have rows
/// alone.
fn stated(table: &ServedTable) -> HeaderMap {
    let offsets: Vec<String> = table.frontier.iter().map(u64::to_string).collect();
    let stated = [("metricc-hash", table.hash.clone()), ("metricc-frontier", offsets.join(","))];
    let epoch = table.epoch.iter().map(|epoch| ("metricc-epoch", epoch.clone()));
    let notes = epoch.chain(table.notes.iter().map(|note| (NOTE_HEADER, note.clone())));
    let notes = notes.chain(table.rows.overflow_json().map(|overflow| (OVERFLOW_HEADER, overflow)));
    let header = |(name, text): (&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(&text).ok()?))
    };
    stated.into_iter().chain(notes).filter_map(header).collect()
}
