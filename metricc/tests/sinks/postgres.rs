//! Tables in PostgreSQL.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::node::{METRICS, Node, PACKAGE, configure, events, folder, metricc};
use crate::postgres_server::Postgres;
use crate::{Seen, check_all, until, watch_kills};

const TIME: &str = "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'";

/// The columns of a metric as the JSON of a node has them.
fn columns(metric: &str) -> String {
    let time = |column: &str| format!("to_char({column} AT TIME ZONE 'UTC', {TIME})");
    let windows = || format!("'start', {}, 'end', {}", time("window_start"), time("window_end"));
    match metric {
        "everything" => {
            format!("'n', n, 'big', big, 'first', {}, 'countries', countries, 'most', most", time("first"))
        }
        "orders" | "visits" => format!("{}, 'country', country, 'value', value", windows()),
        _ => format!("{}, 'country', country, 'value', value::text", windows()),
    }
}

/// The same of a row of the node.
pub(crate) fn shown(metric: &str, row: &str) -> String {
    let digits = row.rsplit_once("\"value\":").and_then(|(_, rest)| rest.strip_suffix('}'));
    let row: Value = serde_json::from_str(row).expect("JSON");
    if metric == "everything" {
        return row["value"].to_string();
    }
    let (window, country) = (&row["window"], &row["key"]["country"]);
    // Floats are numbers in JSON, and the test compares texts.
    let value = match &row["value"] {
        Value::Number(number) if number.is_f64() => json!(digits.map(|digits| digits.trim_end_matches(".0"))),
        value => value.clone(),
    };
    json!({ "start": window["start"], "end": window["end"], "country": country, "value": value }).to_string()
}

/// Frontier and rows of a metric, in one snapshot of the database.
pub(crate) fn seen(postgres: &Postgres, metric: &str) -> Option<Seen> {
    let columns = columns(metric);
    let statement = format!(
        "SELECT json_build_object('version', version, 'frontier', frontier, 'rows', (SELECT coalesce(json_agg(json_build_object({columns})), \
         '[]') FROM metricc.\"{metric}\")) FROM metricc.metricc_frontiers WHERE metric = '{metric}'"
    );
    let text = postgres.query(&statement)?;
    let read: Value = serde_json::from_str(&text).ok()?;
    let frontier = read["frontier"].as_array()?.iter().filter_map(Value::as_u64).collect();
    let mut rows: Vec<String> = read["rows"].as_array()?.iter().map(Value::to_string).collect();
    rows.sort();
    Some(Seen { version: read["version"].as_u64()?, frontier, rows })
}

pub(crate) fn check(postgres: &Postgres, node: &Node) {
    for metric in METRICS {
        node.until_written(metric);
        let seen = seen(postgres, metric).expect("a table");
        let wanted = node.rows_at(metric, &seen.frontier, |row| shown(metric, row));
        assert!(!wanted.is_empty());
        assert_eq!(seen.rows, wanted, "{metric}");
    }
}

pub(crate) fn settings(postgres: &Postgres) -> String {
    format!("[sinks.reports]\nevery = \"50ms\"\n[sinks.reports.postgres]\n{}", postgres.settings())
}

#[test]
fn tables_are_the_answers_at_their_frontier_while_the_server_comes_and_goes() {
    let Some(mut postgres) = Postgres::start() else { return };
    let folder = folder(&settings(&postgres));
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..200)));
    check(&postgres, &node);
    // What does not change is not written again.
    let changed = "SELECT count(DISTINCT xmin::text) FROM metricc.revenue";
    assert!(node.send(&events(200..204)));
    check(&postgres, &node);
    assert_eq!(postgres.query(changed).as_deref(), Some("2"), "four rows of the second version");

    postgres.stop_at_once();
    for from in (204..900).step_by(12) {
        assert!(node.send(&events(from..from + 12)), "the node does not wait for the sink");
    }
    until("it says so", || node.sink("revenue")["problem"].is_string());
    let status = metricc(folder.path(), &["status", "--node", &node.url()]);
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    assert!(said.contains(" not written: cannot connect to PostgreSQL at "), "{said}");
    assert!(node.get("/metrics").contains("metricc_sink_problem{sink=\"reports\",metric=\"revenue\"} 1"));
    let version = node.sink("revenue")["version"].as_u64().expect("a version");
    postgres.launch();
    check(&postgres, &node);
    let after = seen(&postgres, "revenue").expect("a table").version;
    assert!(after <= version + 3, "the changes of that time are one write: {version} to {after}");

    let status = metricc(folder.path(), &["status", "--node", &node.url()]);
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    assert!(said.contains("`average`: frontier ") && said.contains(", 0 positions behind, "), "{said}");
    let counters = node.get("/metrics");
    assert!(
        counters.contains("metricc_sink_lag_positions{sink=\"reports\",metric=\"visits\"} 0"),
        "{counters}"
    );
}

