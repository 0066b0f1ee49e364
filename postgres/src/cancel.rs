//! Cancelling a statement whose rows are on their way.
//!
//! The library watches for a request to cancel while a statement is planned and begins; from then on its rows do.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::channel::oneshot::Receiver;
use futures::future::Shared;
use pgwire::api::{ClientInfo, ConnectionHandle};
use pgwire::error::PgWireError;

use crate::errors::{code, error};

/// Where the rows of a connection look for a request to cancel them.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Arc<Mutex<Option<Shared<Receiver<()>>>>>);

impl Cancel {
    /// Watches for requests from now on. It is the last thing that a handler of the library does: the library takes
    /// the watch that it replaces as a request.
    pub(crate) async fn watch(&self, client: &(impl ClientInfo + ?Sized)) {
        if let Some(handle) = client.session_extensions().get::<Arc<ConnectionHandle>>() {
            let watched = handle.start_query().await.shared();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
        }
    }

    /// Is ready when the statement is to end.
    pub(crate) async fn requested(&self) {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(watched) = watched
            && watched.await.is_ok()
        {
            return;
        }
        // Nobody can cancel it.
        std::future::pending::<()>().await;
    }
}

/// What a reader is told that has cancelled a statement.
pub(crate) fn cancelled() -> PgWireError {
    error(code::CANCELED, "canceling statement due to user request")
}
