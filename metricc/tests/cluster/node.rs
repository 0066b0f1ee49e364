//! F43: a node whose batch a cluster evaluates, with and without the cluster.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Events;
use super::processes::{Cluster, Process, command, scheduler};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// A node over the events of a test.
struct Node {
    process: Process,
    address: String,
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Node {
    fn start(events: &Events, cluster: &Cluster) -> Self {
        let config = format!(
            "package = \"payments.metric\"\nlisten = \"127.0.0.1:0\"\ndata = \"data\"\n\
             [batch]\nevery = \"300ms\"\ncluster = \"df://127.0.0.1:{}\"\nstore = {:?}\n\
             [ingest]\nseal_events = 2000\n[sources.payments]\npartitions = 2\n",
            cluster.scheduler.port,
            cluster.store()
        );
        let file = events.path().join("metricc.toml");
        std::fs::write(&file, config).expect("the configuration is written");
        let arguments = ["serve".to_owned(), file.to_string_lossy().into_owned()];
        let process = Process::spawn(command(&arguments), 0);
        let address = |said: &str| {
            let (_, after) = said.split_once("http://")?;
            Some(format!("http://{}", after.split(',').next()?))
        };
        until("the start of the node", || address(&process.said()).is_some());
        let address = address(&process.said()).expect("an address");
        Node { process, address }
    }

    fn metricc(&self, arguments: &[&str]) -> (String, String) {
        let arguments = [arguments, &["--node", &self.address]].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let done = command(&arguments).output().expect("the command starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&done.stdout), text(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {stderr}\n{}", self.process.said());
        (stdout, stderr)
    }

    /// Sends a file of the log; returns when answers have its events.
    fn ingest(&self, events: &Events, file: &str) {
        let file = events.log().join(file).to_string_lossy().into_owned();
        self.metricc(&["ingest", "--source", "payments", &file, "--max-rejected", "50%"]);
    }

    fn source(&self) -> Value {
        let host = self.address.trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).expect("the node listens");
        let request = format!("GET /v1/sources HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).expect("the request is sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        body["sources"][0].clone()
    }

    fn positions(&self, of: &str) -> u64 {
        self.source()[of].as_array().into_iter().flatten().filter_map(Value::as_u64).sum()
    }

    /// Recomputes everything from the log, here, and compares.
    fn audit(&self) {
        let (stdout, _) = self.metricc(&["audit", "--full"]);
        assert!(!stdout.is_empty());
    }
}

#[test]
fn f43_a_node_has_its_batch_evaluated_and_goes_on_without_the_cluster() {
    let events = Events::new(30_000);
    let mut cluster = Cluster::start(2);
    let node = Node::start(&events, &cluster);
    node.ingest(&events, "a.ndjson");
    // What is flushed is evaluated by executors; the journal never is.
    until("the view", || node.positions("view") >= 8000);
    assert!(!cluster.results().is_empty(), "executors have done it");
    assert!(node.positions("view") <= node.positions("end"));
    assert_eq!(node.source()["cluster"]["problem"], Value::Null);
    node.audit();
    // Without the scheduler, the view stays, and answers have all events.
    cluster.scheduler.kill();
    let viewed = node.positions("view");
    node.ingest(&events, "b.csv");
    assert_eq!(node.positions("served"), node.positions("end"));
    until("the node to notice", || node.source()["cluster"]["problem"].is_string());
    let (_, stderr) = node.metricc(&["status"]);
    let scheduler_name = format!("the cluster df://127.0.0.1:{} did not evaluate", cluster.scheduler.port);
    assert!(stderr.contains(&scheduler_name), "{stderr}");
    assert!(node.process.said().contains("does not evaluate"), "{}", node.process.said());
    assert!(node.positions("view") <= viewed.max(10_000));
    // With another one in its place, the view goes on.
    cluster.scheduler = scheduler(cluster.scheduler.port);
    until("the view", || node.positions("view") >= 18_000);
    until("the problem to be over", || node.source()["cluster"]["problem"].is_null());
    node.ingest(&events, "c.ndjson");
    node.audit();
}
