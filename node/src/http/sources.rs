//! How far sources have come, and what was quarantined.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use metricc_durable_log::{DurableError, QuarantinedRecord};
use metricc_log::Slice;
use serde::Deserialize;
use serde_json::json;

use super::Refusal;
use super::server::Shared;
use crate::AuditError;

/// Most quarantined records of one answer.
const MAX_RECORDS: usize = 10_000;

pub(crate) async fn sources(State(shared): State<Arc<Shared>>) -> Response {
    let status = tokio::task::spawn_blocking(move || shared.node.status()).await;
    let Ok(status) = status else {
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the state could not be read")
            .into_response();
    };
    let sources: Vec<_> = status
        .into_iter()
        .map(|status| {
            json!({
                "name": status.name,
                "end": status.end.0,
                "served": status.served.map(|served| served.0),
                "view": status.view.0,
            })
        })
        .collect();
    Json(json!({ "sources": sources })).into_response()
}

/// Which quarantined records are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    partition: u32,
    from: u64,
    limit: usize,
}

impl Default for Asked {
    fn default() -> Self {
        Asked { partition: 0, from: 0, limit: 100 }
    }
}

pub(crate) async fn quarantine(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => {
            return Refusal::new(StatusCode::BAD_REQUEST, "request", error.body_text()).into_response();
        }
    };
    let found = tokio::task::spawn_blocking(move || {
        let source = shared.node.sources().iter().find(|source| source.name() == name)?;
        if source.end().0.len() <= asked.partition as usize {
            return Some(Err(DurableError::Request(format!(
                "source `{name}` has {} partitions, counted from 0",
                source.end().0.len()
            ))));
        }
        let slice = Slice { partition: asked.partition, from: asked.from, to: u64::MAX };
        // The log goes on while they are read.
        let quarantine = source.log.snapshot().quarantine(source.name(), &slice);
        Some(quarantine.read(asked.limit.min(MAX_RECORDS)))
    });
    match found.await {
        Ok(Some(Ok(records))) => {
            let lines: String = records.iter().map(line).collect();
            ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
        }
        Ok(Some(Err(error @ DurableError::Request(_)))) => {
            Refusal::new(StatusCode::BAD_REQUEST, "request", error.to_string()).into_response()
        }
        Ok(Some(Err(error))) => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", error.to_string()).into_response()
        }
        Ok(None) => {
            Refusal::new(StatusCode::NOT_FOUND, "unknown_source", "there is no such source").into_response()
        }
        Err(error) => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", error.to_string()).into_response()
        }
    }
}

/// Which audit is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AskedAudit {
    full: bool,
}

pub(crate) async fn audit(
    State(shared): State<Arc<Shared>>,
    asked: Result<Query<AskedAudit>, QueryRejection>,
) -> Response {
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => {
            return Refusal::new(StatusCode::BAD_REQUEST, "request", error.body_text()).into_response();
        }
    };
    match shared.node.audit(asked.full).await {
        Ok(lines) => Json(json!({ "lines": lines })).into_response(),
        Err(error @ AuditError::NotReady(_)) => {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "starting", error.to_string());
            refusal.retry("1").into_response()
        }
        Err(error) => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", error.to_string()).into_response()
        }
    }
}

fn line(record: &QuarantinedRecord) -> String {
    let value = json!({
        "partition": record.position.partition,
        "offset": record.position.offset,
        "field": record.field,
        "problem": record.problem,
        "raw": String::from_utf8_lossy(&record.raw),
    });
    format!("{value}\n")
}

pub(crate) async fn nowhere() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "unknown_path",
        "there is nothing at this path: docs/node.md lists what there is",
    )
}

pub(crate) async fn other_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path is asked with another method")
}

pub(crate) async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    // The log may be in the middle of a write, and others are answered meanwhile.
    let stopped = tokio::task::spawn_blocking(move || shared.node.stopped()).await;
    match stopped.unwrap_or_else(|error| Some(error.to_string())) {
        None => "ok\n".into_response(),
        Some(reason) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", reason).into_response(),
    }
}

pub(crate) async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    if shared.node.is_ready() {
        return "ready\n".into_response();
    }
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "the tail of the log is being read")
        .into_response()
}

pub(crate) async fn counters(State(shared): State<Arc<Shared>>) -> Response {
    match tokio::task::spawn_blocking(move || shared.node.counters_text()).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", error.to_string()).into_response()
        }
    }
}
