//! The node: one process that takes events, keeps them, computes metrics from them in both layers, and answers.
//!
//! - [`writer`](Ingest) puts requests into the durable log, many in one write.
//! - The **speed layer** of each source follows the log with a dataflow that starts where the view ends.
//! - The **batch layer** of each source evaluates what has come since, now and then, and commits a version of the view;
//!   then the speed layer starts anew from there, catches up, and takes the place of the old one in one step.
//! - Readers get the ⊕ of view and tail, always of one frontier.
//!
//! Invariants: an event is acknowledged when it is durable, and never before. What is served is a pair of a view and a tail
//! that meet at one frontier; it is replaced as a whole, and its frontier never goes back. View and tail own nothing that
//! the log does not have: either is made anew from it, and comes out the same.

mod audit;
mod batch;
mod config;
mod error;
mod http;
mod node;
mod open;
mod priority;
mod reading;
#[cfg(test)]
mod simulation;
mod source;
mod speed;
mod start;
mod status;
mod tables;
mod views;
mod watch;
mod writer;

pub use audit::{AuditError, AuditLine, Audited};
pub use config::{Config, ConfigError, SourceConfig, Tokens};
pub use error::NodeError;
pub use http::{Limits, Server};
pub use node::{Node, SourceStatus};
pub use reading::NodeServing;
pub use source::NodeSource;
pub use status::Counters;
pub use writer::{Ingest, IngestError};

/// What tells the content of requests apart: XXH3-64.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
