//! The server: an accept loop in which every wait has a time limit.
//!
//! `axum::serve` gives hyper no timer, so hyper could not limit the time for headers; here it has one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use metricc_client::wire::{Endpoint, ROUTES};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use super::access::{self, HttpAccess};
use super::closing::ErrorBodies;
use super::connection_limits::{Admitted, Connection, Connections, Limit};
use super::headers::{MAX_HEADER_BYTES, MAX_HEADERS};
use super::limits::Limits;
use super::request_limits::{self, Budgets, Peer};
use super::shared::Shared;
use super::tls::{self, Tls};
use super::{ask, ingest, package, package_diff, sources};
use crate::config::Config;
use crate::error::NodeError;
use crate::node::Node;
use crate::permission::Permissions;

/// How long a client that is refused may take to read why.
const REFUSED_WITHIN: Duration = Duration::from_millis(500);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    node: Arc<Node>,
    router: Router,
    limits: Limits,
    connections: Arc<Connections>,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Checks the address and the tokens of a configuration, before anything is opened.
    ///
    /// # Errors
    /// [`NodeError::Config`] if others could reach the node without a token, or a token is missing.
    pub fn check(config: &Config) -> Result<(), NodeError> {
        config.tls.as_ref().map(Tls::new).transpose()?;
        access::check_reachable(&Permissions::new(config)?, &config.listen)
    }

    /// Listens at the address of the configuration; for port 0 the system chooses one.
    ///
    /// # Errors
    /// [`NodeError`] if the address is taken or not allowed, or a token is missing.
    pub async fn bind(config: &Config, node: Arc<Node>, limits: Limits) -> Result<Self, NodeError> {
        let tls = config.tls.as_ref().map(Tls::new).transpose()?.map(Arc::new);
        let access = Arc::new(HttpAccess::new(config, &node)?);
        let listener = TcpListener::bind(config.listen.address).await.map_err(|error| {
            let help = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    ": another process listens there; choose another port with `--listen`"
                }
                _ => "",
            };
            NodeError::Config(format!("cannot listen at {}: {error}{help}", config.listen))
        })?;
        let serving = Arc::new(node.serving().clone());
        let bodies = config.ingest.max_waiting_bytes.max(limits.body_bytes).min(Semaphore::MAX_PERMITS);
        let bodies = Arc::new(Semaphore::new(bodies));
        let shared = Arc::new(Shared { node: node.clone(), limits: limits.clone(), bodies });
        let budgets = Arc::new(Budgets::new(&config.reading));
        let most_of_address = config.http.max_connections_per_address;
        let connections = Arc::new(Connections::new(budgets.n_connections(), most_of_address));
        let routes = ROUTES.iter().filter_map(|route| Some((route.path, handler(route.endpoint)?)));
        let router = routes
            .fold(Router::new(), |router, (path, handler)| router.route(path, handler))
            .route_layer(axum::middleware::from_fn(metricc_http_api::check_query))
            .with_state(shared)
            .merge(metricc_http_api::router_with(serving, config.reading.live_idle))
            .fallback(sources::unknown_path)
            .method_not_allowed_fallback(sources::other_method)
            .layer(axum::middleware::from_fn_with_state(budgets, request_limits::check))
            .layer(axum::middleware::from_fn_with_state(access, access::check));
        Ok(Server { listener, node, router, limits, connections, tls })
    }

    /// The address at which it listens.
    ///
    /// # Errors
    /// The error of the system.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Reads the certificate again if its files have changed.
    fn look_at_certificate(&self) {
        self.tls.iter().for_each(|tls| tls.look());
    }

    /// What begins its URL.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Answers requests until `stop` is ready. Then it accepts no more connections, and waits for running
    /// requests within a time limit.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        let mut look = tokio::time::interval(tls::LOOK_EVERY);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                _ = look.tick() => {
                    self.look_at_certificate();
                    continue;
                }
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // For example too many open files, until other connections are closed.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            self.admit(stream, peer.ip(), &graceful);
        }
        drop(self.listener);
        // Subscriptions end here; all other answers end by themselves.
        self.node.serving().close();
        if tokio::time::timeout(self.limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections that did not end in time were closed");
        }
    }
}

