//! A node whose log has more files than a process may open.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use metricc::Package;
use metricc_compiler::SourcePlan;
use metricc_durable_log::{
    DedupWindow, Disk, DurableLog, DurableOptions, LocalDisk, LogId, Request, SourceOptions,
};
use metricc_ir::user_defined::Imports;
use metricc_ir::{Source, base_metrics};
use metricc_log::{EventDecoder, Interval};

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  n: int }
metric total = sum(n) { from events }
";

const CONFIG: &str = "[batch]\nevery = \"50ms\"\n[ingest]\nseal_events = 3\n[speed]\nrefresh = \"10ms\"\n";

/// Flushes of the log. Each writes three files.
const N_FLUSHES: u64 = 670;

fn source() -> Arc<Source> {
    let package =
        Package::from_text(metricc_dsl::SourceText { name: "p.metric".into(), bytes: PACKAGE.into() });
    let metrics = package.select(&[]).expect("metrics").wanted;
    let plans = SourcePlan::of_package(&base_metrics(&metrics), &Imports::default()).expect("a plan");
    plans[0].source.clone()
}

/// An event, itself again, and something that does not decode.
fn body(n: u64) -> String {
    let event = format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{n}\",\"n\":{n}}}\n");
    format!("{event}{event}no event\n")
}

fn log_of_many_files(folder: &Path) {
    let (source, disk): (_, Arc<dyn Disk>) = (source(), Arc::new(LocalDisk::new(folder)));
    let window = DedupWindow::Positions(10_000_000);
    let sources = [SourceOptions { source: source.clone(), others: Vec::new(), n_partitions: 1, window }];
    let fresh = LogId { id: 1, seed: 2 };
    let opened = DurableLog::open(disk.clone(), DurableOptions::default(), &sources, fresh, 3);
    let (mut log, _) = opened.expect("a log");
    for n in 0..N_FLUSHES {
        let events = EventDecoder::new(&source).expect("a decoder").ndjson(body(n).as_bytes());
        let request = Request { events, key: Some(format!("r{n}")), digest: n, read: None };
        log.append(&[request]).remove(0).expect("a receipt");
        let snapshot = log.snapshot();
        let interval = Interval::new(snapshot.flushed_to("events"), snapshot.end("events"));
        for slice in interval.expect("an interval").slices() {
            let flush = snapshot.write_flush(&disk, "events", &slice).expect("a flush");
            log.commit_flush(&flush).expect("it is committed");
        }
    }
}

/// Starts a node that may open so many files.
fn start(home: &Home, n_open: u64) -> Node {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {n_open}; exec \"$@\""), "sh"]);
    command.args([env!("CARGO_BIN_EXE_metricc"), "serve"]).current_dir(home.path()).env("NO_COLOR", "1");
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    node
}

fn total(node: &Node) -> i64 {
    // The changed source makes it another metric, which is computed first.
    node.until(|node| node.get("/v1/metrics/total").status == 200);
    node.catch_up();
    node.rows("total").0[0]["value"].as_i64().expect("a number")
}

#[test]
fn a_node_starts_with_more_files_than_it_may_open() {
    let home = Home::new(PACKAGE, CONFIG);
    log_of_many_files(&home.path().join("metricc-data/log"));
    let files = home.path().join("metricc-data/log/events/events");
    let n_files = || std::fs::read_dir(&files).expect("a folder").count() as u64;
    assert_eq!(n_files(), 3 * N_FLUSHES);
    let mut sum = (N_FLUSHES * (N_FLUSHES - 1) / 2) as i64;
    for (round, text) in
        [PACKAGE.to_owned(), PACKAGE.replace("n: int", "n: int  x: int = 1")].iter().enumerate()
    {
        std::fs::write(home.path().join("events.metric"), text).expect("the package");
        let node = start(&home, 256);
        assert_eq!(total(&node), sum);
        let n = 1000 + round as i64;
        sum += n;
        assert_eq!(node.post(&format!("n{n}"), &body(n as u64)).expect("an answer").status, 200);
        assert_eq!(total(&node), sum);
        let (code, out, said) = node.run(&["audit", "--full"]);
        assert_eq!(code, Some(0), "{out}{said}");
        let before = 3 * (N_FLUSHES + round as u64);
        node.until(|_| n_files() == before + 3);
        let n_open = std::fs::read_dir(format!("/proc/{}/fd", node.process.id())).expect("a process").count();
        assert!(n_open < 160, "{n_open} files are open");
        assert_eq!(node.stop(), Some(0));
    }
}
