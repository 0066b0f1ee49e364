//! Formats of events and answers, and explained answers.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Home, Node};

const PACKAGE: &str = r#"
source events {
  at:     timestamp time
  kind:   enum("low", "high")
  amount: decimal(12, 2)
  note:   string?
}
metric money = { total: sum(amount), n: count() } { from events by kind every 1h }
metric n = count() { from events }
metric hourly = count() { from events by kind every 1h }
metric share = money.n / hourly
"#;

fn csv(from: u32, n: u32) -> String {
    let line = |n: u32| {
        let (hour, kind) = (n % 3, ["low", "high"][(n % 2) as usize]);
        format!("2026-04-25T{hour:02}:00:00Z,{kind},{n}.50,\"a, {n}\"\n")
    };
    format!("at,kind,amount,note\n{}", (from..from + n).map(line).collect::<String>())
}

fn post(node: &Node, form: &str, body: &[u8]) -> super::Answer {
    node.send("POST", "/v1/sources/events/events", &[("Content-Type", form)], body).expect("an answer")
}

/// A home with a CSV file and the Parquet file to which the node flushes its events.
fn with_files() -> (Home, Node) {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 100\n[ingest]\nseal_events = 100\n");
    let node = home.ready();
    let path = home.path().join("events.csv");
    for end in [60, 120] {
        std::fs::write(&path, csv(0, end)).expect("a file");
        let (code, _, said) = node.run(&["ingest", "--source", "events", path.to_str().expect("a path")]);
        let is_taken =
            said.starts_with("events: 60 events") && said.ends_with(&format!("readable at frontier {end}\n"));
        assert!(code == Some(0) && is_taken, "{said}");
    }
    node.catch_up();
    (home, node)
}

#[test]
fn csv_and_parquet_files_give_the_same_events() {
    let (home, node) = with_files();
    let sealed = home.path().join("metricc-data/log/events/events");
    let find = || {
        let files = std::fs::read_dir(&sealed).into_iter().flatten();
        files
            .map(|entry| entry.expect("an entry").path())
            .find(|path| path.extension().is_some_and(|e| e == "parquet"))
    };
    node.until(|_| find().is_some());
    let other = Home::new(PACKAGE, "");
    let copy = other.ready();
    let path = find().expect("a file");
    let (code, _, said) =
        copy.run(&["ingest", "--source", "events", "--events", "50", path.to_str().expect("a path")]);
    assert_eq!((code, said.as_str()), (Some(0), "events: 120 events\nreadable at frontier 120\n"));
    copy.catch_up();
    for metric in ["money", "n", "share"] {
        assert_eq!(copy.rows(metric).0, node.rows(metric).0, "{metric}");
    }
    // Sending the file again repeats three known requests.
    let (_, _, said) =
        copy.run(&["ingest", "--source", "events", "--events", "50", path.to_str().expect("a path")]);
    assert!(said.contains("120 records were in the log already (3 requests)"), "{said}");
}

#[test]
fn f23_a_file_without_the_columns_of_the_source_is_rejected_as_a_whole() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    for (form, body, status, part) in [
        ("text/csv", "at,kind\n", 422, "no column `amount`"),
        ("text/csv; charset=utf-8", "at,kind,amount,amount\n", 422, "amount"),
        ("application/vnd.apache.arrow.stream", "PAR1", 400, "no Arrow IPC stream"),
        ("application/json", "[{}", 400, "line 1: it ends in the middle of an element of the array"),
        ("application/x-ndjson", "[{}]", 400, "it is a JSON array"),
        ("text/csv; charset=latin1", "at,kind,amount\n", 415, "charset `latin1` is not supported"),
        ("text/csv", "at;kind;amount\n", 422, "`;` between its cells: say `delimiter=;`"),
        ("text/plain", "{}", 415, "application/vnd.apache.arrow.stream"),
    ] {
        let answer = post(&node, form, body.as_bytes());
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    // Records that cannot be decoded are quarantined.
    let answer = post(
        &node,
        "text/csv",
        b"at,kind,amount\n2026-04-25T00:00:00Z,low,1\n2026-04-25T00:00:00Z,mid,1\n1,2\n",
    );
    let said = answer.json();
    assert_eq!((&said["accepted"], &said["quarantined"]), (&json!(1), &json!(2)), "{}", answer.body);
    assert_eq!(said["exceptions"][1]["problem"], json!("2 cells where the header has 3"));
    assert_eq!(node.source()["end"], json!([3]));
}

