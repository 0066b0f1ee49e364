//! What a sink has lost is written again, and two nodes with copies of one log do not mix.

use std::path::Path;
use std::process::Command;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use krafka::admin::DeleteTopicsOptions;
use metricc_sinks::{
    Change, Changes, RedisSettings, RedisSink, Rows, Secret, Sink, SinkError, Stored, Version,
};

use crate::node::{Node, PACKAGE, configure, events, folder};
use crate::postgres_server::Postgres;
use crate::redis_server::Redis;
use crate::server::Server;
use crate::{Seen, kafka, normal, postgres, redis, redis_server, until};

/// Waits until a metric in a sink is as the node answers.
fn until_right(what: &str, node: &Node, seen: impl Fn() -> Option<Seen>, shown: impl Fn(&str) -> String) {
    until(what, || {
        let Some(seen) = seen() else { return false };
        let n_positions: u64 = seen.frontier.iter().sum();
        let end = node.json("/v1/sources")["sources"][0]["end"].clone();
        let end: u64 = end.as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64).sum();
        n_positions == end && seen.rows == node.rows_at("revenue", &seen.frontier, &shown)
    });
}

#[test]
fn what_postgres_has_lost_it_gets_again_with_and_without_new_events() {
    let Some(server) = Postgres::start() else { return };
    let folder = folder(&postgres::settings(&server));
    let node = Node::start(folder.path());
    let mut n_events = 200;
    assert!(node.send(&events(0..n_events)));
    let seen = || postgres::seen(&server, "revenue");
    let shown = |row: &str| postgres::shown("revenue", row);
    until_right("it is written", &node, seen, shown);
    // The server ends a statement that waits for a write of the node, which waits for it.
    for loss in [
        "DROP TABLE metricc.revenue",
        "TRUNCATE metricc.revenue",
        "DELETE FROM metricc.metricc_frontiers WHERE metric = 'revenue'",
        "DROP TABLE metricc.metricc_frontiers",
        "DROP SCHEMA metricc CASCADE",
    ] {
        until("it is lost", || server.query(loss).is_some());
        until_right(loss, &node, seen, shown);
        until("it is lost", || server.query(loss).is_some());
        assert!(node.send(&events(n_events..n_events + 3)));
        n_events += 3;
        until_right(loss, &node, seen, shown);
    }
}

#[test]
fn a_table_that_is_locked_does_not_keep_others_from_being_written() {
    let Some(server) = Postgres::start() else { return };
    let folder = folder(&postgres::settings(&server));
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..20)));
    node.until_written("revenue");
    node.until_written("orders");
    let mut lock = server.spawn("BEGIN; LOCK TABLE metricc.revenue; SELECT pg_sleep(50)");
    until("it is locked", || {
        server.query("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'").as_deref()
            != Some("0")
    });
    assert!(node.send(&events(20..30)));
    until("others are written", || node.sink("orders")["lag"] == 0 && node.sink("visits")["lag"] == 0);
    until("it says so", || {
        node.sink("revenue")["problem"].as_str().is_some_and(|said| said.contains("lock timeout"))
    });
    assert!(node.sink("orders")["problem"].is_null());
    // It may have ended.
    let _ = lock.kill();
    let _ = lock.wait();
    server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()");
    node.until_written("revenue");
}

#[test]
fn a_table_that_is_emptied_while_it_is_written_gets_all_rows() {
    let Some(server) = Postgres::start() else { return };
    let folder = folder(&postgres::settings(&server));
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..200)));
    let seen = || postgres::seen(&server, "revenue");
    let shown = |row: &str| postgres::shown("revenue", row);
    until_right("it is written", &node, seen, shown);
    // It is committed after the node has begun to write.
    let mut emptied = server.spawn("BEGIN; TRUNCATE metricc.revenue; SELECT pg_sleep(2); COMMIT");
    until("it is locked", || {
        server.query("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'").as_deref()
            != Some("0")
    });
    assert!(node.send(&events(200..203)));
    assert!(emptied.wait().expect("psql ends").success());
    until_right("it was emptied", &node, seen, shown);
}

