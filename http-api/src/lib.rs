//! A serving layer over HTTP: reading, and nothing else.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/metrics` | the metrics that are served |
//! | `GET /v1/metrics/{metric}?key.country=IN&from=…&to=…&grain=…&latest=true&hash=…` | rows of one frontier |
//! | `GET /v1/metrics/{metric}?at=120&receipt=true` | rows of a frontier of the past; with the parts that were merged |
//! | `GET /v1/read?metric=a&metric=b@HASH&from=…` | the same question of several metrics, answered at one frontier |
//! | `GET /v1/metrics/{metric}?format=csv` | as CSV or, with `format=arrow`, as an Arrow IPC stream; `Accept` says the same |
//! | `GET /v1/metrics/{metric}/explain-value?…` | the rows, and which ones each part of the log would give by itself |
//! | `GET /v1/metrics/{metric}/live` | the same as server-sent events, whenever the frontier has moved |
//!
//! The value of a key is text, also where it looks like a number; in quotes it is a JSON string, and `null` is the group of none. What is wrong is said as
//! `{"error": {"code": …, "message": …}}`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use metricc_client::{ReadRequest, ServingError};
use serde_json::{Value, json};

use metricc_runtime_serve::{ServedTable, ServingTables, csv, record_batch};

/// Media type of an Arrow IPC stream, as registered with IANA.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// The routes for a serving layer.
pub fn router(serving: Arc<dyn ServingTables>) -> Router {
    Router::new()
        .route("/v1/metrics", get(metrics))
        .route("/v1/read", get(read_many))
        .route("/v1/metrics/{metric}", get(read))
        .route("/v1/metrics/{metric}/explain-value", get(explain))
        .route("/v1/metrics/{metric}/live", get(live))
        .with_state(serving)
}

type Shared = State<Arc<dyn ServingTables>>;
type Parameters = Query<Vec<(String, String)>>;

