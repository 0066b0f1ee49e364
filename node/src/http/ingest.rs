//! Ingesting events over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use metricc_durable_log::{DurableError, Exception, Receipt, Request, Verdict};
use metricc_http_api::ApiError;
use metricc_log::{BodyError, BodyFormat, BodyLimits};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::body;
use super::server::Shared;
use super::sources::unknown_source;
use crate::writer::IngestError;

/// The header in which a client names a request, so that it may send it again.
const KEY: &str = "idempotency-key";

/// Longest value of that header.
const MAX_KEY: usize = 256;

pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(receipt_json(&append(&shared, &source, &headers, body).await?)))
}

async fn append(
    shared: &Arc<Shared>,
    source: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Receipt, ApiError> {
    let decoder = shared.node.decoder(source).cloned().ok_or_else(|| unknown_source(&shared.node, source))?;
    let format = format(headers)?;
    let key = key(headers)?;
    let _budget = reserve_bytes(shared, headers)?;
    let bytes = body::read(body, &shared.limits).await?;
    let (own, own_headers) = (shared.clone(), headers.clone());
    let decode = move || {
        let bytes = body::unpack(&own_headers, bytes, &own.limits)?;
        let digest = crate::digest(&bytes);
        let limits = BodyLimits { records: own.limits.events, bytes: own.limits.body_bytes };
        let events = decoder.decode(format, &bytes, &limits).map_err(|error| undecodable(&error))?;
        Ok::<_, ApiError>((events, digest))
    };
    let failed = |error: String| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", format!("decoding stopped: {error}"))
    };
    let (events, digest) = shared.node.decoding().run(decode).await.map_err(failed)??;
    let request = Request { events, key, digest };
    shared.node.ingest().append(request).await.map_err(|error| not_appended(&error))
}

fn format(headers: &HeaderMap) -> Result<BodyFormat, ApiError> {
    let Some(named) = headers.get(header::CONTENT_TYPE) else { return Ok(BodyFormat::Ndjson) };
    let named = named.to_str().unwrap_or("?");
    BodyFormat::from_media_type(named).ok_or_else(|| {
        let known = [BodyFormat::Ndjson, BodyFormat::Json, BodyFormat::Csv, BodyFormat::Arrow]
            .map(BodyFormat::media_type);
        let message = format!("content type `{named}` is not supported: send {}", known.join(", "));
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message)
    })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(key) = headers.get(KEY) else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => {
            let message = format!("`Idempotency-Key` takes 1 to {MAX_KEY} visible characters");
            Err(ApiError::new(StatusCode::BAD_REQUEST, "key", message))
        }
    }
}

/// Takes the bytes of a body from the budget of all bodies, from its first byte until it is in the log: by
/// its `Content-Length`, or as many as a body may have.
fn reserve_bytes(shared: &Shared, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, ApiError> {
    let most = shared.limits.body_bytes;
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let n_bytes = u32::try_from(stated.unwrap_or(most).min(most)).unwrap_or(u32::MAX);
    shared.bodies.clone().try_acquire_many_owned(n_bytes).map_err(|_| {
        let message = "the bodies of other requests take all the bytes that the node allows at a time";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(1)
    })
}

fn undecodable(error: &BodyError) -> ApiError {
    let (status, code) = match error {
        BodyError::Body(_) => (StatusCode::BAD_REQUEST, "body"),
        BodyError::Columns(_) => (StatusCode::UNPROCESSABLE_ENTITY, "columns"),
        BodyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
    };
    ApiError::new(status, code, error.to_string())
}

fn not_appended(error: &IngestError) -> ApiError {
    let message = match error {
        IngestError::Log(error) => match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        },
        error => error.to_string(),
    };
    let (status, code, retry) = match error {
        IngestError::Busy { .. } => (StatusCode::TOO_MANY_REQUESTS, "busy", Some(1)),
        IngestError::Groups { .. } => (StatusCode::INSUFFICIENT_STORAGE, "groups", Some(30)),
        IngestError::Closing => (StatusCode::SERVICE_UNAVAILABLE, "closing", Some(5)),
        IngestError::Log(error) => match &**error {
            DurableError::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, "full", Some(30)),
            DurableError::Request(_) => (StatusCode::UNPROCESSABLE_ENTITY, "request", None),
            DurableError::Stopped { .. } => (StatusCode::SERVICE_UNAVAILABLE, "stopped", None),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "failed", None),
        },
    };
    let error = ApiError::new(status, code, message);
    match retry {
        Some(seconds) => error.retry_after(seconds),
        None => error,
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
    let position = json!({ "record": exception.record, "partition": partition, "offset": offset });
    let verdict = match &exception.verdict {
        Verdict::Duplicate => json!({ "verdict": "duplicate" }),
        Verdict::Conflict => json!({ "verdict": "conflict" }),
        Verdict::Quarantined { field, problem } => {
            json!({ "verdict": "quarantined", "field": field, "problem": problem })
        }
    };
    match (position, verdict) {
        (Value::Object(mut position), Value::Object(verdict)) => {
            position.extend(verdict);
            Value::Object(position)
        }
        (position, _) => position,
    }
}
