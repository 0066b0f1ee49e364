//! A node in a process of its own, whose metrics go into a sink.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::until;

/// Decimals, texts that are null, lists, floats, sessions that late events join, and a derived metric.
pub(crate) const PACKAGE: &str = r#"
source payments {
  id: int key
  at: timestamp time
  country: string?
  amount: decimal(10, 2)
}
metric revenue = sum(amount) { from payments by country every 1h }
metric orders = count() { from payments by country every 1h }
metric average = revenue / orders
metric everything = {
  n: count(), big: count() > 100, first: min(at), countries: set(country ?? "none"), most: top(2, country ?? "none")
} { from payments }
metric visits = count() { from payments by country session gap 2m }
"#;
pub(crate) const METRICS: [&str; 5] = ["revenue", "orders", "average", "everything", "visits"];

/// The rows of an answer as they stand there: the digits of a float are part of them.
#[derive(serde::Deserialize)]
struct Answer {
    rows: Vec<Box<RawValue>>,
}

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

/// A folder with the package and a configuration.
pub(crate) fn folder(sink: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("p.metric"), PACKAGE).expect("the package");
    configure(folder.path(), sink);
    folder
}

pub(crate) fn configure(folder: &Path, sink: &str) {
    let config = format!(
        "package = \"p.metric\"\n[batch]\nevery = \"700ms\"\ntables = false\n[speed]\nrefresh = \"20ms\"\n[ingest]\nseal_events = 700\n\
         [sources.payments]\npartitions = 2\n{sink}"
    );
    std::fs::write(folder.join("metricc.toml"), config).expect("the configuration");
}

pub(crate) fn metricc(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
    command.current_dir(folder).args(arguments).env("SINK_SECRET", "right").output().expect("metricc runs")
}

/// Events with the ids of a range, over 6 hours, out of order, 3 countries and none.
pub(crate) fn events(ids: std::ops::Range<u32>) -> String {
    let mut text = String::new();
    for id in ids {
        let (hour, minute) = ((id * 7 % 11) % 6, id * 31 % 60);
        let country = ["\"DE\"", "\"IN\"", "null", "\"Côte d'Ivoire, \\\"CI\\\"\\\\\""][id as usize % 4];
        let cents = id % 100;
        writeln!(
            text,
            r#"{{"id":{id},"at":"2026-04-25T{hour:02}:{minute:02}:00Z","country":{country},"amount":"{id}.{cents:02}"}}"#
        )
        .expect("a line");
    }
    text
}

impl Node {
    pub(crate) fn start(folder: &Path) -> Self {
        Node::start_with(folder, &[])
    }

    #[expect(clippy::print_stderr, reason = "its log is part of the output of a test that fails")]
    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(folder)
            .env("SINK_SECRET", "right")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the node starts");
        let mut lines = BufReader::new(process.stderr.take().expect("stderr")).lines();
        let mut said = String::new();
        let line = lines.by_ref().map_while(Result::ok).find(|line| {
            said += line;
            line.contains("http://")
        });
        let line = line.unwrap_or_else(|| panic!("it listens: {said}"));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("node: {line}")));
        let address = line.split("http://").nth(1).and_then(|rest| rest.split([',', ' ']).next());
        Node { process, address: address.expect("an address").to_owned() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn request(&self, head: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let answer = self.request(&format!("GET {path}"), "").expect("an answer");
        answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap_or_default()
    }

    /// Sends events; whether they were acknowledged.
    pub(crate) fn send(&self, events: &str) -> bool {
        let answer = self.request("POST /v1/sources/payments/events", events);
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// A metric of the only sink.
    pub(crate) fn sink(&self, metric: &str) -> Value {
        let sinks = self.json("/v1/sources");
        let metrics = sinks["sinks"][0]["metrics"].as_array().cloned().unwrap_or_default();
        metrics.into_iter().find(|found| found["metric"] == metric).unwrap_or_default()
    }

    /// Waits until the sink holds all events of a metric.
    pub(crate) fn until_written(&self, metric: &str) {
        until(&format!("`{metric}` is written: {}", self.sink(metric)), || {
            let sink = self.sink(metric);
            sink["lag"] == 0 && sink["problem"].is_null() && sink["frontier"].is_array()
        });
    }

    /// The answer at a frontier, as it is shown, sorted.
    pub(crate) fn rows_at(
        &self,
        metric: &str,
        frontier: &[u64],
        shown: impl Fn(&str) -> String,
    ) -> Vec<String> {
        let offsets: Vec<String> = frontier.iter().map(u64::to_string).collect();
        let path = format!("/v1/metrics/{metric}?at={}", offsets.join(","));
        until("the node answers", || self.json(&path)["rows"].is_array());
        let answer = self.get(&path);
        let Answer { rows } = serde_json::from_str(&answer).expect("an answer");
        let mut rows: Vec<String> = rows.iter().map(|row| shown(row.get())).collect();
        rows.sort();
        rows
    }
}

/// Starts a node round after round, sends events to it, and kills it in the middle of what it does. Returns
/// the number of events.
pub(crate) fn kill_again_and_again(folder: &Path, mut end_of_round: impl FnMut(u32, &Node)) -> u32 {
    let mut id = 0;
    for round in 0..8u32 {
        let node = Node::start(folder);
        for _ in 0..(6 + round * 5 % 13) {
            // What is not acknowledged is sent again.
            until("it takes events", || node.send(&events(id..id + 20)));
            id += 20;
            std::thread::sleep(Duration::from_millis(35));
        }
        end_of_round(round, &node);
    }
    id
}
