//! PostgreSQL's protocol at a node, asked by psql: readers, events, and the access log.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Home, TIMEOUT};

const PACKAGE: &str = "
source events { id: string key  at: timestamp time  country: string  n: int }
metric total = sum(n) { from events  by country }
metric other = count() { from events }
";
const CONFIG: &str = "
[tokens]
ingest = [\"file:I\"]
query = [\"file:Q\"]
[readers.india]
tokens = [\"file:R\"]
metrics = [\"total\"]
where = 'country == \"IN\"'
[access_log]
file = \"reads.ndjson\"
[postgres]
listen = \"127.0.0.1:0\"
";

fn token(letter: char) -> String {
    letter.to_string().repeat(43)
}

/// A node with two events, and the port of its protocol.
fn started(home: &Home) -> (super::Node, String) {
    for letter in ['I', 'Q', 'R'] {
        let file = home.path().join(letter.to_string());
        std::fs::write(&file, token(letter)).expect("a token");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("its rights");
    }
    let (node, said) = home.start_logging();
    let end = Instant::now() + TIMEOUT;
    let port = loop {
        let lines = said.lock().expect("lines").clone();
        let found = lines.iter().find_map(|line| line.split_once("PostgreSQL's protocol at 127.0.0.1:"));
        if let Some((_, port)) = found {
            break port.trim().to_owned();
        }
        assert!(Instant::now() < end, "{lines:#?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let events = "{\"id\":\"a\",\"at\":\"2026-04-25T10:00:00Z\",\"country\":\"IN\",\"n\":1}\n\
                  {\"id\":\"b\",\"at\":\"2026-04-25T10:00:00Z\",\"country\":\"FR\",\"n\":2}\n";
    let header = format!("Bearer {}", token('I'));
    let headers = [("Authorization", &*header)];
    let sent =
        node.send("POST", "/v1/sources/events/events", &headers, events.as_bytes()).expect("an answer");
    assert_eq!(sent.status, 200, "{}", sent.body);
    let served =
        node.send("GET", "/v1/sources/events/served?min_frontier=2", &headers, b"").expect("an answer");
    assert_eq!(served.status, 200, "{}", served.body);
    (node, port)
}

#[expect(clippy::print_stderr, reason = "says why a test is skipped")]
fn psql(port: &str, letter: char, statement: &str) -> Option<Output> {
    let mut command = Command::new("psql");
    command.args(["-XAt", "-h", "127.0.0.1", "-p", port, "-U", "analyst", "-d", "metricc", "-c", statement]);
    command.env("PGPASSWORD", token(letter)).env("PGCONNECT_TIMEOUT", "10");
    match command.output() {
        Ok(output) => Some(output),
        Err(_) if std::env::var_os("METRICC_POSTGRES").is_some() => panic!("psql is not installed"),
        Err(_) => {
            eprintln!("skipped: psql is not installed");
            None
        }
    }
}

#[test]
fn readers_see_their_rows_and_each_statement_is_logged() {
    let home = Home::new(PACKAGE, CONFIG);
    let (_node, port) = started(&home);
    let asked = [
        ('Q', "SELECT country, MEASURE(value) FROM total GROUP BY country ORDER BY 1", Ok("FR|2\nIN|1\n")),
        ('R', "SELECT country, MEASURE(value) FROM total GROUP BY country", Ok("IN|1\n")),
        ('Q', "SELECT _offset, id FROM events ORDER BY 1", Ok("0|a\n1|b\n")),
        ('R', "SELECT * FROM events", Err("events")),
        ('R', "SELECT * FROM other", Err("other")),
        ('Q', "DELETE FROM total", Err("only read")),
        ('I', "SELECT 1", Err("not a token of this node that may read")),
        ('x', "SELECT 1", Err("not a token of this node that may read")),
    ];
    for (letter, statement, expected) in asked {
        let Some(output) = psql(&port, letter, statement) else { return };
        let (text, problem) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match expected {
            Ok(rows) => assert_eq!(text, rows, "{statement}: {problem}"),
            Err(part) => {
                assert!(!output.status.success() && problem.contains(part), "{statement}: {problem}");
            }
        }
    }
    let path = home.path().join("reads.ndjson");
    let end = Instant::now() + TIMEOUT;
    let lines: Vec<Value> = loop {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<Value> = text
            .lines()
            .filter(|line| line.contains("\"postgres\""))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() >= asked.len() {
            assert!("IQRx".chars().all(|letter| !text.contains(&token(letter))), "{text}");
            break lines;
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let column = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<Value>>();
    let (all, india) = (json!("tokens.query 1"), json!("india"));
    assert_eq!(column("status"), [200, 200, 200, 400, 400, 400, 403, 401].map(Value::from), "{lines:#?}");
    let readers = column("reader");
    assert_eq!(readers[..6], [&all, &india, &all, &india, &india, &all].map(Clone::clone));
    assert_eq!((&readers[6], &readers[7]), (&json!("tokens.ingest 1"), &Value::Null));
    assert_eq!(column("rows")[..3], [2, 1, 2].map(Value::from));
    assert_eq!(lines[0]["metrics"], json!([{ "metric": "total", "frontier": [2] }]));
    assert_eq!(lines[2]["metrics"], json!([{ "metric": "events", "frontier": [2] }]));
    assert_eq!(lines[0]["parameters"][0][1], asked[0].1);
    assert_eq!(lines[3]["parameters"][1], json!(["code", "42P01"]));
    assert_eq!(lines[0]["route"], "SELECT");
    assert!(lines.iter().all(|line| line["address"] == "127.0.0.1"), "{lines:#?}");
}
