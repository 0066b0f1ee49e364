//! One process of a stream that runs in several.
//!
//! `metricc run --processes` starts processes of this machine, which are told their shares on stdin and say
//! how far they are on stdout. With `--hosts`, `metricc run` itself is one.

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use metricc_ir::user_defined::Imports;
use metricc_jobs::{Build, JobError, JobStore, Share, Worker};
use metricc_runtime_stream::{LOST_PEER, Meeting, Peers};
use serde::{Deserialize, Serialize};

use super::terminal::{self, Failure};

/// The exit code of a process whose connection to another one has broken.
pub(super) const LOST: i32 = terminal::NOT_NOW as i32;

/// What the first line of stdout begins with; the port at which the process listens follows.
pub(super) const LISTENS: &str = "listens ";

/// How long a shared folder may take to show what another host has written.
const STORE_WITHIN: Duration = Duration::from_secs(5);

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a process of this machine is told on stdin, as a line of JSON. It ends when stdin does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// The folder of the store.
    pub(super) store: PathBuf,
    /// `HOST:PORT` of each process.
    pub(super) addresses: Vec<String>,
    /// Seconds to wait for the others.
    pub(super) wait: u64,
    /// What this process has to do.
    pub(super) share: Share,
}

/// Runs a process that `metricc run --processes` has started.
pub(super) fn run(imports: &Imports) -> Result<ExitCode, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    say(&format!("{LISTENS}{}", listener.local_addr()?.port()));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let task: Task = serde_json::from_str(&line)
        .map_err(|error| Failure::Message(format!("`metricc run --processes` starts this: {error}")))?;
    end_with_stdin();
    let mut fed = 0;
    let mut said = Instant::now();
    let progress = std::sync::Mutex::new(|n: u64| {
        fed += n;
        if said.elapsed() > Duration::from_millis(100) {
            said = Instant::now();
            say(&fed.to_string());
        }
    });
    let progress = |n| progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)(n);
    take_part(&task, &listener, imports, &progress)?;
    Ok(ExitCode::SUCCESS)
}

/// Does the share of a task. If that fails, the process has to end: the others wait for it.
pub(super) fn take_part(
    task: &Task,
    listener: &TcpListener,
    imports: &Imports,
    progress: &dyn Fn(u64),
) -> Result<(), Failure> {
    end_if_a_peer_is_lost();
    let Task { store, addresses, wait, share } = task;
    let within = Duration::from_secs(*wait);
    let (store, token) = (JobStore::in_folder(store)?, token());
    share.announce(&store, &token)?;
    let card = format!("{token} {}", store.name());
    let (run, facts, process) = (&share.run, &share.facts, share.process);
    let peers = Meeting { run, facts, card: &card, addresses, process, within }.connect(listener)?;
    check_store(share, &store, &peers)?;
    let name = format!("process {process}");
    let worker = Worker::new(&name, Build::of_this_process(), store.clone(), imports.clone());
    worker.run_share(share, peers, progress)?;
    Ok(share.retract(&store, &token)?)
}

/// A text that no other process has.
fn token() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

/// Checks that all processes have one store: this one finds there what the others have left.
fn check_store(share: &Share, store: &JobStore, peers: &Peers) -> Result<(), Failure> {
    let until = Instant::now() + STORE_WITHIN;
    for (process, card) in peers.cards() {
        let (token, theirs) = card.split_once(' ').unwrap_or((card, ""));
        while !share.has_announced(store, token)? {
            if Instant::now() > until {
                let (who, own) = (format!("process {process}"), store.name().to_owned());
                return Err(JobError::OtherStore { who, theirs: theirs.to_owned(), own }.into());
            }
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

/// A line on stdout. Whoever has started this process may be gone.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Ends this process when the one that has started it is gone.
fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut rest = String::new();
        // Nothing follows the task: this returns when stdin is closed.
        let _ = std::io::stdin().lock().read_line(&mut rest);
        std::process::exit(LOST);
    });
}

/// Timely ends a process that has lost a connection by a panic in a thread of its own. Here the process says
/// so in plain words, before any consequence.
fn end_if_a_peer_is_lost() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.starts_with(LOST_PEER)) {
            let thread = std::thread::current();
            let peer = thread.name().and_then(|name| name.rsplit('-').next()).unwrap_or("?").to_owned();
            terminal::error(&format!(
                "the connection to process {peer} broke: it has died, or cannot be reached any more\n  help: a stream in \
                 several processes ends with any of them; start all of them again"
            ));
            std::process::exit(LOST);
        }
        usual(panic);
    }));
}
