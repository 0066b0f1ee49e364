//! The program of the example in both kinds of session: its output is the one that is kept.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use metricc_cluster::{Executor, run_executor, run_scheduler};
use metricc_examples::{Case, generate};
use metricc_ir::user_defined::Imports;
use metricc_jobs::{Build, JobStore, Worker};

const EXPECTED: &str = include_str!("../output.txt");

/// The folder of a log and of the store.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("payments.ndjson"), generate(Case::Payments, 2000, 1).ndjson)
        .expect("the log is written");
    folder
}

fn output(folder: &Path, scheduler: Option<&str>) -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../payments/payments.metric");
    let log = format!("payments={}", folder.join("payments.ndjson").display());
    let mut program = Command::new(env!("CARGO_BIN_EXE_metricc-example-datafusion"));
    program.arg(package).args([&log, "revenue"]).arg(folder.join("store")).args(scheduler);
    let done = program.output().expect("the program starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("text")
}

/// An address of which this port and the next were free a moment ago.
fn free() -> SocketAddr {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = first.local_addr().expect("its address");
        if address.port() < u16::MAX && TcpListener::bind(("127.0.0.1", address.port() + 1)).is_ok() {
            return address;
        }
    }
}

#[test]
fn a_session_of_datafusion_evaluates_a_package() {
    assert_eq!(output(folder().path(), None), EXPECTED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_ballista_evaluates_the_same() {
    let (folder, scheduler) = (folder(), free());
    let store = JobStore::in_folder(&folder.path().join("store")).expect("a store");
    tokio::spawn(async move { run_scheduler(scheduler, "127.0.0.1").await });
    let name = format!("df://{scheduler}");
    let executor = Executor {
        scheduler: name.parse().expect("an address"),
        listen: free(),
        host: None,
        slots: 2,
        wait_seconds: 30,
    };
    let worker = Worker::new("executor", Build::of_this_process(), store, Imports::new());
    tokio::spawn(async move { run_executor(&executor, Arc::new(worker)).await });
    let path = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || output(&path, Some(&name)));
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.expect("in time");
    assert_eq!(output.expect("it ends"), EXPECTED);
}
