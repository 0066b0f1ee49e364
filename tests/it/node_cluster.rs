//! F43: a node whose batch others evaluate. They are a worker of this process, which may be away.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metricc::user_defined::Imports;
use metricc::{Package, ReadRequest, Serving};
use metricc_dsl::SourceText;
use metricc_durable_log::Request;
use metricc_ir::AnyMetric;
use metricc_jobs::{
    Build, IntervalWork, Job, JobStore, PackageText, Parts, Submit, SubmitError, Watch, Work, Worker,
};
use metricc_node::{BatchCluster, Config, Node, NodePackage, WithoutCluster};

const PACKAGE: &str = "
    source events { at: timestamp time  id: int key  n: int }
    metric total = sum(n) { from events every 1h }
    metric last_n = last(n) { from events by id }
";

struct Others {
    worker: Worker,
    is_away: AtomicBool,
    /// Whether they take jobs and begin none: a cluster without executors.
    is_idle: AtomicBool,
    n_jobs: AtomicUsize,
}

impl Submit for Others {
    fn submit(&self, run: &str, jobs: &[&Job], watch: Watch<'_>) -> Result<(), SubmitError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(SubmitError::Cluster("they are away".to_owned()));
        }
        while self.is_idle.load(Ordering::SeqCst) {
            watch()?;
            std::thread::sleep(Duration::from_millis(300));
        }
        for job in jobs {
            if let Work::Interval(IntervalWork { parts, .. }) = &job.work {
                assert!(matches!(parts, Parts::Flushed(_)), "{parts:?}");
            }
            self.worker.run(run, job, &Arc::default())?;
            self.n_jobs.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn of_node(metrics: Vec<AnyMetric>) -> NodePackage {
    NodePackage { metrics, calendars: Vec::new(), imports: Imports::new(), text: None }
}

fn start(folder: &Path, without: WithoutCluster) -> (Arc<Node>, Arc<Others>) {
    let package = Package::from_text(SourceText { name: "node.metric".to_owned(), bytes: PACKAGE.into() });
    assert!(!package.checked.has_errors(), "{:?}", package.checked.diagnostics);
    let metrics = package.select(&[]).expect("metrics").wanted;
    let store = JobStore::in_folder(&folder.join("store")).expect("a store");
    let worker = Worker::new("others", Build::of_this_process(), store.clone(), Imports::new());
    let (is_away, is_idle) = (AtomicBool::new(false), AtomicBool::new(false));
    let others = Arc::new(Others { worker, is_away, is_idle, n_jobs: AtomicUsize::new(0) });
    let mut config = Config::of_package(Path::new("node.metric"));
    config.data = folder.join("data");
    config.batch.every = Duration::from_millis(50);
    config.batch.without_cluster = without;
    config.ingest.seal_events = 10;
    config.speed.refresh = Duration::from_millis(5);
    config.batch_cluster = Some(BatchCluster {
        name: "others".to_owned(),
        submit: others.clone(),
        store,
        package: PackageText::of_checked(&package.text, &package.checked).expect("texts"),
    });
    let node = Node::start(&config, &of_node(metrics)).expect("it starts");
    let node = Arc::new(node);
    until(|| node.is_ready());
    (node, others)
}

fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < end, "it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn send(node: &Node, from: u64, to: u64) {
    let line = |n: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":{n},\"n\":{}}}\n", n * 3);
    let lines: String = (from..to).map(line).collect();
    let events = node.decoder("events").expect("a source").ndjson(lines.as_bytes());
    node.ingest().append(Request { events, key: None, digest: 0, read: None }).await.expect("it is taken");
}

/// Where the view ends, and where the log does.
fn ends(node: &Node) -> (u64, u64) {
    let status = &node.status()[0];
    (status.view.n_positions(), status.end.n_positions())
}

async fn total(node: &Node) -> serde_json::Value {
    let served = node.serving().read(ReadRequest { metric: "total".to_owned(), ..ReadRequest::default() });
    let served = served.await.expect("an answer");
    serde_json::from_str::<serde_json::Value>(served.rows[0].get()).expect("a row")["value"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_others_evaluate_what_is_flushed_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, others) = start(folder.path(), WithoutCluster::Wait);
    send(&node, 0, 7).await;
    std::thread::sleep(Duration::from_millis(500));
    // Seven events are in the journal, and stay with the tail.
    assert_eq!((ends(&node), others.n_jobs.load(Ordering::SeqCst)), ((0, 7), 0));
    send(&node, 7, 25).await;
    until(|| ends(&node).0 == 25);
    assert!(others.n_jobs.load(Ordering::SeqCst) > 0);
    send(&node, 25, 30).await;
    until(|| node.status()[0].served == Some(node.status()[0].end.clone()));
    assert_eq!((ends(&node).0, total(&node).await), (25, (0..30).map(|n| n * 3).sum::<u64>().into()));
    let lines = node.audit(true).await.expect("an audit");
    assert!(lines.len() >= 4 && lines.iter().all(|line| line.differences == 0), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_without_them_the_view_waits_and_answers_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, others) = start(folder.path(), WithoutCluster::Wait);
    others.is_away.store(true, Ordering::SeqCst);
    send(&node, 0, 40).await;
    let problem = || node.status()[0].cluster.clone().and_then(|cluster| cluster.problem);
    until(|| problem().is_some());
    let said = problem().expect("a problem");
    assert_eq!(said, "1 of 1 jobs have no result: they are away");
    assert_eq!((ends(&node).0, total(&node).await), (0, (0..40).map(|n| n * 3).sum::<u64>().into()));
    let counters = node.counters_text();
    assert!(!counters.contains("metricc_cluster_failures_total{source=\"events\"} 0"), "{counters}");
    others.is_away.store(false, Ordering::SeqCst);
    until(|| ends(&node).0 == 40 && problem().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_a_cluster_that_begins_nothing_for_a_minute_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, others) = start(folder.path(), WithoutCluster::Wait);
    others.is_idle.store(true, Ordering::SeqCst);
    send(&node, 0, 40).await;
    let problem = || node.status()[0].cluster.clone().and_then(|cluster| cluster.problem);
    std::thread::sleep(Duration::from_secs(30));
    assert_eq!(problem(), None, "an executor may come");
    until(|| problem().is_some());
    assert!(problem().is_some_and(|said| said.contains("no executor begins its jobs")), "{:?}", problem());
    assert_eq!((ends(&node).0, total(&node).await), (0, (0..40).map(|n| n * 3).sum::<u64>().into()));
    others.is_idle.store(false, Ordering::SeqCst);
    until(|| ends(&node).0 == 40 && problem().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn f43_without_them_batch_runs_here_if_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (node, others) = start(folder.path(), WithoutCluster::Local);
    others.is_away.store(true, Ordering::SeqCst);
    send(&node, 0, 40).await;
    until(|| ends(&node).0 == 40);
    assert!(node.status()[0].cluster.as_ref().is_some_and(|cluster| cluster.problem.is_some()));
    let lines = node.audit(true).await.expect("an audit");
    assert!(lines.iter().all(|line| line.differences == 0), "{lines:?}");
    assert_eq!(others.n_jobs.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_given_no_cluster_refuses_the_setting() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::of_package(Path::new("node.metric"));
    config.data = folder.path().join("data");
    config.batch.cluster = Some("df://nowhere:1".to_owned());
    let refused = Node::start(&config, &of_node(Vec::new())).expect_err("it is refused").to_string();
    assert!(refused.contains("`batch.cluster = \"df://nowhere:1\"` is set"), "{refused}");
}
