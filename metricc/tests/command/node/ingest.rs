//! `metricc ingest`: a node that does not answer, files that grow, and reading what was written.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric seen = count() { from events }
metric total = sum(n) { from events }
metric by_n = count() { from events by n }
metric hourly = count() { from events every 1h }
metric change = hourly - hourly offset 1h
";

fn lines(from: u64, n: u64) -> String {
    (from..from + n).map(|n| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"n\":{n}}}\n")).collect()
}

/// Runs a command with a node at this address. Returns exit code and stderr.
fn run(node: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("METRICC_NODE", node)
        .output()
        .expect("the command starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// An address where nobody listens.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

fn file(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
    std::fs::write(&path, text).expect("a file");
    path.to_string_lossy().into_owned()
}

fn append(path: &str, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("the file");
    file.write_all(text.as_bytes()).expect("written");
}

/// Ingests a file. Returns what was said.
fn ingest(node: &Node, path: &str) -> String {
    let (_, _, said) = node.run(&["ingest", "--source", "events", path]);
    said
}

#[test]
fn fields_that_are_sent_and_not_declared_are_named() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let text = "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":1,\"cuntry\":\"DE\",\"a\":2}\n";
    let said = ingest(&node, &file(&home, "more.ndjson", text));
    let wanted = "source `events`: 2 fields were sent that the source does not declare, and the log does not keep: `a`, `cuntry`\n";
    assert!(said.contains(wanted), "{said}");
    let said = ingest(&node, &file(&home, "plain.ndjson", &lines(0, 3)));
    assert!(!said.contains("does not declare"), "{said}");
}

fn seen(node: &Node) -> Value {
    node.rows("seen").0[0]["value"].clone()
}

#[test]
fn a_node_that_does_not_answer_is_said_at_once_in_words() {
    let home = Home::new(PACKAGE, "");
    let path = file(&home, "a.ndjson", &lines(0, 1));
    let node = format!("http://{}", free_address());
    let begin = Instant::now();
    for arguments in [
        &["ingest", "--source", "events", &path][..],
        &["query", "seen"],
        &["query", "seen", "--output", "csv"],
        &["query"],
        &["audit"],
    ] {
        let (code, said) = run(&node, arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("no node answers") && said.contains("`metricc serve`"), "{said}");
        assert!(said.contains(&node) && !said.contains("error sending request"), "{said}");
        assert!(!said.contains("seen"), "the address is of the node: {said}");
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let (code, said) = run("ftp://127.0.0.1:7171", &["ingest", "--source", "events", &path]);
    assert_eq!(code, Some(2));
    assert!(said.contains("the scheme is neither `http` nor `https`"), "{said}");
}

#[test]
fn a_script_may_start_the_node_and_send_at_once() {
    let address = free_address();
    let home = Home::new(PACKAGE, "");
    let path = file(&home, "a.ndjson", &lines(0, 3));
    let node = format!("http://{address}");
    let away = format!("node at {node} does not answer; trying again for 60 s\nnode at {node} is back\n");
    let sender = std::thread::spawn(move || {
        run(&node, &["ingest", "--source", "events", &path, "--retry-for", "60s"])
    });
    std::thread::sleep(Duration::from_millis(600));
    let mut command = home.command();
    command.args(["--listen", &address.replace("127.0.0.1", "localhost")]);
    let node = home.start_with(command);
    let (code, said) = sender.join().expect("it ends");
    assert_eq!((code, said), (Some(0), format!("{away}events: 3 events\nreadable at frontier 3\n")));
    assert_eq!(seen(&node), json!(3));
}

#[test]
fn a_conflict_is_reported_with_its_key_and_the_first_example() {
    let home = Home::new(&PACKAGE.replace("n: int", "n: int  id: int key"), "");
    let node = home.ready();
    let line = |id: u64, n: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":{id},\"n\":{n}}}\n");
    let said = ingest(&node, &file(&home, "a.ndjson", &(line(1, 1) + &line(2, 1))));
    assert!(!said.contains("warning"), "{said}");
    let path = file(&home, "b.ndjson", &(line(3, 1) + "\n" + &line(2, 1) + &line(2, 5) + &line(1, 7)));
    let said = ingest(&node, &path);
    assert!(said.contains("2 records have the key (`id`) of an event in the log"), "{said}");
    assert!(
        said.contains(&format!("the first such record is line 4 of {path}, offset 5 in the log\n")),
        "{said}"
    );
}

#[test]
fn events_are_readable_when_the_command_returns() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let path = file(&home, "a.ndjson", &lines(0, 30_000));
    assert_eq!(ingest(&node, &path), "events: 30000 events\nreadable at frontier 30000\n");
    assert_eq!(seen(&node), json!(30_000));
    // Without waiting, the reader waits.
    let more = file(&home, "b.ndjson", &lines(0, 30_000));
    let (code, _, said) = node.run(&["ingest", "--source", "events", "--no-wait", &more]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("frontier 60000: `metricc query METRIC --wait 60000`"), "{said}");
    let (code, rows, _) = node.run(&["query", "seen", "--wait", "60000", "--output", "csv"]);
    assert_eq!(code, Some(0));
    assert!(rows.contains("60000"), "{rows}");
}

