//! Connections.

use std::io;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use pgwire::api::auth::StartupHandler;
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::{ConnectionManager, PgWireServerHandlers};
use pgwire::tokio::process_socket;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::catalog::ServerState;
use crate::connection::Connection;
use crate::door::Door;
use crate::refusal::refuse;
use crate::startup::Startup;
use crate::statements::Statements;

/// Connections that are told at a time that there is no place for them.
const REFUSALS: usize = 64;

/// Takes connections until `closed` is ready; then all of them end.
///
/// # Errors
/// If what is known of PostgreSQL cannot be read.
pub async fn serve(
    listener: TcpListener,
    door: Arc<dyn Door>,
    tls: Option<TlsAcceptor>,
    closed: impl Future<Output = ()>,
) -> Result<(), DataFusionError> {
    let server = Arc::new(ServerState::new(door.limits().memory_bytes)?);
    let connections = Arc::new(ConnectionManager::new());
    let places = Arc::new(Semaphore::new(door.limits().max_connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let mut open = JoinSet::new();
    tokio::pin!(closed);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
            () = &mut closed => return Ok(()),
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::warn!("a connection of PostgreSQL's protocol could not be taken: {error}");
                // Such as no file handles: they come back.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            // Of many at once, some are told so by the end of the connection.
            if let Ok(told) = refusals.clone().try_acquire_owned() {
                let most = door.limits().max_connections;
                open.spawn(async move {
                    let _told = told;
                    if let Err(error) = refuse(socket, most).await {
                        tracing::debug!(
                            "a connection of PostgreSQL's protocol was refused, and is gone: {error}"
                        );
                    }
                });
            }
            continue;
        };
        let (door, server, connections, tls) =
            (door.clone(), server.clone(), connections.clone(), tls.clone());
        open.spawn(async move {
            let _place = place;
            if let Err(error) = connected(socket, tls, door, server, connections).await {
                tracing::debug!("a connection of PostgreSQL's protocol has ended: {error}");
            }
        });
    }
}

async fn connected(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    door: Arc<dyn Door>,
    server: Arc<ServerState>,
    connections: Arc<ConnectionManager>,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let address = socket.peer_addr().ok().map(|address| address.ip());
    let connection = Arc::new(Connection::new(door, server, address));
    let handlers = Handlers {
        statements: Arc::new(Statements::new(&connection)),
        startup: Arc::new(Startup { connection, connections: connections.clone() }),
        cancel: Arc::new(DefaultCancelHandler::new(connections)),
    };
    process_socket(socket, tls, Arc::new(handlers)).await
}

/// The handlers of a connection.
struct Handlers {
    statements: Arc<Statements>,
    startup: Arc<Startup>,
    cancel: Arc<DefaultCancelHandler>,
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        self.statements.clone()
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        self.statements.clone()
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        self.startup.clone()
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        self.cancel.clone()
    }
}
