//! Taking events over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metricc_durable_log::{DurableError, Exception, Receipt, Request, Verdict};
use metricc_log::{BodyError, BodyFormat, BodyLimits};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::server::Shared;
use super::{Refusal, body};
use crate::writer::IngestError;

/// Name under which a client sends what it calls a request.
const KEY: &str = "idempotency-key";

/// Longest such name.
const MAX_KEY: usize = 256;

pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match take(&shared, &source, &headers, body).await {
        Ok(receipt) => Json(receipt_json(&receipt)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn take(
    shared: &Arc<Shared>,
    source: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Receipt, Refusal> {
    let Some(decoder) = shared.node.decoder(source).cloned() else {
        let known: Vec<&str> = shared.node.sources().iter().map(|source| source.name()).collect();
        let message = format!("there is no source `{source}`; there are `{}`", known.join("`, `"));
        return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_source", message));
    };
    let form = form(headers)?;
    let key = key(headers)?;
    let _room = room(shared, headers)?;
    let bytes = body::read(body, &shared.limits).await?;
    let (own, own_headers) = (shared.clone(), headers.clone());
    let decode = move || {
        let bytes = body::unpack(&own_headers, bytes, &own.limits)?;
        let digest = crate::digest(&bytes);
        let limits = BodyLimits { records: own.limits.events, bytes: own.limits.body_bytes };
        let events = decoder.decode(form, &bytes, &limits).map_err(|error| undecodable(&error))?;
        Ok((events, digest))
    };
    let failed = |error: String| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", format!("decoding ended: {error}"))
    };
    let (events, digest) = shared.node.decoding().run(decode).await.map_err(failed)??;
    let request = Request { events, key, digest };
    shared.node.ingest().append(request).await.map_err(|error| refusal(&error))
}

fn form(headers: &HeaderMap) -> Result<BodyFormat, Refusal> {
    let Some(named) = headers.get(header::CONTENT_TYPE) else { return Ok(BodyFormat::Ndjson) };
    let named = named.to_str().unwrap_or("?");
    BodyFormat::from_media_type(named).ok_or_else(|| {
        let known = [BodyFormat::Ndjson, BodyFormat::Json, BodyFormat::Csv, BodyFormat::Arrow]
            .map(BodyFormat::media_type);
        let message = format!("content type `{named}` is not known: send {}", known.join(", "));
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message)
    })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(key) = headers.get(KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => {
            let message = format!("`Idempotency-Key` is 1 to {MAX_KEY} visible characters");
            Err(Refusal::new(StatusCode::BAD_REQUEST, "key", message))
        }
    }
}

/// Room for a body, from its first byte until it is in the log: as many bytes as it says that it has, or as it may have.
fn room(shared: &Shared, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Refusal> {
    let most = shared.limits.body_bytes;
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let n_bytes = u32::try_from(said.unwrap_or(most).min(most)).unwrap_or(u32::MAX);
    shared.bodies.clone().try_acquire_many_owned(n_bytes).map_err(|_| {
        let message = "the node is busy with the bytes of other requests";
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry("1")
    })
}

fn undecodable(error: &BodyError) -> Refusal {
    let (status, code) = match error {
        BodyError::Body(_) => (StatusCode::BAD_REQUEST, "body"),
        BodyError::Columns(_) => (StatusCode::UNPROCESSABLE_ENTITY, "columns"),
        BodyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
    };
    Refusal::new(status, code, error.to_string())
}

fn refusal(error: &IngestError) -> Refusal {
    let message = match error {
        IngestError::Log(error) => match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        },
        error => error.to_string(),
    };
    let (status, code, retry) = match error {
        IngestError::Busy { .. } => (StatusCode::TOO_MANY_REQUESTS, "busy", Some("1")),
        IngestError::Groups { .. } => (StatusCode::INSUFFICIENT_STORAGE, "groups", Some("30")),
        IngestError::Closing => (StatusCode::SERVICE_UNAVAILABLE, "closing", Some("5")),
        IngestError::Log(error) => match &**error {
            DurableError::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "full", Some("30")),
            DurableError::Request(_) => (StatusCode::UNPROCESSABLE_ENTITY, "request", None),
            DurableError::Stopped { .. } => (StatusCode::SERVICE_UNAVAILABLE, "stopped", None),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "failed", None),
        },
    };
    let refusal = Refusal::new(status, code, message);
    match retry {
        Some(seconds) => refusal.retry(seconds),
        None => refusal,
    }
}

fn receipt_json(receipt: &Receipt) -> Value {
    let accepted = &receipt.accepted;
    json!({
        "positions": accepted.positions,
        "accepted": accepted.n_accepted,
        "duplicates": accepted.n_duplicates,
        "conflicts": accepted.n_conflicts,
        "quarantined": accepted.n_quarantined,
        "repeated": receipt.is_repeated,
        "exceptions": receipt.exceptions.iter().map(exception_json).collect::<Vec<_>>(),
    })
}

fn exception_json(exception: &Exception) -> Value {
    let (partition, offset) = (exception.position.partition, exception.position.offset);
    let place = json!({ "record": exception.record, "partition": partition, "offset": offset });
    let verdict = match &exception.verdict {
        Verdict::Duplicate => json!({ "verdict": "duplicate" }),
        Verdict::Conflict => json!({ "verdict": "conflict" }),
        Verdict::Quarantined { field, problem } => {
            json!({ "verdict": "quarantined", "field": field, "problem": problem })
        }
    };
    match (place, verdict) {
        (Value::Object(mut place), Value::Object(verdict)) => {
            place.extend(verdict);
            Value::Object(place)
        }
        (place, _) => place,
    }
}
