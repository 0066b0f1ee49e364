//! `metricc cluster local`: a scheduler and executors of this machine, each in a process of its own, that end
//! with the process that was started.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::arguments::LocalArguments;
use crate::cli::cluster::store_folder;
use crate::cli::terminal::{self, Failure};

/// How often the processes are looked at, and how long the scheduler may take to listen.
const LOOK: Duration = Duration::from_millis(100);
const START_WITHIN: Duration = Duration::from_secs(30);

/// A process of the cluster, which is killed when this is dropped.
struct Process {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It may have ended meanwhile.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Process {
    /// Starts a process that ends, at the latest, when this one does: its stdin is closed then.
    fn start(name: String, arguments: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("cluster").args(arguments).arg("--until-closed").stdin(Stdio::piped());
        Ok(Process { name, child: command.spawn()?, ended: None })
    }

    /// Notes whether it has ended; how, if that is new.
    fn look(&mut self) -> Result<Option<ExitStatus>, Failure> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
            return Ok(self.ended);
        }
        Ok(None)
    }

    fn told(&self) -> String {
        format!("{} is process {}", self.name, self.child.id())
    }
}

pub(super) async fn run(arguments: &LocalArguments) -> Result<(), Failure> {
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut processes = start(arguments)?;
    let address = format!("df://{}", arguments.listen);
    let store =
        arguments.store.as_ref().map_or_else(String::new, |store| format!(" --store {}", store.display()));
    terminal::note(format!("Give `--cluster {address}{store}` to `metricc run`. Ctrl-C ends all of them."));
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
        }
        for index in 0..processes.len() {
            if let Some(status) = processes[index].look()? {
                ended(&processes, index, status)?;
            }
        }
    }
}

/// Starts the scheduler, and then the executors.
fn start(arguments: &LocalArguments) -> Result<Vec<Process>, Failure> {
    let listen = arguments.listen.to_string();
    let store = store_folder(arguments.store.as_deref())?.to_string_lossy().into_owned();
    let mut processes =
        vec![Process::start("the scheduler".to_owned(), &["scheduler", "--listen", &listen])?];
    wait_for(&mut processes[0], arguments.listen)?;
    let scheduler = format!("df://{listen}");
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = arguments.slots.map_or_else(|| n_cores.div_ceil(arguments.executors.into()), usize::from);
    for _ in 0..arguments.executors {
        let (port, slots) = (free_port()?.to_string(), slots.to_string());
        let own = format!("127.0.0.1:{port}");
        let executor =
            ["executor", "--scheduler", &scheduler, "--listen", &own, "--store", &store, "--slots", &slots];
        processes.push(Process::start(format!("executor {own}"), &executor)?);
    }
    processes.iter().for_each(|process| terminal::note(process.told()));
    Ok(processes)
}

/// Waits until the scheduler listens.
fn wait_for(scheduler: &mut Process, address: SocketAddr) -> Result<(), Failure> {
    let until = Instant::now() + START_WITHIN;
    while TcpStream::connect(address).is_err() {
        if scheduler.look()?.is_some() || Instant::now() > until {
            return Err(Failure::Message(format!("the scheduler does not listen at {address}")));
        }
        std::thread::sleep(LOOK);
    }
    // Another process may have listened there before: then the scheduler ends at once.
    std::thread::sleep(LOOK);
    match scheduler.look()? {
        None => Ok(()),
        Some(_) => Err(Failure::Message(format!(
            "the scheduler cannot listen at {address}\n  help: choose another port with `--listen`"
        ))),
    }
}

/// A port that was free a moment ago, as the next one was: an executor uses both.
fn free_port() -> Result<u16, Failure> {
    loop {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return Ok(port);
        }
    }
}

/// Says that a process has ended.
///
/// # Errors
/// If runs cannot go on without it.
fn ended(processes: &[Process], index: usize, status: ExitStatus) -> Result<(), Failure> {
    let how = match status.signal() {
        Some(signal) => format!("was killed by signal {signal}"),
        None => "has ended".to_owned(),
    };
    let name = &processes[index].name;
    let n_left = processes.iter().skip(1).filter(|process| process.ended.is_none()).count();
    if index == 0 {
        return Err(Failure::Message(format!("{name} {how}: runs wait for another one, and then go on")));
    }
    if n_left == 0 {
        return Err(Failure::Message(format!("{name} {how}, and was the last one: runs wait for others")));
    }
    let executors = if n_left == 1 { "1 executor is" } else { &format!("{n_left} executors are") };
    terminal::note(format!("{name} {how}; its jobs go to others: {executors} left"));
    Ok(())
}

/// Ends this process when its stdin is closed, as it is when the process that started it has ended.
pub(super) fn end_when_closed() {
    std::thread::spawn(|| {
        let mut stdin = std::io::stdin();
        // Nothing is ever written; an error is an end as well.
        while matches!(stdin.read(&mut [0; 16]), Ok(1..)) {}
        std::process::exit(0);
    });
}
