//! A watched folder, as a source of events.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric seen = count() { from events }
metric total = sum(n) { from events }
";

fn lines(from: u64, n: u64) -> String {
    (from..from + n).map(|n| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"n\":{n}}}\n")).collect()
}

/// Number of records in a file of several requests.
const N: u64 = 60_000;

fn config() -> &'static str {
    "[batch]\nevery = \"100ms\"\n[sources.events]\nwatch = \"inbox\"\n"
}

/// Moves a complete file into the folder.
fn put(home: &Home, name: &str, text: &str) {
    let outside = home.path().join("unfinished");
    std::fs::write(&outside, text).expect("a file");
    std::fs::rename(outside, home.path().join("inbox").join(name)).expect("a name");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.file_type().expect("a kind").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn until_done(home: &Home, node: &Node, n: usize) {
    let inbox = home.path().join("inbox");
    node.until(|_| names(&inbox.join("done")).len() + names(&inbox.join("refused")).len() >= n);
    node.catch_up();
}

#[test]
fn files_of_all_formats_are_ingested_once_and_moved() {
    let home = Home::new(PACKAGE, config());
    let node = home.ready();
    put(&home, "a.ndjson", &lines(0, 120));
    put(&home, "b.csv", "at,n\n2026-04-25T10:00:00Z,1000\n2026-04-25T10:00:00Z,x\n");
    put(&home, ".hidden.ndjson", &lines(0, 5));
    put(&home, "notes.txt", "not for the log");
    put(&home, "c.csv", "when,n\n2026-04-25T10:00:00Z,1\n");
    until_done(&home, &node, 3);
    let inbox = home.path().join("inbox");
    assert_eq!(names(&inbox.join("done")), ["a.ndjson", "b.csv"]);
    assert_eq!(names(&inbox.join("refused")), ["c.csv"]);
    assert_eq!(names(&inbox), [".hidden.ndjson", "notes.txt"]);
    assert_eq!(node.rows("seen").0[0]["value"], json!(121));
    assert_eq!(node.rows("total").0[0]["value"], json!(119 * 60 + 1000));
    // The same file again is a repetition; another file of the same name is not.
    put(&home, "a.ndjson", &lines(0, 120));
    until_done(&home, &node, 4);
    assert_eq!(node.rows("seen").0[0]["value"], json!(121));
    put(&home, "a.ndjson", &lines(500, 1));
    until_done(&home, &node, 5);
    assert_eq!(node.rows("seen").0[0]["value"], json!(122));
    assert_eq!(names(&inbox.join("done")), ["1-a.ndjson", "2-a.ndjson", "a.ndjson", "b.csv"]);
    let counters = node.get("/metrics").body;
    assert!(counters.contains("metricc_files_total{source=\"events\"} 4"), "{counters}");
    assert!(counters.contains("metricc_files_refused_total{source=\"events\"} 1"), "{counters}");
}

#[test]
fn a_node_that_is_killed_in_the_middle_of_a_file_ingests_the_rest_once() {
    let home = Home::new(PACKAGE, config());
    let mut n_cut = 0;
    for round in 0..4u64 {
        let node = home.ready();
        put(&home, &format!("{round}.ndjson"), &lines(round * N, N));
        node.until(|node| node.source()["end"][0].as_u64() > Some(round * N));
        node.kill();
        n_cut += u64::from(!names(&home.path().join("inbox")).is_empty());
        let node = home.ready();
        until_done(&home, &node, (round + 1) as usize);
        assert_eq!(node.rows("seen").0[0]["value"], json!((round + 1) * N), "round {round}");
        node.kill();
    }
    assert!(n_cut > 0, "no file was interrupted");
}

#[test]
fn a_node_ingests_the_rest_of_a_file_after_a_restart() {
    let home = Home::new(PACKAGE, config());
    let node = home.ready();
    put(&home, "a.ndjson", &lines(0, N));
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    until_done(&home, &node, 1);
    assert_eq!(node.rows("seen").0[0]["value"], json!(N));
}

#[test]
fn a_file_sent_by_command_and_by_folder_is_ingested_once() {
    let home = Home::new(PACKAGE, config());
    let node = home.ready();
    let path = home.path().join("a.ndjson");
    std::fs::write(&path, lines(0, 12_000)).expect("a file");
    let (code, _, said) = node.run(&["ingest", "--source", "events", path.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{said}");
    put(&home, "a.ndjson", &lines(0, 12_000));
    until_done(&home, &node, 1);
    assert_eq!(node.rows("seen").0[0]["value"], json!(12_000));
}
