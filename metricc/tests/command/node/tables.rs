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

/// The actions of the last commit of a Delta table, each under its name; `None` while it is rebuilt.
fn find_last_commit(table: &Path) -> Option<Value> {
    let commits = std::fs::read_dir(table.join("_delta_log")).ok()?;
    let commits = commits.map(|entry| entry.expect("a file").path());
    let last = commits.filter(|path| path.extension().is_some_and(|e| e == "json")).max()?;
    let text = std::fs::read_to_string(last).ok()?;
    let mut actions = json!({});
    for line in text.lines() {
        let action: Value = serde_json::from_str(line).ok()?;
        for (name, what) in action.as_object()? {
            actions[name] = what.clone();
        }
    }
    Some(actions)
}

fn last_commit(table: &Path) -> Value {
    find_last_commit(table).expect("a commit")
}

fn find_rows(table: &Path) -> Option<String> {
    let path = find_last_commit(table)?["add"]["path"].as_str()?.to_owned();
    let file = std::fs::File::open(table.join(path)).ok()?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).ok()?.build().ok()?;
    let batches: Vec<_> = reader.collect::<Result<_, _>>().ok()?;
    Some(pretty_format_batches(&batches).expect("text").to_string())
}

fn rows(table: &Path) -> String {
    find_rows(table).expect("rows")
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
    node.until(|_| find_rows(&mean).is_some_and(|rows| rows.contains("4.75")));
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
    node.until(|_| find_rows(&money).is_some_and(|rows| rows.contains("31.50")));
}

/// A node with a view of ten events and its tables, stopped.
fn with_tables(config: &str) -> Home {
    let home = Home::new(PACKAGE, config);
    let node = home.ready();
    for request in 0..2u64 {
        let body: String = (request * 5..request * 5 + 5).map(line).collect();
        node.post(&format!("r{request}"), &body).expect("an answer");
        until_view(&node, request * 5 + 5);
    }
    node.until(|_| find_rows(&table(&home, "mean_amount")).is_some_and(|rows| rows.contains("4.75")));
    assert_eq!(node.stop(), Some(0));
    home
}

#[test]
fn f36_a_damaged_table_is_rebuilt_at_the_start_without_new_events() {
    let home = with_tables("[batch]\nevery = \"50ms\"\n");
    let (money, mean) = (table(&home, "money"), table(&home, "mean_amount"));
    let expected = (rows(&money), rows(&mean));
    for name in ["_delta_log/00000000000000000001.json", "_delta_log/00000000000000000000.json", "part-"] {
        let files = std::fs::read_dir(money.join("_delta_log"))
            .expect("a log")
            .chain(std::fs::read_dir(&money).expect("a table"));
        let paths = files
            .map(|file| file.expect("a file").path())
            .filter(|path| path.to_string_lossy().contains(name));
        let path = paths.max().expect("the file");
        let mut bytes = std::fs::read(&path).expect("bytes");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).expect("written");
        let node = home.ready();
        // The table is made anew, so its history is short.
        node.until(|_| {
            std::fs::read(&path).map_or(true, |now| now != bytes) && money.join("_delta_log").exists()
        });
        node.until(|_| find_rows(&money).as_ref() == Some(&expected.0));
        assert_eq!(node.stop(), Some(0));
    }
    assert_eq!(rows(&mean), expected.1);
}

