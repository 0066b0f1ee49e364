//! A server of the protocol in this process.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metricc::ServingError;
use metricc_postgres::{Door, Limits, ReadStatement, Reader, serve};
use metricc_sql::Tables;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::served;

const PAYMENTS: &str = r#"
/// Payments, as the gateway reports them.
source payments {
  at: timestamp time
  country: string
  device: enum("ios", "web")
  user: string
  amount: decimal(12, 2)
}

/// What was paid, per hour and country.
metric revenue = sum(amount) { from payments by country every 1h }

metric orders = { n: count(), users: distinct(user), mean: mean(amount) }
  { from payments by country, device every 1h }
"#;

pub(crate) const TOKEN: &str = "a-token-of-this-test";

#[derive(Debug)]
struct TestDoor {
    tables: Arc<Tables>,
    limits: Limits,
    asks: bool,
    log: Statements,
}

#[derive(Debug)]
struct TestReader(Arc<Tables>, Statements);

/// The statements that the log has.
pub(crate) type Statements = Arc<Mutex<Vec<ReadStatement>>>;

impl Reader for TestReader {
    fn tables(&self) -> Result<Arc<Tables>, ServingError> {
        Ok(self.0.clone())
    }

    fn place(&self) -> Result<Box<dyn Send + Sync>, ServingError> {
        Ok(Box::new(()))
    }

    fn log(&self, statement: &ReadStatement) {
        self.1.lock().expect("no panic").push(statement.clone());
    }
}

impl Door for TestDoor {
    fn asks_for_token(&self) -> bool {
        self.asks
    }

    fn reader(&self, token: Option<&str>, _: Option<std::net::IpAddr>) -> Option<Arc<dyn Reader>> {
        let is_known = !self.asks || token == Some(TOKEN);
        is_known.then(|| Arc::new(TestReader(self.tables.clone(), self.log.clone())) as Arc<dyn Reader>)
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// A server; it ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) log: Statements,
    _stop: oneshot::Sender<()>,
    _runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start(asks: bool) -> Self {
        Server::with_limits(asks, 1_000_000)
    }

    pub(crate) fn with_limits(asks: bool, max_rows: u64) -> Self {
        let package = served::package(PAYMENTS);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("payments.ndjson");
        let mut lines = String::new();
        for n in 0..60_u32 {
            let (hour, minute) = (n / 20, n % 20 * 3);
            let (country, device) = (["IN", "DE", "FR"][n as usize % 3], ["ios", "web"][n as usize % 2]);
            writeln!(
                lines,
                r#"{{"at":"2026-04-25T{hour:02}:{minute:02}:00Z","country":"{country}","device":"{device}","user":"u{}","amount":"{}.25"}}"#,
                n % 11,
                n % 13
            )
            .expect("a line");
        }
        std::fs::write(&log, lines).expect("the log is written");
        let bound = served::all_bound(&package, &log);
        let serving = served::serve(&bound, &served::derived(&package, &bound));
        let tables = Arc::new(served::tables(&serving, &bound));
        let limits = Limits {
            max_connections: 20,
            max_rows,
            statement_timeout: Duration::from_secs(20),
            memory_bytes: 256 << 20,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel::<()>();
        let log = Statements::default();
        let door = Arc::new(TestDoor { tables, limits, asks, log: log.clone() });
        runtime.spawn(async move {
            let closed = async move {
                let _ = stopped.await;
            };
            serve(listener, door, None, closed).await.expect("it serves");
        });
        Server { address, log, _stop: stop, _runtime: runtime, _folder: folder }
    }
}
