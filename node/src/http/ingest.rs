//! Ingesting events over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use metricc_client::Given;
use metricc_client::wire::code;
use metricc_durable_log::{DurableError, Exception, Receipt, Request, Verdict};
use metricc_http_api::{ApiError, Name, Pairs};
use metricc_log::{AbsentField, BodyError, BodyFormat, BodyLimits};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::body::{self, Packing};
use super::headers::{single, stated_length};
use super::intake_json::{none_values_json, reasons_json};
use super::shared::Shared;
use super::sources::{invalid, stopped_writing, unknown_source};
use crate::intake_report::Intake;
use crate::writer::IngestError;

/// The header in which a client names a request, so that it may send it again.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Longest value of that header.
const MAX_KEY: usize = 256;

pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    Name(source): Name,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (receipt, read) = append(&shared, &source, &headers, body).await?;
    Ok(Json(receipt_json(&receipt, &read, shared.node.serving().epoch().as_deref())))
}

/// The requests with an idempotency key that the log remembers, so that a client goes on where it was.
pub(crate) async fn requests(
    State(shared): State<Arc<Shared>>,
    Name(source): Name,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let prefix = Given(&parameters).text("prefix").unwrap_or_default();
    shared.node.decoder(&source).ok_or_else(|| unknown_source(&shared.node, &source))?;
    let known = shared.node.ingest().known_requests(&source, prefix).await;
    Ok(Json(json!({ "requests": known.map_err(|error| not_appended(&error))? })))
}

/// The frontier of the answers of a source, once it covers another one or a time has passed.
pub(crate) async fn served(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let source = shared.node.source(&name);
    let source = source.ok_or_else(|| unknown_source(&shared.node, &name))?;
    let wanted = Given(&parameters).frontier("min_frontier")?.unwrap_or_default();
    let (n_wanted, n_partitions) = (wanted.len(), source.end().0.len());
    if ![0, n_partitions].contains(&n_wanted) {
        let plural = if n_partitions == 1 { "" } else { "s" };
        let message = format!(
            "`min_frontier` has {n_wanted} offsets, and the log of `{name}` has {n_partitions} partition{plural}"
        );
        return Err(invalid(message));
    }
    let served = shared.node.serving().served_from(&name, &wanted).await;
    Ok(Json(json!({ "served": served.map(|served| served.0), "end": source.end().0 })))
}

async fn append(
    shared: &Arc<Shared>,
    source: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Receipt, Intake), ApiError> {
    shared.node.decoder(source).ok_or_else(|| unknown_source(&shared.node, source))?;
    // All that can be judged by the headers is judged before the client sends its body.
    let (format, packing, key) = (format(headers)?, Packing::of(headers)?, key(headers)?);
    let _budget = reserve_bytes(shared, stated_length(headers, &shared.limits)?)?;
    let bytes = body::read(body, &shared.limits).await?;
    let mut body = (bytes, Some(packing));
    let (receipt, intake) = loop {
        let decoded = decode(shared, source, (format, key.clone()), body).await?;
        match shared.node.ingest().append(decoded.request).await {
            Ok(receipt) => break (receipt, decoded.intake),
            // A version of the package has just become live that declares it otherwise.
            Err(IngestError::Log(error)) if matches!(*error, DurableError::Redeclared { .. }) => {
                body = (decoded.body, None);
            }
            Err(error) => return Err(not_appended(&error)),
        }
    };
    if !receipt.is_repeated
        && let Some(source) = shared.node.source(source)
    {
        source.take_in(&intake);
    }
    Ok((receipt, intake))
}

/// A body, decoded.
struct Decoded {
    request: Request,
    intake: Intake,
    /// The body, not packed.
    body: Vec<u8>,
}

/// Decodes a body, which may be packed, as its source is declared now.
async fn decode(
    shared: &Arc<Shared>,
    source: &str,
    (format, key): (BodyFormat, Option<String>),
    (bytes, packing): (Vec<u8>, Option<Packing>),
) -> Result<Decoded, ApiError> {
    let decoder = shared.node.decoder(source).ok_or_else(|| unknown_source(&shared.node, source))?;
    let (own, shown) = (shared.clone(), shown(key.as_deref()));
    let decode = move || {
        let body = match packing {
            Some(packing) => body::unpack(packing, bytes, &own.limits)?,
            None => bytes,
        };
        let limits = BodyLimits { records: own.limits.events, bytes: own.limits.body_bytes };
        let events = decoder.decode(format, &body, &limits).map_err(|error| undecodable(&error))?;
        let intake = Intake::of(&events, &shown, |_| None);
        let request = Request { events, key, digest: crate::digest(&body), read: None };
        Ok::<_, ApiError>(Decoded { request, intake, body })
    };
    let failed =
        |error: String| ApiError::failed(&std::io::Error::other(format!("decoding stopped: {error}")));
    shared.node.decoding().run(decode).await.map_err(failed)?
}

