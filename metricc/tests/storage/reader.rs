//! Tables of presented values on an object store, read by Polars and delta-rs.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::node::{Environment, Node, configure_with, stores};

/// Windows, keys, decimals that are null, floats, a metric without windows, and metrics derived from one
/// source and from two.
const PACKAGE: &str = "source events {\n  at: timestamp time\n  n: int\n  amount: decimal(10, 2)?\n}\n\
                       source visits { at: timestamp time }\n\
                       metric total = count() { from events }\n\
                       metric money = sum(amount) { from events by (if n % 3 == 0 then \"three\" else \"other\") as kind every 1h }\n\
                       metric hourly = count() { from events every 1h }\n\
                       metric amounts = sum(amount) { from events every 1h }\n\
                       metric arrivals = count() { from visits every 1h }\n\
                       metric average = amounts / hourly { }\n\
                       metric of_visits = hourly / arrivals { }\n";
const METRICS: [&str; 6] = ["total", "money", "hourly", "arrivals", "average", "of_visits"];

/// A program of Python that has Polars and delta-rs, if there is one.
#[expect(clippy::print_stderr, reason = "the output of the tests names what was not tested")]
fn python() -> Option<std::ffi::OsString> {
    let found = std::env::var_os("METRICC_READER");
    if found.is_none() {
        eprintln!(
            "skipped: no reader of tables; install `polars` and `deltalake` with pip, and name that `python` in METRICC_READER"
        );
    }
    found
}

/// Events with some numbers, over 5 hours.
fn events(numbers: std::ops::Range<u32>) -> String {
    let line = |n: u32| {
        let (hour, cents) = (n % 5, n % 100);
        let amount = if n.is_multiple_of(7) { "null".to_owned() } else { format!("\"{n}.{cents:02}\"") };
        format!("{{\"at\":\"2026-04-25T{hour:02}:00:00Z\",\"n\":{n},\"amount\":{amount}}}\n")
    };
    numbers.map(line).collect()
}

/// Says what the newest version of a table is; nothing before there is one.
fn read(python: &std::ffi::OsStr, url: &str, options: &Value) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage/reader.py");
    let output = Command::new(python).arg(script).args([url, &options.to_string()]).output().unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

/// A row of an answer as it is in a table.
fn columns(row: &Value) -> Value {
    let mut columns = serde_json::Map::new();
    if row["window"].is_object() {
        columns.insert("window_start".into(), row["window"]["start"].clone());
        columns.insert("window_end".into(), row["window"]["end"].clone());
    }
    columns.extend(row["key"].as_object().unwrap().clone());
    columns.insert("value".into(), row["value"].clone());
    Value::Object(columns)
}

/// What delta-rs needs to reach a store.
fn options(environment: &Environment) -> Value {
    let options: serde_json::Map<String, Value> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Value::Object(options)
}

#[test]
fn other_programs_read_the_tables_of_all_metrics() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (url, environment, _server) in stores(folder.path()) {
        let folder = tempfile::tempdir().unwrap();
        configure_with(folder.path(), &url, PACKAGE);
        let node = Node::start(folder.path(), &environment, "data");
        node.send_to("events", &events(0..100));
        node.send_to(
            "visits",
            &(0..30).map(|n| format!("{{\"at\":\"2026-04-25T{:02}:30:00Z\"}}\n", n % 5)).collect::<String>(),
        );
        node.send_to("events", &events(100..150));
        node.until("views have all", |node| {
            ["events", "visits"].iter().zip([150, 30]).all(|(source, n)| node.view_of(source) == n)
        });
        for metric in METRICS {
            let home = if metric == "arrivals" { "visits" } else { "events" };
            let table = format!("{url}/views/{home}/tables/{metric}");
            let found = RefCell::new(Value::Null);
            node.until("the table has all", |_| {
                let Some(read) = read(&python, &table, &options(&environment)) else { return false };
                let offsets = read["said"]["frontier"].as_str().unwrap_or_default().split(',');
                let n_positions: u64 = offsets.filter_map(|offset| offset.parse::<u64>().ok()).sum();
                *found.borrow_mut() = read;
                n_positions
                    == match metric {
                        "arrivals" => 30,
                        "of_visits" => 180,
                        _ => 150,
                    }
            });
            let (found, answer) = (found.into_inner(), node.answer(metric));
            let wanted: Vec<Value> = answer["rows"].as_array().unwrap().iter().map(columns).collect();
            let rows = found["rows"].as_array().unwrap().iter().map(without_overflow).collect::<Vec<Value>>();
            assert!(!wanted.is_empty());
            assert_eq!(rows, wanted, "{metric} at {url}");
            assert_eq!(found["said"]["metric_hash"], answer["hash"]);
        }
    }
}

/// Nothing of these rows is beyond its type.
fn without_overflow(row: &Value) -> Value {
    let mut row = row.as_object().unwrap().clone();
    assert!(row.remove("overflow").is_none_or(|overflow| overflow.is_null()));
    Value::Object(row)
}