async fn metrics(State(serving): Shared) -> Response {
    match serving.metrics().await {
        Ok(metrics) => Json(json!({ "metrics": metrics })).into_response(),
        Err(error) => problem(&error),
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Arrow,
}

/// The form that is asked for, by a parameter or by the header.
fn format(parameters: &mut Vec<(String, String)>, headers: &HeaderMap) -> Result<Format, ServingError> {
    if let Some(place) = parameters.iter().position(|(name, _)| name == "format") {
        let (_, named) = parameters.remove(place);
        return match named.as_str() {
            "json" => Ok(Format::Json),
            "csv" => Ok(Format::Csv),
            "arrow" => Ok(Format::Arrow),
            _ => Err(ServingError::Request(format!("`format={named}` is none of `json`, `csv` and `arrow`"))),
        };
    }
    let accepted =
        headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    let known =
        accepted.split(',').find_map(|part| match part.split(';').next().unwrap_or_default().trim() {
            "application/json" | "*/*" => Some(Format::Json),
            "text/csv" => Some(Format::Csv),
            ARROW_STREAM => Some(Format::Arrow),
            _ => None,
        });
    Ok(known.unwrap_or(Format::Json))
}

async fn read(
    State(serving): Shared,
    Path(metric): Path<String>,
    Query(mut parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    let asked =
        format(&mut parameters, &headers).and_then(|format| Ok((format, request(metric, parameters)?)));
    let (format, request) = match asked {
        Ok(asked) => asked,
        Err(error) => return problem(&error),
    };
    let answered = match format {
        Format::Json => serving.read(request).await.map(|served| Json(served).into_response()),
        Format::Csv => serving.table(request).await.and_then(|table| {
            let text = csv(&table.rows).map_err(|error| not_in_form(&error))?;
            Ok((stated(&table), [(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response())
        }),
        Format::Arrow => serving.table(request).await.and_then(|table| {
            let bytes = arrow_stream(&table).map_err(|error| not_in_form(&error))?;
            Ok((stated(&table), [(header::CONTENT_TYPE, ARROW_STREAM)], bytes).into_response())
        }),
    };
    answered.unwrap_or_else(|error| problem(&error))
}

/// Why rows have no such form. Where it is for their names, that is a matter of the question, since they have another one.
fn not_in_form(error: &ArrowError) -> ServingError {
    match error {
        ArrowError::InvalidArgumentError(problem) => {
            ServingError::Request(format!("{problem}, or ask for `format=json`"))
        }
        error => ServingError::Failed(error.to_string()),
    }
}

/// What an answer says beside its rows, where these have no room for it.
fn stated(table: &ServedTable) -> HeaderMap {
    let offsets: Vec<String> = table.frontier.iter().map(u64::to_string).collect();
    let said = [("metricc-hash", table.hash.clone()), ("metricc-frontier", offsets.join(","))];
    let header = |(name, text): (&'static str, String)| {
        Some((header::HeaderName::from_static(name), HeaderValue::from_str(&text).ok()?))
    };
    said.into_iter().filter_map(header).collect()
}

fn arrow_stream(table: &ServedTable) -> Result<Vec<u8>, ArrowError> {
    let batch = record_batch(&table.rows)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    writer.finish()?;
    writer.into_inner()
}

async fn explain(
    State(serving): Shared,
    Path(metric): Path<String>,
    Query(parameters): Parameters,
) -> Response {
    let request = match request(metric, parameters) {
        Ok(request) => ReadRequest { receipt: true, ..request },
        Err(error) => return problem(&error),
    };
    match serving.explain(request).await {
        Ok(explained) => Json(explained).into_response(),
        Err(error) => problem(&error),
    }
}

async fn read_many(State(serving): Shared, Query(parameters): Parameters) -> Response {
    let (metrics, parameters): (Vec<_>, Vec<_>) =
        parameters.into_iter().partition(|(name, _)| name == "metric");
    if metrics.is_empty() {
        let help = "name some, as in `/v1/read?metric=revenue&metric=users`";
        return problem(&ServingError::Request(format!("no `metric` is asked for: {help}")));
    }
    let requests = metrics.into_iter().map(|(_, metric)| {
        let (name, hash) = match metric.split_once('@') {
            Some((name, hash)) => (name.to_owned(), Some(hash.to_owned())),
            None => (metric, None),
        };
        Ok(ReadRequest { hash, ..request(name, parameters.clone())? })
    });
    let requests = match requests.collect::<Result<Vec<_>, _>>() {
        Ok(requests) => requests,
        Err(error) => return problem(&error),
    };
    match serving.read_many(requests).await {
        Ok(answers) => Json(json!({ "answers": answers })).into_response(),
        Err(error) => problem(&error),
    }
}

async fn live(State(serving): Shared, Path(metric): Path<String>, Query(parameters): Parameters) -> Response {
    let request = match request(metric, parameters) {
        Ok(request) => request,
        Err(error) => return problem(&error),
    };
    let mut answers = serving.subscribe(request);
    // What is wrong with the question is an answer of its own, not an event.
    match answers.next().await {
        None => problem(&ServingError::Failed("the serving layer has ended".to_owned())),
        Some(Err(error)) => problem(&error),
        Some(first) => Sse::new(events(futures::stream::once(async { first }).chain(answers)))
            .keep_alive(KeepAlive::default())
            .into_response(),
    }
}

fn events(
    answers: impl Stream<Item = Result<metricc_client::Served, ServingError>>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    answers.map(|answer| {
        let text = answer
            .map_err(|error| error.to_string())
            .and_then(|served| serde_json::to_string(&served).map_err(|error| error.to_string()));
        Ok(match text {
            Ok(text) => Event::default().event("rows").data(text),
            Err(error) => Event::default().event("error").data(json!({ "message": error }).to_string()),
        })
    })
}

fn request(metric: String, parameters: Vec<(String, String)>) -> Result<ReadRequest, ServingError> {
    let mut request = ReadRequest { metric, ..ReadRequest::default() };
    let instant = |name: &str, text: &str| {
        text.parse().map_err(|_| {
            let help = "write it as `2026-04-25T00:00:00Z`";
            ServingError::Request(format!("`{name}={text}` is no instant: {help}"))
        })
    };
    for (name, text) in parameters {
        match name.as_str() {
            "hash" => request.hash = Some(text),
            "from" => request.from = Some(instant("from", &text)?),
            "to" => request.to = Some(instant("to", &text)?),
            "grain" => request.grain = Some(text),
            "latest" => request.latest = boolean("latest", &text)?,
            "receipt" => request.receipt = boolean("receipt", &text)?,
            "at" => request.at = Some(frontier(&text)?),
            _ => match name.strip_prefix("key.") {
                Some(key) => {
                    request.keys.insert(key.to_owned(), key_value(text));
                }
                None => {
                    let help = "parameters are `key.NAME`, `from`, `to`, `grain`, `latest`, `at`, `receipt` and `hash`, for rows of one metric also `format`";
                    return Err(ServingError::Request(format!("there is no parameter `{name}`: {help}")));
                }
            },
        }
    }
    Ok(request)
}

/// The value of a key: text is taken as it stands, whatever it looks like, so that no digit is lost; in JSON's quotes it is
/// what they say, and `null` is the group of none.
pub fn key_value(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(value @ (Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_))) => value,
        _ => Value::String(text),
    }
}

/// `120,7`: one offset per partition.
fn frontier(text: &str) -> Result<Vec<u64>, ServingError> {
    let offsets: Result<Vec<u64>, _> = text.split(',').map(|offset| offset.trim().parse()).collect();
    offsets.map_err(|_| ServingError::Request(format!("`at={text}` is no frontier: write it as `at=120,7`")))
}

fn boolean(name: &str, text: &str) -> Result<bool, ServingError> {
    match text {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(ServingError::Request(format!("`{name}={text}` is neither true nor false"))),
    }
}

fn problem(error: &ServingError) -> Response {
    let mut more = BTreeMap::new();
    let (status, code) = match error {
        ServingError::UnknownMetric { known, .. } => {
            more.insert("known", json!(known));
            (StatusCode::NOT_FOUND, "unknown_metric")
        }
        ServingError::OtherDefinition { served, wanted, .. } => {
            more.insert("served", json!(served));
            more.insert("wanted", json!(wanted));
            (StatusCode::CONFLICT, "other_definition")
        }
        ServingError::Request(_) => (StatusCode::BAD_REQUEST, "request"),
        ServingError::NotReady { origin } => {
            more.insert("origin", json!(origin));
            (StatusCode::SERVICE_UNAVAILABLE, "starting")
        }
        ServingError::Unreachable { .. } => (StatusCode::BAD_GATEWAY, "unreachable"),
        ServingError::Failed(_) | ServingError::Decode(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    };
    more.insert("code", json!(code));
    more.insert("message", json!(error.to_string()));
    let mut response = (status, Json(json!({ "error": more }))).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
