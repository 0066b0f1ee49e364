//! The door of PostgreSQL's protocol: who reads, and what a statement sees.
//!
//! A token is the password, and the reader that it is of sees here what it sees over HTTP. The events of sources
//! are tables as well, for those alone who may read everything. Statements are computed on threads of their own,
//! with the priority of large answers.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metricc_client::wire::Scope;
use metricc_client::{ReadRequest, ServingError};
use metricc_log::{Interval, Log};
use metricc_postgres::{Door, Limits, ReadStatement, Reader, serve, tls_acceptor};
use metricc_runtime_serve::{Access, LocalServing, ServedSnapshot};
use metricc_sql::{SourceLog, SourceTable, Tables};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::access_log::{AccessEntry, AccessedMetric};
use crate::config::PostgresConfig;
use crate::error::NodeError;
use crate::node::Node;
use crate::source::NodeSource;
use crate::states_of_log::start_of;
use crate::thread_priority::{Priority, lower_priority};

/// What the access log calls it.
const DOOR: &str = "postgres";

/// The protocol, until it is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    address: std::net::SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl PostgresServer {
    /// Listens at the address of the configuration, and answers from now on.
    ///
    /// # Errors
    /// [`NodeError::Config`] if the address is taken, or certificates cannot be read.
    pub fn start(config: &PostgresConfig, node: &Arc<Node>) -> Result<Self, NodeError> {
        check(config, node)?;
        let tls = match (&config.cert, &config.key) {
            (Some(cert), Some(key)) => {
                let problem = |problem| NodeError::Config(format!("`postgres.cert`: {problem}"));
                Some(tls_acceptor(cert, key).map_err(problem)?)
            }
            _ => None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
            .thread_name("metricc-postgres")
            .enable_all()
            .on_thread_start(|| lower_priority(Priority::Answer))
            .build()?;
        let _entered = runtime.enter();
        let taken = |error: std::io::Error| {
            NodeError::Config(format!(
                "cannot listen at {}, which is `postgres.listen`: {error}",
                config.listen
            ))
        };
        let listener = std::net::TcpListener::bind(config.listen.address).map_err(taken)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let limits = Limits {
            max_connections: config.max_connections,
            max_rows: config.max_rows,
            statement_timeout: config.statement_timeout,
            memory_bytes: config.max_bytes,
        };
        let places = Arc::new(Semaphore::new(config.max_statements));
        let door = NodeDoor { node: node.clone(), limits, places };
        let closed = node.serving().closed();
        runtime.spawn(async move {
            if let Err(error) = serve(listener, Arc::new(door), tls, closed).await {
                tracing::error!("PostgreSQL's protocol is not spoken: {error}");
            }
        });
        Ok(PostgresServer { address, runtime: Some(runtime) })
    }

    /// The address at which it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Not a blocking shutdown: it may be dropped in an async context.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Refuses what would be open to others.
fn check(config: &PostgresConfig, node: &Node) -> Result<(), NodeError> {
    let is_local = config.listen.address.ip().is_loopback();
    if config.cert.is_some() != config.key.is_some() {
        let problem = "`postgres.cert` and `postgres.key` belong together: give both, or none";
        return Err(NodeError::Config(problem.to_owned()));
    }
    if !is_local && !node.permissions().has_tokens() {
        return Err(NodeError::Config(format!(
            "`postgres.listen` is {}, which others can reach, and there is no token: add one under `[tokens]`, or \
             listen on 127.0.0.1",
            config.listen
        )));
    }
    if !is_local && config.cert.is_none() {
        tracing::warn!(
            "`postgres.listen` is {}, and without `cert` and `key` tokens go over the network as they are",
            config.listen
        );
    }
    Ok(())
}

#[derive(Debug)]
struct NodeDoor {
    node: Arc<Node>,
    limits: Limits,
    places: Arc<Semaphore>,
}

impl Door for NodeDoor {
    fn asks_for_token(&self) -> bool {
        self.node.permissions().has_tokens()
    }

    fn reader(&self, token: Option<&str>, address: Option<IpAddr>) -> Option<Arc<dyn Reader>> {
        let permissions = self.node.permissions();
        let permission = match token {
            Some(token) => permissions.of_token(token),
            None => permissions.without_token(),
        };
        let holder = permission.as_ref().filter(|_| token.is_some());
        let name = holder.map(|permission| permission.name().to_owned());
        let Some(permission) = permission.filter(|permission| permission.allows(Scope::Query)) else {
            self.log_refused(name, address);
            return None;
        };
        let (access, places) = (permission.access().clone(), self.places.clone());
        let serving = self.node.local().with_access(access.clone());
        let sees_events = access == Access::Everything;
        Some(Arc::new(NodeReader {
            node: self.node.clone(),
            serving,
            sees_events,
            places,
            name,
            address,
            last: Mutex::default(),
        }))
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl NodeDoor {
    /// Whoever has no right to read is in the access log as well.
    fn log_refused(&self, reader: Option<String>, address: Option<IpAddr>) {
        let Some(log) = self.node.access_log() else { return };
        let status = if reader.is_some() { 403 } else { 401 };
        let (route, address) = ("CONNECT".to_owned(), address.map(|address| address.to_string()));
        let entry = AccessEntry {
            event: "read",
            door: DOOR,
            reader,
            address,
            route,
            status,
            complete: true,
            ..AccessEntry::default()
        };
        log.write(&entry, Instant::now());
    }
}

#[derive(Debug)]
struct NodeReader {
    node: Arc<Node>,
    serving: LocalServing,
    sees_events: bool,
    places: Arc<Semaphore>,
    name: Option<String>,
    address: Option<IpAddr>,
    /// The tables of the last statement: those of the next one are the same until something is published.
    last: Mutex<Option<(ServedSnapshot, Arc<Tables>)>>,
}

impl Reader for NodeReader {
    fn tables(&self) -> Result<Arc<Tables>, ServingError> {
        let served = self.serving.snapshot();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, tables)) = &*last
            && known.is_same(&served)
        {
            return Ok(tables.clone());
        }
        let tables = Arc::new(tables(&self.node, &served, self.sees_events)?);
        *last = Some((served, tables.clone()));
        Ok(tables)
    }

    fn place(&self) -> Result<Box<dyn Send + Sync>, ServingError> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| {
            let problem =
                "as many statements are being answered as `max_statements` under `[postgres]` allows";
            ServingError::Request(problem.to_owned())
        })?;
        Ok(Box::new(place))
    }

    fn log(&self, statement: &ReadStatement) {
        let Some(log) = self.node.access_log() else { return };
        let frontier =
            |table: &String| AccessedMetric { metric: table.clone(), frontier: self.frontier(table) };
        let kind = statement.text.split_whitespace().next().unwrap_or_default().to_uppercase();
        let mut parameters = vec![("statement".to_owned(), statement.text.clone())];
        parameters.extend(statement.code.iter().map(|code| ("code".to_owned(), code.clone())));
        let entry = AccessEntry {
            event: "read",
            door: DOOR,
            reader: self.name.clone(),
            address: self.address.map(|address| address.to_string()),
            route: kind,
            metrics: statement.tables.iter().map(frontier).collect(),
            parameters,
            status: statement.code.as_deref().map_or(200, status_of),
            rows: Some(statement.n_rows),
            bytes: statement.n_bytes,
            complete: statement.is_complete,
        };
        log.write(&entry, statement.since);
    }
}

