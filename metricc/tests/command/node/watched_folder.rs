//! A watched folder, as a source of events.

use std::io::Write;
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

/// A home with the folder that is watched.
fn with_inbox(package: &str, config: &str) -> Home {
    let home = Home::new(package, config);
    std::fs::create_dir(home.path().join("inbox")).expect("a folder");
    home
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
    let home = with_inbox(PACKAGE, config());
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
fn files_are_taken_by_what_they_hold_and_what_is_wrong_with_them_is_said() {
    let home = with_inbox(PACKAGE, &format!("{}delimiter = \";\"\n", config()));
    let node = home.ready();
    let time = "2026-04-25T10:00:00Z";
    put(&home, "a.json", &format!("[\n{{\"at\":\"{time}\",\n\"n\":1}},\n{{\"at\":\"{time}\",\"n\":2}}\n]"));
    put(&home, "b.csv", &format!("at;n\n{time};10\n{time};x\n\"{time}\n{time};20\n"));
    // Neither has records; the header of the one is not that of the source.
    put(&home, "garbage.csv", "when;what\n");
    put(&home, "header.csv", "at;n\n");
    put(&home, "array.ndjson", "[\n{}\n]\n");
    until_done(&home, &node, 5);
    let inbox = home.path().join("inbox");
    assert_eq!(names(&inbox.join("done")), ["a.json", "b.csv", "header.csv"]);
    assert_eq!(names(&inbox.join("refused")), ["array.ndjson", "garbage.csv"]);
    assert_eq!(node.rows("total").0[0]["value"], json!(33));
    let status = &node.source()["since_start"];
    assert_eq!((&status["records"], &status["quarantined"]), (&json!(6), &json!(2)), "{status}");
    let problems: Vec<&str> = status["rejections"]
        .as_array()
        .expect("reasons")
        .iter()
        .map(|reason| reason["problem"].as_str().expect("a text"))
        .collect();
    assert!(problems.contains(&"a quote is opened and not closed"), "{problems:?}");
    let grouped = node.get("/v1/sources/events/quarantine?grouped=true").body;
    assert_eq!(grouped.lines().count(), 2, "{grouped}");
    assert!(grouped.contains("\"field\":\"n\"") && grouped.contains("\"value\":\"x\""), "{grouped}");
}

#[test]
fn fields_that_no_record_has_are_in_the_answer_and_in_the_status() {
    let home = with_inbox(
        "source events {\n  at: timestamp time\n  user_id: string?\n  country: string? from \"geo\".\"Country\"\n}\n\
         metric users = distinct(user_id ?? country ?? \"?\") { from events }\n",
        "",
    );
    let node = home.ready();
    let path = home.path().join("a.ndjson");
    std::fs::write(
        &path,
        "{\"at\":\"2026-04-25T10:00:00Z\",\"userId\":\"a\",\"geo\":{\"country\":\"DE\"}}\n".repeat(3),
    )
    .expect("a file");
    let (code, _, said) = node.run(&["ingest", "--source", "events", path.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{said}");
    for (field, help) in [
        ("user_id", "did you mean `userId`? `user_id: … from userId` reads it"),
        (
            "country",
            "it is read from `geo.Country`, and there is no `Country` in `geo`\n  \
             help: did you mean `geo.country`? `country: … from geo.country` reads it",
        ),
    ] {
        assert!(said.contains(&format!("no record has field `{field}`\n  help: {help}")), "{said}");
    }
    let absent = &node.source()["since_start"]["absent"];
    let wanted = json!([
        { "field": "user_id", "lookalike": "userId", "hint": null },
        { "field": "country", "lookalike": "geo.country",
          "hint": "it is read from `geo.Country`, and there is no `Country` in `geo`" },
    ]);
    assert_eq!(*absent, wanted);
}

#[test]
fn a_node_that_is_killed_in_the_middle_of_a_file_ingests_the_rest_once() {
    let home = with_inbox(PACKAGE, config());
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
    let home = with_inbox(PACKAGE, config());
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
    let home = with_inbox(PACKAGE, config());
    let node = home.ready();
    let path = home.path().join("a.ndjson");
    std::fs::write(&path, lines(0, 12_000)).expect("a file");
    let (code, _, said) = node.run(&["ingest", "--source", "events", path.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{said}");
    put(&home, "a.ndjson", &lines(0, 12_000));
    until_done(&home, &node, 1);
    assert_eq!(node.rows("seen").0[0]["value"], json!(12_000));
}

#[test]
fn a_file_that_comes_again_with_more_lines_adds_those() {
    let home = with_inbox(PACKAGE, config());
    let node = home.ready();
    put(&home, "a.ndjson", &lines(0, 3));
    until_done(&home, &node, 1);
    put(&home, "a.ndjson", &lines(0, 5));
    until_done(&home, &node, 2);
    assert_eq!(node.rows("seen").0[0]["value"], json!(5));
    // The command has the same requests as the folder.
    let path = home.path().join("a.ndjson");
    std::fs::write(&path, lines(0, 6)).expect("a file");
    let (_, _, said) = node.run(&["ingest", "--source", "events", path.to_str().expect("a path")]);
    assert!(said.starts_with("events: 1 event; 5 records were in the log already (2 requests)"), "{said}");
    assert_eq!(node.rows("total").0[0]["value"], json!(15));
}

fn append(path: &Path, text: &str) -> std::fs::File {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn seen(node: &Node) -> serde_json::Value {
    node.rows("seen").0[0]["value"].clone()
}

#[test]
fn a_file_that_a_process_writes_to_is_ingested_when_it_is_closed() {
    let home = with_inbox(PACKAGE, config());
    let node = home.ready();
    let inbox = home.path().join("inbox");
    let writer = append(&inbox.join("a.ndjson"), &lines(0, 3));
    // A writer may pause for longer than a file has to be still.
    std::thread::sleep(Duration::from_millis(1600));
    assert_eq!(names(&inbox), ["a.ndjson"], "it is open");
    drop(append(&inbox.join("a.ndjson"), &lines(3, 4)));
    drop(writer);
    until_done(&home, &node, 1);
    assert_eq!((seen(&node), names(&inbox.join("done"))), (json!(7), vec!["a.ndjson".to_owned()]));
}

#[test]
fn what_is_added_to_a_file_after_it_was_moved_is_ingested() {
    let home = with_inbox(PACKAGE, config());
    let node = home.ready();
    let done = home.path().join("inbox/done");
    put(&home, "a.ndjson", &lines(0, 3));
    until_done(&home, &node, 1);
    drop(append(&done.join("a.ndjson"), &lines(3, 4)));
    node.until(|node| seen(node) == json!(7));
    // Another file of that name was moved to a name of its own.
    put(&home, "a.ndjson", &lines(100, 2));
    node.until(|node| seen(node) == json!(9));
    node.until(|_| names(&done) == ["1-a.ndjson", "a.ndjson"]);
    assert_eq!(node.stop(), Some(0));
    drop(append(&done.join("a.ndjson"), &lines(7, 1)));
    drop(append(&done.join("1-a.ndjson"), &lines(102, 1)));
    // Nobody has sent this one.
    std::fs::write(done.join("copied.ndjson"), lines(0, 5)).expect("a file");
    let node = home.ready();
    node.until(|node| seen(node) == json!(11));
    node.until(|_| names(&home.path().join("inbox")).is_empty() && names(&done).len() == 3);
    assert_eq!(node.stop(), Some(0));
    assert_eq!(seen(&home.ready()), json!(11), "and nothing twice");
}

#[test]
fn a_last_line_without_an_end_is_waited_for() {
    let home = with_inbox(PACKAGE, config());
    let node = home.ready();
    let text = lines(0, 3);
    let (first, rest) = text.split_at(text.len() - 4);
    put(&home, "a.ndjson", first);
    std::thread::sleep(Duration::from_millis(1600));
    drop(append(&home.path().join("inbox/a.ndjson"), rest));
    until_done(&home, &node, 1);
    assert_eq!(seen(&node), json!(3));
    assert_eq!(node.source()["since_start"]["quarantined"], json!(0));
    // Without the rest it is taken as it is.
    put(&home, "b.csv", "at,n\n2026-04-25T10:00:00Z,1");
    until_done(&home, &node, 2);
    assert_eq!(seen(&node), json!(4));
}

#[test]
fn values_that_are_none_are_counted_in_the_answer_and_in_the_status() {
    let home = with_inbox(
        "source events { at: timestamp time  v: float?  w: int? invalid as none }\nmetric total = { v: sum(v), w: sum(w) } { from events }\n",
        "",
    );
    let node = home.ready();
    let line = |v: &str, w: &str| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"v\":{v},\"w\":{w}}}\n");
    let first = node.post("a", &[line("NaN", "1"), line("1.5", "\"x\""), line("null", "null")].concat());
    let counted = |v: u64, w: u64| {
        json!([
            { "field": "v", "reason": "not_finite", "count": v },
            { "field": "w", "reason": "invalid", "count": w },
        ])
    };
    assert_eq!(first.expect("an answer").json()["none_values"], counted(1, 1));
    let path = home.path().join("b.ndjson");
    std::fs::write(&path, [line("Infinity", "2"), line("NaN", "[]")].concat()).expect("a file");
    let (code, _, said) = node.run(&["ingest", "--source", "events", path.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 NaN or infinite values of `v`, 1 invalid value of `w` are none"), "{said}");
    assert_eq!(node.source()["since_start"]["none_values"], counted(3, 2));
}
