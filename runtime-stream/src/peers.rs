//! The processes of one dataflow, and the connections between them.
//!
//! Timely exchanges groups between workers of several processes over one connection for each pair of
//! processes. They are made here, since each side has to know first that the other one is part of the same
//! run: two dataflows over different logs or packages would exchange states without noticing.
//!
//! When a process dies, its connections break, and timely ends all others by a panic that starts with
//! [`LOST_PEER`]: nothing of such a run is complete, so there is nothing to go on with.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Config, Hooks};

use crate::greeting::{Facts, Greeting, Unread};

/// How the message of a panic begins with which a thread ends that has lost its connection.
pub const LOST_PEER: &str = "timely communication error";

/// Pause between attempts to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a process may take for its greeting.
const GREETING_WITHIN: Duration = Duration::from_secs(10);

/// Identifies a run: its processes have equal ones.
pub type RunId = [u8; 32];

/// Why the processes of a run are not connected.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A process did not come in time.
    #[error(
        "process {process} at {address} did not connect within {seconds} s: it was not started, has ended, or cannot \
         be reached"
    )]
    Absent {
        /// Its number.
        process: usize,
        /// Its address.
        address: String,
        /// How long this process has waited.
        seconds: u64,
    },
    /// A process has ended before all others were there.
    #[error("process {process} at {address} has ended, or was killed, before the run began")]
    Ended {
        /// Its number.
        process: usize,
        /// Its address.
        address: String,
    },
    /// The process that answered runs something else.
    #[error("process {process} at {address} is not part of this run: {difference} differs")]
    OtherRun {
        /// The number that it has, or was expected to have.
        process: usize,
        /// Its address.
        address: String,
        /// What it has, and what this process has.
        difference: String,
    },
    /// The network failed.
    #[error("the connection to process {process} at {address}: {cause}")]
    Io {
        /// Its number.
        process: usize,
        /// Its address.
        address: String,
        /// What the operating system reported.
        #[source]
        cause: io::Error,
    },
}

impl PeerError {
    /// How to solve the problem.
    pub fn help(&self) -> String {
        match self {
            PeerError::Absent { process, .. } => format!(
                "see what process {process} says, and start all of them again; `--wait SECONDS` waits longer"
            ),
            PeerError::Ended { process, .. } | PeerError::Io { process, .. } => {
                format!("see what process {process} says, and start all of them again")
            }
            PeerError::OtherRun { .. } => {
                "give all of them the same command, log and version of metricc".to_owned()
            }
        }
    }
}

/// A process that is connected.
#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    card: String,
}

/// The connections of one process to all others.
#[derive(Debug)]
pub struct Peers {
    process: usize,
    all: Vec<Option<Peer>>,
}

impl Peers {
    /// The number of each other process, and what it has told.
    pub fn cards(&self) -> impl Iterator<Item = (usize, &str)> {
        let peers = self.all.iter().enumerate();
        peers.filter_map(|(process, peer)| peer.as_ref().map(|peer| (process, peer.card.as_str())))
    }
}

/// Who connects to whom: the processes of a run and their addresses.
#[derive(Debug, Clone, Copy)]
pub struct Meeting<'a> {
    /// The run.
    pub run: &'a RunId,
    /// What the processes of the run have in common, to say what differs if they do not.
    pub facts: &'a Facts,
    /// What this process tells each of the others: see [`Peers::cards`].
    pub card: &'a str,
    /// `HOST:PORT` of each process.
    pub addresses: &'a [String],
    /// The number of this process.
    pub process: usize,
    /// How long to wait for the others.
    pub within: Duration,
}