#[test]
fn tables_follow_versions_that_were_deleted_or_put_back() {
    let home = with_tables("[batch]\nevery = \"50ms\"\n");
    let (money, versions) = (table(&home, "money"), home.path().join("metricc-data/views/events/versions"));
    let older = home.path().join("older");
    let copy = |from: &Path, to: &Path| {
        assert!(std::process::Command::new("cp").arg("-r").args([from, to]).status().expect("cp").success());
    };
    copy(&versions, &older);
    let node = home.ready();
    for (number, end) in [(10, 11), (11, 12)] {
        node.post(&format!("s{number}"), &line(number)).expect("an answer");
        until_view(&node, end);
    }
    assert_eq!(node.stop(), Some(0));
    for step in 0..2u64 {
        std::fs::remove_dir_all(&versions).expect("versions");
        if step == 1 {
            copy(&older, &versions);
        }
        let node = home.ready();
        node.post(&format!("t{step}"), &line(20 + step)).expect("an answer");
        until_view(&node, 13 + step);
        // 20 to 25 for the even ones, and so on: the table has what the node answers.
        let all: Vec<String> = node
            .rows("money")
            .0
            .iter()
            .map(|row| row["value"].as_str().expect("a decimal").to_owned())
            .collect();
        node.until(|_| {
            let rows = find_rows(&money).unwrap_or_default();
            all.iter().all(|value| rows.contains(value.as_str()))
        });
        assert_eq!(node.stop(), Some(0));
    }
}

#[test]
fn tables_of_new_metrics_are_there_at_once_and_those_of_removed_ones_are_gone() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"1h\"\n");
    let node = home.ready();
    // There are no events yet.
    node.until(|_| table(&home, "money").exists() && table(&home, "mean_amount").exists());
    assert_eq!(last_commit(&table(&home, "money")).get("add"), None);
    node.post("r0", &(0..5).map(line).collect::<String>()).expect("an answer");
    assert_eq!(node.stop(), Some(0));
    let package = PACKAGE.replace("mean_amount = mean(amount)", "most = max(amount)");
    std::fs::write(home.path().join("events.metric"), package).expect("the package");
    let node = home.ready();
    node.until(|_| table(&home, "most").exists() && !table(&home, "mean_amount").exists());
    node.until(|_| find_rows(&table(&home, "most")).is_some_and(|rows| rows.contains("4.25")));
    assert_eq!(node.stop(), Some(0));
    // No metric reads the source any more.
    let other = "source others { at: timestamp time }\nmetric n = count() { from others }\n";
    std::fs::write(home.path().join("events.metric"), other).expect("the package");
    let node = home.ready();
    node.until(|_| !table(&home, "most").exists() && !table(&home, "money").exists());
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
    let is_written = |table: &Path, value: &str| find_rows(table).is_some_and(|rows| rows.contains(value));
    node.until(|_| is_written(&table(&home, "counted"), "2026") && is_written(&products, "2026"));
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

/// Few events make many rows where windows overlap. Such a table would take all memory, so there is none.
#[test]
fn windows_that_overlap_too_much_have_no_table() {
    let package = "
        source events { at: timestamp time  kind: int }
        metric short = count() { from events by kind over last 10s step 1s }
        metric long = count() { from events by kind over last 49999s step 1s }
    ";
    let home = Home::new(package, "[batch]\nevery = \"50ms\"\n");
    let node = home.ready();
    let line = |kind: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"kind\":{kind}}}\n");
    node.post("few", &(0..3).map(line).collect::<String>()).expect("an answer");
    until_view(&node, 3);
    node.until(|_| find_last_commit(&table(&home, "long")).is_some());
    node.post("many", &(3..40).map(line).collect::<String>()).expect("an answer");
    until_view(&node, 40);
    node.until(|_| !table(&home, "long").exists());
    node.until(|_| find_rows(&table(&home, "short")).is_some_and(|rows| rows.contains("| 39")));
    let answer = node.get("/v1/metrics/long?key.kind=39&limit=1").json();
    assert_eq!(answer["rows"][0]["value"], json!(1), "{answer}");
    assert_eq!(node.stop(), Some(0));
}

/// The frontier of the last version of a table.
fn frontier(table: &Path) -> Option<String> {
    let said = find_last_commit(table)?["commitInfo"]["userMetadata"].as_str()?.to_owned();
    let said: Value = serde_json::from_str(&said).ok()?;
    Some(said["frontier"].as_str()?.to_owned())
}

