//! The writer: the one thread that owns the durable log.
//!
//! Group commit: queued requests are appended in one write and acknowledged after the fsync. Flushes to
//! Parquet are written by batch, and committed here, between two groups. Everybody else reads snapshots of
//! the log and never waits for this thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use metricc_durable_log::{
    Archive, DurableError, DurableLog, Flush, KnownRequest, LogReader, Receipt, Request, SourceOptions,
    WrittenRequests,
};
use metricc_ir::Source;
use tokio::sync::oneshot;

use crate::changed::Changed;
use crate::config::Config;
use crate::folder_lock::FolderLock;
use crate::sources::Sources;
use crate::status::Counters;

/// The most bytes that one write takes, so that no request waits long for others.
const MAX_WRITE_BYTES: usize = 64 << 20;

/// Why a request was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// Too many requests are queued already.
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
    /// The node is shutting down.
    #[error("the node is shutting down")]
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
    /// The queue is not empty, or was closed.
    filled: Condvar,
    max_bytes: usize,
    /// The sources, and the groups that each may have.
    sources: Sources,
    max_groups: u64,
}

#[derive(Debug, Default)]
struct Queue {
    requests: VecDeque<Queued>,
    n_bytes: usize,
    commits: VecDeque<(Commit, oneshot::Sender<Result<(), DurableError>>)>,
    questions: VecDeque<Question>,
    archives: VecDeque<(String, oneshot::Sender<Option<Archive>>)>,
    is_closed: bool,
    has_panicked: bool,
}

impl Queue {
    /// Why a request has no answer. An open queue without one is that of a writer that panics just now.
    fn unanswered(&self) -> IngestError {
        if self.has_panicked || !self.is_closed {
            IngestError::Log(Arc::new(DurableError::Stopped { problem: PANICKED.to_owned() }))
        } else {
            IngestError::Closing
        }
    }
}

#[derive(Debug)]
struct Queued {
    request: Request,
    n_bytes: usize,
    answer: oneshot::Sender<Result<Receipt, IngestError>>,
}

/// Which requests of a source are in the log.
#[derive(Debug)]
struct Question {
    source: String,
    prefix: String,
    answer: oneshot::Sender<Vec<KnownRequest>>,
}

/// What the writer does next.
enum Work {
    Answer(Question),
    Archive(String, oneshot::Sender<Option<Archive>>),
    Append(Vec<Queued>),
    Commit(Commit, oneshot::Sender<Result<(), DurableError>>),
}

/// What batch, or a deployment, changes in the log, besides events.
#[derive(Debug)]
enum Commit {
    /// Files that it has written become part of the log.
    Flush(Flush),
    Requests(WrittenRequests),
    /// Events are decoded as a source is declared.
    Declaration(Arc<Source>),
    /// Events of one more source are taken.
    Source(SourceOptions),
    /// They are not: the version that brought it along was not deployed.
    NoSource(String),
}

impl Ingest {
    /// Starts the writer of a log. It ends when [`Ingest::close`] was called and the queue is empty.
    pub(crate) fn start(
        log: DurableLog,
        lock: &Arc<FolderLock>,
        config: &Config,
        sources: &Sources,
        changed: &Arc<Changed>,
        counters: &Arc<Counters>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (max_bytes, max_groups) = (config.ingest.max_waiting_bytes, config.speed.max_groups);
        let (queue, filled, sources) = (Mutex::default(), Condvar::new(), sources.clone());
        let shared = Arc::new(Shared { queue, filled, max_bytes, sources, max_groups });
        let (lock, counters) = (lock.clone(), counters.clone());
        let closing =
            Closing { shared: shared.clone(), reader: log.reader().clone(), changed: changed.clone() };
        let thread = std::thread::Builder::new().name("metricc-writer".to_owned());
        let thread = thread.spawn(move || closing.shared.run(log, &lock, &closing.changed, &counters))?;
        Ok((Ingest { shared }, thread))
    }

