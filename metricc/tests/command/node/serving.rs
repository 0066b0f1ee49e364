//! A node gives the same rows as `metricc run`; damaged and outdated views; invalid requests.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{Home, Node};

const PACKAGE: &str = "
source events {
  at:      timestamp time
  id:      string key
  country: string?
  amount:  decimal(12, 2)
  user:    int
}
/// Money, per hour and country.
metric revenue = sum(amount) { from events by country every 1h }
metric users = distinct(user) { from events every 1h }
metric mean_amount = mean(amount) { from events }
";

/// Lines with repeated identities and records that cannot be decoded.
fn lines(from: u64, n: u64) -> String {
    let mut text = String::new();
    for number in from..from + n {
        let (hour, minute) = (number * 7 % 24, number * 13 % 60);
        let country = ["\"IN\"", "\"DE\"", "null"][(number % 3) as usize];
        if number % 97 == 0 {
            text.push_str("{\"id\": 5}\n");
            continue;
        }
        let id = number - number % 11 % 2;
        let _ = writeln!(
            text,
            "{{\"at\":\"2026-04-25T{hour:02}:{minute:02}:00Z\",\"id\":\"e{id}\",\"country\":{country},\"amount\":{}.{:02},\"user\":{}}}",
            number % 50,
            number % 100,
            number % 40
        );
    }
    text
}

fn write(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn ingest(home: &Home, address: &str, file: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .current_dir(home.path())
        .args([
            "ingest",
            "--source",
            "events",
            "--events",
            "500",
            "--node",
            &format!("http://{address}"),
            file,
        ])
        .output()
        .expect("the command starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The rows of all metrics of the node, in the order of `metricc run`.
fn served(node: &Node) -> Vec<Value> {
    ["revenue", "users", "mean_amount"].iter().flat_map(|metric| node.rows(metric).0).collect()
}

#[test]
fn rows_equal_those_of_run_before_and_after_batch_and_after_a_restart() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"200ms\"\n[ingest]\nseal_events = 1500\n");
    let node = home.ready();
    let first = write(&home, "first.ndjson", &lines(0, 3000));
    let (code, said) = ingest(&home, &node.address, "first.ndjson");
    assert_eq!(code, Some(1), "more than 1% were rejected: {said}");
    assert!(
        said.contains(
            "31 of 3000 records: field `id`: a number where a string is expected: `5` (first.ndjson:1)"
        ),
        "{said}"
    );
    node.catch_up();
    assert_eq!(served(&node), home.run(std::slice::from_ref(&first)));
    // Later all rows come from the view, and are the same.
    node.until(|node| node.source()["view"] == node.source()["end"]);
    assert_eq!(served(&node), home.run(std::slice::from_ref(&first)));
    let (_, said) = ingest(&home, &node.address, "first.ndjson");
    assert!(said.contains("3000 records were in the log already (6 requests)"), "{said}");
    assert_eq!(node.source()["end"], serde_json::json!([3000]));
    assert_eq!(node.stop(), Some(0));

    let node = home.ready();
    assert_eq!(served(&node), home.run(std::slice::from_ref(&first)));
    let second = write(&home, "second.ndjson", &lines(2500, 1500));
    ingest(&home, &node.address, "second.ndjson");
    node.catch_up();
    let all = home.run(&[first, second]);
    assert_eq!(served(&node), all);
    node.until(|node| node.source()["view"] == node.source()["end"]);
    assert_eq!(served(&node), all);
    // Without views, all rows come from the log.
    assert_eq!(node.stop(), Some(0));
    std::fs::remove_dir_all(home.path().join("metricc-data/views")).expect("views");
    let node = home.ready();
    assert_eq!(served(&node), all);
}

/// Runs a node until the events are in a view, and stops it.
fn with_view(home: &Home) -> PathBuf {
    let node = home.ready();
    let file = write(home, "events.ndjson", &lines(0, 700));
    ingest(home, &node.address, "events.ndjson");
    node.until(|node| node.source()["view"] == node.source()["end"]);
    node.stop();
    file
}

fn has_all(node: &Node) -> bool {
    let answers = ["revenue", "users"].map(|metric| node.get(&format!("/v1/metrics/{metric}")));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert!(answer.status == 503 && answer.body.contains("backfilling"), "{}", answer.body);
    }
    answers.iter().all(|answer| answer.status == 200)
}

#[test]
fn f11_a_corrupt_view_is_rebuilt_and_never_served() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n");
    let file = with_view(&home);
    let expected = home.run(&[file]);
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["segments/revenue", "segments/users", "versions"] {
        let folder = home.path().join("metricc-data/views/events").join(folder);
        files.extend(std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()));
    }
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let Ok(whole) = std::fs::read(&file) else { continue };
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&file, flipped).expect("written");
        let node = home.ready();
        // What is damaged is computed from the log, beside what is not.
        node.until(has_all);
        assert_eq!(served(&node), expected, "{}", file.display());
        node.stop();
    }
}

