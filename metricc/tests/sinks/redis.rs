//! Hashes in Redis.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::node::{METRICS, Node, PACKAGE, events, folder};
use crate::redis_server::{Answer, Redis};
use crate::{Seen, check_all, normal, until};

/// What a reader sees: the name of the version, and then its fields, which stay for a while.
fn seen(redis: &Redis, metric: &str) -> Option<Seen> {
    let name = redis.ask(&[&["GET", &format!("metricc:{metric}")]])?.remove(0).text()?;
    let Answer::List(fields) = redis.ask(&[&["HGETALL", &name]])?.remove(0) else { return None };
    let fields: Vec<String> = fields.into_iter().filter_map(Answer::text).collect();
    let mut rows = Vec::new();
    let mut state = Value::Null;
    for field in fields.chunks(2) {
        match &*field[0] {
            "frontier" => state = serde_json::from_str(&field[1]).expect("the state"),
            key => {
                let row: Value = serde_json::from_str(&field[1]).expect("a row");
                let own: Value = serde_json::from_str(key).expect("a key");
                assert_eq!((&own["key"], &own["window"]), (&row["key"], &row["window"]));
                rows.push(row.to_string());
            }
        }
    }
    rows.sort();
    let frontier = state["frontier"].as_array()?.iter().filter_map(Value::as_u64).collect();
    Some(Seen { version: state["version"].as_u64()?, frontier, rows })
}

fn check(redis: &Redis, node: &Node) {
    for metric in METRICS {
        node.until_written(metric);
        let seen = seen(redis, metric).expect("a version");
        let wanted = node.rows_at(metric, &seen.frontier, normal);
        assert!(!wanted.is_empty());
        assert_eq!(seen.rows, wanted, "{metric}");
    }
}

#[test]
fn every_state_is_of_a_whole_frontier_however_often_node_and_server_are_killed() {
    let Some(redis) = Redis::start() else { return };
    let settings =
        format!("[sinks.cache]\nevery = \"30ms\"\n[sinks.cache.redis]\nkeep = \"3s\"\n{}", redis.settings());
    let redis = Mutex::new(redis);
    let folder = folder(&settings);
    let (is_over, seen_states) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let read = seen(&redis.lock().expect("the server"), "revenue");
                seen_states.lock().expect("states").extend(read);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let mut id = 0;
        for round in 0..8u32 {
            let node = Node::start(folder.path());
            for _ in 0..(6 + round * 5 % 13) {
                until("it takes events", || node.send(&events(id..id + 20)));
                id += 20;
                std::thread::sleep(Duration::from_millis(35));
            }
            if round % 2 == 1 {
                let mut redis = redis.lock().expect("the server");
                redis.kill();
                redis.launch();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let node = Node::start(folder.path());
    let redis = redis.into_inner().expect("the server");
    check(&redis, &node);
    let mut all = seen_states.into_inner().expect("states");
    all.extend(seen(&redis, "revenue"));
    check_all(&all, &node, "revenue", normal);
    // Old versions go, and so does what was never finished; a version is kept as long as it is named.
    let names =
        || redis.ask(&[&["KEYS", "metricc:revenue:*"], &["TTL", "metricc:revenue"]]).expect("answers");
    until("old versions are gone", || {
        let unfinished = |key: &Answer| {
            let Answer::Text(name) = key else { return false };
            let left = redis.ask(&[&["TTL", name]]).expect("an answer").remove(0);
            matches!(left, Answer::Number(3..))
        };
        let Answer::List(keys) = names().remove(0) else { return false };
        keys.iter().filter(|key| !unfinished(key)).count() == 1
    });
}

#[test]
fn a_server_that_has_lost_everything_gets_everything() {
    let Some(redis) = Redis::start() else { return };
    let folder =
        folder(&format!("[sinks.cache]\nevery = \"30ms\"\n[sinks.cache.redis]\n{}", redis.settings()));
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..200)));
    check(&redis, &node);
    redis.ask(&[&["FLUSHALL"]]).expect("it is empty");
    assert!(node.send(&events(200..210)));
    until("it has the rows", || {
        seen(&redis, "revenue").is_some_and(|seen| seen.frontier.iter().sum::<u64>() == 210)
    });
    check(&redis, &node);
    drop(node);
    // Another definition: its rows alone.
    let changed =
        PACKAGE.replace("sum(amount) { from payments by", "sum(amount) { from payments where id < 3 by");
    std::fs::write(folder.path().join("p.metric"), changed).expect("the package");
    let node = Node::start(folder.path());
    node.until_written("revenue");
    let seen = seen(&redis, "revenue").expect("a version");
    assert_eq!(seen.rows, node.rows_at("revenue", &seen.frontier, normal));
    assert!(seen.rows.len() <= 3 && !seen.rows.is_empty());
}