    /// Appends a request to the log. Returns when it is durable.
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
                return Err(queue.unanswered());
            }
            if queue.n_bytes > 0 && queue.n_bytes + n_bytes > self.shared.max_bytes {
                return Err(IngestError::Busy { n_bytes: queue.n_bytes });
            }
            queue.n_bytes += n_bytes;
            queue.requests.push_back(Queued { request, n_bytes, answer });
        }
        self.shared.filled.notify_one();
        answered.await.unwrap_or_else(|_| Err(self.shared.lock().unanswered()))
    }

    /// The requests of a source that the log remembers and whose keys begin with a text, oldest first.
    ///
    /// # Errors
    /// [`IngestError`] if the writer has ended.
    pub(crate) async fn known_requests(
        &self,
        source: &str,
        prefix: &str,
    ) -> Result<Vec<KnownRequest>, IngestError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.is_closed {
                return Err(queue.unanswered());
            }
            let (source, prefix) = (source.to_owned(), prefix.to_owned());
            queue.questions.push_back(Question { source, prefix, answer });
        }
        self.shared.filled.notify_one();
        answered.await.map_err(|_| self.shared.lock().unanswered())
    }

    /// What is flushed of a source; `None` if nothing is. Blocks the calling thread; not to be called on an
    /// async runtime.
    ///
    /// # Errors
    /// [`IngestError`] if the writer has ended.
    pub(crate) fn archive(&self, source: &str) -> Result<Option<Archive>, IngestError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.is_closed {
                return Err(queue.unanswered());
            }
            queue.archives.push_back((source.to_owned(), answer));
        }
        self.shared.filled.notify_one();
        answered.blocking_recv().map_err(|_| self.shared.lock().unanswered())
    }

    /// Commits a flush. Blocks the calling thread until it is durable; not to be called on an async runtime.
    ///
    /// # Errors
    /// [`IngestError`] if it was not committed; the rows then stay in the journal.
    pub(crate) fn commit_flush(&self, flush: Flush) -> Result<(), IngestError> {
        self.commit(Commit::Flush(flush))
    }

    /// Commits files of requests, as [`Ingest::commit_flush`] does.
    ///
    /// # Errors
    /// [`IngestError`] if they were not committed; the requests then stay in the journal.
    pub(crate) fn commit_requests(&self, written: WrittenRequests) -> Result<(), IngestError> {
        self.commit(Commit::Requests(written))
    }

    /// Has the events of a source decoded as it is declared, from here on. Blocks as [`Ingest::commit_flush`]
    /// does.
    ///
    /// # Errors
    /// [`IngestError`] if that was not made durable; they are decoded as before then.
    pub(crate) fn declare(&self, source: Arc<Source>) -> Result<(), IngestError> {
        self.commit(Commit::Declaration(source))
    }

    /// Has the log take the events of one more source. Blocks as [`Ingest::commit_flush`] does.
    ///
    /// # Errors
    /// [`IngestError`] if it cannot; see [`DurableLog::take_source`].
    pub(crate) fn take_source(&self, options: SourceOptions) -> Result<(), IngestError> {
        self.commit(Commit::Source(options))
    }

    /// Has the log take no events of a source that nobody sends any. Blocks as [`Ingest::commit_flush`] does.
    pub(crate) fn leave_source(&self, name: &str) {
        // Without a writer nothing is taken anyway.
        let _ = self.commit(Commit::NoSource(name.to_owned()));
    }

    fn commit(&self, commit: Commit) -> Result<(), IngestError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            if queue.is_closed {
                return Err(queue.unanswered());
            }
            queue.commits.push_back((commit, answer));
        }
        self.shared.filled.notify_one();
        let committed = answered.blocking_recv().map_err(|_| self.shared.lock().unanswered())?;
        committed.map_err(|error| IngestError::Log(Arc::new(error)))
    }

    /// Takes no more requests; those that are queued are written.
    pub(crate) fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.filled.notify_all();
    }
}

