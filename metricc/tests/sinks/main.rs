//! Sinks of a node: what they hold is what the node answers at the frontier that they state, whatever is
//! killed.
//!
//! The servers are real ones, started by the tests. A test that finds none says that it is skipped, and fails
//! if the variable that names one is set.

#[path = "../kafka/front.rs"]
mod front;
mod kafka;
mod losses;
mod node;
mod postgres;
mod postgres_server;
mod redis;
mod redis_server;
mod secure;
#[path = "../../../kafka/tests/it/broker.rs"]
#[expect(dead_code, reason = "the tests of topics use all of it")]
mod server;
mod settings;
mod versions;
mod webhook;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest wait of a test.
const WAIT: Duration = Duration::from_secs(60);

/// A port without a listener.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a port").port()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + WAIT;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A row with its members in one order.
fn normal(row: &str) -> String {
    serde_json::from_str::<serde_json::Value>(row).expect("JSON").to_string()
}

/// The state of a metric in a sink, read at one moment.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    version: u64,
    frontier: Vec<u64>,
    /// Its rows, sorted.
    rows: Vec<String>,
}

/// Kills a node again and again, and its sink at the end of some rounds, while a reader looks at the sink.
/// Returns what it has seen.
fn watch_kills<S: Send>(
    sink: &Mutex<S>,
    folder: &Path,
    kill_sink: impl Fn(u32, &mut S),
    seen: impl Fn(&S) -> Option<Seen> + Sync,
) -> Vec<Seen> {
    let (is_over, all) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let read = seen(&sink.lock().expect("the sink"));
                all.lock().expect("states").extend(read);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        node::kill_again_and_again(folder, |round, _| kill_sink(round, &mut sink.lock().expect("the sink")));
        is_over.store(true, Ordering::Relaxed);
    });
    all.into_inner().expect("states")
}

/// Checks that what was seen are versions of the node, each of a whole frontier, in their order.
fn check_all(seen: &[Seen], node: &node::Node, metric: &str, shown: impl Fn(&str) -> String) {
    for pair in seen.windows(2) {
        let is_same = pair[0] == pair[1];
        let is_later = pair[0].version < pair[1].version && pair[0].frontier <= pair[1].frontier;
        assert!(is_same || is_later, "{:?} and then {:?}", pair[0], pair[1]);
    }
    let mut distinct = seen.to_vec();
    distinct.dedup();
    assert!(distinct.len() > 3, "the test has seen {} versions", distinct.len());
    // Each is compared with an answer from the log, which takes a while.
    let step = distinct.len().div_ceil(25);
    for version in distinct.iter().step_by(step).chain(distinct.last()) {
        let wanted = node.rows_at(metric, &version.frontier, &shown);
        assert_eq!(version.rows, wanted, "version {} at {:?}", version.version, version.frontier);
    }
}
