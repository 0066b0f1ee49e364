//! Runs every command of the README, and compares quoted output.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{code, metricc, stderr, stdout, top};

/// The lines of all shell blocks.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(top().join("README.md")).expect("there is a README");
    let mut commands = Vec::new();
    let mut is_shell = false;
    for line in readme.lines() {
        match line {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            _ if is_shell && !line.trim().is_empty() => commands.push(line.to_owned()),
            _ => {}
        }
    }
    commands
}

/// The words of a command, of which some stand in single quotes.
fn words(command: &str) -> Vec<&str> {
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        0 => part.split(' ').filter(|word| !word.is_empty()).collect(),
        _ => vec![part],
    });
    words.collect()
}

#[test]
fn every_command_of_the_readme_works() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("payments.ndjson").display().to_string();
    let (mut n_run, mut node) = (0, None);
    let mut cluster = Cluster::new();
    for command in commands() {
        if command == "cargo test --workspace --features metricc/full" {
            // This test runs in it.
            continue;
        }
        if let Some(rest) = command.strip_prefix("cargo run -p metricc-examples -- payments ") {
            let n_records: usize =
                rest.split(' ').next().and_then(|n| n.parse().ok()).expect("a number of records");
            assert!(rest.ends_with("> payments.ndjson"), "{command}");
            let generated = metricc_examples::generate(metricc_examples::Case::Payments, n_records, 1);
            std::fs::write(&log, generated.ndjson).expect("the log is written");
        } else if let Some(rest) = command.strip_prefix("cargo run --features cluster -- ") {
            // Without the feature, such a command says that it was not built.
            if cfg!(feature = "cluster") {
                cluster.run(&rest.replace("payments=payments.ndjson", &format!("payments={log}")));
            }
        } else if let Some(rest) = command.strip_prefix("cargo run -- serve ") {
            let data = folder.path().join("node-data").display().to_string();
            let rest = rest.replace("node-data", &data);
            node = Some(serve(&rest.split(' ').collect::<Vec<_>>()));
        } else if ["ingest", "query", "ask", "audit", "deploy", "versions"]
            .iter()
            .any(|name| command.starts_with(&format!("cargo run -- {name}")))
        {
            let node = node.as_ref().expect("a `serve` command before it");
            let rest = command.trim_start_matches("cargo run -- ").replace("payments.ndjson", &log);
            let output = run_at(node, &words(&rest));
            assert_eq!(code(&output), 0, "{command}\n{}", stderr(&output));
        } else {
            let rest = command
                .strip_prefix("cargo run -- ")
                .unwrap_or_else(|| panic!("this test cannot run: {command}"));
            let rest = rest.replace("payments=payments.ndjson", &format!("payments={log}"));
            let own = folder.path().join("my-metrics").display().to_string();
            let rest = rest.replace("my-metrics", &own);
            let output = metricc(&rest.split(' ').collect::<Vec<_>>());
            assert_eq!(code(&output), 0, "{command}\n{}", stderr(&output));
            if command.contains("--output json") {
                let readme = std::fs::read_to_string(top().join("README.md")).expect("there is a README");
                let shown =
                    readme.lines().find(|line| line.starts_with("{\"metric\"")).expect("a line of output");
                assert!(
                    stdout(&output).lines().any(|line| line == shown),
                    "the README's output is not in\n{}",
                    stdout(&output)
                );
            }
        }
        n_run += 1;
    }
    assert!(n_run >= 12, "{n_run} commands");
}

/// The cluster of the README, on a port that is free and with a store of its own.
struct Cluster {
    store: tempfile::TempDir,
    port: u16,
    local: Option<Served>,
}

impl Cluster {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        Cluster { store: tempfile::tempdir().expect("a temporary folder"), port, local: None }
    }

    fn run(&mut self, rest: &str) {
        let address = format!("127.0.0.1:{}", self.port);
        let rest = rest.replace("127.0.0.1:50050", &address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
        command.args(rest.split(' ')).current_dir(top()).env("NO_COLOR", "1");
        command.arg("--store").arg(self.store.path());
        if rest == "cluster local" {
            let process = command.args(["--listen", &address]).stderr(Stdio::null()).spawn();
            self.local = Some(Served(process.expect("the process starts"), String::new()));
            return;
        }
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "the scheduler does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = command.output().expect("the command starts");
        assert_eq!(code(&output), 0, "{rest}\n{}", stderr(&output));
        assert!(stderr(&output).contains(" jobs by "), "{}", stderr(&output));
    }
}

/// A process of the README, which is killed at the end of the test.
struct Served(std::process::Child, String);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(arguments: &[&str]) -> Served {
    let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .arg("serve")
        .args(arguments)
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(top())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the node starts");
    let lines = BufReader::new(process.stderr.take().expect("stderr")).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("http://")).expect("it listens");
    let url = said.split(' ').find(|word| word.starts_with("http://")).expect("a URL");
    Served(process, url.trim_end_matches(',').to_owned())
}

fn run_at(node: &Served, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
    command
        .args(arguments)
        .current_dir(top())
        .env("METRICC_NODE", &node.1)
        .output()
        .expect("the command starts")
}

#[test]
fn the_demo_runs_both_engines_and_verifies_the_law() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = metricc(&["demo", "--keep", &folder.path().display().to_string()]);
    let (out, said) = (stdout(&output), stderr(&output));
    assert_eq!(code(&output), 0, "{said}");
    for part in
        ["Batch (DataFusion)", "Stream (timely/differential)", "Merged at the frontier", "0 differences"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(out.contains("2001-04-01T00:00:00-05:00") && out.contains("equal  punctuality"), "{out}");
    // The files that it keeps run with the command that it prints.
    let kept = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args([
            "run",
            "flights.metric",
            "--source",
            "flights=log",
            "--metric",
            "flights_total",
            "--output",
            "csv",
        ])
        .current_dir(folder.path())
        .output()
        .expect("the command starts");
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "value\n116431\n");
}
