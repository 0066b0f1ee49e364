//! Questions that no metric declares.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use futures::{FutureExt, stream};
use metricc_client::wire::code;
use metricc_client::{AskComputed, AskEstimate, AskEvent, Asked, Format, Given, ReadRequest, ServingError};
use metricc_http_api::{ApiError, Pairs, negotiated, rows_response};
use metricc_runtime_serve::ServingTables;
use serde_json::{Value, json};

use super::package::{by, deployed_json, done, unpacked};
use super::shared::Shared;
use super::sources::invalid;
use crate::asking::{Running, Work};

/// Longest question, in bytes.
const LONGEST: usize = 64 << 10;

/// How often an event says how far a question is.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// The text of a question.
async fn text(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<String, ApiError> {
    let bytes = unpacked(shared, headers, body).await?;
    if bytes.len() > LONGEST {
        return Err(invalid(format!(
            "a question has at most {LONGEST} bytes, and this one has {}",
            bytes.len()
        )));
    }
    String::from_utf8(bytes).map_err(|_| invalid("the question is no UTF-8".to_owned()))
}

pub(crate) async fn ask(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let asked = Asked::of_parameters(String::new(), parameters)?;
    let text = text(&shared, &headers, body).await?;
    let (node, name, own) = (shared.node.clone(), asked.name.clone(), text.clone());
    let question = done(move || node.deployments().question(name.as_deref(), &own)).await?;
    let request = ReadRequest { metric: question.name, ..asked.request };
    let format = negotiated(asked.format, &headers);
    let (serving, asking) = (shared.node.serving(), shared.node.asking());
    let work = Arc::new(serving.work(&question.serving, request, asked.whole).await?);
    if format != Format::Json && !asked.progress {
        work.query.check_columns()?;
    }
    let mut estimate = work.estimate();
    if asked.estimate {
        return Ok(Json(estimate).into_response());
    }
    asking.check(&estimate)?;
    let running = asking.running().add(&text, work.n_positions());
    if asked.progress {
        estimate.id = Some(running.id());
        return Ok(events(shared, estimate, work, running));
    }
    let published = asking.compute(serving, work.clone(), &running).await?;
    drop(running);
    let answer = serving.open_from(&work.query, &published).await?;
    rows_response(&serving.turns(), answer, format).await
}

/// The events of a question that is computed. A client that goes drops them, and cancels it.
fn events(shared: Arc<Shared>, estimate: AskEstimate, work: Arc<Work>, running: Running) -> Response {
    let running = Arc::new(running);
    let (own, of_work) = (running.clone(), work.clone());
    let computed = async move {
        let (serving, asking) = (shared.node.serving(), shared.node.asking());
        let published = asking.compute(serving, of_work.clone(), &own).await?;
        // The rows are read next.
        match of_work.is_of_range() {
            true => serving.ranges().keep(&of_work.query, &published),
            false => serving.answering().kept().keep(&published),
        }
        Ok(serving.epoch())
    };
    let next = Some(AskEvent::Estimate(estimate));
    let events = Events { next, computed: computed.boxed(), work, running, is_over: false };
    let body = Body::from_stream(stream::unfold(events, Events::next));
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

struct Events {
    /// What was there at once.
    next: Option<AskEvent>,
    /// Gives the epoch of the log when the states are there.
    computed: BoxFuture<'static, Result<Option<String>, ServingError>>,
    work: Arc<Work>,
    running: Arc<Running>,
    is_over: bool,
}

impl Events {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        let event = match self.next.take() {
            Some(event) => Ok(event),
            None => tokio::select! {
                computed = &mut self.computed => {
                    self.is_over = true;
                    computed.map(|epoch| AskEvent::Computed(self.computed_at(epoch)))
                }
                () = tokio::time::sleep(PROGRESS_EVERY) => Ok(AskEvent::Progress(self.running.progress())),
            },
        };
        Some((Ok(event_text(event).into()), self))
    }

    fn computed_at(&self, epoch: Option<String>) -> AskComputed {
        let (metric, hash) = (self.work.query.metric().to_owned(), self.work.query.hash().to_owned());
        AskComputed { id: self.running.id(), metric, hash, frontier: self.work.frontier(), epoch }
    }
}

fn event_text(event: Result<AskEvent, ServingError>) -> String {
    let (name, data) = match event {
        Ok(event) => match event.data() {
            Ok(data) => (event.name(), data),
            Err(error) => ("error", json!(ServingError::Failed(error.into()).body().error).to_string()),
        },
        Err(error) => ("error", json!(ApiError::from(error).fields()).to_string()),
    };
    format!("event: {name}\ndata: {data}\n\n")
}

pub(crate) async fn questions(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({ "questions": shared.node.asking().running().progress() }))
}

pub(crate) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let id = Given(&parameters).number("id")?;
    let id = id.ok_or_else(|| invalid("`id` is missing: name the question by its number".to_owned()))?;
    match shared.node.asking().running().cancel(id) {
        true => Ok(Json(json!({ "id": id }))),
        false => {
            let problem = format!("no question {id} is being computed: `GET /v1/ask` lists those that are");
            Err(ApiError::new(StatusCode::NOT_FOUND, code::UNKNOWN_QUESTION, problem))
        }
    }
}

pub(crate) async fn keep(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let given = Given(&parameters);
    let name = given.text("name").map(str::to_owned);
    let name = name.ok_or_else(|| invalid("`name` is missing: the metric needs one".to_owned()))?;
    let by = by(&given)?;
    let text = text(&shared, &headers, body).await?;
    let node = shared.node.clone();
    let (deployed, metric) = done(move || node.deployments().keep(&name, &text, &by)).await?;
    let mut answer = deployed_json(&deployed);
    answer["text"] = json!(metric);
    Ok(Json(answer))
}
