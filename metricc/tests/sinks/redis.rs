//! Hashes in Redis.

use std::sync::Mutex;

use serde_json::Value;

use crate::node::{METRICS, Node, PACKAGE, events, folder};
use crate::redis_server::{Answer, Redis};
use crate::{Seen, check_all, normal, until, watch_kills};

/// What a reader sees: the name of the version, and then its fields, which stay for a while.
pub(crate) fn seen(redis: &Redis, metric: &str) -> Option<Seen> {
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

pub(crate) fn check(redis: &Redis, node: &Node) {
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
    let kill = |round: u32, redis: &mut Redis| {
        if round % 2 == 1 {
            redis.kill();
            redis.launch();
        }
    };
    let mut all = watch_kills(&redis, folder.path(), kill, |redis| seen(redis, "revenue"));
    let node = Node::start(folder.path());
    let redis = redis.into_inner().expect("the server");
    check(&redis, &node);
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