#[test]
fn every_state_is_of_a_whole_frontier_however_often_node_and_server_are_killed() {
    let Some(postgres) = Postgres::start() else { return };
    let postgres = Mutex::new(postgres);
    let folder = folder(&settings(&postgres.lock().expect("the server")));
    let kill = |round: u32, postgres: &mut Postgres| {
        if round % 3 == 1 {
            postgres.stop_at_once();
            postgres.launch();
        }
    };
    let mut all = watch_kills(&postgres, folder.path(), kill, |postgres| seen(postgres, "revenue"));
    let node = Node::start(folder.path());
    let postgres = postgres.into_inner().expect("the server");
    check(&postgres, &node);
    all.extend(seen(&postgres, "revenue"));
    check_all(&all, &node, "revenue", |row| shown("revenue", row));
}

#[test]
fn tables_of_others_are_refused_and_those_of_other_definitions_rewritten() {
    let Some(postgres) = Postgres::start() else { return };
    postgres.query("CREATE SCHEMA metricc; CREATE TABLE metricc.revenue (x int)").expect("a table");
    let first = folder(&settings(&postgres));
    let node = Node::start(first.path());
    assert!(node.send(&events(0..100)));
    until("it is refused", || {
        let problem = node.sink("revenue")["problem"].as_str().map(str::to_owned).unwrap_or_default();
        problem.contains("table \"metricc\".\"revenue\" has other columns (x integer)")
            && problem.contains("rename or drop the table, or set another `schema`")
    });
    node.until_written("orders");
    postgres.query("DROP TABLE metricc.revenue").expect("it is dropped");
    check(&postgres, &node);
    drop(node);

    // Another type, and fewer rows.
    let changed = PACKAGE.replace(
        "metric revenue = sum(amount) { from payments by country every 1h }",
        "metric revenue = { value: max(amount), n: count() } { from payments where country == \"DE\" by country every 1h }",
    );
    let changed =
        changed.replace("metric average = revenue / orders", "metric average = revenue.value / orders");
    std::fs::write(first.path().join("p.metric"), changed).expect("the package");
    postgres.query("CREATE ROLE reader; GRANT SELECT ON metricc.revenue TO reader").expect("a right");
    let node = Node::start(first.path());
    node.until_written("revenue");
    until("the node answers", || node.json("/v1/metrics/revenue")["rows"].is_array());
    let n_rows = node.json("/v1/metrics/revenue")["rows"].as_array().expect("rows").len();
    let rows = postgres.query("SELECT count(*), count(n) FROM metricc.revenue WHERE country = 'DE'");
    assert_eq!(rows, Some(format!("{n_rows}|{n_rows}")));
    assert_eq!(postgres.query("SELECT count(*) FROM metricc.revenue"), Some(n_rows.to_string()));
    let right = postgres.query("SELECT has_table_privilege('reader', 'metricc.revenue', 'SELECT')");
    assert_eq!(right.as_deref(), Some("t"), "rights stay");
    drop(node);

    let second = folder(&settings(&postgres));
    let node = Node::start(second.path());
    assert!(node.send(&events(0..10)));
    until("the rows of another node are left alone", || {
        let problem = node.sink("orders")["problem"].as_str().map(str::to_owned).unwrap_or_default();
        problem.contains("of the log of another node")
    });
    configure(second.path(), &(settings(&postgres) + "schema = \"second\"\n"));
    drop(node);
    let node = Node::start(second.path());
    node.until_written("orders");
    assert_ne!(postgres.query("SELECT count(*) FROM second.orders").as_deref(), Some("0"));
}

#[test]
fn what_a_user_may_not_do_and_what_a_table_lacks_is_said() {
    let Some(postgres) = Postgres::start() else { return };
    let statement = "CREATE ROLE writer LOGIN; CREATE SCHEMA metricc AUTHORIZATION writer; \
                     REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC";
    postgres.query(statement).expect("a user");
    let folder = folder(&settings(&postgres).replace("//postgres@", "//writer@"));
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..20)));
    let says = |part: &str| {
        until(part, || node.sink("revenue")["problem"].as_str().is_some_and(|said| said.contains(part)));
    };
    says("grant the user of `url` TEMPORARY on the database");
    postgres.query("GRANT TEMPORARY ON DATABASE postgres TO writer").expect("a right");
    node.until_written("revenue");
    postgres.query("ALTER TABLE metricc.revenue DROP CONSTRAINT \"revenue key\"").expect("it has the name");
    assert!(node.send(&events(20..23)));
    says("ADD PRIMARY KEY (metricc_key)");
    postgres.query("ALTER TABLE metricc.revenue ADD PRIMARY KEY (metricc_key)").expect("a key");
    node.until_written("revenue");
}
