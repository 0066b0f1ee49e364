//! Answers at past frontiers, receipts, and answers of several metrics.

use serde_json::{Value, json};

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  country: string  n: int }
metric total = sum(n) { from events by country every 1h }
metric most = max(n) { from events }
";

fn line(number: u64) -> String {
    let (hour, country) = (number % 5, ["IN", "DE"][(number % 2) as usize]);
    format!("{{\"at\":\"2026-04-25T{hour:02}:00:00Z\",\"country\":\"{country}\",\"n\":{number}}}\n")
}

#[test]
fn an_answer_at_a_frontier_never_changes() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 30\n[ingest]\nseal_events = 40\n");
    let node = home.ready();
    let mut answers: Vec<(u64, String)> = Vec::new();
    let at = |node: &super::Node, offset: u64| node.get(&format!("/v1/metrics/total?at={offset}"));
    for request in 0..10u64 {
        let body: String = (request * 7..request * 7 + 7).map(line).collect();
        assert_eq!(node.post(&format!("r{request}"), &body).expect("an answer").status, 200);
        node.catch_up();
        let now = node.get("/v1/metrics/total");
        let frontier = now.json()["frontier"][0].as_u64().expect("an offset");
        assert_eq!(frontier, request * 7 + 7);
        answers.push((frontier, now.body));
    }
    node.until(|node| node.source()["view"] != json!([0]));
    let view = node.source()["view"][0].as_u64().expect("an offset");
    assert!(answers.iter().any(|(frontier, _)| *frontier < view), "some are before the view");
    for (frontier, answer) in &answers {
        assert_eq!(at(&node, *frontier).body, *answer, "at {frontier}");
    }
    assert_eq!(node.stop(), Some(0));
    std::fs::remove_dir_all(home.path().join("metricc-data/views")).expect("views");
    let node = home.ready();
    for (frontier, answer) in &answers {
        assert_eq!(at(&node, *frontier).body, *answer, "at {frontier}, after a restart without views");
    }
    assert_eq!(at(&node, 0).json()["rows"], json!([]));
    for (asked, message) in [
        ("10", "`at` is [10], in the middle of a request of source `events`"),
        ("41", "the nearest frontiers are [35] before it and [42] after it"),
        ("71", "the log of source `events` ends at [70]"),
        ("5,5", "`at` has 2 offsets"),
        ("", "`at=` is not a frontier"),
        ("x", "`at=x` is not a frontier"),
    ] {
        let answer = node.get(&format!("/v1/metrics/total?at={asked}"));
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains(message), "{}", answer.body);
    }
}

#[test]
fn an_answer_before_the_view_starts_from_an_earlier_version() {
    let home =
        Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 7\ntables = false\n[past]\nversions = 3\n");
    let node = home.ready();
    let mut answers: Vec<(u64, String)> = Vec::new();
    for request in 0..8u64 {
        let body: String = (request * 7..request * 7 + 7).map(line).collect();
        assert_eq!(node.post(&format!("r{request}"), &body).expect("an answer").status, 200);
        let end = request * 7 + 7;
        node.until(|node| node.source()["view"] == json!([end]));
        answers.push((end, node.get("/v1/metrics/total").body));
    }
    let starts = |node: &super::Node, at: u64| -> Vec<(Value, Value)> {
        let answer = node.get(&format!("/v1/metrics/total?at={at}&receipt=true")).json();
        let parts = answer["receipt"]["parts"].as_array().expect("parts").clone();
        parts.into_iter().map(|part| (part["layer"].clone(), part["to"].clone())).collect()
    };
    let check = |node: &super::Node, kept: &[u64]| {
        for (end, answer) in &answers {
            let found = node.get(&format!("/v1/metrics/total?at={end}")).body;
            assert_eq!(found, *answer, "at {end}");
            let start = kept.iter().rev().find(|start| *start <= end);
            let batch = starts(node, *end).into_iter().find(|(layer, _)| layer == "batch");
            assert_eq!(batch.map(|(_, to)| to), start.map(|start| json!([start])), "at {end}");
        }
    };
    // The last one and three before it are kept, each from a view of seven requests more.
    check(&node, &[35, 42, 49, 56]);
    assert_eq!(node.stop(), Some(0));
    // A damaged one is passed over.
    let segments = home.path().join("metricc-data/views/events/segments/total");
    let named = |to: u64| {
        let mut names =
            std::fs::read_dir(&segments).expect("segments").map(|entry| entry.expect("an entry").path());
        let is_it = |path: &std::path::PathBuf| path.to_string_lossy().contains(&format!("/0-{to}-"));
        names.find(is_it).expect("a segment")
    };
    std::fs::write(named(42), b"damaged").expect("damaged");
    let node = home.ready();
    check(&node, &[35, 49, 56]);
    // Views that were doubted are not started from.
    assert_eq!(node.send("POST", "/v1/audit?full=true", &[], b"").expect("an answer").status, 200);
    node.until(|node| starts(node, 49).iter().all(|(layer, _)| layer == "log"));
    check(&node, &[56]);
}

