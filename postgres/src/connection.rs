//! A connection: who reads, and the tables of its statement or transaction.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use datafusion::prelude::SessionContext;
use metricc_sql::Tables;
use pgwire::error::PgWireResult;
use pgwire::messages::response::TransactionStatus;

use crate::cancel::Cancel;
use crate::catalog::{self, ServerState};
use crate::cursors::Cursors;
use crate::door::{Door, Reader};
use crate::errors::{code, fatal, of_reader, of_statement};
use crate::reading::Reading;

/// The tables of the moment, as the catalogue of a connection has them.
pub(crate) type CurrentTables = Arc<RwLock<Arc<Tables>>>;

/// A connection.
pub(crate) struct Connection {
    pub(crate) door: Arc<dyn Door>,
    address: Option<IpAddr>,
    server: Arc<ServerState>,
    reader: OnceLock<Arc<dyn Reader>>,
    current: CurrentTables,
    context: OnceLock<SessionContext>,
    /// Whether the tables are those of the transaction.
    is_pinned: Mutex<bool>,
    pub(crate) cursors: Cursors,
    pub(crate) cancel: Cancel,
}

impl Connection {
    pub(crate) fn new(door: Arc<dyn Door>, server: Arc<ServerState>, address: Option<IpAddr>) -> Self {
        let current = CurrentTables::default();
        let (reader, context) = (OnceLock::new(), OnceLock::new());
        Connection {
            door,
            address,
            server,
            reader,
            current,
            context,
            is_pinned: Mutex::default(),
            cursors: Cursors::default(),
            cancel: Cancel::default(),
        }
    }

    /// Lets a reader in; whether there is such a reader.
    pub(crate) fn let_in(&self, token: Option<&str>) -> bool {
        match self.door.reader(token, self.address) {
            Some(reader) => self.reader.set(reader).is_ok(),
            None => false,
        }
    }

    pub(crate) fn reader(&self) -> PgWireResult<&Arc<dyn Reader>> {
        self.reader.get().ok_or_else(|| fatal(code::INTERNAL, "nobody is logged in"))
    }

    /// The session of a statement that begins: its tables are those of this moment, or of the transaction that it
    /// is part of.
    pub(crate) fn begin(&self, status: TransactionStatus) -> PgWireResult<&SessionContext> {
        let mut is_pinned = self.is_pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in_transaction = status != TransactionStatus::Idle;
        if !(is_in_transaction && *is_pinned) {
            let tables = self.reader()?.tables().map_err(|error| of_reader(&error))?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = tables;
        }
        *is_pinned = is_in_transaction;
        match self.context.get() {
            Some(context) => Ok(context),
            None => {
                let context = catalog::context(&self.server, &self.current);
                let context = context.map_err(|error| of_statement(&error))?;
                Ok(self.context.get_or_init(|| context))
            }
        }
    }

    /// A statement that begins, for the log of its reader.
    pub(crate) fn reading(&self, text: &str) -> PgWireResult<Reading> {
        Ok(Reading::begin(self.reader()?, text))
    }

    /// The tables of the statement.
    pub(crate) fn tables(&self) -> Arc<Tables> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
