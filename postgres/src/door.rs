//! What stands behind the protocol: who reads, and what is served.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use metricc_client::ServingError;
use metricc_sql::Tables;

use crate::reading::ReadStatement;

/// Who may read, and how much.
pub trait Door: fmt::Debug + Send + Sync + 'static {
    /// Whether a reader has to give a token, as the password.
    fn asks_for_token(&self) -> bool;

    /// The reader with a token, or without one, at the address of the other end; `None` if there is no such reader.
    fn reader(&self, token: Option<&str>, address: Option<IpAddr>) -> Option<Arc<dyn Reader>>;

    /// What connections and statements may take.
    fn limits(&self) -> &Limits;
}

/// One who reads.
pub trait Reader: fmt::Debug + Send + Sync + 'static {
    /// The tables that it may read, as they are at this moment.
    ///
    /// # Errors
    /// [`ServingError`] if nothing is served yet.
    fn tables(&self) -> Result<Arc<Tables>, ServingError>;

    /// Takes a place among the statements that are answered at a time; it is given back when the value is dropped.
    ///
    /// # Errors
    /// [`ServingError`] if all places are taken.
    fn place(&self) -> Result<Box<dyn Send + Sync>, ServingError>;

    /// Is told of each statement that has read metrics or events, or was refused, when it has ended.
    fn log(&self, statement: &ReadStatement);
}

/// What connections and statements may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most rows of an answer.
    pub max_rows: u64,
    /// How long a statement may take, unless `SET statement_timeout` says less.
    pub statement_timeout: Duration,
    /// Bytes that all statements together may hold for sorting, grouping and joining.
    pub memory_bytes: usize,
}
