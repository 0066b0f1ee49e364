//! The node: one process that takes events, keeps them, computes metrics from them in both layers, and
//! answers.
//!
//! - The [writer](Ingest) owns the durable log, and appends many requests in one write.
//! - The **speed layer** of each source follows the log with a dataflow that starts where the view ends.
//! - The **batch layer** of each source evaluates the new events from time to time, and commits a version of
//!   the view. Then a second dataflow starts from there, catches up, and replaces the first one in one step.
//! - Readers get the ⊕ of view and tail, always of one frontier.
//!
//! Invariants: an event is acknowledged when it is durable, and never before. Nothing but another write waits
//! for a write: everybody who reads the log reads a snapshot. A view and a tail that meet at one frontier are
//! served as a pair, which is replaced as a whole; its frontier never goes back. View and tail own nothing
//! that the log does not have: either can be rebuilt from it, and is then the same.

mod access_log;
mod answer_limits;
mod archiver;
mod asked_states;
mod asking;
mod audit;
mod audit_line;
mod backfill;
mod batch;
mod batch_cluster;
mod changed;
mod config;
mod continued_states;
mod costs;
mod deployment;
mod derived_tables;
mod error;
mod evaluation_speed;
mod folder_lock;
mod folder_scan;
mod http;
mod intake_report;
mod listen;
mod loaded_view;
mod loss_proofs;
mod moved_files;
mod node;
mod open_files;
mod opening_log;
mod package;
mod past_answer_turns;
mod past_views;
mod permission;
#[cfg(feature = "postgres")]
mod postgres;
mod reader_rights;
mod reading;
mod restore;
#[cfg(test)]
mod simulation;
mod sink_start;
mod sink_status;
#[cfg(feature = "sinks")]
mod sinks;
mod source;
mod source_plans;
mod source_start;
mod sources;
mod states_of_log;
mod status;
mod tables;
mod tail;
mod thread_priority;
mod token;
#[cfg(feature = "kafka")]
mod topic_source;
mod topic_start;
mod topic_status;
mod views_at_start;
mod watched_folder;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use access_log::{AccessEntry, AccessLog, AccessedMetric};
pub use archiver::ArchiveStatus;
pub use audit::AuditError;
pub use audit_line::{AuditLine, Audited};
pub use backfill::BackfillStatus;
pub use batch_cluster::{BatchCluster, ClusterStatus};
pub use config::{
    AccessLogConfig, Config, ConfigError, KafkaConfig, PostgresConfig, ReadableMetrics, ReaderConfig,
    SinkConfig, SourceConfig, TlsConfig, Tokens, WithoutCluster,
};
pub use deployment::{
    Changes, DeployError, Deployed, Effect, MetricEffect, PackageStatus, Step, StepKind, VersionRecord,
    VersionState, VersionStatus,
};
pub use error::NodeError;
pub use http::{Limits, Server};
pub use listen::{ListenAddress, listen_address, listen_address_like};
pub use node::{Node, SourceStatus};
pub use package::NodePackage;
pub use permission::{Permission, Permissions};
#[cfg(feature = "postgres")]
pub use postgres::PostgresServer;
pub use reading::NodeServing;
pub use restore::{RestoreProgress, RestoredSource, restore};
pub use sink_status::{SinkMetricStatus, SinkStatus};
pub use source::NodeSource;
pub use states_of_log::StatesError;
pub use status::Counters;
pub use token::TokenReference;
pub use topic_status::{TopicPartitionStatus, TopicStatus};
pub use writer::{Ingest, IngestError};

/// What tells the content of requests apart: XXH3-64.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
