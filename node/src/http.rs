//! The node over HTTP/1.1.
//!
//! Its routes are those of [`metricc_client::wire::ROUTES`], of which [`metricc_http_api`] answers the reads.
//!
//! Every error is an [`ApiError`](metricc_http_api::ApiError). Every wait has a time limit: see [`Limits`].

mod access;
mod access_entries;
mod ask;
mod body;
mod closing;
mod connection_limits;
mod framing;
mod headers;
mod host;
mod ingest;
mod intake_json;
mod limits;
mod package;
mod package_diff;
mod request_limits;
mod server;
mod shared;
mod sources;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "http/without_tls.rs"]
mod tls;

pub use limits::Limits;
pub use server::Server;
