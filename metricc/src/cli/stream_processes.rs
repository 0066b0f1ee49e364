//! `metricc run --engine stream` in several processes, of this machine or of several.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, ToSocketAddrs};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use metricc_jobs::{JobLog, JobOptions, JobStore, PackageText, Run, RunOptions, ScratchFolder, Share};
use metricc_log::Interval;

use super::arguments::{EngineChoice, RunArguments};
use super::cluster::store_folder;
use super::stream_process::{LISTENS, LOST, Task, take_part};
use super::terminal::{self, Failure};
use crate::{Bound, Evaluation, Package};

/// How long a process of this machine may take to listen, and to find the others.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How long the others may take to end when one has failed.
const ALL_END_WITHIN: Duration = Duration::from_secs(3);

/// How often processes are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Where the processes of a run are.
pub(super) enum Processes {
    /// All on this machine, which starts them.
    Here(usize),
    /// One on each host; this is one of them.
    Hosts { addresses: Vec<String>, process: usize, wait: u64, listener: TcpListener },
}

impl Processes {
    /// The processes that the arguments ask for; `None` for this one alone.
    pub(super) fn of(arguments: &RunArguments) -> Result<Option<Self>, Failure> {
        let on = &arguments.processes;
        let name = match (&on.processes, &on.hosts) {
            (None, None) => return Ok(None),
            (Some(_), _) => "--processes",
            (None, Some(_)) => "--hosts",
        };
        if arguments.engine() != EngineChoice::Stream {
            let problem = format!("`{name}` is of the stream engine");
            return Err(Failure::Message(format!("{problem}\n  help: add `--engine stream`")));
        }
        if let Some(n_processes) = on.processes {
            return Ok(Some(Processes::Here(usize::from(n_processes))));
        }
        let file = on.hosts.as_deref().unwrap_or(Path::new(""));
        let addresses = addresses(file)?;
        let process = usize::from(on.process.unwrap_or_default());
        let Some(own) = addresses.get(process) else {
            let (shown, n) = (file.display(), addresses.len());
            return Err(Failure::Message(format!("`--process {process}`: {shown} has {n} lines, from 0 on")));
        };
        JobStore::in_folder(&store_folder(arguments.cluster.store.as_deref())?)?;
        let listener = TcpListener::bind(own).map_err(|error| {
            Failure::Message(format!("listening at {own}, line {process} of `--hosts`: {error}"))
        })?;
        Ok(Some(Processes::Hosts { addresses, process, wait: u64::from(on.wait), listener }))
    }

    /// Whether this process gets the rows.
    pub(super) fn has_rows(&self) -> bool {
        !matches!(self, Processes::Hosts { process: 1.., .. })
    }

    /// Evaluates the whole log of a source; `None` if another process has the result.
    pub(super) fn evaluate(
        &self,
        arguments: &RunArguments,
        package: &Package,
        bound: &Bound,
        bar: &ProgressBar,
    ) -> Result<Option<Evaluation>, Failure> {
        let temporary;
        let folder = match self {
            Processes::Here(_) => {
                temporary = ScratchFolder::new("metricc-processes-")?;
                temporary.path().to_owned()
            }
            Processes::Hosts { .. } => store_folder(arguments.cluster.store.as_deref())?,
        };
        let store = JobStore::in_folder(&folder)?;
        let interval = Interval::new(bound.log.start(), bound.log.end())?;
        let workers = usize::from(arguments.input.logs.workers.unwrap_or(1));
        let run = Run {
            store: &store,
            package: &PackageText::of_checked(&package.text, &package.checked)?,
            plan: &bound.plan,
            log: &JobLog::of_files(&bound.log),
            interval: &interval,
            options: &RunOptions {
                job_positions: u64::MAX,
                job: JobOptions { workers, memory_bytes: 0 },
                merge_bytes: u64::MAX,
            },
        };
        match self {
            Processes::Here(n_processes) => {
                let shares = run.shares(*n_processes)?;
                Children::start(shares.len())?.run(&folder, &shares, bar)?;
                Ok(Some(run.merged_shares(&shares)?))
            }
            Processes::Hosts { addresses, process, wait, listener } => {
                let shares = run.shares(addresses.len())?;
                let (store, addresses) = (folder.clone(), addresses.clone());
                let task = Task { store, addresses, wait: *wait, share: shares[*process].clone() };
                bar.set_length(task.share.job.n_positions());
                take_part(&task, listener, &package.imports, &|n| bar.inc(n))?;
                if *process > 0 {
                    terminal::note(format!("process {process} is done; process 0 writes the rows"));
                    return Ok(None);
                }
                wait_for_results(&run, &shares, Duration::from_secs(*wait))?;
                Ok(Some(run.merged_shares(&shares)?))
            }
        }
    }
}

/// The lines of a file of hosts.
fn addresses(file: &Path) -> Result<Vec<String>, Failure> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| Failure::Message(format!("{shown}: {error}")))?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let address = |(index, line): (usize, &str)| match line.to_socket_addrs() {
        Ok(_) => Ok(line.to_owned()),
        Err(error) => {
            let problem = format!("{shown}, line {}: `{line}` is not `HOST:PORT`: {error}", index + 1);
            Err(Failure::Message(problem))
        }
    };
    let addresses = lines.map(address).collect::<Result<Vec<_>, _>>()?;
    if addresses.is_empty() {
        return Err(Failure::Message(format!("{shown} has no lines: write a `HOST:PORT` for each process")));
    }
    for (process, address) in addresses.iter().enumerate() {
        if let Some(first) = addresses[..process].iter().position(|other| other == address) {
            return Err(Failure::Message(format!(
                "{shown} has `{address}` twice, for process {first} and process {process}\n  help: give each process a \
                 line of its own: on one host, with a port of its own"
            )));
        }
    }
    Ok(addresses)
}

