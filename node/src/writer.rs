//! Putting requests into the log: whoever waits is taken with the next write, and answered when it is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use metricc_log::durable::{DurableError, DurableLog, Receipt, Request};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::source::{Changed, NodeSource};
use crate::status::Counters;

/// The most bytes that one write takes, so that no request waits long for others.
const MAX_WRITE_BYTES: usize = 64 << 20;

/// Why a request was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// Too many wait already.
    #[error("the log is busy: {n_bytes} bytes of events wait to be written")]
    Busy {
        /// Bytes that wait.
        n_bytes: usize,
    },
    /// The source has as many groups as it may have.
    #[error(
        "the metrics of source `{origin}` have {n_groups} groups, where `speed.max_groups` allows {most}: no more events are \
         taken, so that memory does not run out"
    )]
    Groups {
        /// The source.
        origin: String,
        /// How many there are.
        n_groups: u64,
        /// How many there may be.
        most: u64,
    },
    /// The node is going down.
    #[error("the node is going down")]
    Closing,
    /// The log did not take it.
    #[error(transparent)]
    Log(Arc<DurableError>),
}

/// The way into the log. Clones lead to the same.
#[derive(Debug, Clone)]
pub struct Ingest {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something waits, or it is over.
    filled: Condvar,
    max_bytes: usize,
    /// The sources, and the groups that each may have.
    sources: Vec<Arc<NodeSource>>,
    max_groups: u64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    n_bytes: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    n_bytes: usize,
    answer: oneshot::Sender<Result<Receipt, IngestError>>,
}

impl Ingest {
    /// Starts the writer of a log. It ends when [`Ingest::close`] was called and all that waits is written.
    pub(crate) fn start(
        log: &Arc<Mutex<DurableLog>>,
        config: &Config,
        sources: &[Arc<NodeSource>],
        changed: &Arc<Changed>,
        counters: &Arc<Counters>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (max_bytes, max_groups) = (config.ingest.max_waiting_bytes, config.speed.max_groups);
        let (queue, filled, sources) = (Mutex::default(), Condvar::new(), sources.to_vec());
        let shared = Arc::new(Shared { queue, filled, max_bytes, sources, max_groups });
        let (log, changed, counters) = (log.clone(), changed.clone(), counters.clone());
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("metricc-writer".to_owned());
        let thread = thread.spawn(move || own.run(&log, &changed, &counters))?;
        Ok((Ingest { shared }, thread))
    }

    /// Puts a request into the log. Returns when it is durable.
    ///
    /// # Errors
    /// [`IngestError`] if it was not taken. Nothing of it is in the log then.
    pub async fn append(&self, request: Request) -> Result<Receipt, IngestError> {
        let n_bytes = request.events.n_bytes();
        self.shared.check_groups(&request.events.source().name)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.is_closed {
                return Err(IngestError::Closing);
            }
            if queue.n_bytes > 0 && queue.n_bytes + n_bytes > self.shared.max_bytes {
                return Err(IngestError::Busy { n_bytes: queue.n_bytes });
            }
            queue.n_bytes += n_bytes;
            queue.waiting.push_back(Waiting { request, n_bytes, answer });
        }
        self.shared.filled.notify_one();
        answered.await.unwrap_or(Err(IngestError::Closing))
    }

    /// Takes no more requests; those that wait are written.
    pub(crate) fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is served of a source has a limit; how much an event adds to it is known when it is served.
    fn check_groups(&self, name: &str) -> Result<(), IngestError> {
        let most = self.max_groups;
        match self.sources.iter().find(|source| source.name() == name).map(|source| source.n_groups()) {
            Some(n_groups) if n_groups > most => {
                Err(IngestError::Groups { origin: name.to_owned(), n_groups, most })
            }
            _ => Ok(()),
        }
    }

    fn run(&self, log: &Mutex<DurableLog>, changed: &Changed, counters: &Counters) {
        while let Some(group) = self.next_group() {
            let (requests, answers): (Vec<_>, Vec<_>) =
                group.into_iter().map(|waiting| (waiting.request, waiting.answer)).unzip();
            let results = log.lock().unwrap_or_else(PoisonError::into_inner).append(&requests);
            changed.notify();
            for (result, answer) in results.into_iter().zip(answers) {
                counters.count_append(&result);
                // Whoever asked may have gone; the events are in the log nevertheless.
                let _ = answer.send(result.map_err(IngestError::Log));
            }
        }
    }

    /// Waits for requests; none when it is over.
    fn next_group(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.lock();
        while queue.waiting.is_empty() {
            if queue.is_closed {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut group, mut n_bytes) = (Vec::new(), 0);
        while let Some(waiting) =
            queue.waiting.pop_front_if(|next| group.is_empty() || n_bytes + next.n_bytes <= MAX_WRITE_BYTES)
        {
            n_bytes += waiting.n_bytes;
            group.push(waiting);
        }
        queue.n_bytes -= n_bytes;
        Some(group)
    }
}
