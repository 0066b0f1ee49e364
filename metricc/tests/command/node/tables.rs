//! Delta Lake tables: they contain the rows that the node answered at the frontier of the view.

use std::path::{Path, PathBuf};

use arrow::util::pretty::pretty_format_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{Home, Node};

const PACKAGE: &str = r#"
source events { at: timestamp time  kind: enum("low", "high")  amount: decimal(12, 2) }
metric money = sum(amount) { from events by kind every 1h }
metric mean_amount = mean(amount) { from events }
"#;

fn line(number: u64) -> String {
    let (hour, kind) = (number % 2, ["low", "high"][(number % 2) as usize]);
    format!("{{\"at\":\"2026-04-25T{hour:02}:00:00Z\",\"kind\":\"{kind}\",\"amount\":{number}.25}}\n")
}

fn table(home: &Home, metric: &str) -> PathBuf {
    home.path().join("metricc-data/views/events/tables").join(metric)
}

/// The actions of the last commit of a Delta table, each under its name.
fn last_commit(table: &Path) -> Value {
    let commits = std::fs::read_dir(table.join("_delta_log"))
        .expect("a log")
        .map(|entry| entry.expect("a file").path());
    let last = commits.filter(|path| path.extension().is_some_and(|e| e == "json")).max().expect("a commit");
    let text = std::fs::read_to_string(last).expect("text");
    let mut actions = json!({});
    for line in text.lines() {
        let action: Value = serde_json::from_str(line).expect("an action");
        for (name, what) in action.as_object().expect("an object") {
            actions[name] = what.clone();
        }
    }
    actions
}

fn rows(table: &Path) -> String {
    let path = last_commit(table)["add"]["path"].as_str().expect("a file").to_owned();
    let file = std::fs::File::open(table.join(path)).expect("the file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("a reader");
    let batches: Vec<_> = reader.map(|batch| batch.expect("rows")).collect();
    pretty_format_batches(&batches).expect("text").to_string()
}

fn until_view(node: &Node, end: u64) {
    node.until(|node| node.source()["view"] == json!([end]));
}

#[test]
fn a_view_is_also_written_as_tables_of_rows() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"50ms\"\n");
    let node = home.ready();
    for (request, end) in [(0, 5), (1, 10)] {
        let body: String = (request * 5..end).map(line).collect();
        node.post(&format!("r{request}"), &body).expect("an answer");
        until_view(&node, end);
    }
    // Tables are written after the view.
    let (money, mean) = (table(&home, "money"), table(&home, "mean_amount"));
    node.until(|_| rows(&mean).contains("4.75"));
    let expected = "\
+----------------------+----------------------+------+-------+----------+
| window_start         | window_end           | kind | value | overflow |
+----------------------+----------------------+------+-------+----------+
| 2026-04-25T00:00:00Z | 2026-04-25T01:00:00Z | low  | 21.25 |          |
| 2026-04-25T01:00:00Z | 2026-04-25T02:00:00Z | high | 26.25 |          |
+----------------------+----------------------+------+-------+----------+";
    assert_eq!(rows(&money), expected);
    assert!(rows(&mean).contains("| 4.75"), "{}", rows(&mean));
    let commit = last_commit(&money);
    let said: Value =
        serde_json::from_str(commit["commitInfo"]["userMetadata"].as_str().expect("text")).expect("JSON");
    assert_eq!((&said["frontier"], &said["metric"]), (&json!("10"), &json!("money")));
    assert_eq!(said["metric_hash"], node.get("/v1/metrics/money").json()["hash"]);
    assert!(commit["txn"]["appId"].as_str().is_some_and(|app| app.starts_with("metricc-")), "{commit}");
    assert_eq!(node.stop(), Some(0));

    // A corrupt table is rebuilt; the table of a removed metric is deleted.
    let log = money.join("_delta_log");
    for commit in std::fs::read_dir(&log).expect("a log") {
        std::fs::write(commit.expect("a file").path(), "{").expect("written");
    }
    let package = PACKAGE.replace("mean_amount = mean(amount)", "most = max(amount)");
    std::fs::write(home.path().join("events.metric"), package).expect("the package");
    let node = home.ready();
    node.post("r2", &line(10)).expect("an answer");
    until_view(&node, 11);
    node.until(|_| table(&home, "most").exists() && !table(&home, "mean_amount").exists());
    node.until(|_| rows(&money).contains("31.50"));
}

#[test]
fn a_table_says_which_values_could_not_be_computed() {
    let package = r#"
source events { at: timestamp time  n: int  m: int }
metric products = { s: sum(n * m * m), n: count() } { from events every 1h }
metric clash = count() { from events by n as value every 1h }
metric counted = count() { from events every 1h }
"#;
    let home = Home::new(package, "[batch]\nevery = \"50ms\"\n");
    let node = home.ready();
    let large = i64::MAX;
    let body = format!(
        "{{\"at\":\"2026-04-25T00:00:00Z\",\"n\":2,\"m\":3}}\n{}",
        format!("{{\"at\":\"2026-04-25T01:00:00Z\",\"n\":{large},\"m\":{large}}}\n").repeat(2)
    );
    node.post("r0", &body).expect("an answer");
    until_view(&node, 3);
    let products = table(&home, "products");
    node.until(|_| table(&home, "counted").exists() && products.exists());
    let expected = "\
+----------------------+----------------------+----+---+----------+
| window_start         | window_end           | s  | n | overflow |
+----------------------+----------------------+----+---+----------+
| 2026-04-25T00:00:00Z | 2026-04-25T01:00:00Z | 18 | 1 |          |
| 2026-04-25T01:00:00Z | 2026-04-25T02:00:00Z |    | 2 | {s: 2}   |
+----------------------+----------------------+----+---+----------+";
    assert_eq!(rows(&products), expected);
    let commit = last_commit(&products);
    let said = commit["commitInfo"]["userMetadata"].as_str().expect("text");
    let said: Value = serde_json::from_str(said).expect("JSON");
    assert_eq!(said["overflow"], json!("{\"s\":{\"rows\":1,\"events\":2}}"));
    assert!(!rows(&table(&home, "counted")).contains("overflow"));
    // Its columns would have one name.
    assert!(!table(&home, "clash").exists());
    let refused = node.get("/v1/metrics/clash?format=csv");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("`clash` would have two columns `value`"), "{}", refused.body);
    assert_eq!(node.get("/v1/metrics/clash").status, 200);
}
