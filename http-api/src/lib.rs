//! A serving layer over HTTP: reading, and nothing else.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/metrics` | the metrics that are served |
//! | `GET /v1/metrics/{metric}?key.country=IN&from=…&to=…&grain=…&latest=true&hash=…` | rows of one frontier |
//! | `GET /v1/metrics/{metric}?at=120&receipt=true` | rows of an older frontier; with the parts that were merged |
//! | `GET /v1/metrics/{metric}?limit=1000&cursor=…` | a page of the rows; the answer has the cursor of the next one |
//! | `GET /v1/metrics/{metric}?format=csv` | rows as CSV or, with `format=arrow`, as an Arrow IPC stream; or by `Accept` |
//! | `GET /v1/metrics/{metric}/explain-value?…` | the rows, and those of each part of the log alone |
//! | `GET /v1/metrics/{metric}/live?…` | the rows as server-sent events, each time the frontier moves |
//! | `GET /v1/read?metric=a&metric=b@HASH&from=…` | rows of several metrics, all of one frontier |
//!
//! [`metricc_client`] defines the query parameters and the errors, and says what the value of a key is.

mod answer_body;
mod answer_facts;
mod error;
mod extract;
mod live;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use answer_body::{BodyPart, body};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json, Router};
use live::Live;
use metricc_client::wire::{Endpoint, ROUTES};
use metricc_client::{Format, Parameters, ReadRequest, ServingError};
use metricc_runtime_serve::{AnswerWriter, FEW_ROWS, OpenAnswer, ServingTables, Turns, to_json};
use serde_json::json;

pub use answer_facts::AnswerFacts;
pub use error::ApiError;
pub use extract::{Name, Pairs, check_query, parameters_of};

/// How long a live client stays without new rows, unless it is configured.
pub const LIVE_IDLE: Duration = Duration::from_secs(15 * 60);

/// The routes for a serving layer.
pub fn router(serving: Arc<dyn ServingTables>) -> Router {
    router_with(serving, LIVE_IDLE)
}

/// As [`router`], with the time after which live clients without new rows are dropped.
pub fn router_with(serving: Arc<dyn ServingTables>, live_idle: Duration) -> Router {
    let of_live = Arc::new(Live::new(serving.clone(), live_idle));
    let routes = ROUTES.iter().filter_map(|route| Some((route.path, handler(route.endpoint)?)));
    let router = routes.fold(Router::new(), |router, (path, handler)| router.route(path, handler));
    router.route_layer(from_fn(check_query)).layer(Extension(of_live)).with_state(serving)
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

/// The serving layer as the reader of one request sees it. A server puts it into the extensions of a request;
/// without it, the request is answered from the serving layer of the router.
#[derive(Clone)]
pub struct ReaderServing(pub Arc<dyn ServingTables>);

/// The serving layer that answers a request.
struct Shared(Arc<dyn ServingTables>);

impl FromRequestParts<Arc<dyn ServingTables>> for Shared {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, all: &Arc<dyn ServingTables>) -> Result<Self, Infallible> {
        let seen = parts.extensions.get::<ReaderServing>();
        Ok(Shared(seen.map_or_else(|| all.clone(), |ReaderServing(seen)| seen.clone())))
    }
}

async fn metrics(Shared(serving): Shared) -> Result<Response, ApiError> {
    Ok(Json(json!({ "metrics": serving.metrics().await? })).into_response())
}

async fn read(
    Shared(serving): Shared,
    Name(metric): Name,
    Pairs(parameters): Pairs,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (request, format) = ReadRequest::of_parameters(metric, parameters)?;
    let format = negotiated(format, &headers);
    if format != Format::Json {
        serving.check_columns(&request)?;
    }
    let none = || ServingError::Failed("a request has no answer".into());
    let answer = serving.open(vec![request]).await?.pop().ok_or_else(none)?;
    rows_response(&serving.turns(), answer, format).await
}

/// The format of an answer: the one that the request names, or else that the client accepts.
pub fn negotiated(named: Option<Format>, headers: &HeaderMap) -> Format {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    named.unwrap_or_else(|| Format::accepted(&accept.collect::<Vec<_>>().join(",")))
}

