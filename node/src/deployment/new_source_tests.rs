//! A version brings a source along, with a fault at every operation of the disk: the node has the source if it
//! has the version, and so has the next one, with all of its events that were acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use metricc_durable_log::faulty_disk::{Dice, FAULTS, Fault, SimDisk};
use metricc_durable_log::{Disk, Request};
use metricc_ir::user_defined::Imports;
use metricc_jobs::PackageText;

use super::VersionState;
use crate::{Config, Node, NodePackage};

const FIRST: &str = "
source events { at: timestamp time  id: string key }
metric seen = count() { from events }
";
const SECOND: &str = "
source visits { at: timestamp time  id: string key }
metric visited = count() { from visits }
";

/// Operations after the deployment has begun: enough for its files and some events.
const N_OPERATIONS: u64 = 40;

fn text(text: &str) -> PackageText {
    PackageText { name: "a.metric".to_owned(), text: text.to_owned(), files: BTreeMap::new() }
}

fn start(disk: &SimDisk, folder: &Path) -> Node {
    let package = NodePackage::of_text(text(FIRST), &Imports::new()).expect("a package");
    let mut config = Config::of_package(Path::new("a.metric"));
    config.data = folder.to_owned();
    config.speed.refresh = Duration::from_millis(5);
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let node = Node::start_on(&disk, &disk, &config, &package).expect("it starts");
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

/// Sends an event of a source. Whether it is acknowledged.
async fn send(node: &Node, source: &str, number: u64) -> bool {
    let Some(decoder) = node.decoder(source) else { return false };
    let body = format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{number}\"}}\n");
    let events = decoder.ndjson(body.as_bytes());
    node.ingest().append(Request { events, key: None, digest: number, read: None }).await.is_ok()
}

fn end(node: &Node, source: &str) -> Option<u64> {
    node.source(source).map(|source| source.end().n_positions())
}

/// Whether the live version is on the disk, as what was answered.
fn is_noted(node: &Node) -> bool {
    let status = node.package_status();
    status.versions.iter().any(|version| version.record.state == VersionState::Live && version.record.served)
}

fn is_deployed(node: &Node) -> bool {
    node.package_status().versions.iter().any(|version| version.record.number == 2)
}

/// Deploys, with a fault at an operation after that has begun, and starts the node again as after a crash.
/// Whether the fault came, and whether the source is there.
async fn deployed(at: u64, fault: Fault) -> (bool, bool) {
    let (disk, folder) = (SimDisk::default(), tempfile::tempdir().expect("a folder"));
    let node = Arc::new(start(&disk, folder.path()));
    until(|| is_noted(&node));
    assert!(send(&node, "events", 0).await);
    let disk = disk.clone().with_faults(&[(disk.n_operations() + at, fault)]);
    let deploying = node.clone();
    let deploy = move || deploying.deployments().deploy(text(&format!("{FIRST}{SECOND}")), "anna", false);
    let deployed = tokio::task::spawn_blocking(deploy).await.expect("no panic");
    let mut n_taken = 0;
    while n_taken < 3 && send(&node, "visits", n_taken).await {
        n_taken += 1;
    }
    let (has_come, has_version) = (disk.n_happened() > 0, is_deployed(&node));
    assert!(has_come || deployed.is_ok() && n_taken == 3, "{deployed:?}, {n_taken} taken");
    assert_eq!(node.source("visits").is_some(), has_version, "{fault:?} at {at}: {deployed:?}");
    node.stop();
    drop(node);
    let (disk, folder) = (disk.after_crash(&mut Dice::new(at)), tempfile::tempdir().expect("a folder"));
    let node = start(&disk, folder.path());
    let is_there = is_deployed(&node);
    assert_eq!(end(&node, "visits").is_some(), is_there, "{fault:?} at {at}");
    assert!(end(&node, "events") == Some(1), "{fault:?} at {at}");
    // What was not acknowledged may be there as well.
    let n_there = end(&node, "visits").unwrap_or(0);
    assert!((n_taken..=n_taken + 1).contains(&n_there), "{fault:?} at {at}: {n_there} of {n_taken}");
    assert_eq!(send(&node, "visits", 9).await, is_there, "{fault:?} at {at}");
    (has_come, is_there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_a_fault_at_every_operation_leaves_a_new_source_as_a_whole_or_not_at_all() {
    let (mut n_without, mut n_with) = (0, 0);
    let runtime = tokio::runtime::Handle::current();
    let run = |(at, fault)| {
        let runtime = runtime.clone();
        tokio::task::spawn_blocking(move || runtime.block_on(deployed(at, fault)))
    };
    let each = (0..N_OPERATIONS).flat_map(|at| FAULTS.map(|fault| (at, fault)));
    // Most of the time goes by waiting.
    let mut outcomes = futures::stream::iter(each).map(run).buffer_unordered(16);
    while let Some(outcome) = outcomes.next().await {
        let (has_come, is_there) = outcome.expect("no panic");
        n_without += u64::from(has_come && !is_there);
        n_with += u64::from(has_come && is_there);
    }
    assert!(n_without > 10 && n_with > 10, "{n_without} without, {n_with} with");
}