#[test]
fn answers_are_available_as_csv_and_arrow_with_their_frontier() {
    let (_home, node) = with_files();
    let csv = "window_start,window_end,kind,total,n\n\
               2026-04-25T00:00:00Z,2026-04-25T01:00:00Z,low,1150.00,20\n\
               2026-04-25T00:00:00Z,2026-04-25T01:00:00Z,high,1210.00,20\n";
    let asked = "/v1/metrics/money?to=2026-04-25T01:00:00Z";
    let answer = node.get(&format!("{asked}&format=csv"));
    assert_eq!(answer.body, csv);
    assert!(answer.head.contains("content-type: text/csv"), "{}", answer.head);
    assert!(answer.head.contains("metricc-frontier: 120"), "{}", answer.head);
    let accepted = node.send("GET", asked, &[("Accept", "text/csv")], b"").expect("an answer");
    assert_eq!(accepted.body, csv);
    let (code, said, noted) =
        node.run(&["query", "money", "--to", "2026-04-25T01:00:00Z", "--output", "csv"]);
    assert_eq!((code, said.as_str(), noted.as_str()), (Some(0), csv, ""));
    // An answer without rows has columns.
    let answer = node.get("/v1/metrics/money?from=2030-01-01T00:00:00Z&format=csv");
    assert_eq!(answer.body, "window_start,window_end,kind,total,n\n");
    let answer = node.get("/v1/metrics/money?format=xml");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("not a format: `json`, `csv` or `arrow`"), "{}", answer.body);

    let (code, rows) = arrow(&node, &["query", "money", "--output", "arrow"]);
    assert_eq!((code, rows), (Some(0), 6));
}

/// Runs a command that writes an Arrow IPC stream. Returns its exit code and the number of rows.
fn arrow(node: &Node, arguments: &[&str]) -> (Option<i32>, usize) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(arguments)
        .env("METRICC_NODE", format!("http://{}", node.address))
        .output()
        .expect("the command starts");
    let reader = arrow::ipc::reader::StreamReader::try_new(&output.stdout[..], None).expect("a stream");
    let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["window_start", "window_end", "kind", "total", "n"]);
    (output.status.code(), reader.map(|batch| batch.expect("a batch").num_rows()).sum())
}

#[test]
fn an_explanation_shows_the_part_of_the_log_of_each_value() {
    let (_home, node) = with_files();
    node.until(|node| node.source()["view"] == json!([120]));
    let more = csv(120, 6);
    assert_eq!(post(&node, "text/csv", more.as_bytes()).status, 200);
    node.catch_up();
    let explained = node.get("/v1/metrics/money/explain-value?key.kind=low&to=2026-04-25T01:00:00Z").json();
    let rows = &explained["answer"]["rows"];
    assert_eq!(rows[0]["value"], json!({"total": "1270.50", "n": 21}));
    let parts = explained["of"][0]["parts"].as_array().expect("parts");
    let found: Vec<_> = parts
        .iter()
        .map(|part| {
            (&part["part"]["layer"], &part["part"]["to"], &part["positions"], &part["rows"][0]["value"]["n"])
        })
        .collect();
    assert_eq!(
        found,
        [
            (&json!("batch"), &json!([120]), &json!(120), &json!(20)),
            (&json!("tail"), &json!([126]), &json!(6), &json!(1)),
        ]
    );
    let receipt = &explained["answer"]["receipt"];
    assert_eq!(receipt["parts"][1]["layer"], json!("tail"));
    assert_eq!(receipt["ends"]["events"], json!([126]));
    // Past frontiers are explained from the log; derived metrics by their operands.
    let explained = node.get("/v1/metrics/share/explain-value?at=60").json();
    let found: Vec<_> = explained["of"].as_array().expect("metrics").iter().map(|of| &of["metric"]).collect();
    assert_eq!(found, [&json!("money"), &json!("hourly")]);
    assert_eq!(explained["of"][1]["parts"][0]["part"]["layer"], json!("log"));
    assert_eq!(explained["of"][1]["parts"][0]["rows"][0]["value"], json!(10));

    let (code, said, noted) = node.run(&["query", "money", "--key", "kind=low", "--explain"]);
    assert_eq!(code, Some(0), "{said}{noted}");
    assert!(said.contains("batch [0] to [120]") && said.contains("tail [120] to [126]"), "{said}");
    assert!(said.contains("120 positions") && said.contains("\"n\":20"), "{said}");
    let (_, said, _) = node.run(&["query", "money", "--key", "kind=low", "--plot"]);
    assert!(said.contains("money.total kind=low\n") && said.contains("2026-04-25 02:00"), "{said}");
    let (_, _, noted) = node.run(&["query", "n", "--at", "60", "--receipt"]);
    assert!(noted.contains("1 row at frontier [60]") && noted.contains("events: log [0] to [60]"), "{noted}");
}