#[test]
fn more_old_frontiers_than_may_wait_are_refused_for_a_while() {
    let home = Home::new(PACKAGE, "[past]\nwaiting = 0\n");
    let node = home.ready();
    let body: String = (0..2000).map(line).collect();
    assert_eq!(node.post("r0", &body).expect("an answer").status, 200);
    assert_eq!(node.post("r1", &line(1)).expect("an answer").status, 200);
    node.catch_up();
    let expected = node.get("/v1/metrics/total?at=2000").body;
    let refused = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let answer = node.get("/v1/metrics/total?at=2000");
                    if answer.status == 200 {
                        assert_eq!(answer.body, expected);
                        continue;
                    }
                    assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("busy")));
                    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
                    refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert!(refused.into_inner() > 0);
    assert_eq!(node.get("/v1/metrics/total?at=2000").body, expected, "the turn is free again");
}

#[test]
fn an_answer_whose_client_is_gone_is_given_up() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let body: String = (0..10_000).map(line).collect();
    for request in 0..10 {
        assert_eq!(node.post(&format!("r{request}"), &body).expect("an answer").status, 200);
    }
    node.post("last", &line(1)).expect("an answer");
    node.catch_up();
    let request = format!("GET /v1/metrics/total?at=100000 HTTP/1.1\r\nHost: {}\r\n\r\n", node.address);
    // However fast it is answered, one of the clients leaves before.
    let waited = std::cell::Cell::new(0);
    node.until(|node| {
        waited.set((waited.get() + 1) % 30);
        let mut stream = std::net::TcpStream::connect(&node.address).expect("a connection");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("written");
        std::thread::sleep(std::time::Duration::from_millis(waited.get()));
        drop(stream);
        let counters = node.get("/metrics").body;
        let given_up = counters.lines().find(|line| line.starts_with("metricc_past_answers_given_up_total{"));
        given_up.is_some_and(|line| !line.ends_with(" 0"))
    });
}

#[test]
fn a_receipt_lists_the_merged_parts_and_the_end_of_the_log() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 7\n");
    let node = home.ready();
    let receipt = |node: &super::Node| node.get("/v1/metrics/total?receipt=true").json()["receipt"].clone();
    let body: String = (0..7).map(line).collect();
    node.post("r0", &body).expect("an answer");
    node.until(|node| node.source()["view"] == json!([7]));
    node.post("r1", &line(8)).expect("an answer");
    node.catch_up();
    let parts = json!([
        { "source": "events", "from": [0], "to": [7], "layer": "batch" },
        { "source": "events", "from": [7], "to": [8], "layer": "tail" },
    ]);
    assert_eq!(receipt(&node), json!({ "parts": parts, "ends": { "events": [8] } }));
    assert_eq!(node.get("/v1/metrics/total").json().get("receipt"), None);
}

#[test]
fn several_metrics_are_answered_at_one_frontier() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let body: String = (0..7).map(line).collect();
    node.post("r0", &body).expect("an answer");
    node.catch_up();
    let answer = node.get("/v1/read?metric=total&metric=most").json();
    let answers = answer["answers"].as_array().expect("answers");
    let names: Vec<&Value> = answers.iter().map(|answer| &answer["metric"]).collect();
    assert_eq!(names, [&json!("total"), &json!("most")]);
    assert!(answers.iter().all(|answer| answer["frontier"] == json!([7])), "{answers:?}");
    assert_eq!(node.get("/v1/read").status, 400);
    assert_eq!(node.get("/v1/read?metric=total&metric=nothing").status, 404);
    assert_eq!(node.get("/v1/read?metric=total@other").status, 409);
}

