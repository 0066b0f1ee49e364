//! The node over HTTP/1.1.
//!
//! | request | scope | answer |
//! |---|---|---|
//! | `POST /v1/sources/{source}/events` | ingest | takes events: NDJSON or a JSON array, plain, gzip or zstd |
//! | `GET /v1/sources` | query | frontiers of each source: end of its log, served, view |
//! | `GET /v1/sources/{source}/quarantine?partition=0&from=0&limit=100` | admin | records that did not decode, NDJSON |
//! | `GET /v1/metrics…`, `GET /v1/read` | query | rows: see [`metricc_http_api`] |
//! | `GET /metrics` | query | counters, in the text format of Prometheus |
//! | `POST /v1/audit?full=true` | admin | recomputes what is served, and compares |
//! | `GET /healthz`, `GET /readyz` | none | whether it takes events, and whether it answers |
//!
//! Every error is an [`ApiError`](metricc_http_api::ApiError). Every wait has a time limit: see [`Limits`].

mod access;
mod body;
mod budgets;
mod ingest;
mod server;
mod sources;

pub use server::{Limits, Server};