#[test]
fn f10_a_restored_older_log_is_not_mixed_with_newer_views() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n");
    let (log, kept) = (home.path().join("metricc-data/log"), home.path().join("backup"));
    let copy = |from: &PathBuf, to: &PathBuf| {
        let status = Command::new("cp").arg("-r").args([from, to]).status().expect("cp");
        assert!(status.success());
    };
    let node = home.ready();
    let first = write(&home, "first.ndjson", &lines(0, 500));
    ingest(&home, &node.address, "first.ndjson");
    node.catch_up();
    node.stop();
    copy(&log, &kept);
    let node = home.ready();
    write(&home, "second.ndjson", &lines(5000, 500));
    ingest(&home, &node.address, "second.ndjson");
    node.until(|node| node.source()["view"] == serde_json::json!([1000]));
    node.stop();
    std::fs::remove_dir_all(&log).expect("the log");
    copy(&kept, &log);
    let refused = home.command().output().expect("the command starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("which includes the view up to [1000]: the log is an older copy"), "{said}");
    let mut command = home.command();
    command.arg("--accept-loss");
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    assert_eq!(served(&node), home.run(std::slice::from_ref(&first)));
    // Other events at positions that the views contain.
    let third = write(&home, "third.ndjson", &lines(9000, 500));
    ingest(&home, &node.address, "third.ndjson");
    node.until(|node| node.source()["view"] == serde_json::json!([1000]));
    let expected = home.run(&[first, third]);
    assert_eq!(served(&node), expected);
    node.stop();
    assert_eq!(served(&home.ready()), expected);
}

#[test]
fn f30_a_changed_metric_is_recomputed_from_the_log() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n");
    let file = with_view(&home);
    let changed = PACKAGE.replace("distinct(user)", "max(user)");
    std::fs::write(home.path().join("events.metric"), changed).expect("the package");
    let node = home.ready();
    assert_eq!(node.get("/v1/metrics/revenue").status, 200, "it is not touched by the other one's change");
    node.until(has_all);
    assert_eq!(served(&node), home.run(&[file]));
}

/// Path, headers, body; status and message of the answer.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a [u8], u16, &'a str);

#[test]
fn invalid_requests_are_rejected_with_status_and_message() {
    let home = Home::new(PACKAGE, "[ingest]\nmax_bytes = 20000\nmax_events = 100\n");
    let node = home.ready();
    let line = lines(1, 1);
    let long = "x".repeat(30_000);
    let many = lines(0, 101);
    let events = "/v1/sources/events/events";
    let cases: Vec<Case<'_>> = vec![
        (
            "/v1/sources/nothing/events",
            vec![],
            line.as_bytes(),
            404,
            "there is no source `nothing`; there are `events`",
        ),
        (
            events,
            vec![("Content-Type", "text/html")],
            line.as_bytes(),
            415,
            "content type `text/html` is not supported",
        ),
        (
            events,
            vec![("Content-Encoding", "br")],
            line.as_bytes(),
            415,
            "content encoding `br` is not supported",
        ),
        (events, vec![("Content-Encoding", "gzip")], line.as_bytes(), 400, "the body is not valid gzip"),
        (events, vec![("Content-Type", "application/json")], b"[", 400, "line 1: the array is not closed"),
        (events, vec![("Idempotency-Key", "")], line.as_bytes(), 400, "1 to 256 visible characters"),
        (events, vec![], long.as_bytes(), 413, "more than 20000 bytes in one request"),
        (events, vec![], many.as_bytes(), 413, "more than 100 events in one request"),
    ];
    for (path, headers, body, status, message) in cases {
        let answer = node.send("POST", path, &headers, body).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.body);
        let found = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(found.contains(message), "{found}");
    }
    assert_eq!(node.source()["end"], serde_json::json!([0]), "no event was accepted");
    for (method, path, status, code) in [
        ("GET", "/v1/metrics/nothing", 404, "unknown_metric"),
        ("GET", "/nowhere", 404, "unknown_path"),
        ("DELETE", "/v1/metrics", 405, "method"),
        ("GET", "/v1/sources/events/quarantine?limit=x", 400, "request"),
        ("GET", "/v1/sources/events/quarantine?offset=1", 400, "request"),
    ] {
        let answer = node.send(method, path, &[], b"").expect("an answer");
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (status, &code.into()),
            "{}",
            answer.body
        );
    }
    let answer = node.post("k", &line).expect("an answer").json();
    assert_eq!((&answer["accepted"], &answer["repeated"]), (&1.into(), &false.into()));
    assert_eq!(answer["positions"], serde_json::json!([{ "partition": 0, "from": 0, "to": 1 }]));
    let answer = node.post("k", &lines(2, 1)).expect("an answer");
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("another request for source `events` had the key `k`"), "{}", answer.body);
}

#[test]
fn f24_more_groups_than_allowed_reject_events() {
    let package =
        "source events { at: timestamp time  user: int }\nmetric by_user = count() { from events by user }\n";
    let home = Home::new(package, "[speed]\nmax_groups = 500\nrefresh = \"5ms\"\n");
    let node = home.ready();
    let body = |request: u64| -> String {
        let users = request * 100..request * 100 + 100;
        users.map(|user| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"user\":{user}}}\n")).collect()
    };
    let mut n_accepted = 0;
    for request in 0..10 {
        let answer = node.post(&format!("r{request}"), &body(request)).expect("an answer");
        node.catch_up();
        if answer.status == 507 {
            assert!(
                answer.body.contains("600 groups, where `speed.max_groups` allows 500"),
                "{}",
                answer.body
            );
            continue;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        n_accepted += 1;
    }
    assert_eq!(n_accepted, 6);
    assert_eq!(node.rows("by_user").0.len(), 600);
    assert!(node.get("/metrics").body.contains("metricc_groups{source=\"events\"} 600"));
}
