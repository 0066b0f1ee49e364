//! metricc: a metric is written once and computed by two engines that cannot disagree.
//!
//! This crate is the outermost one: it is what user crates depend on and what the `metricc` command
//! is made of. A crate writes metrics beside its types ([`macro@Event`], [`macro@metric`]) or brings in those of a file
//! ([`metrics!`]); a [`Metric`] runs in batch, in a stream and merged. [`Package`] → plans → logs → segments →
//! presented rows, and [`verify`] checks the law on real data. It computes nothing itself.
//!
//! | feature | what it adds |
//! |---|---|
//! | `engines` | batch, stream and merge in this process |
//! | `http` | reading from a node |
//! | `http-server` | the routes of a serving layer in this process |
//! | `macros` | `#[derive(Event)]`, `#[derive(Table)]`, `#[metric]`, `metrics!` |
//! | `chrono`, `rust_decimal` | types of those crates as fields of events |
//! | `cli` (default) | the command, and all of the above but the types of other crates |

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod compile;
#[cfg(feature = "cli")]
pub mod diff;
#[cfg(feature = "engines")]
mod evaluate;
#[cfg(feature = "engines")]
mod evaluated;
#[cfg(feature = "engines")]
mod laws;
#[cfg(feature = "engines")]
mod package;
#[cfg(feature = "engines")]
pub mod testing;
#[cfg(feature = "engines")]
mod typed;
#[cfg(feature = "engines")]
pub mod verify;

#[cfg(feature = "engines")]
pub use evaluate::{Engine, EngineOptions, EvaluateError, Evaluation, evaluate, evaluate_interval};
#[cfg(feature = "engines")]
pub use evaluated::Evaluated;
#[cfg(feature = "engines")]
pub use package::{Bound, Package, PackageError, Selection, bind, parse_binding};
#[cfg(feature = "engines")]
pub use typed::{Answer, EventLog, MetricStream, Run, RunError};

#[cfg(feature = "http")]
pub use metricc_client::HttpServing;
#[cfg(feature = "http-server")]
pub use metricc_http_api as serving_http;
#[cfg(feature = "engines")]
pub use metricc_log::{Findings, Frontier};
#[cfg(feature = "engines")]
pub use metricc_runtime_serve::LocalServing;

pub use metricc_client::{
    Explained, ExplainedMetric, ExplainedPart, Layer, ReadReceipt, ReadRequest, Served, ServedMetric,
    ServedPart, Serving, ServingError, Stream, decode, jiff,
};
#[cfg(feature = "macros")]
pub use metricc_macros::{Event, Table, metric, metrics};
pub use metricc_types::{
    Cohort, Decimal, Definition, Estimate, Event, Events, Metric, Ranked, Row, Table, TypedRows, Window, day,
    event, month, quarter, row, week, week_from, year,
};

/// User-defined functions and aggregates, for metrics in Rust and in `.metric` files.
pub mod user_defined {
    #[cfg(feature = "engines")]
    pub use crate::laws::check_monoid;
    #[cfg(feature = "engines")]
    pub use metricc_algebra::FloatSum;
    pub use metricc_ir::user_defined::*;
    #[cfg(feature = "macros")]
    pub use metricc_macros::{State, monoid, scalar};
}

#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "macros")]
    pub use metricc_macros::{event_stage, metric_stage, table_stage};
    pub use metricc_types::__private::*;
}

/// The chapter *From Rust*, compiled and run.
#[cfg(all(doctest, feature = "engines"))]
#[doc = include_str!("../../docs/from-rust.md")]
pub mod from_rust {}
