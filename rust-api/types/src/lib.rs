//! The types of the Rust API: events, metrics and rows as Rust types.
//!
//! [`Event`] is a record that goes into a log, [`Definition`] a metric with the types of its keys and values,
//! [`Metric`] the handle of one. The crate `metricc` re-exports all of it, beside the macros and the engines.
//!
//! Invariant: this crate builds no engine and no Arrow.

mod chain;
mod decimal;
pub mod event;
mod metric;
mod read;
pub mod row;
mod value;

pub use chain::{Events, Group, day, month, quarter, week, week_from, year};
pub use decimal::Decimal;
pub use event::{Event, Table};
pub use metric::{Checked, Definition, Metric, Row};
pub use read::TypedRows;
pub use value::{Cohort, Estimate, Ranked, Window};

#[doc(hidden)]
pub mod __private {
    pub use serde;
}
