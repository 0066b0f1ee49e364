//! The processes of a cluster, started and stopped by a test.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Events;

/// How long a process may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn command(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Ports that were free a moment ago: this one and the next.
pub(crate) fn free_ports() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = first.local_addr().expect("its address").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A process of the cluster, which is killed when the test ends.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
    said: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn spawn(mut command: Command, port: u16) -> Self {
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the process starts");
        let said: Arc<Mutex<String>> = Arc::default();
        let (lines, heard) = (BufReader::new(child.stderr.take().expect("its stderr")), said.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Process { child, port, said }
    }

    /// Waits until it listens.
    pub(crate) fn ready(mut self) -> Self {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("its state");
            assert!(ended.is_none(), "the process ended: {}", self.said());
            assert!(start.elapsed() < PATIENCE, "the process does not listen: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops it as SIGKILL does.
    pub(crate) fn kill(&mut self) {
        // One that has ended is as dead.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A scheduler, executors, and their store.
pub(crate) struct Cluster {
    pub(crate) scheduler: Process,
    pub(crate) executors: Vec<Process>,
    store: tempfile::TempDir,
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
    pub(crate) duration: Duration,
}

pub(crate) fn scheduler(port: u16) -> Process {
    let arguments = ["cluster", "scheduler", "--listen", &format!("127.0.0.1:{port}")].map(str::to_owned);
    Process::spawn(command(&arguments), port).ready()
}

impl Cluster {
    /// Starts a scheduler and executors that do one job at a time.
    pub(crate) fn start(n_executors: usize) -> Self {
        let store = tempfile::tempdir().expect("a temporary folder");
        let scheduler = scheduler(free_ports());
        let mut cluster = Cluster { scheduler, executors: Vec::new(), store };
        for _ in 0..n_executors {
            cluster.add_executor();
        }
        cluster
    }

    pub(crate) fn store(&self) -> &Path {
        self.store.path()
    }

    pub(crate) fn executor_arguments(&self, port: u16) -> Vec<String> {
        let (scheduler, listen) =
            (format!("df://127.0.0.1:{}", self.scheduler.port), format!("127.0.0.1:{port}"));
        let store = self.store().to_string_lossy().into_owned();
        [
            "cluster",
            "executor",
            "--scheduler",
            &scheduler,
            "--listen",
            &listen,
            "--store",
            &store,
            "--slots",
            "1",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    pub(crate) fn add_executor(&mut self) {
        let port = free_ports();
        self.executors.push(Process::spawn(command(&self.executor_arguments(port)), port).ready());
    }

    fn run_arguments(&self, events: &Events, out: &str, job_events: usize) -> Vec<String> {
        let mut arguments = events.run(out);
        let scheduler = format!("df://127.0.0.1:{}", self.scheduler.port);
        let store = self.store().to_string_lossy().into_owned();
        let job_events = job_events.to_string();
        let more = ["--cluster", &scheduler, "--store", &store, "--job-events", &job_events];
        arguments.extend(more.map(str::to_owned));
        arguments
    }

    /// Starts a run.
    pub(crate) fn spawn(&self, events: &Events, out: &str, job_events: usize) -> Running {
        self.spawn_with(events, out, job_events, &[])
    }

    /// Starts a run with more options.
    pub(crate) fn spawn_with(&self, events: &Events, out: &str, job_events: usize, more: &[&str]) -> Running {
        let mut arguments = self.run_arguments(events, out, job_events);
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        Running::spawn(command(&arguments))
    }

    pub(crate) fn run(&self, events: &Events, out: &str, job_events: usize) -> Ended {
        self.spawn(events, out, job_events).wait()
    }

    /// The results of jobs in the store.
    pub(crate) fn results(&self) -> Vec<PathBuf> {
        results(self.store())
    }

    /// Waits until some jobs have a result.
    pub(crate) fn wait_for_results(&self, n_results: usize) {
        wait_for_results(self.store(), n_results);
    }
}

/// The results of jobs in a store.
pub(crate) fn results(store: &Path) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(store.join("runs")).into_iter().flatten().flatten();
    let files = runs.flat_map(|run| std::fs::read_dir(run.path()).into_iter().flatten().flatten());
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "json"))
        .collect()
}

/// Waits until some jobs of a store have a result.
pub(crate) fn wait_for_results(store: &Path, n_results: usize) {
    let start = Instant::now();
    while results(store).len() < n_results {
        assert!(start.elapsed() < PATIENCE, "{} results", results(store).len());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run that may not have ended.
pub(crate) struct Running {
    child: Child,
    started: Instant,
}

impl Running {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the run starts");
        Running { child, started: Instant::now() }
    }

    pub(crate) fn wait(mut self) -> Ended {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().expect("its stderr");
        pipe.read_to_string(&mut stderr).expect("stderr is text");
        let status = self.child.wait().expect("the run ends");
        Ended { status, stderr, duration: self.started.elapsed() }
    }

    /// Waits for the first line on stderr.
    pub(crate) fn first_line(&mut self) -> String {
        let (mut line, mut byte) = (Vec::new(), [0]);
        let pipe = self.child.stderr.as_mut().expect("its stderr");
        while pipe.read(&mut byte).expect("stderr is read") == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("stderr is text")
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }
}