/// What a request is called in the status of its source.
fn shown(key: Option<&str>) -> Arc<str> {
    match key {
        Some(key) => format!("request `{key}`").into(),
        None => "request".into(),
    }
}

fn format(headers: &HeaderMap) -> Result<BodyFormat, ApiError> {
    let Some(named) = single(headers, &header::CONTENT_TYPE)? else { return Ok(BodyFormat::Ndjson) };
    BodyFormat::from_media_type(named)
        .map_err(|error| ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", error.to_string()))
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let invalid = |message: String| ApiError::new(StatusCode::BAD_REQUEST, "key", message);
    match single(headers, &KEY)? {
        None => Ok(None),
        Some(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        Some(_) => Err(invalid(format!("`Idempotency-Key` takes 1 to {MAX_KEY} visible characters"))),
    }
}

/// Takes the bytes of a body from the budget of all bodies, from its first byte until it is in the log: by
/// its `Content-Length`, or as many as a body may have.
fn reserve_bytes(shared: &Shared, stated: Option<usize>) -> Result<OwnedSemaphorePermit, ApiError> {
    let n_bytes = u32::try_from(stated.unwrap_or(shared.limits.body_bytes)).unwrap_or(u32::MAX);
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
    let said =
        |status, code, message: &dyn std::fmt::Display| ApiError::new(status, code, message.to_string());
    match error {
        IngestError::Busy { .. } => said(StatusCode::TOO_MANY_REQUESTS, "busy", error).retry_after(1),
        IngestError::Groups { .. } => said(StatusCode::INSUFFICIENT_STORAGE, "groups", error).retry_after(30),
        IngestError::Closing => said(StatusCode::SERVICE_UNAVAILABLE, "closing", error).retry_after(5),
        IngestError::Log(error) => match &**error {
            DurableError::Full { .. } => ApiError::disk_full(),
            DurableError::Request(_) => said(StatusCode::UNPROCESSABLE_ENTITY, code::REQUEST, error),
            DurableError::Stopped { .. } => stopped_writing(),
            error => ApiError::failed(error),
        },
    }
}

fn receipt_json(receipt: &Receipt, intake: &Intake, epoch: Option<&str>) -> Value {
    let accepted = &receipt.accepted;
    let mut values = intake.rejected.iter().map(|record| record.excerpt.as_str());
    let mut exception = |exception: &Exception| {
        let value = match exception.verdict {
            Verdict::Quarantined { .. } => values.next(),
            Verdict::Duplicate | Verdict::Conflict => None,
        };
        exception_json(exception, value)
    };
    let mut json = json!({
        "positions": accepted.positions,
        "epoch": epoch,
        "accepted": accepted.n_accepted,
        "duplicates": accepted.n_duplicates,
        "conflicts": accepted.n_conflicts,
        "quarantined": accepted.n_quarantined,
        "repeated": receipt.is_repeated,
        "exceptions": receipt.exceptions.iter().map(&mut exception).collect::<Vec<_>>(),
        "rejections": reasons_json(&intake.stats.rejections, "record"),
        "absent": intake.absent.iter().map(|absent| &absent.field).collect::<Vec<_>>(),
        "undeclared": intake.undeclared,
    });
    let of_absent = |what: fn(&AbsentField) -> Option<&String>| -> BTreeMap<&String, &String> {
        intake.absent.iter().filter_map(|absent| Some((&absent.field, what(absent)?))).collect()
    };
    let lookalikes = of_absent(|absent| absent.lookalike.as_ref());
    if !lookalikes.is_empty() {
        json["lookalikes"] = json!(lookalikes);
    }
    let hints = of_absent(|absent| absent.hint.as_ref());
    if !hints.is_empty() {
        json["hints"] = json!(hints);
    }
    if accepted.n_conflicts > 0 {
        json["key"] = json!(intake.key);
    }
    if !intake.stats.none_values.is_empty() {
        json["none_values"] = none_values_json(&intake.stats.none_values);
    }
    json
}

/// An exception; the value is what was read of a record that did not decode.
fn exception_json(exception: &Exception, value: Option<&str>) -> Value {
    let (partition, offset) = (exception.position.partition, exception.position.offset);
    let position = json!({ "record": exception.record, "partition": partition, "offset": offset });
    let verdict = match &exception.verdict {
        Verdict::Duplicate => json!({ "verdict": "duplicate" }),
        Verdict::Conflict => json!({ "verdict": "conflict" }),
        Verdict::Quarantined { field, problem } => {
            json!({ "verdict": "quarantined", "field": field, "problem": problem, "value": value })
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
