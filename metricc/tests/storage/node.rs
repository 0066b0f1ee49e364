//! A node that keeps views and flushed events in an object store, and is restored from there.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::azurite::Azurite;
use crate::server::{Moto, without_conditions};
use crate::{metricc, text};

const PACKAGE: &str = "source events {\n  at: timestamp time\n  n: int\n}\n\
                       metric total = count() { from events }\nmetric numbers = sum(n) { from events every 1h }\n\
                       metric hourly = count() { from events every 1h }\n\
                       metric mean = numbers / hourly { }\n";
const WAIT: Duration = Duration::from_secs(120);

pub(crate) type Environment = Vec<(&'static str, String)>;

/// A node in a process of its own.
pub(crate) struct Node {
    process: Child,
    address: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    pub(crate) fn start(folder: &Path, environment: &Environment, data: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data", data])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let mut lines = BufReader::new(process.stderr.take().expect("stderr")).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = lines.by_ref().find_map(|line| {
            said = format!("{said}{line}\n");
            let address = line.split("http://").nth(1)?.split([',', ' ']).next()?;
            line.contains("serving ").then(|| address.to_owned())
        });
        // What it says later is of no interest, and must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        Node { process, address: address.unwrap_or_else(|| panic!("it listens: {said}")) }
    }

    fn request(&self, method: &str, path: &str, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let n_bytes = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {n_bytes}\r\n{head}Connection: close\r\n\r\n{body}",
            self.address
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Sends the events of a request, under its number as idempotency key.
    pub(crate) fn send(&self, number: i64, n_events: i64) -> Value {
        let events = (0..n_events).fold(String::new(), |text, n| {
            text + &format!("{{\"at\":\"2026-04-25T{:02}:00:00Z\",\"n\":{}}}\n", n % 24, number * 1_000 + n)
        });
        let head = format!("Content-Type: application/x-ndjson\r\nIdempotency-Key: r{number}\r\n");
        let answer = self.request("POST", "/v1/sources/events/events", &head, &events);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 2"), "{answer}");
        serde_json::from_str(body).expect("a receipt")
    }

    /// Sends events to a source.
    pub(crate) fn send_to(&self, source: &str, events: &str) {
        let head = "Content-Type: application/x-ndjson\r\n";
        let answer = self.request("POST", &format!("/v1/sources/{source}/events"), head, events);
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }

    /// Positions in the view of a source.
    pub(crate) fn view_of(&self, source: &str) -> u64 {
        let sources = self.sources();
        let found = sources.iter().find(|found| found["name"] == source);
        found.and_then(|found| found["view"].as_array()).into_iter().flatten().filter_map(Value::as_u64).sum()
    }

    fn source(&self) -> Value {
        self.sources().into_iter().next().unwrap_or_default()
    }

    fn sources(&self) -> Vec<Value> {
        let answer = self.request("GET", "/v1/sources", "", "");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let sources: Value = serde_json::from_str(body).unwrap_or_default();
        sources["sources"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn answer(&self, metric: &str) -> Value {
        let answer = self.request("GET", &format!("/v1/metrics/{metric}"), "", "");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }

    fn total(&self) -> Option<i64> {
        self.answer("total")["rows"][0]["value"].as_i64()
    }

    fn archived(&self) -> u64 {
        self.source()["archive"]["frontier"]
            .as_array()
            .map_or(0, |frontier| frontier.iter().filter_map(Value::as_u64).sum())
    }

    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Node) -> bool) {
        let until = Instant::now() + WAIT;
        while !is_so(self) {
            assert!(Instant::now() < until, "{what}: {} {:?}", self.source(), self.total());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What a node says that does not start.
pub(crate) fn refused(folder: &Path, environment: &Environment, data: &str) -> String {
    let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["serve", "--data", data, "--listen", "127.0.0.1:0"])
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the node starts");
    let until = Instant::now() + WAIT;
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            process.kill().unwrap();
            panic!("the node with {data} is not refused");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(2), "{said}");
    said
}

pub(crate) fn configure(folder: &Path, storage: &str) {
    configure_with(folder, storage, PACKAGE);
}

pub(crate) fn configure_with(folder: &Path, storage: &str, package: &str) {
    fs::write(folder.join("p.metric"), package).unwrap();
    let config = format!(
        "package = \"p.metric\"\nstorage = \"{storage}\"\n[batch]\nevery = \"300ms\"\n[ingest]\nseal_events = 400\n\
         [sources.events]\npartitions = 2\n"
    );
    fs::write(folder.join("metricc.toml"), config).unwrap();
}

/// A store in a process of its own, if it is one.
pub(crate) enum Server {
    Folder,
    Moto(Moto),
    Azurite { _process: Azurite },
}

/// The stores that there are here: a folder, and those of other processes.
pub(crate) fn stores(folder: &Path) -> Vec<(String, Environment, Server)> {
    let mut stores = vec![(format!("file://{}/store", folder.display()), Environment::new(), Server::Folder)];
    if let Some(moto) = Moto::start() {
        stores.push(("s3://shop/node".to_owned(), Moto::environment(moto.port), Server::Moto(moto)));
    }
    if let Some(azurite) = Azurite::start() {
        let environment = azurite.environment();
        stores.push(("az://shop/node".to_owned(), environment, Server::Azurite { _process: azurite }));
    }
    stores
}

#[test]
fn a_node_comes_up_from_its_store_alone_with_what_was_flushed() {
    let folder = tempfile::tempdir().unwrap();
    for (url, environment, _server) in stores(folder.path()) {
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), &url);
        let n_requests = 23;
        {
            let mut node = Node::start(folder.path(), &environment, "old");
            for number in 0..n_requests {
                node.send(number, 100);
                if number % 6 == 5 {
                    // Killed in the middle of batches, flushes and copies.
                    drop(node);
                    node = Node::start(folder.path(), &environment, "old");
                }
            }
            node.until("all count", |node| node.total() == Some(n_requests * 100));
            node.until("most is copied", |node| node.archived() >= 1_900);
        }
        let again = metricc(folder.path(), &environment, &["restore", "--data", "old"]);
        assert_eq!(again.status.code(), Some(2), "{}", text(&again.stderr));
        assert!(text(&again.stderr).contains("has a log, which is not replaced"), "{}", text(&again.stderr));
        let restored = metricc(folder.path(), &environment, &["restore", "--data", "new"]);
        let said = text(&restored.stderr);
        assert!(restored.status.success(), "{said}");
        let node = Node::start(folder.path(), &environment, "new");
        node.until("it answers", |node| node.total().is_some());
        let kept = node.total().unwrap();
        assert!((1_900..=n_requests * 100).contains(&kept), "{kept}");
        assert!(said.contains(&format!("{kept} positions")), "{said}");
        assert_eq!(kept < n_requests * 100, said.contains("are not there"), "{said}");
        // Clients that repeat what they have sent lose nothing, and nothing counts twice.
        for number in 0..n_requests {
            node.send(number, 100);
        }
        node.until("all count", |node| node.total() == Some(n_requests * 100));
        let expected: i64 = (0..n_requests).map(|number| number * 100_000 + 4_950).sum();
        let numbers = node.answer("numbers");
        let sum: i64 =
            numbers["rows"].as_array().unwrap().iter().map(|row| row["value"].as_i64().unwrap()).sum();
        assert_eq!(sum, expected);
        let address = format!("http://{}", node.address);
        let audit = metricc(folder.path(), &environment, &["audit", "--node", &address]);
        assert!(audit.status.success(), "{}{}", text(&audit.stdout), text(&audit.stderr));
        // The node that was lost may come back, and must not go on beside this one.
        let said = refused(folder.path(), &environment, "old");
        assert!(said.contains("has written to this log since"), "{said}");
    }
}

