//! Views: committed segments on an object store, and their presented values as Delta Lake tables.
//!
//! A view is a cache of the log. A version of it is a numbered file, created if absent and never changed,
//! that names the segments from the start of the log to one frontier. Each version also writes one Delta Lake
//! table per metric with its presented values, for DuckDB, Polars and Spark.
//!
//! Invariant: a lost view costs only time, since it is rebuilt from the log; a file that does not match its
//! checksum is never used.

mod create_only_probe;
mod delta_lake;
mod error;
mod store;

pub use delta_lake::{Table, TableContent, TableStamp};
pub use error::ViewError;
pub use store::{LogStamp, StoredSegment, View, ViewStore};