/// Why the log takes no events after a panic of its writer.
const PANICKED: &str = "the writer of the log panicked; its message is in the log of the node";

/// Closes the queue when the writer ends, also by a panic: nothing may wait for a writer that is not there,
/// and readers must see that the log takes no events.
struct Closing {
    shared: Arc<Shared>,
    reader: LogReader,
    changed: Arc<Changed>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.is_closed = true;
        if std::thread::panicking() {
            queue.has_panicked = true;
            self.reader.stop(PANICKED);
            self.changed.notify();
        }
        queue.requests.clear();
        queue.commits.clear();
        queue.questions.clear();
        queue.archives.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of served groups is limited; how many groups an event adds is known only when it is served.
    fn check_groups(&self, name: &str) -> Result<(), IngestError> {
        let most = self.max_groups;
        match self.sources.find(name).map(|source| source.n_groups()) {
            Some(n_groups) if n_groups > most => {
                Err(IngestError::Groups { origin: name.to_owned(), n_groups, most })
            }
            _ => Ok(()),
        }
    }

    fn run(&self, mut log: DurableLog, lock: &FolderLock, changed: &Changed, counters: &Counters) {
        while let Some(work) = self.next_work() {
            match work {
                Work::Append(group) => {
                    lock.notice_replacement();
                    let (requests, answers): (Vec<_>, Vec<_>) =
                        group.into_iter().map(|queued| (queued.request, queued.answer)).unzip();
                    let was_stopped = log.reader().snapshot().stopped().is_some();
                    let results = log.append(&requests);
                    changed.notify();
                    if let (false, Some(problem)) = (was_stopped, log.reader().snapshot().stopped()) {
                        tracing::error!(problem, "the node takes no events until it is started again");
                    }
                    for (result, answer) in results.into_iter().zip(answers) {
                        counters.count_append(&result);
                        // The client may have gone; its events are in the log nevertheless.
                        let _ = answer.send(result.map_err(IngestError::Log));
                    }
                }
                Work::Answer(Question { source, prefix, answer }) => {
                    let _ = answer.send(log.known_requests(&source, &prefix));
                }
                Work::Archive(source, answer) => {
                    let _ = answer.send(log.archive(&source));
                }
                Work::Commit(commit, answer) => {
                    let committed = match commit {
                        Commit::Flush(flush) => log.commit_flush(&flush),
                        Commit::Requests(written) => log.commit_requests(&written),
                        Commit::Declaration(source) => log.declare(&source),
                        Commit::Source(options) => log.take_source(&options),
                        Commit::NoSource(name) => {
                            log.leave_source(&name);
                            Ok(())
                        }
                    };
                    let _ = answer.send(committed);
                }
            }
        }
        if let Err(error) = log.close() {
            tracing::warn!(%error, "the end of the log could not be marked");
        }
    }

    /// Waits for work; `None` when the queue is closed and empty.
    fn next_work(&self) -> Option<Work> {
        let mut queue = self.lock();
        loop {
            if let Some((commit, answer)) = queue.commits.pop_front() {
                return Some(Work::Commit(commit, answer));
            }
            if let Some(question) = queue.questions.pop_front() {
                return Some(Work::Answer(question));
            }
            if let Some((source, answer)) = queue.archives.pop_front() {
                return Some(Work::Archive(source, answer));
            }
            if !queue.requests.is_empty() {
                break;
            }
            if queue.is_closed {
                return None;
            }
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut group, mut n_bytes) = (Vec::new(), 0);
        while let Some(queued) =
            queue.requests.pop_front_if(|next| group.is_empty() || n_bytes + next.n_bytes <= MAX_WRITE_BYTES)
        {
            n_bytes += queued.n_bytes;
            group.push(queued);
        }
        queue.n_bytes -= n_bytes;
        Some(Work::Append(group))
    }
}