#[test]
fn a_subscriber_does_not_keep_the_node_from_stopping() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let mut stream = std::net::TcpStream::connect(&node.address).expect("a connection");
    let head = format!("GET /v1/metrics/n/live HTTP/1.1\r\nHost: {}\r\n\r\n", node.address);
    std::io::Write::write_all(&mut stream, head.as_bytes()).expect("written");
    let mut some = [0; 64];
    assert!(stream.read(&mut some).expect("an answer") > 0);
    let start = Instant::now();
    assert_eq!(node.stop(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn a_page_of_another_site_cannot_send_requests() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let own = format!("http://{}", node.address);
    let body = csv(0, 1);
    for (headers, status) in [
        (vec![("Origin", "http://evil.example")], 403),
        (vec![("Origin", "null")], 403),
        (vec![("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("Origin", own.as_str())], 200),
        (vec![("Sec-Fetch-Site", "none")], 200),
    ] {
        let headers: Vec<_> = headers.into_iter().chain([("Content-Type", "text/csv")]).collect();
        let answer =
            node.send("POST", "/v1/sources/events/events", &headers, body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
    }
    assert_eq!(node.get("/v1/sources/events/quarantine?partition=1").status, 400);
}

#[test]
fn keys_that_look_like_numbers_are_used_as_written() {
    let package = "source events { at: timestamp time  version: string }\nmetric n = count() { from events by version }\n";
    let home = Home::new(package, "");
    let node = home.ready();
    let versions = ["1.10", "1.1", "1e5", "-0", "00123", "123456789012345678901234", "true", "null", "\"x\""];
    let body: String = versions
        .iter()
        .map(|version| json!({ "at": "2026-04-25T10:00:00Z", "version": version }).to_string() + "\n")
        .collect();
    assert_eq!(node.post("r", &body).expect("an answer").status, 200);
    node.catch_up();
    for version in versions {
        let quoted = json!(version).to_string();
        let asked = if ["null", "\"x\""].contains(&version) { &quoted } else { version };
        let (code, said, noted) =
            node.run(&["query", "n", "--key", &format!("version={asked}"), "--output", "json"]);
        assert_eq!(code, Some(0), "{noted}");
        let row: serde_json::Value =
            serde_json::from_str(&said).unwrap_or_else(|error| panic!("{version}: {error}: {said}"));
        assert_eq!(row["key"]["version"], json!(version));
    }
    assert!(node.run(&["query", "n", "--key", "version=null"]).1.trim().is_empty(), "none has no version");
    let live = node.get("/v1/metrics/n/live?at=3");
    assert_eq!(
        (live.status, live.body.contains("a subscription follows the newest one")),
        (400, true),
        "{}",
        live.body
    );
    let mode = |path: &str| {
        let metadata = std::fs::metadata(home.path().join("metricc-data").join(path)).expect("a folder");
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
    };
    assert_eq!((mode("views"), mode("log/journal")), (0o700, 0o700));
}

#[test]
fn what_could_not_be_computed_is_said_in_every_format() {
    let package = "source events { at: timestamp time  a: int  k: string }\n\
                   metric m = { n: count(), s: sum(a * a * a) } { from events  by k  unit EUR }\n";
    let home = Home::new(package, "");
    let node = home.ready();
    let record = |k: &str, a: i64| format!("{{\"at\":\"2026-04-25T00:00:00Z\",\"a\":{a},\"k\":\"{k}\"}}\n");
    let body = record("none", i64::MAX) + &record("\\u001b[2J", 2);
    assert_eq!(post(&node, "application/x-ndjson", body.as_bytes()).status, 200);
    node.catch_up();
    let answer = node.get("/v1/metrics/m").json();
    assert_eq!(answer["rows"][1]["overflow"], json!({ "s": 1 }), "{answer}");
    assert_eq!((&answer["rows"][1]["value"]["s"], &answer["unit"]), (&json!(null), &json!("EUR")));
    let stated = "metricc-overflow: {\"s\":{\"rows\":1,\"events\":1}}";
    for format in ["csv", "arrow"] {
        let head = node.get(&format!("/v1/metrics/m?format={format}")).head;
        assert!(head.contains(stated), "{format}: {head}");
        let (code, _, said) = node.run(&["query", "m", "--output", format]);
        assert_eq!(code, Some(0));
        assert!(said.contains("{\"s\":{\"rows\":1,\"events\":1}}"), "{format}: {said}");
    }
    let (code, table, said) = node.run(&["query", "m"]);
    assert_eq!(code, Some(0));
    assert!(said.contains("`m.s`: 1 row could not be computed"), "{said}");
    assert!(table.starts_with("m [EUR]\n"), "{table}");
    assert!(
        table.contains("\"none\"") && table.contains("\\u001b[2J") && !table.contains('\u{1b}'),
        "{table}"
    );
}