/// Waits until the processes of all hosts have written what they have: they are done at about the same time.
fn wait_for_results(run: &Run<'_>, shares: &[Share], within: Duration) -> Result<(), Failure> {
    let until = Instant::now() + within;
    for share in shares {
        while !run.has_result(share)? {
            if Instant::now() > until {
                return Err(Failure::Message(format!(
                    "process {} has not written its result into the store within {} s: it has ended, or was killed\n  help: \
                     see what it says, and start all of them again",
                    share.process,
                    within.as_secs()
                )));
            }
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

/// The number of a process, and a line that it has said.
type Said = (usize, String);

/// Processes that this one has started. They are killed when they are dropped.
struct Children {
    all: Vec<Started>,
    said: Receiver<Said>,
}

struct Started {
    child: Child,
    /// It ends when this is closed.
    stdin: ChildStdin,
    errors: Option<JoinHandle<String>>,
    ended: Option<ExitStatus>,
}

impl Drop for Children {
    fn drop(&mut self) {
        for started in self.all.iter_mut().filter(|started| started.ended.is_none()) {
            // It may have ended meanwhile.
            let _ = started.child.kill();
            let _ = started.child.wait();
        }
    }
}

impl Children {
    fn start(n_processes: usize) -> Result<Self, Failure> {
        let (sender, said) = channel();
        let mut children = Children { all: Vec::with_capacity(n_processes), said };
        for process in 0..n_processes {
            children.all.push(start(process, &sender)?);
        }
        Ok(children)
    }

    /// Has each of them do its share.
    fn run(&mut self, store: &Path, shares: &[Share], bar: &ProgressBar) -> Result<(), Failure> {
        let addresses = self.addresses()?;
        for (started, share) in self.all.iter_mut().zip(shares) {
            let (store, addresses) = (store.to_owned(), addresses.clone());
            let task = Task { store, addresses, wait: START_WITHIN.as_secs(), share: share.clone() };
            let mut line = serde_json::to_string(&task)?;
            line.push('\n');
            // If it has died, its exit says more than the broken pipe.
            let _ = started.stdin.write_all(line.as_bytes()).and_then(|()| started.stdin.flush());
        }
        let mut fed = vec![0; self.all.len()];
        while self.all.iter().any(|started| started.ended.is_none()) {
            match self.said.recv_timeout(LOOK) {
                Ok((process, line)) => {
                    fed[process] = line.parse().unwrap_or(fed[process]);
                    bar.set_position(fed.iter().sum());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
            self.check()?;
        }
        Ok(())
    }

    /// The address of each process, once all of them listen.
    fn addresses(&mut self) -> Result<Vec<String>, Failure> {
        let mut ports: Vec<Option<u16>> = vec![None; self.all.len()];
        let until = Instant::now() + START_WITHIN;
        while ports.iter().any(Option::is_none) {
            if let Ok((process, line)) = self.said.recv_timeout(LOOK) {
                ports[process] = line.strip_prefix(LISTENS).and_then(|port| port.parse().ok());
            }
            self.check()?;
            if Instant::now() > until {
                let problem = format!("a process did not start within {} s", START_WITHIN.as_secs());
                return Err(Failure::Message(problem));
            }
        }
        Ok(ports.into_iter().flatten().map(|port| format!("127.0.0.1:{port}")).collect())
    }

    /// An error if one of them has failed. The others end then as well, since they lose their connections to
    /// it: the error is the one that is no consequence.
    fn check(&mut self) -> Result<(), Failure> {
        self.look()?;
        let has_failed = |started: &Started| started.ended.is_some_and(|status| !status.success());
        if !self.all.iter().any(has_failed) {
            return Ok(());
        }
        let until = Instant::now() + ALL_END_WITHIN;
        while Instant::now() < until && self.all.iter().any(|started| started.ended.is_none()) {
            std::thread::sleep(LOOK);
            self.look()?;
        }
        let is_cause = |started: &Started| {
            has_failed(started) && started.ended.and_then(|status| status.code()) != Some(LOST)
        };
        let cause = self.all.iter().position(is_cause).or_else(|| self.all.iter().position(has_failed));
        Err(self.failure(cause.unwrap_or_default()))
    }

    /// Notes which of them have ended.
    fn look(&mut self) -> Result<(), Failure> {
        for started in self.all.iter_mut().filter(|started| started.ended.is_none()) {
            started.ended = started.child.try_wait()?;
        }
        Ok(())
    }

    /// What a process has failed with.
    fn failure(&mut self, process: usize) -> Failure {
        let n_processes = self.all.len();
        let Started { ended, errors, .. } = &mut self.all[process];
        let said = errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        let said = said.trim().trim_start_matches("error: ");
        let who = format!("process {process} of {n_processes}");
        Failure::Message(match ended.and_then(|status| status.signal()) {
            Some(signal) => format!(
                "{who} was killed by signal {signal}, and the stream has ended: nothing was written\n  help: start it \
                 again; if nobody has killed it, the machine may have too little memory for so many processes"
            ),
            None if said.is_empty() => format!("{who} has ended without a word"),
            None => format!("{who}: {said}"),
        })
    }
}

/// Starts a process, and two threads that listen to it.
fn start(process: usize, said: &Sender<Said>) -> Result<Started, Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("stream-process")
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(mut stderr)) = pipes else {
        return Err(Failure::Message("a process has no pipes".to_owned()));
    };
    let said = said.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if said.send((process, line)).is_err() {
                break;
            }
        }
    });
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        // What was said before the pipe broke is what there is.
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    Ok(Started { child, stdin, errors: Some(errors), ended: None })
}
