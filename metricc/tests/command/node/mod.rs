//! Tests of `metricc serve`: a node in its own process, accessed over HTTP.

mod access;
mod access_log;
mod ask;
mod audit;
mod bank;
mod beside;
mod connections;
mod costs;
mod deploy;
mod deploy_diff;
mod deploy_kills;
mod deploy_limits;
mod deploy_live;
mod deploy_new_source;
mod deploy_sources;
mod deploy_words;
mod disk_failing;
mod disk_full;
mod faults;
mod folder_at_risk;
mod formats;
mod http;
mod ingest;
mod kill_loop;
mod kills;
mod large_answers;
mod many_files;
mod not_now;
mod openapi;
mod parameters;
mod past_frontiers;
#[cfg(feature = "postgres")]
mod postgres;
mod private_files;
mod questions;
mod ranges;
mod readers;
mod restart_changed;
mod sealed_rows;
mod serving;
mod slow_fsync;
mod start_errors;
mod tables;
#[cfg(feature = "tls")]
mod tls;
mod watched_folder;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Time limit of every wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running node, which is killed when it is dropped.
struct Node {
    process: Child,
    address: String,
}

/// An answer: status, headers as text, body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A folder with a package, a configuration, and the data of the node.
struct Home(TempDir);

impl Home {
    fn new(package: &str, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("events.metric"), package).expect("the package");
        let config = format!("package = \"events.metric\"\nlisten = \"127.0.0.1:0\"\n{config}");
        std::fs::write(folder.path().join("metricc.toml"), config).expect("the configuration");
        Home(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
        command.current_dir(self.path()).env("NO_COLOR", "1").env_remove("METRICC_TOKEN").arg("serve");
        command
    }

    /// Starts the node and waits until it listens.
    fn start(&self) -> Node {
        self.start_with(self.command())
    }

    fn start_with(&self, command: Command) -> Node {
        self.start_saying(command).0
    }

    /// Starts the node, and returns what it says before it listens.
    fn start_saying(&self, mut command: Command) -> (Node, Vec<String>) {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("the node starts");
        let mut lines = BufReader::new(process.stderr.take().expect("stderr")).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else { panic!("the node ended: {said:#?}") };
            if let Some((_, rest)) = line.split_once("://") {
                break rest.split(',').next().unwrap_or_default().to_owned();
            }
            said.push(line);
        };
        // Read the rest, so that the pipe does not fill up and block the node.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        (Node { process, address }, said)
    }

    /// Starts the node, and collects what it says on stderr.
    fn start_logging(&self) -> (Node, Arc<Mutex<Vec<String>>>) {
        let mut process = self.command().stderr(Stdio::piped()).spawn().expect("the node starts");
        let lines = BufReader::new(process.stderr.take().expect("stderr")).lines();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, (sender, address)) = (said.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("://") {
                    let _ = sender.send(rest.split(',').next().unwrap_or_default().to_owned());
                }
                kept.lock().expect("lines").push(line);
            }
        });
        let address = address.recv_timeout(TIMEOUT).expect("the node listens");
        (Node { process, address }, said)
    }

    /// Starts the node and waits until it serves all sources.
    fn ready(&self) -> Node {
        let node = self.start();
        node.until(|node| node.get("/readyz").status == 200);
        node
    }

    /// Runs the package over files, without a node.
    fn run(&self, files: &[PathBuf]) -> Vec<Value> {
        let folder = self.path().join("all");
        std::fs::create_dir_all(&folder).expect("a folder");
        for (index, file) in files.iter().enumerate() {
            std::fs::copy(file, folder.join(format!("{index:03}.ndjson"))).expect("a copy");
        }
        let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
            .current_dir(self.path())
            .args(["run", "events.metric", "--source", "events=all", "--output", "json"])
            .args(["--max-rejected", "100%"])
            .output()
            .expect("the command starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    }
}

/// The body in its chunks; `None` if it is not complete.
fn unchunked(mut chunks: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n")?;
        let n_bytes = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).ok()?, 16).ok()?;
        if n_bytes == 0 {
            return Some(body);
        }
        body.extend(chunks.get(end + 2..end + 2 + n_bytes)?);
        chunks = chunks.get(end + 4 + n_bytes..)?;
    }
}

impl Node {
    /// Sends a request on a new connection.
    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        // The node may close the connection after it rejects a request early.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = bytes.split_at(end.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        let (head, body) = (String::from_utf8_lossy(head).to_ascii_lowercase(), &body[4..]);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
        let body = match head.contains("transfer-encoding: chunked") {
            true => unchunked(body).ok_or(std::io::ErrorKind::UnexpectedEof)?,
            false => body.to_vec(),
        };
        Ok(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Runs a command with this node. Returns exit code, stdout and stderr.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("METRICC_NODE", format!("http://{}", self.address))
            .output()
            .expect("the command starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").expect("an answer")
    }

    /// Sends events with an idempotency key. `None` if the node is not running.
    fn post(&self, key: &str, body: &str) -> Option<Answer> {
        self.send("POST", "/v1/sources/events/events", &[("Idempotency-Key", key)], body.as_bytes()).ok()
    }

    /// The rows of a metric, and their frontier.
    fn rows(&self, metric: &str) -> (Vec<Value>, u64) {
        let answer = self.get(&format!("/v1/metrics/{metric}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        let rows = answer["rows"].as_array().expect("rows").clone();
        let frontier = answer["frontier"].as_array().expect("a frontier");
        (rows, frontier.iter().filter_map(Value::as_u64).sum())
    }

    fn source(&self) -> Value {
        self.get("/v1/sources").json()["sources"][0].clone()
    }

    fn until(&self, is_so: impl Fn(&Node) -> bool) {
        let end = Instant::now() + TIMEOUT;
        while !is_so(self) {
            assert!(Instant::now() < end, "timeout; the source is {}", self.source());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the served frontier is the end of the log.
    fn catch_up(&self) {
        self.until(|node| {
            let source = node.source();
            source["served"] == source["end"]
        });
    }

    /// Stops the node with SIGTERM. Returns the exit code.
    fn stop(mut self) -> Option<i32> {
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        self.process.wait().expect("it ends").code()
    }

    /// Kills the node.
    fn kill(mut self) {
        self.process.kill().expect("kill");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