impl NodeReader {
    /// The frontier of a table, as the last statement has seen it.
    fn frontier(&self, table: &str) -> Vec<u64> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((served, _)) = &*last else { return Vec::new() };
        let request = ReadRequest { metric: table.to_owned(), ..ReadRequest::default() };
        match served.query(request) {
            Ok(query) => query.frontier(served.published()),
            Err(_) => {
                served.published().frontier(table).map(|frontier| frontier.0.clone()).unwrap_or_default()
            }
        }
    }
}

/// The status that HTTP has for a code of PostgreSQL.
fn status_of(code: &str) -> u16 {
    match code {
        "57014" => 408,
        "53300" | "53200" => 429,
        "57P03" => 503,
        "54000" => 422,
        "XX000" => 500,
        _ => 400,
    }
}

fn tables(node: &Node, served: &ServedSnapshot, sees_events: bool) -> Result<Tables, ServingError> {
    let mut sources = Vec::new();
    for source in node.sources().iter().filter(|_| sees_events) {
        // One that no version reads has no frontier.
        let Some(to) = served.published().frontier(source.name()).cloned() else { continue };
        let snapshot = source.log.snapshot();
        let Some(decoder) = snapshot.decoder(source.name()) else { continue };
        let interval = Interval::new(start_of(&to), to).map_err(failed)?;
        let log = Arc::new(EventsOf { source: source.clone(), interval });
        sources.push(SourceTable::new(decoder.source(), log).map_err(failed)?);
    }
    Ok(Tables::of(served, sources).0)
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ServingError {
    ServingError::Failed(error.into())
}

/// The events that are in answers.
#[derive(Debug)]
struct EventsOf {
    source: Arc<NodeSource>,
    interval: Interval,
}

impl SourceLog for EventsOf {
    fn open(&self) -> Result<(Log, Interval), ServingError> {
        let log = self.source.log.snapshot().log(self.source.name(), self.interval.from()).map_err(failed)?;
        Ok((log, self.interval.clone()))
    }
}
