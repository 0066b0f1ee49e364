//! `[postgres]`: the door of PostgreSQL's protocol.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{duration, listen};
use crate::listen::ListenAddress;

/// Where the node speaks PostgreSQL's protocol, and what its statements may take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// The address to listen at.
    #[serde(deserialize_with = "listen")]
    pub listen: ListenAddress,
    /// A PEM file with the certificate of the node, and those that have signed it. Without it, connections are
    /// not encrypted.
    #[serde(default)]
    pub cert: Option<PathBuf>,
    /// A PEM file with its key.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Most connections at a time.
    #[serde(default = "max_connections")]
    pub max_connections: usize,
    /// Most statements that are answered at a time.
    #[serde(default = "max_statements")]
    pub max_statements: usize,
    /// Most rows of an answer.
    #[serde(default = "max_rows")]
    pub max_rows: u64,
    /// How long a statement may take.
    #[serde(default = "statement_timeout", deserialize_with = "duration")]
    pub statement_timeout: Duration,
    /// Bytes that all statements together may hold for sorting, grouping and joining.
    #[serde(default = "max_bytes")]
    pub max_bytes: usize,
}

fn max_connections() -> usize {
    200
}

fn max_statements() -> usize {
    32
}

fn max_rows() -> u64 {
    10_000_000
}

fn statement_timeout() -> Duration {
    Duration::from_secs(60)
}

fn max_bytes() -> usize {
    512 << 20
}

impl PostgresConfig {
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.cert, &mut self.key].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}