/// The response with the rows of an answer.
///
/// # Errors
/// If rows cannot be computed, before the first one is sent.
pub async fn rows_response(turns: &Turns, answer: OpenAnswer, format: Format) -> Result<Response, ApiError> {
    let facts = Extension(facts([&answer]));
    let mut answer = Box::new(AnswerWriter::new(answer, format)?);
    if format == Format::Json {
        return Ok((facts, in_json(body(turns, [BodyPart::Answer(answer)].into())?)).into_response());
    }
    while answer.is_surveying() {
        answer = match answer.n_left() <= FEW_ROWS {
            true => survey(answer)?,
            false => turns.take(move || survey(answer)).await??,
        };
    }
    let media_type = match format {
        Format::Csv => format!("{}; charset=utf-8", format.media_type()),
        _ => format.media_type().to_owned(),
    };
    let headers = stated(&answer);
    let body = body(turns, [BodyPart::Answer(answer)].into())?;
    Ok((facts, headers, [(header::CONTENT_TYPE, media_type)], body).into_response())
}

fn facts<'a>(answers: impl IntoIterator<Item = &'a OpenAnswer>) -> AnswerFacts {
    let mut facts = AnswerFacts::default();
    for answer in answers {
        facts.add(&answer.metric, &answer.frontier, answer.rows.n_given());
    }
    facts
}

fn survey(mut answer: Box<AnswerWriter>) -> Result<Box<AnswerWriter>, ServingError> {
    answer.survey()?;
    Ok(answer)
}

async fn explain(
    Shared(serving): Shared,
    Name(metric): Name,
    Pairs(parameters): Pairs,
) -> Result<Response, ApiError> {
    let request = request(metric, parameters)?;
    let explained = serving.explain_table(ReadRequest { receipt: true, ..request }).await?;
    let of_parts = explained.of.iter().flat_map(|metric| &metric.parts).map(|part| part.rows.n_rows);
    let n_rows = explained.answer.rows.n_rows + of_parts.sum::<usize>();
    let mut facts = AnswerFacts::default();
    let rows = Arc::new(AtomicU64::new(explained.answer.rows.n_rows as u64));
    facts.add(&explained.answer.metric, &explained.answer.frontier, rows);
    let text = move || to_json(&explained).map_err(|error| ServingError::Failed(error.into()));
    let text = if n_rows <= FEW_ROWS { text()? } else { serving.turns().take(text).await?? };
    Ok((Extension(facts), in_json(Body::from(text))).into_response())
}

async fn read_many(Shared(serving): Shared, Pairs(parameters): Pairs) -> Result<Response, ApiError> {
    let answers = serving.open(ReadRequest::several_of_parameters(parameters)?).await?;
    let facts = Extension(facts(&answers));
    let mut parts = VecDeque::from([BodyPart::Text("{\"answers\":[")]);
    for (index, answer) in answers.into_iter().enumerate() {
        if index > 0 {
            parts.push_back(BodyPart::Text(","));
        }
        parts.push_back(BodyPart::Answer(Box::new(AnswerWriter::new(answer, Format::Json)?)));
    }
    parts.push_back(BodyPart::Text("]}"));
    Ok((facts, in_json(body(&serving.turns(), parts)?)).into_response())
}

async fn live(
    Shared(serving): Shared,
    Extension(live): Extension<Arc<Live>>,
    Name(metric): Name,
    Pairs(parameters): Pairs,
) -> Result<Response, ApiError> {
    let versions = serving.versions(request(metric, parameters)?)?;
    let body = live.body(versions).await?;
    Ok(([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], body)
        .into_response())
}

/// A request whose answer has one format.
fn request(metric: String, parameters: Parameters) -> Result<ReadRequest, ServingError> {
    match ReadRequest::of_parameters(metric, parameters)? {
        (ReadRequest { limit: Some(_), .. } | ReadRequest { cursor: Some(_), .. }, _) => {
            let problem = "this answer has no pages: leave out `limit` and `cursor`";
            Err(ServingError::Request(problem.to_owned()))
        }
        (request, None | Some(Format::Json)) => Ok(request),
        (_, Some(format)) => {
            let problem = format!("this answer has no format `{}`: leave out `format`", format.name());
            Err(ServingError::Request(problem))
        }
    }
}

fn in_json(body: Body) -> Response {
    ([(header::CONTENT_TYPE, Format::Json.media_type())], body).into_response()
}

/// Hash, frontier and notes of an answer, and what could not be computed, as headers: CSV and Arrow have rows
/// alone.
fn stated(answer: &AnswerWriter) -> HeaderMap {
    let header = |(name, text): (&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(&text).ok()?))
    };
    answer.headers().into_iter().filter_map(header).collect()
}