#[test]
fn a_frontier_that_is_not_reached_is_an_error_of_its_own() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    ingest(&node, &file(&home, "a.ndjson", &lines(0, 2)));
    for output in ["table", "csv"] {
        let arguments = ["query", "seen", "--wait", "3", "--wait-for", "300ms", "--output", output];
        let (code, rows, said) = node.run(&arguments);
        assert_eq!((code, rows.as_str()), (Some(3), ""), "{said}");
        assert!(said.contains("the frontier was not reached within 0.3 s"), "{said}");
    }
    let answer = node.get("/v1/metrics/seen?min_frontier=1,2");
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("`min_frontier` has 2 offsets"), "{}", answer.body);
    assert_eq!(node.get("/v1/metrics/seen?min_frontier=2").json()["frontier"], json!([2]));
    assert_eq!(
        node.get("/v1/sources/events/served?min_frontier=2").json(),
        json!({ "served": [2], "end": [2] })
    );
}

#[test]
fn a_read_waits_for_the_events_that_it_wants_to_see() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    ingest(&node, &file(&home, "a.ndjson", &lines(0, 2)));
    for path in ["/v1/metrics/seen?", "/v1/metrics/seen/explain-value?", "/v1/read?metric=seen&metric=total&"]
    {
        let end = node.source()["end"][0].as_u64().expect("an offset");
        let wanted = end + 1;
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| node.get(&format!("{path}min_frontier={wanted}")));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!reader.is_finished(), "{path} did not wait");
            node.post(&format!("{path}{end}"), &lines(end, 1)).expect("an answer");
            let answer = reader.join().expect("it ends");
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.body.contains(&format!("\"frontier\":[{wanted}]")), "{}", answer.body);
        });
    }
}

#[test]
fn a_file_that_has_grown_goes_on_where_it_was() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n");
    let node = home.ready();
    let path = file(&home, "a.ndjson", &lines(0, 3));
    ingest(&node, &path);
    append(&path, &lines(3, 1));
    let said = ingest(&node, &path);
    assert!(said.starts_with("events: 1 event; 3 records were in the log already (1 request)"), "{said}");
    assert_eq!(seen(&node), json!(4));
    // Also after a restart, with requests of another size, and many times.
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    for (n, events) in [(4, "5000"), (5, "2"), (6, "3")] {
        append(&path, &lines(n, 1));
        let (code, _, said) = node.run(&["ingest", "--source", "events", "--events", events, &path]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(seen(&node), json!(n + 1), "{said}");
    }
    assert_eq!(node.rows("total").0[0]["value"], json!(21));
    // A line that is being written is taken once it is whole; what is before it, only once.
    append(&path, "{\"at\":\"2026-04-25T10:00:00Z\",");
    ingest(&node, &path);
    append(&path, "\"n\":7}\n");
    ingest(&node, &path);
    assert_eq!((seen(&node), node.rows("total").0[0]["value"].clone()), (json!(8), json!(28)));
    // A watched folder has the same requests.
    let said = ingest(&node, &path);
    assert!(said.starts_with("events: 0 events; "), "{said}");
}

