//! What a crate needs to name events and metrics and to read results, without any engine.
//!
//! [`Event`] is a record that goes into a log, [`Definition`] a metric with the types of its keys and values,
//! [`Metric`] the handle of one. The crate `metricc` re-exports all of it, beside the macros and the engines.
//!
//! Invariant: builds no engine and no Arrow; a value is decoded from the JSON that serving writes, wherever it comes
//! from, so an answer cannot depend on the way to it.

mod decimal;
pub mod decode;
pub mod event;
mod metric;
pub mod own;
pub mod row;
pub mod serving;
mod value;

pub use decimal::{Decimal, decimal_text};
pub use event::{Event, Table};
pub use futures::Stream;
pub use jiff;
pub use metric::{Definition, Metric, Row};
pub use row::{Events, day, month, quarter, week, week_from, year};
pub use serving::{
    Explained, ExplainedMetric, ExplainedPart, Layer, ReadReceipt, ReadRequest, Served, ServedMetric,
    ServedPart, Serving, ServingError, TypedRows,
};
pub use value::{Cohort, Estimate, Ranked, Window};

#[doc(hidden)]
pub mod __private {
    pub use serde;
}
