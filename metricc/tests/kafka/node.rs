//! A node whose source is a topic: each record is in its log once, whatever is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use krafka::{Compression, Record};
use serde_json::Value;

use crate::server::Server;
use crate::{metricc, text};

/// Without a key, so that nothing but the log's offsets keeps a record from counting twice.
const PACKAGE: &str = "source events {\n  at: timestamp time\n  n: int\n}\n\
                       metric total = count() { from events }\nmetric numbers = sum(n) { from events }\n";
const WAIT: Duration = Duration::from_secs(60);

/// A node in a process of its own.
pub(crate) struct Node {
    process: Child,
    pub(crate) address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .env("REGISTRY", "u:right")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let lines = BufReader::new(process.stderr.take().expect("stderr")).lines();
        let said = lines.map_while(Result::ok).find(|line| line.contains("http://")).expect("it listens");
        let address = said.split("http://").nth(1).and_then(|rest| rest.split([',', ' ']).next());
        Node { process, address: address.expect("an address").to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    pub(crate) fn topic(&self) -> Value {
        let sources: Value = serde_json::from_str(&self.get("/v1/sources")).unwrap_or_default();
        sources["sources"][0]["kafka"].clone()
    }

    pub(crate) fn lag(&self) -> Option<u64> {
        let topic = self.topic();
        let partitions = topic["partitions"].as_array().filter(|partitions| !partitions.is_empty())?;
        partitions.iter().map(|partition| partition["lag"].as_u64()).sum()
    }

    /// The value of a metric.
    fn value(&self, metric: &str) -> Option<i64> {
        let answer: Value = serde_json::from_str(&self.get(&format!("/v1/metrics/{metric}"))).ok()?;
        answer["rows"][0]["value"].as_i64()
    }

    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Node) -> bool) {
        let until = Instant::now() + WAIT;
        while !is_so(self) {
            assert!(Instant::now() < until, "{what}: {} {:?}", self.topic(), self.value("total"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn folder(server: &Server, settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("p.metric"), PACKAGE).expect("the package");
    configure(folder.path(), server, settings);
    folder
}

fn configure(folder: &Path, server: &Server, settings: &str) {
    let brokers = &server.brokers;
    let config = format!(
        "package = \"p.metric\"\n[batch]\nevery = \"400ms\"\n[ingest]\nseal_events = 500\n[sources.events]\npartitions = 2\n\
         [sources.events.kafka]\nbrokers = [\"{brokers}\"]\ntopic = \"events\"\n{settings}"
    );
    std::fs::write(folder.join("metricc.toml"), config).expect("the configuration");
}

fn record(partition: i32, n: i64) -> Record {
    let value = format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"n\":{n}}}");
    Record::new("events", value).partition(partition)
}

fn produce(server: &Server, numbers: impl IntoIterator<Item = i64>) {
    let records = numbers.into_iter().map(|n| record(i32::try_from(n % 3).expect("a partition"), n));
    server.produce(Compression::Lz4, records.collect());
}

/// A broker, and a node that has read 30 records of it, in its folder.
fn with_thirty_records() -> (Server, tempfile::TempDir, Node) {
    let server = Server::fake();
    server.create("events", 3);
    let folder = folder(&server, "");
    let node = Node::start(folder.path());
    produce(&server, 0..30);
    node.until("the first records count", |node| node.value("total") == Some(30));
    (server, folder, node)
}

#[test]
fn the_topic_of_a_source_is_read_once_a_version_brings_it_along() {
    let server = Server::fake();
    server.create("events", 3);
    let folder = folder(&server, "");
    let package = folder.path().join("p.metric");
    std::fs::rename(&package, folder.path().join("next.metric")).expect("the package");
    let first = "source others { at: timestamp time }\nmetric others_seen = count() { from others }\n";
    std::fs::write(&package, first).expect("the package");
    let start = |settings: &str| {
        configure(folder.path(), &server, settings);
        let config = folder.path().join("metricc.toml");
        let text = std::fs::read_to_string(&config).expect("the configuration");
        let later = text.replace("[sources.events]\n", "[sources.events]\ndeployed_later = true\n");
        std::fs::write(&config, later).expect("the configuration");
        Node::start(folder.path())
    };
    let deploy = |node: &Node| {
        metricc(folder.path(), &["deploy", "next.metric", "--node", &format!("http://{}", node.address)])
    };
    produce(&server, 0..30);
    let node = start("user = \"u\"\npassword = \"file:secret\"\n");
    for _ in 0..2 {
        let said = text(&deploy(&node).stderr);
        assert!(said.contains("`sources.events.kafka`: `password`"), "{said}");
        assert!(!node.get("/v1/sources").contains("\"events\""), "{}", node.get("/v1/sources"));
    }
    drop(node);
    let node = start("");
    let deployed = deploy(&node);
    assert!(deployed.status.success(), "{}", text(&deployed.stderr));
    node.until("the records before count", |node| node.value("total") == Some(30));
    drop(node);
    let node = start("");
    produce(&server, 30..60);
    node.until("those after count", |node| node.value("total") == Some(60));
}

#[test]
fn each_record_counts_once_however_often_node_and_broker_are_killed() {
    for server in Server::all() {
        server.create("events", 3);
        let folder = folder(&server, "");
        let is_done = AtomicBool::new(false);
        let n_events = 3_000i64;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for from in (0..n_events).step_by(50) {
                    produce(&server, from..from + 50);
                    if from % 300 == 0 {
                        server.transaction(vec![record(0, 1_000_000), record(1, 1_000_000)], false);
                        server
                            .produce(Compression::None, vec![Record::tombstone("events", "k").partition(2)]);
                    }
                    if from % 700 == 650 {
                        server.restart(Duration::from_millis(300));
                    }
                    std::thread::sleep(Duration::from_millis(40));
                }
                is_done.store(true, Ordering::Relaxed);
            });
            let mut n_kills = 0u64;
            while !is_done.load(Ordering::Relaxed) || n_kills < 4 {
                let node = Node::start(folder.path());
                std::thread::sleep(Duration::from_millis(150 + n_kills * 217 % 800));
                drop(node);
                n_kills += 1;
            }
        });
        let node = Node::start(folder.path());
        node.until("all records count", |node| {
            node.lag() == Some(0) && node.value("total") >= Some(n_events)
        });
        assert_eq!(node.value("total"), Some(n_events));
        assert_eq!(node.value("numbers"), Some(n_events * (n_events - 1) / 2));
        let url = format!("http://{}", node.address);
        let audit = metricc(folder.path(), &["audit", "--node", &url]);
        assert!(audit.status.success(), "{}{}", text(&audit.stdout), text(&audit.stderr));
        let status = metricc(folder.path(), &["status", "--node", &url]);
        let said = text(&status.stderr);
        assert!(said.contains("/events: 3 partitions, 0 offsets behind, at most 0 in one"), "{said}");
        let counters = node.get("/metrics");
        assert!(counters.contains("metricc_kafka_lag{source=\"events\",partition=\"2\"} 0"), "{counters}");
        assert!(counters.contains("metricc_kafka_problem{source=\"events\"} 0"), "{counters}");
    }
}

