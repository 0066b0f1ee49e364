//! The processes of one dataflow, and the connections between them.
//!
//! Timely exchanges groups between workers of several processes over one connection for each pair of
//! processes. They are made here, since each side has to know first that the other one is part of the same
//! run: two dataflows over different logs or packages would exchange states without noticing.
//!
//! When a process dies, its connections break, and timely ends all others by a panic that starts with
//! [`LOST_PEER`]: nothing of such a run is complete, so there is nothing to go on with.

use std::any::Any;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Config, Hooks};

/// How the message of a panic begins with which a thread ends that has lost its connection.
pub const LOST_PEER: &str = "timely communication error";

/// What both sides of a connection send first, before the run and the number of the process.
const MAGIC: [u8; 8] = *b"metricc1";

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
    #[error("process {process} at {address} was not there within {seconds} s")]
    Absent {
        /// Its number.
        process: usize,
        /// Its address.
        address: String,
        /// How long this process has waited.
        seconds: u64,
    },
    /// The process that answered runs something else.
    #[error(
        "process {process} at {address} is not part of this run: its package, its log, its options or its version differ"
    )]
    OtherRun {
        /// The number that it has, or was expected to have.
        process: usize,
        /// Its address.
        address: String,
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

/// The connections of one process to all others.
#[derive(Debug)]
pub struct Peers {
    process: usize,
    sockets: Vec<Option<TcpStream>>,
}

/// Who connects to whom: the processes of a run and their addresses.
#[derive(Debug, Clone, Copy)]
pub struct Meeting<'a> {
    /// The run.
    pub run: &'a RunId,
    /// `HOST:PORT` of each process.
    pub addresses: &'a [String],
    /// The number of this process.
    pub process: usize,
    /// How long to wait for the others.
    pub within: Duration,
}

/// A greeting: who sends it, and in which run.
struct Greeting {
    run: RunId,
    process: u64,
}

impl Greeting {
    fn send(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.run);
        bytes.extend(self.process.to_le_bytes());
        stream.write_all(&bytes)
    }

    /// `None` if it is no greeting.
    fn receive(mut stream: &TcpStream) -> io::Result<Option<Self>> {
        let (mut magic, mut run, mut process) = ([0; 8], [0; 32], [0; 8]);
        stream.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Ok(None);
        }
        stream.read_exact(&mut run)?;
        stream.read_exact(&mut process)?;
        Ok(Some(Greeting { run, process: u64::from_le_bytes(process) }))
    }
}

impl Meeting<'_> {
    /// Connects this process, which listens at its own address, to all others: it calls those before it, and
    /// is called by those after it.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn connect(&self, listener: &TcpListener) -> Result<Peers, PeerError> {
        let until = Instant::now() + self.within;
        let mut sockets: Vec<Option<TcpStream>> = Vec::with_capacity(self.addresses.len());
        for process in 0..self.process {
            sockets.push(Some(self.call(process, until)?));
        }
        sockets.resize_with(self.addresses.len(), || None);
        listener.set_nonblocking(true).map_err(|cause| self.io(self.process, cause))?;
        while let Some(missing) =
            (self.process + 1..sockets.len()).find(|process| sockets[*process].is_none())
        {
            match listener.accept() {
                Ok((stream, from)) => {
                    if let Some((process, stream)) = self.greeted(stream, from)? {
                        sockets[process] = Some(stream);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.check_time(missing, until)?;
                    std::thread::sleep(PAUSE);
                }
                Err(cause) => return Err(self.io(missing, cause)),
            }
        }
        Ok(Peers { process: self.process, sockets })
    }

    fn io(&self, process: usize, cause: io::Error) -> PeerError {
        PeerError::Io { process, address: self.address(process), cause }
    }

    fn address(&self, process: usize) -> String {
        self.addresses.get(process).cloned().unwrap_or_default()
    }

    fn other_run(&self, process: usize) -> PeerError {
        PeerError::OtherRun { process, address: self.address(process) }
    }

    fn check_time(&self, process: usize, until: Instant) -> Result<(), PeerError> {
        if Instant::now() < until {
            return Ok(());
        }
        let (address, seconds) = (self.address(process), self.within.as_secs());
        Err(PeerError::Absent { process, address, seconds })
    }

    /// Connects to a process that comes before, once it listens.
    fn call(&self, process: usize, until: Instant) -> Result<TcpStream, PeerError> {
        let io = |cause| self.io(process, cause);
        let stream = loop {
            match resolved(&self.addresses[process]).and_then(TcpStream::connect) {
                Ok(stream) => break stream,
                Err(_) => {
                    self.check_time(process, until)?;
                    std::thread::sleep(PAUSE);
                }
            }
        };
        let greeting = Greeting { run: *self.run, process: self.process as u64 };
        ready(&stream).and_then(|()| greeting.send(&stream)).map_err(io)?;
        // It answers when it has come so far: it may still be calling others.
        stream.set_read_timeout(Some(self.within)).map_err(io)?;
        let answer = Greeting::receive(&stream).map_err(io)?;
        let is_right =
            answer.is_some_and(|answer| answer.run == *self.run && answer.process == process as u64);
        if !is_right {
            return Err(self.other_run(process));
        }
        stream.set_read_timeout(None).map_err(io)?;
        Ok(stream)
    }

    /// The process that has called, if it is one.
    fn greeted(&self, stream: TcpStream, from: SocketAddr) -> Result<Option<(usize, TcpStream)>, PeerError> {
        let greeting = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(GREETING_WITHIN)))
            .and_then(|()| Greeting::receive(&stream));
        // Whoever does not greet is none of them.
        let Ok(Some(greeting)) = greeting else { return Ok(None) };
        let process = usize::try_from(greeting.process).unwrap_or(usize::MAX);
        let answer = Greeting { run: *self.run, process: self.process as u64 };
        answer.send(&stream).map_err(|cause| self.io(process, cause))?;
        if greeting.run != *self.run || process <= self.process || process >= self.addresses.len() {
            return Err(PeerError::OtherRun { process, address: from.to_string() });
        }
        let io = |cause| self.io(process, cause);
        ready(&stream).and_then(|()| stream.set_read_timeout(None)).map_err(io)?;
        Ok(Some((process, stream)))
    }
}

fn resolved(address: &str) -> io::Result<SocketAddr> {
    address.to_socket_addrs()?.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Small messages are sent at once.
fn ready(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// What builds the workers of this process, and what is held as long as they run.
pub(crate) type Allocators = (Vec<AllocatorBuilder>, Box<dyn Any + Send>);

/// Workers of this process alone, or of this one and its peers.
pub(crate) fn allocators(n_workers: usize, peers: Option<Peers>) -> Result<Allocators, String> {
    let Some(Peers { process, sockets }) = peers else {
        return Config::Process(n_workers).try_build();
    };
    let hooks = Hooks::default();
    let own = ProcessBuilder::new_typed_vector(n_workers, hooks.refill.clone(), None);
    let connected = initialize_networking_from_sockets(own, sockets, process, n_workers, hooks);
    let (workers, guard) = connected.map_err(|error| error.to_string())?;
    Ok((workers.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
}
