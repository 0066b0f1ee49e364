//! Asking what is served: requests, answers and errors, and the client of a node over HTTP.
//!
//! [`Serving`] is one interface for metrics served in this process and by a node. The feature `http` adds
//! [`HttpServing`], which asks a node.
//!
//! Invariant: this crate builds no engine and no Arrow. A value is decoded from the JSON that serving writes, wherever
//! it was computed.

pub mod decode;
#[cfg(feature = "http")]
mod http;
mod serving;

pub use futures::Stream;
#[cfg(feature = "http")]
pub use http::HttpServing;
pub use jiff;
pub use serving::{
    Explained, ExplainedMetric, ExplainedPart, Layer, ReadReceipt, ReadRequest, Served, ServedMetric,
    ServedPart, Serving, ServingError,
};