#[test]
fn a_broker_may_be_away_and_partitions_may_be_added() {
    let (server, _folder, node) = with_thirty_records();
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.crash(0);
    node.until("it says so", |node| node.topic()["problem"].is_string());
    broker.restart(0);
    broker.add_partitions("events", 4);
    server.produce(
        Compression::None,
        vec![record(3, 5), record(0, 6), Record::new("events", "no").partition(3)],
    );
    node.until("the others count", |node| node.value("total") == Some(32) && node.lag() == Some(0));
    assert_eq!(node.topic()["problem"], Value::Null);
    let rejected = node.get("/v1/sources/events/quarantine?partition=0")
        + &node.get("/v1/sources/events/quarantine?partition=1");
    assert!(rejected.contains("(topic events, partition 3, offset 1)"), "{rejected}");
}

#[test]
fn what_retention_has_removed_is_not_skipped_silently() {
    let (server, folder, node) = with_thirty_records();
    drop(node);
    produce(&server, 30..90);
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.with_state(|state| state.partition_mut("events", 1).expect("the partition").log_start_offset = 15);

    let node = Node::start(folder.path());
    node.until("it stops", |node| node.topic()["stopped"] == Value::Bool(true));
    let problem = node.topic()["problem"].as_str().expect("a problem").to_owned();
    for part in [
        "partition 1: offset 10 is no longer there; the first one is 15",
        "5 offsets are lost",
        "skip_lost = true",
    ] {
        assert!(problem.contains(part), "{problem}");
    }
    assert_eq!(node.value("total"), Some(30), "it goes on to answer");
    assert!(node.get("/metrics").contains("metricc_kafka_problem{source=\"events\"} 1"));
    drop(node);
    configure(folder.path(), &server, "skip_lost = true\n");
    let node = Node::start(folder.path());
    node.until("the records that are left count", |node| node.value("total") == Some(85));
}

#[test]
fn a_topic_that_was_made_again_is_refused() {
    let (server, folder, node) = with_thirty_records();
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.delete_topic("events");
    broker.create_topic("events", 3);
    produce(&server, 100..160);
    let is_refused = |node: &Node| {
        node.topic()["problem"].as_str().is_some_and(|problem| problem.contains("was deleted and made again"))
    };
    node.until("it is refused", is_refused);
    assert_eq!(node.value("total"), Some(30));
    drop(node);
    let node = Node::start(folder.path());
    node.until("it is refused after a start as well", is_refused);
    assert_eq!(node.topic()["stopped"], Value::Bool(true));
    assert_eq!(node.value("total"), Some(30));
}