#[test]
fn a_source_that_a_version_brings_along_is_copied_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (url, none) = (format!("file://{}/store", folder.path().display()), Environment::new());
    configure(folder.path(), &url);
    let visits = "source visits { at: timestamp time }\nmetric seen = count() { from visits }\n";
    fs::write(folder.path().join("next.metric"), PACKAGE.to_owned() + visits).unwrap();
    let run = |node: &Node, arguments: &[&str]| {
        let address = format!("http://{}", node.address);
        let done = metricc(folder.path(), &none, &[arguments, &["--node", &address]].concat());
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    };
    let is_copied = |node: &Node, n_events: u64| {
        let sources = node.sources();
        let visits = sources.iter().find(|source| source["name"] == "visits");
        let frontier = visits.and_then(|visits| visits["archive"]["frontier"].as_array());
        frontier.is_some_and(|frontier| frontier.iter().filter_map(Value::as_u64).sum::<u64>() >= n_events)
    };
    let (event, seen) = ("{\"at\":\"2026-04-25T10:00:00Z\"}\n", |node: &Node| {
        node.answer("seen")["rows"][0]["value"].as_i64()
    });
    {
        let node = Node::start(folder.path(), &none, "old");
        run(&node, &["deploy", "next.metric"]);
        node.send_to("visits", &event.repeat(500));
        node.until("they are copied", |node| is_copied(node, 500));
    }
    let restored = metricc(folder.path(), &none, &["restore", "--data", "new"]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    // The versions were on the disk that is lost, and the file does not read it.
    let node = Node::start(folder.path(), &none, "new");
    assert_eq!(node.sources().len(), 1);
    run(&node, &["deploy", "next.metric"]);
    node.until("its events are back", |node| seen(node) == Some(500));
    node.send_to("visits", &event.repeat(500));
    node.until("copies go on", |node| is_copied(node, 1000) && seen(node) == Some(1000));
    run(&node, &["audit", "--full"]);
    let said = refused(folder.path(), &none, "old");
    assert!(said.contains("has written to this log since"), "{said}");
}