#[test]
fn an_answer_for_one_key_equals_its_rows_among_all() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 20\n");
    let node = home.ready();
    for request in 0..6u64 {
        let body: String = (request * 7..request * 7 + 7).map(line).collect();
        node.post(&format!("r{request}"), &body).expect("an answer");
    }
    node.catch_up();
    let (all, _) = node.rows("total");
    for country in ["IN", "DE", "FR"] {
        let rows = node.get(&format!("/v1/metrics/total?key.country={country}")).json()["rows"].clone();
        let expected: Vec<Value> =
            all.iter().filter(|row| row["key"]["country"] == country).cloned().collect();
        assert_eq!(rows, Value::Array(expected), "{country}");
    }
    let latest = node.get("/v1/metrics/total?key.country=IN&latest=true").json()["rows"].clone();
    assert_eq!(latest.as_array().map(Vec::len), Some(1));
}

#[test]
fn answers_for_ranges_and_latest_windows_equal_their_rows_among_all() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 20\n");
    let node = home.ready();
    let lines = |numbers: std::ops::Range<u64>| numbers.map(line).collect::<String>();
    node.post("r0", &lines(0..23)).expect("an answer");
    node.until(|node| node.source()["view"] == json!([23]));
    // The tail has windows that are in the view and others; not every key is in every window.
    node.post("r1", "{\"at\":\"2026-04-25T09:00:00Z\",\"country\":\"IN\",\"n\":1}\n").expect("an answer");
    node.post("r2", &lines(23..29)).expect("an answer");
    node.catch_up();
    let start = |row: &Value| row["window"]["start"].as_str().expect("an instant").to_owned();
    // A new reader for each request, so that no merged state is reused.
    for hours in [(0, 24), (3, 10), (4, 9), (2, 3), (5, 9), (7, 8), (9, 24), (12, 24)] {
        let (from, to) =
            (format!("2026-04-25T{:02}:00:00Z", hours.0), format!("2026-04-25T{:02}:59:59Z", hours.1 - 1));
        node.post(&format!("again {hours:?}"), &lines(hours.0..hours.0 + 1)).expect("an answer");
        node.catch_up();
        let rows = |path: &str| node.get(path).json()["rows"].as_array().expect("rows").clone();
        let some = rows(&format!("/v1/metrics/total?from={from}&to={to}"));
        let latest = rows(&format!("/v1/metrics/total?latest=true&to={to}"));
        let by_country = rows(&format!("/v1/metrics/total?latest=true&to={to}&key.country=DE"));
        let day = rows(&format!("/v1/metrics/total?from={from}&to={to}&grain=all"));
        let all = rows("/v1/metrics/total");
        let in_range: Vec<Value> =
            all.iter().filter(|row| (from.clone()..to.clone()).contains(&start(row))).cloned().collect();
        assert_eq!(some, in_range, "{hours:?}");
        let before: Vec<&Value> = all.iter().filter(|row| start(row) < to).collect();
        let last = before.iter().map(|row| start(row)).max();
        let expected: Vec<Value> =
            before.iter().filter(|row| Some(start(row)) == last).map(|row| (*row).clone()).collect();
        assert_eq!(latest, expected, "{hours:?}");
        let of_country: Vec<&&Value> = before.iter().filter(|row| row["key"]["country"] == "DE").collect();
        let last = of_country.iter().map(|row| start(row)).max();
        let expected: Vec<Value> =
            of_country.iter().filter(|row| Some(start(row)) == last).map(|row| (**row).clone()).collect();
        assert_eq!(by_country, expected, "{hours:?}");
        let sum = |rows: &[Value]| rows.iter().filter_map(|row| row["value"].as_i64()).sum::<i64>();
        assert_eq!(sum(&day), sum(&in_range), "{hours:?}");
    }
}
