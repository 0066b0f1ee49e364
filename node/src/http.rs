//! The node over HTTP/1.1.
//!
//! | request | scope | answer |
//! |---|---|---|
//! | `POST /v1/sources/{source}/events` | ingest | takes events: NDJSON or a JSON array, plain, gzip or zstd |
//! | `GET /v1/sources` | query | how far each source has come |
//! | `GET /v1/sources/{source}/quarantine?partition=0&from=0&limit=100` | admin | records that did not decode, NDJSON |
//! | `GET /v1/metrics…` | query | as [`metricc_http_api`] has it |
//! | `GET /metrics` | query | counters, in the form of Prometheus |
//! | `GET /healthz`, `GET /readyz` | none | whether it lives, and whether it can take events and answer |
//!
//! What is wrong is said as `{"error": {"code": …, "message": …}}`. Every wait has an end: see [`Limits`].

mod access;
mod body;
mod ingest;
mod server;
mod sources;

pub use server::{Limits, Server};

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not granted.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Seconds after which it may be sent again.
    retry: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into(), retry: None }
    }

    pub(crate) fn retry(self, seconds: &'static str) -> Self {
        Refusal { retry: Some(seconds), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
