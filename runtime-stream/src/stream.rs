//! A running dataflow as a value: feed rows, read segments, drop it.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use arrow::array::RecordBatch;
use metricc_compiler::{CompileError, Segment, SourcePlan};
use metricc_log::{Batch, Frontier, Interval, LogError};
use timely::communication::WorkerGuards;

use crate::dataflow::Time;
use crate::read::PendingRead;
use crate::worker::{Command, Failures, Progress, run};

/// Micro-batches that wait to be combined before feeding waits.
const IN_FLIGHT: u64 = 8;

/// Full micro-batches after which an epoch ends although nobody reads, so that a read never has much left to do.
const EPOCH_BATCHES: usize = 64;

/// How to run; never what comes out.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Timely workers, one thread each; at least 1.
    pub workers: usize,
    /// Rows of a full micro-batch; at least 1. What is kept before it goes on is a small multiple of it.
    pub batch_rows: usize,
}

impl Default for StreamOptions {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        StreamOptions { workers, batch_rows: 65_536 }
    }
}

/// Why the stream layer gave no result.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A metric could not be rendered or evaluated.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A batch was fed that does not continue its partition.
    #[error("partition {partition} is fed from offset {from}, but {position}")]
    Order {
        /// Its partition.
        partition: u32,
        /// Its first offset.
        from: u64,
        /// Where the stream is instead.
        position: String,
    },
    /// A worker could not be started, or has died. The dataflow owns nothing that the log does not
    /// have: start another one from the same frontier.
    #[error("stream engine: {0}")]
    Worker(String),
}

impl StreamError {
    pub(crate) fn died() -> Self {
        StreamError::Worker("a worker has died".to_owned())
    }
}

/// A dataflow that holds the open segments of all metrics of one source, from a frontier on.
///
/// Dropping it stops its workers and frees its memory.
pub struct Stream {
    plan: Arc<SourcePlan>,
    from: Frontier,
    at: Frontier,
    /// The epoch of the next micro-batch, and the rows that it has already.
    epoch: Time,
    epoch_rows: usize,
    /// Rows after which an epoch ends.
    max_epoch_rows: usize,
    /// Micro-batches that were fed.
    n_fed: u64,
    workers: Vec<(Sender<Command>, Thread)>,
    progress: Arc<Progress>,
    failures: Failures,
    /// Joined when dropped, after the commands of all workers have ended.
    guards: Option<WorkerGuards<()>>,
}

impl Stream {
    pub(crate) fn plan(&self) -> &SourcePlan {
        &self.plan
    }

