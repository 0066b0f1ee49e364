//! Reading from a serving layer: requests, answers, errors, and how they travel over HTTP.
//!
//! [`Serving`] is one interface to metrics that are served in this process or by a node. The query parameters
//! and the errors of HTTP are defined here, for both sides. The feature `http` adds [`HttpServing`], the
//! client of a node.
//!
//! Invariant: this crate depends on neither the engines nor Arrow, so a program that only reads does not
//! build them.

mod accept_header;
mod ask;
mod conditions;
mod cost;
pub mod decode;
mod error;
#[cfg(feature = "http")]
mod http;
mod parameter_values;
mod parameters;
mod range;
mod route_parameters;
mod serving;
pub mod wire;

pub use ask::{AskComputed, AskEstimate, AskEvent, AskProgress, Asked, AskedSource};
pub use conditions::add_condition;
pub use cost::{MetricCost, StateSize};
pub use error::{ErrorBody, ErrorFields, ServingError, grouped, with_causes};
pub use futures::Stream;
#[cfg(feature = "http")]
pub use http::{EncodedRows, HttpServing, node_of, node_url, problem, problem_within, trusting};
pub use jiff;
pub use parameter_values::Parameters;
pub use parameters::{Format, NOTE_HEADER, key_value, names};
pub use range::{RangeBound, RangeBoundError};
pub use route_parameters::Given;
pub use serving::{
    Explained, ExplainedMetric, ExplainedPart, JsonRows, Layer, NEXT_HEADER, OVERFLOW_HEADER, ReadReceipt,
    ReadRequest, Served, ServedMetric, ServedPart, Serving, pages, until_error,
};