#[test]
fn a_line_of_csv_that_may_not_be_complete_is_said_and_so_is_what_it_became() {
    let package = "source events { id: string key  at: timestamp time  n: int }\nmetric total = sum(n) { from events }\n";
    let home = Home::new(package, "");
    let node = home.ready();
    let path = file(&home, "a.csv", "id,at,n\na,2026-04-25T10:00:00Z,1\nb,2026-04-25T10:00:00Z,1");
    let said = ingest(&node, &path);
    assert!(said.contains("a.csv: the last line has no line end, and is taken as it is"), "{said}");
    append(&path, "2\n");
    let said = ingest(&node, &path);
    assert!(said.contains("1 record has the key (`id`) of an event in the log, and other values"), "{said}");
    assert!(!said.contains("has no line end"), "{said}");
    assert_eq!(node.rows("total").0[0]["value"], json!(2));
}

#[test]
fn a_file_that_was_replaced_is_taken_from_where_it_differs() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let path = file(&home, "a.ndjson", &lines(0, 3));
    ingest(&node, &path);
    file(&home, "a.ndjson", &lines(100, 2));
    let said = ingest(&node, &path);
    assert!(said.starts_with("events: 2 events\n"), "{said}");
    assert_eq!(seen(&node), json!(5));
    // The same lines under another name are other events, and under the same name the same ones.
    let said = ingest(&node, &file(&home, "b.ndjson", &lines(0, 3)));
    assert!(said.starts_with("events: 3 events\n"), "{said}");
    let (x, y) = (file(&home, "x/c.ndjson", &lines(0, 2)), file(&home, "y/c.ndjson", &lines(0, 2)));
    let (_, _, said) = node.run(&["ingest", "--source", "events", &x, &y]);
    assert!(said.starts_with("events: 2 events; 2 records were in the log already (1 request)"), "{said}");
    assert!(said.contains("files of the same name and content are one"), "{said}");
    assert_eq!(seen(&node), json!(10));
}

#[test]
fn answers_name_hashes_in_short_and_parts_once() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    ingest(&node, &file(&home, "a.ndjson", &lines(0, 2)));
    let hash = node.get("/v1/metrics/seen").json()["hash"].as_str().expect("a hash").to_owned();
    assert_eq!(hash.len(), 64);
    let (_, _, said) = node.run(&["query", "seen"]);
    assert_eq!(said.trim(), format!("1 row at frontier [2] of {}", &hash[..12]));
    let (_, _, said) = node.run(&["query", "seen", "--full-hashes"]);
    assert!(said.contains(&hash), "{said}");
    let (code, _, said) = node.run(&["query", "by_n", "--key", "n.from=0", "--key", "n.from=1"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("`n.from` is given twice"), "{said}");
    // A metric that is read twice is explained once.
    let (_, text, _) = node.run(&["query", "change", "--explain"]);
    assert_eq!(text.matches("hourly by parts of the log").count(), 1, "{text}");
}

#[test]
fn a_client_that_sends_events_may_wait_for_them_with_its_token() {
    let token = "0123456789012345678901234567890123456789012345";
    let home = Home::new(PACKAGE, "[tokens]\ningest = [\"env:INGEST\"]\n");
    let mut command = home.command();
    command.env("INGEST", token);
    let node = home.start_with(command);
    let path = file(&home, "a.ndjson", &lines(0, 2));
    let token_file = file(&home, "token", token);
    let arguments = ["ingest", "--source", "events", &path, "--token-file", &token_file];
    let (code, _, said) = node.run(&arguments);
    assert_eq!((code, said.as_str()), (Some(0), "events: 2 events\nreadable at frontier 2\n"));
    assert_eq!(node.get("/v1/sources/events/requests").status, 401);
}
