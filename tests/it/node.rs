//! A node in this process: panics in the tail and in batch, and metrics over several sources.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use metricc::user_defined::{Imports, scalar};
use metricc::{Package, ReadRequest, Serving};
use metricc_dsl::SourceText;
use metricc_durable_log::Request;
use metricc_node::{Config, Node, NodePackage};
use serde_json::{Value, json};

/// Whether [`fragile`] or [`brittle`] panics at its next bad value.
static IS_ARMED: AtomicBool = AtomicBool::new(false);
static IS_ARMED_TOO: AtomicBool = AtomicBool::new(false);

/// A function that panics once.
#[scalar]
fn fragile(n: i64) -> i64 {
    assert!(n != 13 || !IS_ARMED.swap(false, Ordering::SeqCst), "thirteen");
    n
}

/// As [`fragile`], for another test.
#[scalar]
fn brittle(n: i64) -> i64 {
    assert!(n != 13 || !IS_ARMED_TOO.swap(false, Ordering::SeqCst), "thirteen");
    n
}

fn start(text: &str, folder: &Path, imports: &Imports, every: Duration) -> Arc<Node> {
    let package = Package::from_text(SourceText { name: "node.metric".to_owned(), bytes: text.into() });
    assert!(!package.checked.has_errors(), "{:?}", package.checked.diagnostics);
    let package = NodePackage {
        metrics: package.select(&[]).expect("metrics").wanted,
        calendars: package.checked.package.calendars.clone(),
        imports: imports.clone(),
        text: None,
    };
    let mut config = Config::of_package(Path::new("node.metric"));
    config.data = folder.to_owned();
    config.batch.every = every;
    config.speed.refresh = Duration::from_millis(5);
    let node = Arc::new(Node::start(&config, &package).expect("it starts"));
    until(|| node.is_ready());
    node
}

fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn send(node: &Node, source: &str, lines: &str) {
    let events = node.decoder(source).expect("a source").ndjson(lines.as_bytes());
    let receipt = node.ingest().append(Request { events, key: None, digest: 0, read: None }).await;
    assert_eq!(receipt.expect("it is taken").accepted.n_quarantined, 0);
}

fn catch_up(node: &Node) {
    until(|| node.status().iter().all(|source| source.served.as_ref() == Some(&source.end)));
}

/// The rows of a metric, and their frontier.
async fn read(node: &Node, metric: &str, at: Option<Vec<u64>>) -> (Vec<Value>, Vec<u64>) {
    let request = ReadRequest { metric: metric.to_owned(), at, ..ReadRequest::default() };
    let served = node.serving().read(request).await.expect("an answer");
    let rows = served.rows.iter().map(|row| serde_json::from_str(row.get()).expect("a row"));
    (rows.collect(), served.frontier)
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_a_tail_that_panics_is_restarted_and_serves_the_log() {
    let text = "
        import function fragile(int): int
        source events { at: timestamp time  n: int }
        metric total = sum(fragile(n)) { from events }
    ";
    let folder = tempfile::tempdir().expect("a folder");
    let imports = Imports::new().function(fragile::Import);
    let node = start(text, folder.path(), &imports, Duration::from_secs(3600));
    send(&node, "events", "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":1}\n").await;
    catch_up(&node);
    IS_ARMED.store(true, Ordering::SeqCst);
    send(&node, "events", "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":13}\n").await;
    until(|| !IS_ARMED.load(Ordering::SeqCst));
    // Meanwhile the node serves the old rows, or all of them.
    let (rows, frontier) = read(&node, "total", None).await;
    assert!(
        [(1, 1), (14, 2)]
            .map(|(value, end)| (json!(value), end))
            .contains(&(rows[0]["value"].clone(), frontier[0]))
    );
    catch_up(&node);
    assert_eq!(read(&node, "total", None).await.0[0]["value"], json!(14));
    let counters = node.counters_text();
    assert!(counters.contains("metricc_tail_failures_total{source=\"events\"} 1"), "{counters}");
    send(&node, "events", "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":13}\n").await;
    catch_up(&node);
    assert_eq!(read(&node, "total", None).await.0[0]["value"], json!(27));
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_f26_a_batch_that_panics_is_repeated_and_commits_the_log() {
    let text = "
        import function brittle(int): int
        source events { at: timestamp time  n: int }
        metric total = sum(brittle(n)) { from events }
    ";
    let folder = tempfile::tempdir().expect("a folder");
    let imports = Imports::new().function(brittle::Import);
    let node = start(text, folder.path(), &imports, Duration::from_millis(1500));
    send(&node, "events", "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":13}\n").await;
    catch_up(&node);
    // The tail has the events; batch runs later.
    IS_ARMED_TOO.store(true, Ordering::SeqCst);
    until(|| node.status()[0].view == node.status()[0].end);
    assert!(!IS_ARMED_TOO.load(Ordering::SeqCst), "batch has met it");
    let counters = node.counters_text();
    assert!(counters.contains("metricc_batch_failures_total{source=\"events\"} 1"), "{counters}");
    assert_eq!(read(&node, "total", None).await.0[0]["value"], json!(13));
    assert_eq!(node.audit(true).await.expect("an audit").iter().map(|line| line.differences).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn derived_metrics_over_several_sources_have_the_frontiers_of_all() {
    let text = "
        source visits { at: timestamp time  page: string }
        source orders { at: timestamp time  page: string  amount: int }
        metric n_visits = count() { from visits by page every 1h }
        metric money = sum(amount) { from orders by page every 1h }
        metric per_visit = money / n_visits
    ";
    let folder = tempfile::tempdir().expect("a folder");
    let imports = Imports::new();
    let node = start(text, folder.path(), &imports, Duration::from_millis(30));
    let visit = "{\"at\":\"2026-04-25T10:00:00Z\",\"page\":\"a\"}\n";
    let order = "{\"at\":\"2026-04-25T10:30:00Z\",\"page\":\"a\",\"amount\":6}\n";
    let mut seen: Vec<(Vec<u64>, Vec<Value>)> = Vec::new();
    for round in 0..6u64 {
        send(&node, "visits", &visit.repeat(2)).await;
        if round % 2 == 0 {
            send(&node, "orders", order).await;
        }
        catch_up(&node);
        let (rows, frontier) = read(&node, "per_visit", None).await;
        // Sources in the order of their names: orders, visits.
        assert_eq!(frontier, [round / 2 + 1, round * 2 + 2]);
        let expected = (round / 2 + 1) as f64 * 6.0 / (round * 2 + 2) as f64;
        assert_eq!(rows[0]["value"].as_f64(), Some(expected), "round {round}: {rows:?}");
        seen.push((frontier, rows));
    }
    until(|| node.status().iter().all(|source| source.view == source.end));
    for (frontier, rows) in &seen {
        assert_eq!(read(&node, "per_visit", Some(frontier.clone())).await.0, *rows, "at {frontier:?}");
    }
    let lines = node.audit(true).await.expect("an audit");
    assert_eq!((lines.len(), lines.iter().map(|line| line.differences).sum::<u64>()), (4, 0), "{lines:?}");
    node.stop();
    drop(node);
    let node = start(text, folder.path(), &imports, Duration::from_secs(3600));
    let (frontier, rows) = seen.last().expect("answers");
    assert_eq!(read(&node, "per_visit", None).await, (rows.clone(), frontier.clone()));
}
