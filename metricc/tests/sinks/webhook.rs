//! Requests to a webhook.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::node::{METRICS, Node, PACKAGE, events, folder, kill_again_and_again};
use crate::{normal, until};

/// A server that keeps what it gets, and fails now and then: before it has it, or after.
pub(crate) struct Hook {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    /// How many requests it takes.
    limit: Arc<AtomicUsize>,
}

impl Hook {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let limit = Arc::new(AtomicUsize::new(usize::MAX));
        let (kept, most, n_requests) = (requests.clone(), limit.clone(), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, most, n_requests) = (kept.clone(), most.clone(), n_requests.clone());
                std::thread::spawn(move || while serve(&stream, &kept, (&most, &n_requests)).is_some() {});
            }
        });
        Hook { address, requests, limit }
    }

    fn settings(&self) -> String {
        format!(
            "[sinks.hook]\nevery = \"30ms\"\n[sinks.hook.webhook]\nurl = \"http://{}/in\"\nauthorization = \"env:SINK_SECRET\"\n",
            self.address
        )
    }

    /// The rows that a receiver has that drops what it has had by its key, and the last frontier.
    pub(crate) fn rows(&self, metric: &str) -> (Vec<u64>, Vec<String>) {
        let (mut frontier, mut rows) = (Vec::new(), BTreeMap::new());
        let mut known = BTreeMap::new();
        for (key, body) in
            self.requests.lock().expect("requests").iter().filter(|(_, body)| body["metric"] == metric)
        {
            if let Some(before) = known.insert(key.clone(), body.clone()) {
                assert_eq!(before, *body, "a request that is repeated is the same");
                continue;
            }
            if body["complete"] == true && body["part"] == 0 {
                rows.clear();
            }
            let offsets = |name: &str| -> Vec<u64> {
                body[name].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
            };
            if body["last"] == true {
                frontier = offsets("frontier");
            }
            for change in body["changes"].as_array().expect("changes") {
                let key = (change["key"].to_string(), change["window"].to_string());
                match &change["row"] {
                    Value::Null => {
                        assert!(rows.remove(&key).is_some(), "what is removed was there: {change}");
                    }
                    row => drop(rows.insert(key, row.to_string())),
                }
            }
        }
        let mut rows: Vec<String> = rows.into_values().collect();
        rows.sort();
        (frontier, rows)
    }
}

/// Answers a request of a connection.
fn serve(
    stream: &TcpStream,
    kept: &Mutex<Vec<(String, Value)>>,
    (limit, n_requests): (&AtomicUsize, &AtomicUsize),
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(name.to_lowercase(), value.to_owned());
        }
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let n = n_requests.fetch_add(1, Ordering::Relaxed);
    assert_eq!(headers["authorization"], "right");
    let answer = |status: &str| {
        let mut stream = stream;
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").ok()
    };
    if n % 7 == 2 || kept.lock().expect("requests").len() >= limit.load(Ordering::Relaxed) {
        return answer("503 Service Unavailable");
    }
    let body = serde_json::from_slice(&body).expect("JSON");
    kept.lock().expect("requests").push((headers["idempotency-key"].clone(), body));
    // The answer is lost.
    if n % 7 == 5 { None } else { answer("200 OK") }
}

#[test]
fn a_receiver_has_the_rows_of_the_node_however_often_it_is_killed() {
    let hook = Hook::start();
    let folder = folder(&hook.settings());
    let n_events = kill_again_and_again(folder.path(), |_, _| {});
    let node = Node::start(folder.path());
    for metric in METRICS {
        node.until_written(metric);
        let (frontier, rows) = hook.rows(metric);
        assert!(frontier.iter().sum::<u64>() <= u64::from(n_events) && !rows.is_empty());
        assert_eq!(rows, node.rows_at(metric, &frontier, normal), "{metric}");
    }
    let requests = hook.requests.lock().expect("requests");
    let n_complete =
        requests.iter().filter(|(_, body)| body["complete"] == true && body["metric"] == "revenue").count();
    assert!(n_complete <= 4, "after the first version, changes alone are sent");
    let hash = node.json("/v1/metrics/revenue")["hash"].as_str().expect("a hash").to_owned();
    assert!(requests.iter().any(|(key, _)| key.starts_with(&format!("revenue:{hash}:"))));
}

#[test]
fn another_definition_begins_with_all_rows() {
    let hook = Hook::start();
    let folder = folder(&hook.settings());
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..60)));
    node.until_written("visits");
    drop(node);
    let changed = PACKAGE.replace("session gap 2m", "session gap 40m");
    std::fs::write(folder.path().join("p.metric"), changed).expect("the package");
    let node = Node::start(folder.path());
    node.until_written("visits");
    let (frontier, rows) = hook.rows("visits");
    assert_eq!(rows, node.rows_at("visits", &frontier, normal));
}

/// A version that is changed back before it was sent as a whole has left a part of itself with the receiver.
#[test]
fn a_definition_that_is_changed_back_in_the_middle_of_a_version_leaves_no_rows_behind() {
    let hook = Hook::start();
    let folder = folder(&hook.settings());
    let package = PACKAGE.to_owned() + "metric single = count() { from payments by id }\n";
    let other = package.replace("from payments by id }", "from payments where id < 1400 by id }");
    std::fs::write(folder.path().join("p.metric"), &package).expect("the package");
    let settings = hook.settings().replace("[sinks.hook]\n", "[sinks.hook]\nmetrics = [\"single\"]\n");
    crate::node::configure(folder.path(), &settings);
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..1500)));
    node.until_written("single");
    drop(node);
    // The first of two parts of all rows arrives, and nothing after it.
    let n_taken = hook.requests.lock().expect("requests").len();
    hook.limit.store(n_taken + 1, Ordering::Relaxed);
    std::fs::write(folder.path().join("p.metric"), &other).expect("the package");
    let node = Node::start(folder.path());
    until("a part arrives", || hook.requests.lock().expect("requests").len() > n_taken);
    drop(node);
    hook.limit.store(usize::MAX, Ordering::Relaxed);
    std::fs::write(folder.path().join("p.metric"), &package).expect("the package");
    let node = Node::start(folder.path());
    until("all rows are there again", || hook.rows("single").1.len() == 1500);
    assert!(node.send(&events(1500..1510)));
    node.until_written("single");
    let (frontier, rows) = hook.rows("single");
    assert_eq!(rows, node.rows_at("single", &frontier, normal));
}

#[test]
fn a_file_that_is_removed_while_events_come_has_all_rows_sent() {
    let hook = Hook::start();
    let folder = folder(&hook.settings());
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..60)));
    node.until_written("revenue");
    let file = folder.path().join("metricc-data").join("sinks").join("hook").join("revenue.json");
    std::fs::remove_file(&file).expect("it is removed");
    let n_before = hook.requests.lock().expect("requests").len();
    assert!(node.send(&events(60..63)));
    until("all rows are sent", || {
        let requests = hook.requests.lock().expect("requests");
        let mut new = requests[n_before..].iter().map(|(_, body)| body);
        new.any(|body| body["metric"] == "revenue" && body["complete"] == true)
    });
    node.until_written("revenue");
    let (frontier, rows) = hook.rows("revenue");
    assert_eq!(rows, node.rows_at("revenue", &frontier, normal));
    assert!(file.exists());
}