#[test]
fn a_table_that_the_server_has_written_anew_is_still_of_its_node() {
    let Some(server) = Postgres::start() else { return };
    let first = folder(&postgres::settings(&server));
    let node = Node::start(first.path());
    assert!(node.send(&events(0..60)));
    node.until_written("revenue");
    drop(node);
    let before = postgres::seen(&server, "revenue").expect("a table").version;
    server.query("VACUUM FULL metricc.revenue").expect("it is written anew");
    let second = folder(&postgres::settings(&server));
    let node = Node::start(second.path());
    assert!(node.send(&events(0..10)));
    until("the rows of another node are left alone", || {
        let problem = node.sink("revenue")["problem"].as_str().map(str::to_owned).unwrap_or_default();
        problem.contains("of the log of another node") && problem.contains("remove the row of `revenue` in ")
    });
    drop(node);
    // The definition changes at the same time.
    let changed = PACKAGE
        .replace("metric revenue = sum(amount) {", "metric revenue = { value: max(amount), n: count() } {");
    let changed =
        changed.replace("metric average = revenue / orders", "metric average = revenue.value / orders");
    std::fs::write(first.path().join("p.metric"), changed).expect("the package");
    let node = Node::start(first.path());
    node.until_written("revenue");
    let statement = "SELECT version FROM metricc.metricc_frontiers WHERE metric = 'revenue'";
    let after: u64 = server.query(statement).and_then(|text| text.parse().ok()).expect("a number");
    assert!(after > before, "{before}, and then {after}");
    let n_rows = server.query("SELECT count(n) FROM metricc.revenue").expect("it has the new column");
    assert_ne!(n_rows, "0");
}

#[test]
fn a_node_that_has_lost_its_log_writes_its_rows_again() {
    let Some(server) = Redis::start() else { return };
    let sink = format!("[sinks.cache]\nevery = \"30ms\"\n[sinks.cache.redis]\n{}", server.settings());
    let folder = folder(&sink);
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..100)));
    node.until_written("revenue");
    drop(node);
    let before = redis::seen(&server, "revenue").expect("a version").version;
    std::fs::remove_dir_all(folder.path().join("metricc-data").join("log")).expect("the log is lost");
    let node = Node::start_with(folder.path(), &["--accept-loss"]);
    assert!(node.send(&events(100..120)));
    until_right("it goes on", &node, || redis::seen(&server, "revenue"), normal);
    assert!(redis::seen(&server, "revenue").expect("a version").version > before);
}

#[test]
fn what_redis_has_lost_it_gets_again_with_and_without_new_events() {
    let Some(mut server) = Redis::start() else { return };
    let sink = format!("[sinks.cache]\nevery = \"30ms\"\n[sinks.cache.redis]\n{}", server.settings());
    let folder = folder(&sink);
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..200)));
    until_right("it is written", &node, || redis::seen(&server, "revenue"), normal);
    server.ask(&[&["FLUSHALL"]]).expect("it is empty");
    until_right("it was emptied", &node, || redis::seen(&server, "revenue"), normal);
    let name = server.ask(&[&["GET", "metricc:revenue"]]).expect("a name").remove(0).text().expect("a name");
    server.ask(&[&["DEL", &name]]).expect("a version is evicted");
    until_right("a version was evicted", &node, || redis::seen(&server, "revenue"), normal);
    let name = server.ask(&[&["GET", "metricc:revenue"]]).expect("a name").remove(0).text().expect("a name");
    let row = server.ask(&[&["HKEYS", &name]]).expect("fields");
    let redis_server::Answer::List(fields) = &row[0] else { panic!("fields") };
    let field = fields.iter().filter_map(|field| field.clone().text()).find(|field| field.starts_with('{'));
    server.ask(&[&["HDEL", &name, &field.expect("a row")]]).expect("a row is gone");
    until_right("a row was removed", &node, || redis::seen(&server, "revenue"), normal);
    // A server that comes back without its data.
    server.kill();
    server.forget();
    server.launch();
    until_right("it has forgotten", &node, || redis::seen(&server, "revenue"), normal);
    server.ask(&[&["SET", "other", "x"], &["SET", "metricc:revenue", "other"]]).expect("it is set");
    until("a key of another program is left alone", || {
        node.sink("revenue")["problem"].as_str().is_some_and(|said| said.contains("metricc has not written"))
    });
    assert!(node.send(&events(200..203)));
    assert_eq!(
        server.ask(&[&["TTL", "other"]]).expect("an answer").remove(0),
        redis_server::Answer::Number(-1)
    );
}

/// Rows of which a part is lost while they are written.
struct Lost<'a> {
    server: &'a Redis,
    parts: Vec<Change>,
}

impl Changes for Lost<'_> {
    fn next(&mut self) -> Result<Option<Change>, SinkError> {
        let part = self.parts.pop();
        if self.parts.len() == 1 {
            self.server.ask(&[&["FLUSHALL"]]).expect("it is empty");
        }
        Ok(part)
    }
}