impl Server {
    /// Serves a connection on a task of its own, if there may be another one.
    fn admit(&self, stream: TcpStream, peer: IpAddr, graceful: &GracefulShutdown) {
        // An answer is small, and is written at once.
        let _ = stream.set_nodelay(true);
        let place = match self.connections.admit(peer) {
            Ok(place) => place,
            Err(limit) => {
                // Without a handshake, nothing can be said to a client that speaks TLS.
                if self.tls.is_none() {
                    tokio::spawn(refuse(stream, limit));
                }
                return;
            }
        };
        let door = Door { router: self.router.clone(), limits: self.limits.clone(), peer, place };
        let watcher = graceful.watcher();
        let Some(tls) = self.tls.clone() else {
            tokio::spawn(door.serve(stream, watcher));
            return;
        };
        tokio::spawn(async move {
            // A client whose handshake fails sees why, in the alert of TLS.
            let shaken = tokio::time::timeout(door.limits.headers, tls.accept(stream)).await;
            if let Ok(Ok(Some(stream))) = shaken {
                door.serve(stream, watcher).await;
            }
        });
    }
}

/// What a connection is served with.
struct Door {
    router: Router,
    limits: Limits,
    peer: IpAddr,
    place: Connection,
}

impl Door {
    async fn serve<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Door { router, limits, peer, place } = self;
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.headers);
        if place.admitted != Admitted::All {
            builder.keep_alive(false).header_read_timeout(limits.probe_headers);
        }
        builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEADER_BYTES);
        let router = TowerToHyperService::new(router);
        let peer = Peer { address: peer, admitted: place.admitted };
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            hyper::service::Service::call(&router, request)
        });
        // A client that does not read its answer has a time limit as well.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.request));
        let stream = TokioIo::new(ErrorBodies::new(Box::pin(stream), place.admitted == Admitted::All));
        // The client sees what is wrong with its connection.
        let _ = watcher.watch(builder.serve_connection(stream, service)).await;
        drop(place);
    }
}

/// What answers; `None` if that is the serving layer.
fn handler(endpoint: Endpoint) -> Option<MethodRouter<Arc<Shared>>> {
    Some(match endpoint {
        Endpoint::Sources => get(sources::sources),
        Endpoint::Events => post(ingest::events),
        Endpoint::Requests => get(ingest::requests),
        Endpoint::Served => get(ingest::served),
        Endpoint::Quarantine => get(sources::quarantine),
        Endpoint::Ask => post(ask::ask),
        Endpoint::Questions => get(ask::questions),
        Endpoint::CancelQuestion => post(ask::cancel),
        Endpoint::KeepQuestion => post(ask::keep),
        Endpoint::Package => get(package::versions),
        Endpoint::Diff => get(package_diff::diff),
        Endpoint::Deploy => post(package::deploy),
        Endpoint::Promote => post(package::promote),
        Endpoint::RollBack => post(package::roll_back),
        Endpoint::Retire => post(package::retire),
        Endpoint::Audit => post(sources::audit),
        Endpoint::Counters => get(sources::counters),
        Endpoint::Healthz => get(sources::healthz),
        Endpoint::Readyz => get(sources::readyz),
        Endpoint::Metrics | Endpoint::Metric | Endpoint::Explain | Endpoint::Live | Endpoint::Read => {
            return None;
        }
    })
}

/// Tells a client that there are as many connections as there may be.
async fn refuse(mut stream: TcpStream, limit: Limit) {
    let (status, message) = limit.told();
    let phrase = if status == 429 { "Too Many Requests" } else { "Service Unavailable" };
    let body = json!({ "error": { "code": "busy", "message": message } }).to_string();
    let response = format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // A client that is gone need not be told; one that still sends would lose its answer with a closed
    // socket.
    let told = async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await?;
        let mut dropped = [0; 1024];
        while stream.read(&mut dropped).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let _ = tokio::time::timeout(REFUSED_WITHIN, told).await;
}
