//! The node while its writer waits, or after it ended: on a disk whose fsync takes a second, reads are as
//! fast as on an idle node, and the tail goes on; after a panic of the writer, the node says that it takes no
//! events.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_client::{ReadRequest, Serving};
use metricc_dsl::SourceText;
use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{Disk, DurableError, Receipt, Request};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;

use crate::{Config, IngestError, Node, NodePackage};

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  shop: string }
metric by_shop = count() { from events  by shop }
";

/// The time of an fsync.
const DELAY: Duration = Duration::from_secs(1);

/// Reads whose slowest hundredth counts.
const N_READS: usize = 500;

/// Times below this one are noise of a machine that does other things as well.
const NOISE: Duration = Duration::from_millis(10);

fn start(disk: &SimDisk, folder: &Path) -> Arc<Node> {
    let text = SourceText { name: "slow.metric".to_owned(), bytes: PACKAGE.as_bytes().to_vec() };
    let checked = metricc_dsl::check(&text);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let metrics = checked.package.metrics.iter().cloned().map(AnyMetric::Base).collect();
    let package = NodePackage { metrics, calendars: Vec::new(), imports: Imports::new(), text: None };
    let mut config = Config::of_package(Path::new("slow.metric"));
    config.data = folder.to_owned();
    config.speed.refresh = Duration::from_millis(5);
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let node = Arc::new(Node::start_on(&disk, &disk, &config, &package).expect("it starts"));
    until(|| node.is_ready());
    node
}

fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

async fn send(node: &Node, from: usize, n: usize) -> Result<Receipt, IngestError> {
    let line = |number: usize| {
        format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{number}\",\"shop\":\"s{}\"}}\n", number % 7)
    };
    let body: String = (from..from + n).map(line).collect();
    let events = node.decoder("events").expect("the source").ndjson(body.as_bytes());
    node.ingest().append(Request { events, key: None, digest: 0, read: None }).await
}

/// The 99th percentile of reads without a receipt, and of reads with one, until there are enough and it is
/// time.
async fn percentiles(node: &Node, is_time: impl Fn() -> bool) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    while times[0].len() < N_READS || !is_time() {
        for (receipt, times) in [false, true].into_iter().zip(&mut times) {
            let request = ReadRequest { metric: "by_shop".to_owned(), receipt, ..ReadRequest::default() };
            let started = Instant::now();
            let served = node.serving().read(request).await.expect("an answer");
            times.push(started.elapsed());
            assert_eq!(served.receipt.is_some(), receipt);
        }
        tokio::task::yield_now().await;
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() * 99 / 100]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_the_tail_do_not_wait_for_an_fsync() {
    let (disk, folder) = (SimDisk::default(), tempfile::tempdir().expect("a folder"));
    let node = start(&disk, folder.path());
    send(&node, 0, 500).await.expect("it is taken");
    let served = |node: &Node| node.status()[0].served.as_ref().map_or(0, |served| served.n_positions());
    until(|| served(&node) == 500);
    let idle = percentiles(&node, || true).await;

    disk.delay_syncs(DELAY);
    let writer = node.clone();
    let writing = tokio::spawn(async move {
        for number in 500..503 {
            let started = Instant::now();
            send(&writer, number, 1).await.expect("it is taken");
            assert!(started.elapsed() >= DELAY, "the fsync is slow");
        }
    });
    let slow = percentiles(&node, || writing.is_finished()).await;
    writing.await.expect("all is written");
    println!("99th percentile of reads without and with a receipt: idle {idle:?}, while writing {slow:?}");
    for (idle, slow) in idle.into_iter().zip(slow) {
        assert!(slow <= 2 * idle.max(NOISE), "{slow:?} while writing, {idle:?} before");
    }
    until(|| served(&node) == 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_serves_what_was_acknowledged_while_the_next_write_is_under_way() {
    let (disk, folder) = (SimDisk::default(), tempfile::tempdir().expect("a folder"));
    let node = start(&disk, folder.path());
    send(&node, 0, 10).await.expect("it is taken");
    disk.delay_syncs(DELAY);
    let writer = node.clone();
    let writing = tokio::spawn(async move { send(&writer, 10, 1).await });
    // The tail goes to the end of the log although the writer is in the middle of a write.
    let end = || node.status()[0].end.n_positions();
    until(|| node.status()[0].served.as_ref().is_some_and(|served| served.n_positions() == 10));
    assert_eq!(end(), 10, "the write is not durable yet");
    assert!(!writing.is_finished(), "the write is under way");
    writing.await.expect("a task").expect("it is taken");
    assert_eq!(end(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_writer_panicked_takes_no_events_says_so_and_answers() {
    let (disk, folder) = (SimDisk::default(), tempfile::tempdir().expect("a folder"));
    let node = start(&disk, folder.path());
    send(&node, 0, 10).await.expect("it is taken");
    assert_eq!(node.stopped(), None);
    disk.let_syncs_panic();
    // The request that the writer had in hand, and one that comes after.
    for number in 10..12 {
        let refused = send(&node, number, 1).await.expect_err("the writer panicked");
        let is_stopped =
            matches!(&refused, IngestError::Log(error) if matches!(**error, DurableError::Stopped { .. }));
        assert!(is_stopped, "{refused}");
    }
    until(|| node.stopped().is_some());
    until(|| node.status()[0].served.as_ref().is_some_and(|served| served.n_positions() == 10));
    let request = ReadRequest { metric: "by_shop".to_owned(), receipt: true, ..ReadRequest::default() };
    node.serving().read(request).await.expect("answers go on");
}
