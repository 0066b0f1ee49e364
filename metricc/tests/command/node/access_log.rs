//! The access log: a line for each read, without tokens, and never in the way of an answer.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Home, Node, TIMEOUT};

const PACKAGE: &str = "
source events { id: string key  at: timestamp time  country: string  n: int }
metric total = sum(n) { from events  by country }
metric other = count() { from events }
";
const CONFIG: &str = "
[tokens]
ingest = [\"env:I\"]
query = [\"env:Q\"]
[readers.india]
tokens = [\"env:R\"]
metrics = [\"total\"]
where = 'country == \"IN\"'
[access_log]
file = \"reads.ndjson\"
";

fn token(letter: char) -> String {
    letter.to_string().repeat(43)
}

fn started(home: &Home) -> Node {
    let mut command = home.command();
    for letter in ['I', 'Q', 'R'] {
        command.env(letter.to_string(), token(letter));
    }
    let node = home.start_with(command);
    let end = Instant::now() + TIMEOUT;
    while node.get("/readyz").status != 200 {
        assert!(Instant::now() < end, "the node is not ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    node
}

fn send(node: &Node, letter: char, method: &str, path: &str, body: &str) -> u16 {
    let header = format!("Bearer {}", token(letter));
    let answer = node.send(method, path, &[("Authorization", &header)], body.as_bytes());
    answer.expect("an answer").status
}

/// The lines of the log, once it has so many.
fn lines(path: &Path, n: usize) -> Vec<Value> {
    let end = Instant::now() + TIMEOUT;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.lines().count() >= n && text.ends_with('\n') {
            return text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        }
        assert!(Instant::now() < end, "{n} lines are wanted: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_read_has_a_line_with_its_reader_and_no_token() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = started(&home);
    let events = "{\"id\":\"a\",\"at\":\"2026-04-25T10:00:00Z\",\"country\":\"IN\",\"n\":1}\n\
                  {\"id\":\"b\",\"at\":\"2026-04-25T10:00:00Z\",\"country\":\"FR\",\"n\":2}\n";
    assert_eq!(send(&node, 'I', "POST", "/v1/sources/events/events", events), 200);
    assert_eq!(send(&node, 'I', "GET", "/v1/sources/events/served?min_frontier=2", ""), 200);
    let secret = token('s');
    for (letter, path, status) in [
        ('R', "/v1/metrics/total?key.country=IN".to_owned(), 200),
        ('Q', "/v1/metrics/total?format=csv".to_owned(), 200),
        ('Q', "/v1/read?metric=total&metric=other".to_owned(), 200),
        ('R', "/v1/metrics/other".to_owned(), 404),
        ('R', "/v1/sources".to_owned(), 403),
        ('x', "/v1/metrics/total".to_owned(), 401),
        ('Q', format!("/v1/metrics/total?token={secret}"), 400),
    ] {
        assert_eq!(send(&node, letter, "GET", &path, ""), status, "{path}");
    }
    let path = home.path().join("reads.ndjson");
    let lines = lines(&path, 7);
    assert_eq!(lines.len(), 7, "{lines:#?}");
    let of = |index: usize, name: &str| lines[index][name].clone();
    let column = |name: &str| (0..7).map(|index| of(index, name)).collect::<Vec<Value>>();
    let reader = Value::from("india");
    let all = Value::from("tokens.query 1");
    assert_eq!(column("status"), [200, 200, 200, 404, 403, 401, 400].map(Value::from));
    assert_eq!(
        column("reader"),
        [reader.clone(), all.clone(), all.clone(), reader.clone(), reader, Value::Null, all]
    );
    assert_eq!(column("rows")[..3], [1, 2, 3].map(Value::from));
    assert_eq!(of(0, "parameters"), serde_json::json!([["key.country", "IN"]]));
    assert_eq!(of(0, "metrics"), serde_json::json!([{ "metric": "total", "frontier": [2] }]));
    assert_eq!(of(2, "metrics").as_array().map(Vec::len), Some(2));
    assert_eq!(of(0, "route"), "GET /v1/metrics/{metric}");
    assert!(column("complete").iter().all(|complete| *complete == true), "{lines:#?}");
    assert!(lines.iter().all(|line| line["bytes"].as_u64() > Some(10) && line["milliseconds"].is_number()));
    assert!(lines.iter().all(|line| line["door"] == "http" && line["address"] == "127.0.0.1"));
    let text = std::fs::read_to_string(&path).expect("the log");
    assert!("IQRxs".chars().all(|letter| !text.contains(&token(letter))), "{text}");
}

#[test]
fn the_log_goes_on_under_its_name_after_it_was_renamed() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = started(&home);
    let path = home.path().join("reads.ndjson");
    assert_eq!(send(&node, 'Q', "GET", "/v1/metrics/other", ""), 200);
    lines(&path, 1);
    std::fs::rename(&path, home.path().join("reads.1")).expect("it is renamed");
    let pid = node.process.id().to_string();
    std::process::Command::new("kill").args(["-HUP", &pid]).status().expect("kill");
    let end = Instant::now() + TIMEOUT;
    while !path.exists() {
        assert!(Instant::now() < end, "the file is not there again");
        assert_eq!(send(&node, 'Q', "GET", "/v1/metrics/total", ""), 200, "the node goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    lines(&path, 1);
    assert_eq!(lines(&home.path().join("reads.1"), 1)[0]["metrics"][0]["metric"], "other");
}

#[test]
fn answers_do_not_wait_for_a_log_that_cannot_be_written() {
    let home = Home::new(PACKAGE, &CONFIG.replace("reads.ndjson", "/dev/full"));
    let node = started(&home);
    for _ in 0..20 {
        assert_eq!(send(&node, 'Q', "GET", "/v1/metrics/other", ""), 200);
    }
    let header = format!("Bearer {}", token('Q'));
    let end = Instant::now() + TIMEOUT;
    loop {
        let counters =
            node.send("GET", "/metrics", &[("Authorization", &header)], b"").expect("an answer").body;
        let dropped =
            counters.lines().find_map(|line| line.strip_prefix("metricc_access_log_dropped_total "));
        if dropped.and_then(|dropped| dropped.parse::<f64>().ok()) >= Some(20.0) {
            return;
        }
        assert!(Instant::now() < end, "{counters}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