#[test]
fn a_version_that_loses_rows_while_it_is_built_is_not_named() {
    let Some(server) = Redis::start() else { return };
    let rows = |n: usize| {
        let columns = RecordBatch::new_empty(std::sync::Arc::new(Schema::empty()));
        let json = vec![format!("{{\"metric\":\"m\",\"key\":{{\"k\":{n}}},\"window\":null,\"value\":1}}")];
        Change::Written(Rows { columns, json, is_bare: true })
    };
    let settings = RedisSettings {
        url: format!("redis://127.0.0.1:{}", server.port),
        user: None,
        password: Some(Secret("right".to_owned())),
        prefix: "p".to_owned(),
        keep: std::time::Duration::from_secs(1),
        ca: None,
    };
    let next = Stored {
        hash: "h".to_owned(),
        epoch: "e".to_owned(),
        frontier: vec![3],
        version: 1,
        id: "i".to_owned(),
    };
    let schema = std::sync::Arc::new(Schema::empty());
    let version = Version { metric: "m".to_owned(), base: None, next, is_complete: true, schema, n_keys: 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut sink = RedisSink::new(settings).expect("the settings");
    let mut changes = Lost { server: &server, parts: vec![rows(1), rows(2), rows(3)] };
    let written = runtime.block_on(async {
        sink.held("m").await.expect("nothing");
        sink.write(&version, &mut changes).await
    });
    let said = written.expect_err("a row is lost").to_string();
    assert!(said.contains("has lost rows while it was written"), "{said}");
    assert_eq!(server.ask(&[&["GET", "p:m"]]).expect("an answer").remove(0), redis_server::Answer::Null);
    let left = server.ask(&[&["KEYS", "p:*"]]).expect("an answer").remove(0);
    assert_eq!(left, redis_server::Answer::List(Vec::new()), "what was built in vain is removed");
    server.ask(&[&["LPUSH", "p:m", "x"]]).expect("a key of another program");
    let said = runtime.block_on(sink.held("m")).expect_err("it is refused").to_string();
    assert!(said.contains("key `p:m` has another type") && said.contains("`UNLINK p:m`"), "{said}");
}

#[test]
fn a_topic_that_is_made_again_gets_all_rows_and_is_of_one_log() {
    let server = Server::fake();
    server.create("changes", 3);
    let first = folder(&kafka::settings(&server));
    let mut node = Node::start(first.path());
    assert!(node.send(&events(0..60)));
    kafka::check(&server, &node);
    // Another node with another name of the sink.
    let second = folder(&kafka::settings(&server).replace("sinks.changes", "sinks.other"));
    let other = Node::start(second.path());
    assert!(other.send(&events(0..10)));
    until("it is refused", || {
        other.sink("revenue")["problem"]
            .as_str()
            .is_some_and(|said| said.contains("of the log of another node"))
    });
    drop(other);
    kafka::check(&server, &node);
    for restarts in [false, true] {
        let admin = server.kafka();
        let deleted = server.runtime.block_on(async {
            admin.admin().delete_topics(["changes"], DeleteTopicsOptions::default()).await
        });
        deleted.expect("it is deleted");
        server.create("changes", 3);
        if restarts {
            drop(node);
            node = Node::start(first.path());
        }
        kafka::check(&server, &node);
        assert!(node.send(&events(60..63)));
        kafka::check(&server, &node);
    }
}

/// A node at the state of a copy of its folder goes another way, with other events at the same offsets.
#[test]
fn a_copy_of_a_node_writes_all_rows() {
    let Some(server) = Redis::start() else { return };
    let sink = format!("[sinks.cache]\nevery = \"30ms\"\n[sinks.cache.redis]\n{}", server.settings());
    let first = folder(&sink);
    let one_partition = |folder: &Path| {
        configure(folder, &sink);
        let config = std::fs::read_to_string(folder.join("metricc.toml")).expect("the configuration");
        std::fs::write(folder.join("metricc.toml"), config.replace("partitions = 2", "partitions = 1"))
            .expect("it");
    };
    one_partition(first.path());
    let node = Node::start(first.path());
    assert!(node.send(&events(0..100)));
    node.until_written("revenue");
    drop(node);
    let copy = tempfile::tempdir().expect("a folder");
    let copied =
        Command::new("cp").arg("-a").arg(format!("{}/.", first.path().display())).arg(copy.path()).status();
    assert!(copied.expect("cp runs").success());
    let node = Node::start(first.path());
    assert!(node.send(&events(1000..1010)));
    node.until_written("revenue");
    drop(node);
    let node = Node::start(copy.path());
    assert!(node.send(&events(100..140)));
    node.until_written("revenue");
    until_right("the rows are those of the copy", &node, || redis::seen(&server, "revenue"), normal);
}
