//! `metricc cluster local`: a scheduler and executors of this machine, each in a process of its own, that end
//! with the process that was started. An executor that is killed is replaced, since runs wait for one.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use metricc_cluster::check_scheduler;
use metricc_jobs::JobStore;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::arguments::LocalArguments;
use crate::cli::cluster::store_folder;
use crate::cli::terminal::{self, Failure, counted};

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
    let mut cluster = Local::start(arguments)?;
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
        cluster.look()?;
    }
}

/// The processes, and what executors are started with.
struct Local {
    scheduler: Process,
    executors: Vec<Process>,
    address: SocketAddr,
    store: String,
    slots: usize,
}

impl Local {
    /// Starts the scheduler, and then the executors.
    fn start(arguments: &LocalArguments) -> Result<Self, Failure> {
        let address = arguments.listen;
        let store = JobStore::in_folder(&store_folder(arguments.store.as_deref())?)?;
        check_scheduler(address)?;
        let listen = address.to_string();
        let mut scheduler = Process::start("the scheduler".to_owned(), &["scheduler", "--listen", &listen])?;
        wait_for(&mut scheduler, address)?;
        terminal::note(scheduler.told());
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = arguments.slots.map_or_else(|| n_cores.div_ceil(arguments.executors.into()), usize::from);
        let store = store.name().to_owned();
        let mut local = Local { scheduler, executors: Vec::new(), address, store, slots };
        for _ in 0..arguments.executors {
            let executor = local.executor()?;
            local.executors.push(executor);
        }
        Ok(local)
    }

    /// Starts an executor. Each has ports of its own: to the scheduler, one at a place where another has died
    /// would be the dead one.
    fn executor(&self) -> Result<Process, Failure> {
        let (scheduler, own) = (format!("df://{}", self.address), format!("127.0.0.1:{}", free_port()?));
        let slots = self.slots.to_string();
        let arguments = [
            "executor",
            "--scheduler",
            &scheduler,
            "--listen",
            &own,
            "--store",
            &self.store,
            "--slots",
            &slots,
        ];
        let executor = Process::start(format!("executor {own}"), &arguments)?;
        terminal::note(executor.told());
        Ok(executor)
    }

    /// Looks whether a process has ended. An executor that was killed gets a successor; one that has ended by
    /// itself would do so again.
    ///
    /// # Errors
    /// If runs cannot go on.
    fn look(&mut self) -> Result<(), Failure> {
        if let Some(status) = self.scheduler.look()? {
            return Err(Failure::Message(format!(
                "the scheduler {}, and the executors end with it\n  help: start `metricc cluster local` again: a run \
                 waits for it for two minutes",
                how(status)
            )));
        }
        for index in 0..self.executors.len() {
            let Some(status) = self.executors[index].look()? else { continue };
            let ended = format!("{} {}; its jobs go to others", self.executors[index].name, how(status));
            if status.signal().is_some() {
                terminal::note(format!("{ended}, and another one takes its place"));
                self.executors[index] = self.executor()?;
                continue;
            }
            let n_left = self.executors.iter().filter(|executor| executor.ended.is_none()).count();
            terminal::note(format!("{ended}: {} left", counted(n_left, "executor is", "executors are")));
            if n_left == 0 {
                let problem = "all executors have ended by themselves\n  help: see what they say above";
                return Err(Failure::Message(problem.to_owned()));
            }
        }
        Ok(())
    }
}

fn how(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was killed by signal {signal}"),
        None => "has ended".to_owned(),
    }
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
    Ok(())
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

/// Waits until stdin is closed, as it is when the process that started this one has ended.
pub(super) async fn stdin_closed() {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin();
        // Nothing is ever written; an error is an end as well.
        while matches!(stdin.read(&mut [0; 16]), Ok(1..)) {}
        drop(tell);
    });
    // The sender is dropped, and that is the news.
    let _ = told.await;
}