/// The same, and its rows.
fn values(table: &Path) -> Option<(String, String)> {
    Some((frontier(table)?, find_rows(table)?))
}

#[test]
fn derived_metrics_have_tables_too_even_of_several_sources() {
    let package = "source events { at: timestamp time  kind: enum(\"low\", \"high\")  amount: decimal(12, 2) }\n\
                   source visits { at: timestamp time }\n\
                   metric sales = count() { from events every 1h }\n\
                   metric money = sum(amount) { from events every 1h }\n\
                   metric arrivals = count() { from visits every 1h }\n\
                   metric average = money / sales { }\n\
                   metric rate = sales / arrivals { }\n";
    let home = Home::new(package, "[batch]\nevery = \"50ms\"\n");
    let node = home.ready();
    node.until(|_| frontier(&table(&home, "rate")).as_deref() == Some("0,0"));
    let body: String = (0..6).map(line).collect();
    node.post("r0", &body).expect("an answer");
    let average = table(&home, "average");
    node.until(|_| {
        values(&average).is_some_and(|(frontier, rows)| frontier == "6" && rows.contains("| 2.25 "))
    });
    // Events of the other source alone bring the table to a new frontier.
    let answer = node.send("POST", "/v1/sources/visits/events", &[], b"{\"at\":\"2026-04-25T00:10:00Z\"}\n");
    assert_eq!(answer.expect("an answer").status, 200);
    node.until(|_| values(&table(&home, "rate")).is_some_and(|(frontier, _)| frontier == "6,1"));
    let (_, rows) = values(&table(&home, "rate")).expect("rows");
    let expected = "\
+----------------------+----------------------+-------+
| window_start         | window_end           | value |
+----------------------+----------------------+-------+
| 2026-04-25T00:00:00Z | 2026-04-25T01:00:00Z | 3.0   |
| 2026-04-25T01:00:00Z | 2026-04-25T02:00:00Z |       |
+----------------------+----------------------+-------+";
    assert_eq!(rows, expected);
    assert_eq!(node.stop(), Some(0));

    // One that is damaged is rebuilt at the start; that of a removed metric is deleted.
    std::fs::remove_dir_all(average.join("_delta_log")).expect("a log");
    let without = package.replace("metric rate = sales / arrivals { }\n", "");
    std::fs::write(home.path().join("events.metric"), without).expect("the package");
    let node = home.ready();
    node.until(|_| {
        values(&average).is_some_and(|(frontier, rows)| frontier == "6" && rows.contains("| 2.25 "))
    });
    node.until(|_| !table(&home, "rate").exists());
}

/// The names of the threads of a process, and how far the priority of each is lowered.
#[cfg(target_os = "linux")]
fn threads(pid: u32) -> Vec<(String, i32)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    let thread = |folder: PathBuf| {
        let name = std::fs::read_to_string(folder.join("comm")).ok()?.trim().to_owned();
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        let nice = stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()?;
        Some((name, nice))
    };
    threads.filter_map(|entry| thread(entry.ok()?.path())).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_batch_needs_for_files_are_not_those_of_answers() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"50ms\"\n");
    let node = home.ready();
    node.post("r", &line(0)).expect("an answer");
    until_view(&node, 1);
    node.until(|_| find_rows(&table(&home, "money")).is_some());
    let threads = threads(node.process.id());
    let nice_of = |start: &str| -> Vec<i32> {
        threads.iter().filter(|(name, _)| name.starts_with(start)).map(|(_, nice)| *nice).collect()
    };
    let process = nice_of("metricc")[0];
    let answers = nice_of("tokio-rt-worker");
    assert!(answers.len() > 1 && answers.iter().all(|nice| *nice == process), "{threads:?}");
    let stores = nice_of("metricc-store");
    assert!(stores.len() > 1 && stores.iter().all(|nice| *nice == (process + 12).min(19)), "{threads:?}");
}
