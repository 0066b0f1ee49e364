//! Views: the segments that batch has committed, on an object store, and the same rows as Delta Lake tables.
//!
//! A view is a cache of the log. A version of it is a numbered file, created if absent and never changed, that names
//! the segments from the start of the log to one frontier. Each version also writes one Delta Lake table per metric
//! with its presented values, which DuckDB, Polars and Spark read.
//!
//! Invariant: nothing is lost with a view but time; whatever does not match its checksum is not used.

mod delta;
mod store;

pub use delta::{Table, TableStamp};
pub use store::{LogStamp, StoredSegment, View, ViewError, ViewStore};
