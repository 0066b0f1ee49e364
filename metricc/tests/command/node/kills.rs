//! F1, F2, F4, F27, F31: a node that is killed while clients write, and a damaged log.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  n: int }
metric events_seen = count() { from events }
metric total = sum(n) { from events }
metric per_minute = sum(n) { from events every 1m }
";

fn body(request: u64) -> String {
    let line = |place: u64| {
        let n = request * 10 + place;
        format!("{{\"at\":\"2026-04-25T10:{:02}:00Z\",\"id\":\"e{n}\",\"n\":{n}}}\n", request % 60)
    };
    (0..5).map(line).collect()
}

#[test]
fn f1_every_acknowledged_event_is_stored_exactly_once_after_kills() {
    let home = Home::new(
        PACKAGE,
        "[batch]\nevery = \"50ms\"\n[ingest]\nseal_events = 200\n[speed]\nrefresh = \"10ms\"\n",
    );
    let acknowledged: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let mut next = 0;
    let mut least = 0;
    for round in 0u64..12 {
        let node = home.ready();
        let (_, frontier) = node.rows("total");
        assert!(frontier >= least, "the frontier went back from {least} to {frontier}");
        // Two clients send requests that were not acknowledged again, and then new ones, until the node is
        // killed.
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for client in 0..2u64 {
                let (node, acknowledged, is_over) = (&node, &acknowledged, &is_over);
                scope.spawn(move || {
                    let mut request = next.max(20) - 20 + client;
                    while !is_over.load(Ordering::Relaxed) {
                        if let Some(answer) = node.post(&format!("r{request}"), &body(request))
                            && answer.status == 200
                        {
                            let positions = answer.json()["positions"].to_string();
                            let mut acknowledged = acknowledged.lock().expect("a lock");
                            let known = acknowledged.entry(request).or_insert_with(|| positions.clone());
                            assert_eq!(*known, positions, "request {request} keeps its positions");
                            request += 2;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(80 + round * 37 % 200));
            least = node.rows("total").1;
            is_over.store(true, Ordering::Relaxed);
            if round % 4 == 3 {
                let pid = node.process.id().to_string();
                std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
            } else {
                let pid = node.process.id().to_string();
                std::process::Command::new("kill").args(["-KILL", &pid]).status().expect("kill");
            }
        });
        drop(node);
        next = acknowledged.lock().expect("a lock").keys().last().map_or(0, |last| last + 1);
    }
    // All requests are sent once more, so that none is missing. Each client has at most one request that may
    // be in the log without an answer: its number is less than `next + 2`.
    next += 2;
    let node = home.ready();
    for request in 0..next {
        let answer = node.post(&format!("r{request}"), &body(request)).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let positions = answer.json()["positions"].to_string();
        if let Some(known) = acknowledged.lock().expect("a lock").get(&request) {
            assert_eq!(*known, positions, "request {request} keeps its positions");
        }
    }
    assert!(next > 50, "only {next} requests were sent");
    node.catch_up();
    let (rows, _) = node.rows("events_seen");
    assert_eq!(rows[0]["value"], serde_json::json!(next * 5));
    let file = home.path().join("all.ndjson");
    std::fs::write(&file, (0..next).map(body).collect::<String>()).expect("a file");
    let expected = home.run(&[file]);
    let served = ["events_seen", "total", "per_minute"].iter().flat_map(|metric| node.rows(metric).0);
    assert_eq!(served.collect::<Vec<_>>(), expected);
}

#[test]
fn f31_a_stopped_node_exits_with_0_and_keeps_every_event() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n");
    let node = home.ready();
    for request in 0..40 {
        assert_eq!(node.post(&format!("r{request}"), &body(request)).expect("an answer").status, 200);
    }
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    assert_eq!(node.rows("events_seen").0[0]["value"], serde_json::json!(200));
}

#[test]
fn f2_an_incomplete_write_at_the_end_of_the_journal_is_truncated_with_a_warning() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    node.post("r0", &body(0)).expect("an answer");
    node.kill();
    let journal = home.path().join("metricc-data/log/journal");
    let file = std::fs::read_dir(journal).expect("a folder").last().expect("a file").expect("a file").path();
    let mut bytes = std::fs::read(&file).expect("bytes");
    bytes.extend_from_slice(b"MTF1 and then the lights went out");
    std::fs::write(&file, bytes).expect("written");
    let output =
        home.command().args(["--listen", "127.0.0.1:0"]).stderr(std::process::Stdio::piped()).spawn();
    let mut process = output.expect("it starts");
    std::thread::sleep(Duration::from_millis(700));
    process.kill().expect("kill");
    let output = process.wait_with_output().expect("output");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ended with an incomplete write: truncated 33 bytes"), "{said}");
    assert_eq!(home.ready().rows("events_seen").0[0]["value"], serde_json::json!(5));
}

#[test]
fn f4_a_corrupt_log_is_rejected_with_its_position_and_not_changed() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    for request in 0..3 {
        node.post(&format!("r{request}"), &body(request)).expect("an answer");
    }
    node.kill();
    let journal = home.path().join("metricc-data/log/journal");
    let file = std::fs::read_dir(journal).expect("a folder").last().expect("a file").expect("a file").path();
    let mut bytes = std::fs::read(&file).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(&file, &bytes).expect("written");
    let output = home.command().output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is corrupt in bytes") && said.contains("valid events follow"), "{said}");
    assert!(said.contains("restore the file from a backup"), "{said}");
    assert_eq!(std::fs::read(&file).expect("bytes"), bytes);
}

#[test]
fn f27_a_second_node_on_a_folder_is_rejected_and_names_the_first() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let output = home.command().output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("is in use by another node: process {}", node.process.id())), "{said}");
}
