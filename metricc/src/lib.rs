//! metricc: define a metric once; a batch and a stream engine compute it, identical to the byte.
//!
//! Users depend on this crate, and it contains the `metricc` command. Metrics are defined in Rust
//! ([`macro@Event`], [`macro@metric`]) or in a `.metric` file ([`metrics!`]); [`Run`] evaluates a [`Metric`]
//! in batch, in a stream and merged. A [`Package`] is planned and bound to logs; engines turn logs into
//! segments, which are merged and presented as rows. [`verify`] checks the law on real data. The crate only
//! connects the parts; all computation is in other crates.
//!
//! | feature | what it adds |
//! |---|---|
//! | `engines` | batch, stream and merge in this process |
//! | `http` | the client for reading from a node |
//! | `http-server` | HTTP routes for a serving layer in this process |
//! | `macros` | `#[derive(Event)]`, `#[derive(Table)]`, `#[metric]`, `metrics!` |
//! | `sql` | metrics and sources as tables of a DataFusion session |
//! | `chrono`, `rust_decimal` | types of those crates as fields of events |
//! | `cli` (default) | the command; includes all of the above except the types of other crates |

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod compile;
#[cfg(feature = "engines")]
mod evaluate;
#[cfg(feature = "engines")]
mod laws;
#[cfg(feature = "engines")]
mod package;
#[cfg(feature = "engines")]
mod served_package;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "engines")]
pub mod testing;
#[cfg(feature = "engines")]
mod typed_run;
#[cfg(feature = "engines")]
pub mod verify;
#[cfg(feature = "cli")]
mod warehouse;

#[cfg(feature = "engines")]
pub use evaluate::{evaluate, evaluate_interval};
#[cfg(feature = "engines")]
pub use package::{Bound, OpenLog, Package, PackageError, Selection, bind, bind_with, parse_binding};
#[cfg(feature = "engines")]
pub use served_package::serve_evaluated;
#[cfg(feature = "engines")]
pub use typed_run::{Answer, EventLog, MetricStream, Run, RunError};

#[cfg(feature = "http")]
pub use metricc_client::{EncodedRows, HttpServing};
#[cfg(feature = "cli")]
pub use metricc_comparison::diff;
#[cfg(feature = "engines")]
pub use metricc_compiler::{Engine, EngineOptions, EvaluateError, Evaluation};
#[cfg(feature = "http-server")]
pub use metricc_http_api as serving_http;
#[cfg(feature = "engines")]
pub use metricc_log::{Frontier, ReadStats};
#[cfg(feature = "engines")]
pub use metricc_runtime_serve::{Evaluated, LocalServing};

pub use metricc_client::{
    Explained, ExplainedMetric, ExplainedPart, Format, Layer, RangeBound, ReadReceipt, ReadRequest, Served,
    ServedMetric, ServedPart, Serving, ServingError, Stream, decode, jiff, pages,
};
#[cfg(feature = "macros")]
pub use metricc_macros::{Event, Table, metric, metrics};
pub use metricc_types::{
    Cohort, Decimal, Definition, Estimate, Event, Events, Group, Metric, Ranked, Row, Table, TypedRows,
    Window, day, event, month, quarter, row, week, week_from, year,
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

/// The chapter *From Rust* of the book; its examples are doc tests.
#[cfg(all(doctest, feature = "engines"))]
#[doc = include_str!("../../docs/from-rust.md")]
pub mod from_rust {}