impl Meeting<'_> {
    /// Connects this process, which listens at its own address, to all others: it calls those before it, and
    /// is called by those after it.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn connect(&self, listener: &TcpListener) -> Result<Peers, PeerError> {
        let until = Instant::now() + self.within;
        let mut all: Vec<Option<Peer>> = Vec::with_capacity(self.addresses.len());
        for process in 0..self.process {
            let peer = self.call(process, until, &all)?;
            all.push(Some(peer));
        }
        all.resize_with(self.addresses.len(), || None);
        listener.set_nonblocking(true).map_err(|cause| self.io(self.process, cause))?;
        while let Some(missing) = (self.process + 1..all.len()).find(|process| all[*process].is_none()) {
            match listener.accept() {
                Ok((stream, from)) => {
                    if let Some((process, peer)) = self.greeted(stream, from)? {
                        all[process] = Some(peer);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.check(missing, until, &all)?;
                    std::thread::sleep(PAUSE);
                }
                Err(cause) => return Err(self.io(missing, cause)),
            }
        }
        Ok(Peers { process: self.process, all })
    }

    fn greeting(&self) -> Greeting {
        let (facts, card) = (self.facts.clone(), self.card.to_owned());
        Greeting { run: *self.run, process: self.process as u64, facts, card }
    }

    fn io(&self, process: usize, cause: io::Error) -> PeerError {
        PeerError::Io { process, address: self.address(process), cause }
    }

    fn address(&self, process: usize) -> String {
        self.addresses.get(process).cloned().unwrap_or_default()
    }

    fn other_run(&self, process: usize, difference: String) -> PeerError {
        PeerError::OtherRun { process, address: self.address(process), difference }
    }

    /// Whether to go on waiting for a process: there is time, and those that are connected are there.
    fn check(&self, process: usize, until: Instant, all: &[Option<Peer>]) -> Result<(), PeerError> {
        for (process, peer) in all.iter().enumerate() {
            if peer.as_ref().is_some_and(|peer| has_ended(&peer.stream)) {
                return Err(PeerError::Ended { process, address: self.address(process) });
            }
        }
        if Instant::now() < until {
            return Ok(());
        }
        let (address, seconds) = (self.address(process), self.within.as_secs());
        Err(PeerError::Absent { process, address, seconds })
    }

    /// Connects to a process that comes before, once it listens.
    fn call(&self, process: usize, until: Instant, all: &[Option<Peer>]) -> Result<Peer, PeerError> {
        let io = |cause| self.io(process, cause);
        let stream = loop {
            match resolved(&self.addresses[process]).and_then(TcpStream::connect) {
                Ok(stream) => break stream,
                Err(_) => {
                    self.check(process, until, all)?;
                    std::thread::sleep(PAUSE);
                }
            }
        };
        ready(&stream).and_then(|()| self.greeting().send(&stream)).map_err(io)?;
        // It answers when it has come so far: it may still be calling others.
        stream.set_read_timeout(Some(self.within)).map_err(io)?;
        let answer = Greeting::receive(&stream).map_err(|unread| self.unread(process, unread))?;
        if answer.run != *self.run || answer.process != process as u64 {
            return Err(self.other_run(process, answer.difference(self.facts)));
        }
        stream.set_read_timeout(None).map_err(io)?;
        Ok(Peer { stream, card: answer.card })
    }

    /// Why a process that was called has not answered with a greeting.
    fn unread(&self, process: usize, unread: Unread) -> PeerError {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
        let address = self.address(process);
        match unread {
            Unread::Version => self.other_run(process, "its version of metricc".to_owned()),
            Unread::Io(cause) => match cause.kind() {
                UnexpectedEof | ConnectionReset | BrokenPipe => PeerError::Ended { process, address },
                WouldBlock | TimedOut => {
                    PeerError::Absent { process, address, seconds: self.within.as_secs() }
                }
                _ => PeerError::Io { process, address, cause },
            },
        }
    }

    /// The process that has called, if it is one.
    fn greeted(&self, stream: TcpStream, from: SocketAddr) -> Result<Option<(usize, Peer)>, PeerError> {
        let greeting = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(GREETING_WITHIN)))
            .map_err(Unread::Io)
            .and_then(|()| Greeting::receive(&stream));
        // Whoever does not greet is none of them.
        let Ok(greeting) = greeting else { return Ok(None) };
        let process = usize::try_from(greeting.process).unwrap_or(usize::MAX);
        self.greeting().send(&stream).map_err(|cause| self.io(process, cause))?;
        if greeting.run != *self.run || process <= self.process || process >= self.addresses.len() {
            let address = self.addresses.get(process).cloned().unwrap_or_else(|| from.to_string());
            let difference = greeting.difference(self.facts);
            return Err(PeerError::OtherRun { process, address, difference });
        }
        let io = |cause| self.io(process, cause);
        ready(&stream).and_then(|()| stream.set_read_timeout(None)).map_err(io)?;
        Ok(Some((process, Peer { stream, card: greeting.card })))
    }
}

fn resolved(address: &str) -> io::Result<SocketAddr> {
    address.to_socket_addrs()?.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Whether the other side has closed a connection.
fn has_ended(stream: &TcpStream) -> bool {
    let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let is_open = match peeked {
        Ok(n_bytes) => n_bytes > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).is_err() || !is_open
}

/// Small messages are sent at once.
fn ready(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// What builds the workers of this process, and what is held as long as they run.
pub(crate) type Allocators = (Vec<AllocatorBuilder>, Box<dyn Any + Send>);

/// Workers of this process alone, or of this one and its peers.
pub(crate) fn allocators(n_workers: usize, peers: Option<Peers>) -> Result<Allocators, String> {
    let Some(Peers { process, all }) = peers else {
        return Config::Process(n_workers).try_build();
    };
    let sockets = all.into_iter().map(|peer| peer.map(|peer| peer.stream)).collect();
    let hooks = Hooks::default();
    let own = ProcessBuilder::new_typed_vector(n_workers, hooks.refill.clone(), None);
    let connected = initialize_networking_from_sockets(own, sockets, process, n_workers, hooks);
    let (workers, guard) = connected.map_err(|error| error.to_string())?;
    Ok((workers.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
}
