//! `metricc sql`.

use crate::{code, metricc, stderr, stdout, succeed};

const PACKAGE: &str = "\
source payments { id: int key  at: timestamp time  country: string  amount: decimal(12, 2) }
metric revenue = { paid: sum(amount), n: count(), mean: mean(amount) } { from payments by country every 1h }
";

const EVENTS: &str = r#"{"id":1,"at":"2026-04-25T00:10:00Z","country":"IN","amount":"1.00"}
{"id":2,"at":"2026-04-25T00:20:00Z","country":"IN","amount":"2.00"}
{"id":3,"at":"2026-04-25T01:10:00Z","country":"IN","amount":"6.00"}
{"id":3,"at":"2026-04-25T01:10:00Z","country":"IN","amount":"6.00"}
{"id":4,"at":"2026-04-25T01:10:00Z","country":"DE","amount":"x"}
{"id":5,"at":"2026-04-25T01:20:00Z","country":"DE","amount":"5.00"}
"#;

fn folder() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let package = folder.path().join("payments.metric");
    let log = folder.path().join("payments.ndjson");
    std::fs::write(&package, PACKAGE).expect("the package is written");
    std::fs::write(&log, EVENTS).expect("the log is written");
    let source = format!("payments={}", log.display());
    (folder, package.display().to_string(), source)
}

#[test]
fn measures_and_events_are_read_in_every_format() {
    let (_folder, package, source) = folder();
    let run = |statement: &str, format: &str| {
        let common = ["--max-rejected", "1", "--output", format];
        succeed(&[&["sql", &package, "--source", &source, statement], &common[..]].concat())
    };
    let statement =
        "SELECT country, MEASURE(mean) AS mean, SUM(paid) AS paid FROM revenue GROUP BY country ORDER BY 1";
    assert_eq!(run(statement, "csv"), "country,mean,paid\nDE,5.00000000,5.00\nIN,3.00000000,9.00\n");
    let json = run(statement, "json");
    assert_eq!(json.lines().count(), 2, "{json}");
    assert!(json.contains(r#""country":"DE""#), "{json}");
    let table = run(statement, "table");
    assert!(table.starts_with('┌') && table.contains("3.00000000"), "{table}");
    let events = run("SELECT country, count(*) AS n FROM payments GROUP BY country ORDER BY 1", "csv");
    assert_eq!(events, "country,n\nDE,1\nIN,3\n");
    let none = run("SELECT country FROM revenue WHERE country = 'none'", "csv");
    assert_eq!(none, "country\n");
}

#[test]
fn what_a_statement_does_not_read_needs_no_source() {
    let (_folder, package, source) = folder();
    let tables = succeed(&["sql", &package, "SHOW TABLES"]);
    assert!(tables.contains("revenue") && tables.contains("payments"), "{tables}");
    let columns = succeed(&["sql", &package, "DESCRIBE revenue"]);
    assert!(columns.contains("window_start") && columns.contains("paid"), "{columns}");
    for statement in ["SELECT * FROM payments", "SELECT * FROM revenue"] {
        let output = metricc(&["sql", &package, statement]);
        assert_eq!(code(&output), 2, "{}", stdout(&output));
        assert!(stderr(&output).contains("--source payments="), "{}", stderr(&output));
    }
    let output =
        metricc(&["sql", &package, "--source", &source, "--max-rejected", "0", "SELECT * FROM revenue"]);
    assert_eq!(code(&output), 1, "a record was rejected");
}

#[test]
fn statements_that_mean_nothing_say_what_to_write() {
    let (_folder, package, source) = folder();
    for (statement, expected) in [
        ("SELECT avg(mean) FROM revenue", "Write MEASURE(mean)"),
        ("SELEC 1", "sql parser error"),
        ("SELECT * FROM nothing", "nothing"),
        ("CREATE TABLE t AS SELECT 1", "only read"),
        ("COPY (SELECT 1) TO '/tmp/never.csv'", "only read"),
        ("INSERT INTO revenue VALUES (1)", "only read"),
        ("SELECT 1; SELECT 2", "single SQL statement"),
    ] {
        let common = ["--max-rejected", "1"];
        let output = metricc(&[&["sql", &package, "--source", &source, statement], &common[..]].concat());
        assert_eq!(code(&output), 2, "{statement}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{statement}: {}", stderr(&output));
        assert!(stdout(&output).is_empty(), "{statement}");
    }
}