    /// Starts the dataflow; rows are to be fed from the frontier `from` on.
    pub fn start(
        plan: &Arc<SourcePlan>,
        from: Frontier,
        options: &StreamOptions,
    ) -> Result<Self, StreamError> {
        let n_workers = options.workers.max(1);
        let batch_rows = options.batch_rows.max(1);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..n_workers).map(|_| channel()).unzip();
        let receivers: Mutex<Vec<Option<Receiver<Command>>>> =
            Mutex::new(receivers.into_iter().map(Some).collect());
        let (started, threads) = channel();
        let started = Mutex::new(started);
        let progress = Arc::new(Progress::default());
        let failures = Failures::default();
        let guards = {
            let (plan, progress, failures) = (plan.clone(), progress.clone(), failures.clone());
            timely::execute(timely::Config::process(n_workers), move |worker| {
                let index = worker.index();
                let commands = receivers.lock().unwrap_or_else(PoisonError::into_inner)[index].take();
                let started = started.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(commands) = commands
                    && started.send((index, std::thread::current())).is_ok()
                {
                    drop(started);
                    run(worker, &plan, batch_rows, &commands, &progress, &failures);
                }
            })
            .map_err(StreamError::Worker)?
        };
        let mut threads: Vec<(usize, Thread)> = threads.iter().take(n_workers).collect();
        if threads.len() < n_workers {
            return Err(StreamError::Worker("a worker did not start".to_owned()));
        }
        threads.sort_by_key(|(index, _)| *index);
        let workers = senders.into_iter().zip(threads.into_iter().map(|(_, thread)| thread)).collect();
        let (plan, at) = (plan.clone(), from.clone());
        Ok(Stream {
            plan,
            from,
            at,
            epoch: 0,
            epoch_rows: 0,
            max_epoch_rows: batch_rows.saturating_mul(EPOCH_BATCHES),
            n_fed: 0,
            workers,
            progress,
            failures,
            guards: Some(guards),
        })
    }

    /// The frontier up to which rows have been fed.
    pub fn frontier(&self) -> &Frontier {
        &self.at
    }

    /// Feeds one decoded batch: its rows, and the positions that it covers, which must be the next ones
    /// of their partition. Returns at once while few batches are under way, else waits for the workers.
    pub fn feed(&mut self, batch: &Batch) -> Result<(), StreamError> {
        let slice = &batch.slice;
        match self.at.0.get_mut(slice.partition as usize) {
            Some(at) if *at == slice.from => *at = slice.to,
            at => {
                let position =
                    at.map_or_else(|| "no such partition".to_owned(), |at| format!("it is at {at}"));
                let (partition, from) = (slice.partition, slice.from);
                return Err(StreamError::Order { partition, from, position });
            }
        }
        self.feed_rows(batch.rows.clone())
    }

    fn feed_rows(&mut self, rows: RecordBatch) -> Result<(), StreamError> {
        if rows.num_rows() == 0 {
            return self.failed();
        }
        let turn = (self.n_fed % self.workers.len() as u64) as usize;
        self.epoch_rows += rows.num_rows();
        self.n_fed += 1;
        self.send(turn, Command::Rows(rows))?;
        if self.epoch_rows >= self.max_epoch_rows {
            self.end_epoch()?;
        }
        let is_combined = self.progress.wait_combined(self.n_fed.saturating_sub(IN_FLIGHT));
        self.failed()?;
        if is_combined { Ok(()) } else { Err(self.died()) }
    }

    /// Lets the rows fed so far be read; nothing to do if there are none that cannot be.
    fn end_epoch(&mut self) -> Result<(), StreamError> {
        if self.epoch_rows == 0 {
            return Ok(());
        }
        self.epoch += 1;
        self.epoch_rows = 0;
        (0..self.workers.len()).try_for_each(|worker| self.send(worker, Command::Advance(self.epoch)))
    }

    /// Waits until everything that was fed is in the segments.
    pub fn wait(&mut self) -> Result<(), StreamError> {
        self.end_epoch()?;
        let is_complete = self.progress.wait_complete(self.epoch);
        self.failed()?;
        if is_complete { Ok(()) } else { Err(self.died()) }
    }

    /// The segments from the start to the current frontier, one per metric of the plan. Rows fed later
    /// are not in them.
    pub fn read(&mut self) -> Result<Vec<Segment>, StreamError> {
        self.begin_read()?.wait()
    }

    /// Asks for the segments up to the current frontier, without waiting for them: feeding can go on.
    pub fn begin_read(&mut self) -> Result<PendingRead, StreamError> {
        self.end_epoch()?;
        let (reply, replies) = channel();
        for worker in 0..self.workers.len() {
            self.send(worker, Command::Read(self.epoch, reply.clone()))?;
        }
        Ok(PendingRead {
            plan: self.plan.clone(),
            interval: Interval::new(self.from.clone(), self.at.clone()).map_err(LogError::from)?,
            replies,
            n_workers: self.workers.len(),
            failures: self.failures.clone(),
        })
    }

    fn send(&self, worker: usize, command: Command) -> Result<(), StreamError> {
        let (commands, thread) = &self.workers[worker];
        let sent = commands.send(command);
        thread.unpark();
        sent.map_err(|_| self.died())
    }

    fn failed(&self) -> Result<(), StreamError> {
        self.failures.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn died(&self) -> StreamError {
        match self.failures.take() {
            Some(error) => error.into(),
            None => StreamError::died(),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = self.workers.len();
        f.debug_struct("Stream")
            .field("from", &self.from)
            .field("at", &self.at)
            .field("workers", &workers)
            .finish()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        for (commands, thread) in self.workers.drain(..) {
            drop(commands);
            thread.unpark();
        }
        if let Some(guards) = self.guards.take() {
            // A panic of a worker has been reported to whoever fed or read.
            for ended in guards.join() {
                let _ = ended;
            }
        }
    }
}