#[test]
fn restoring_says_which_sources_the_package_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (url, none) = (format!("file://{}/store", folder.path().display()), Environment::new());
    let visits = "source visits { at: timestamp time }\nmetric seen = count() { from visits }\n";
    configure_with(folder.path(), &url, &(PACKAGE.to_owned() + visits));
    {
        let node = Node::start(folder.path(), &none, "old");
        node.send(0, 500);
        node.send_to("visits", &"{\"at\":\"2026-04-25T10:00:00Z\"}\n".repeat(500));
        node.until("both are copied", |node| {
            let sources = node.sources();
            sources.len() == 2 && sources.iter().all(|source| source["archive"]["frontier"] == source["end"])
        });
    }
    let restore = |data: &str| {
        let restored = metricc(folder.path(), &none, &["restore", "--data", data]);
        assert!(restored.status.success(), "{}", text(&restored.stderr));
        text(&restored.stderr)
    };
    let said = restore("same");
    assert!(said.contains("source `visits`: 500 positions") && !said.contains("warning"), "{said}");
    let orders = "source orders { at: timestamp time }\nmetric bought = count() { from orders }\n";
    configure_with(folder.path(), &url, &(PACKAGE.to_owned() + orders));
    let said = restore("other");
    for part in [
        "source `visits`: 500 positions",
        "warning: no metric of `p.metric` reads source `visits`",
        "help: see whether `package` names",
        "source `orders`: nothing of it is in the store",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    configure_with(folder.path(), &url, "metric\n");
    assert!(
        restore("broken").contains("`p.metric` cannot be used: it has errors, which `metricc check` shows")
    );
    fs::remove_file(folder.path().join("p.metric")).unwrap();
    assert!(restore("missing").contains("warning: the log is restored, and `p.metric` cannot be used: "));
    // What nobody reads is in the log all the same.
    configure_with(folder.path(), &url, &(PACKAGE.to_owned() + visits));
    let node = Node::start(folder.path(), &none, "other");
    node.until("all count", |node| node.answer("seen")["rows"][0]["value"] == 500);
}

#[test]
fn a_store_that_is_down_holds_nothing_back() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), "s3://shop/down");
    let environment = Moto::environment(moto.port);
    let node = Node::start(folder.path(), &environment, "data");
    node.send(0, 500);
    node.until("it is copied", |node| node.archived() >= 500);
    drop(moto);
    for number in 1..6 {
        node.send(number, 500);
    }
    node.until("all count", |node| node.total() == Some(3_000));
    node.until("it says that nothing is copied", |node| node.source()["archive"]["problem"].is_string());
    let address = format!("http://{}", node.address);
    let status = metricc(folder.path(), &environment, &["status", "--node", &address]);
    assert!(text(&status.stderr).contains("are not copied to"), "{}", text(&status.stderr));
}

#[test]
fn a_store_that_overwrites_is_refused_and_so_is_that_of_another_log() {
    let folder = tempfile::tempdir().unwrap();
    for (url, environment, server) in stores(folder.path()) {
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path(), &url);
        let serve = |environment: &Environment, data: &str| refused(folder.path(), environment, data);
        if let Server::Moto(moto) = &server {
            let said = serve(&Moto::environment(without_conditions(moto.port)), "first");
            assert!(said.contains("overwrites an object") && said.contains("conditional writes"), "{said}");
        }
        let nothing = metricc(folder.path(), &environment, &["restore", "--data", "new"]);
        assert!(text(&nothing.stderr).contains("has no copy of flushed events"), "{}", text(&nothing.stderr));
        {
            let node = Node::start(folder.path(), &environment, "first");
            node.send(0, 500);
            node.until("it is copied", |node| node.archived() >= 500);
        }
        // An empty disk may be one that was lost.
        let said = serve(&environment, "second");
        assert!(said.contains("belongs to a log") && said.contains("metricc restore"), "{said}");
        configure(folder.path(), &format!("file://{}/other", folder.path().display()));
        drop(Node::start(folder.path(), &environment, "third"));
        configure(folder.path(), &url);
        let said = serve(&environment, "third");
        assert!(said.contains("belongs to another log"), "{said}");
    }
}
