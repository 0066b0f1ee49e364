//! A running dataflow as a value: feed rows, read segments, drop it.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;

use arrow::array::RecordBatch;
use metricc_compiler::{Engine, EngineOptions, EvaluateError, Segment, SourcePlan};
use metricc_log::{Batch, Frontier, Interval};
use timely::WorkerConfig;
use timely::communication::WorkerGuards;
use timely::execute::execute_from;

use crate::dataflow::Time;
use crate::failure::{Failures, worker_died};
use crate::peers::{Peers, allocators};
use crate::read::PendingRead;
use crate::worker::{Command, WorkerProgress, run};

/// Rows of a full micro-batch, unless the options give a number.
const BATCH_ROWS: usize = 65_536;

/// Micro-batches that wait to be combined before feeding waits.
const IN_FLIGHT: u64 = 8;

/// Full micro-batches after which an epoch ends without a read, so that a read never has much left to do.
const EPOCH_BATCHES: usize = 64;

/// The epoch after all that a process of a shared dataflow feeds.
const LAST_EPOCH: Time = Time::MAX / 2;

/// A dataflow that holds the open segments of all metrics of one source, from a frontier on.
///
/// Dropping it stops its workers and frees its memory.
pub struct Stream {
    plan: Arc<SourcePlan>,
    from: Frontier,
    at: Frontier,
    /// The epoch of the next micro-batch, and the rows that it already has.
    epoch: Time,
    epoch_rows: usize,
    batch_rows: usize,
    /// Rows after which an epoch ends.
    max_epoch_rows: usize,
    /// Micro-batches fed.
    n_fed: u64,
    workers: Vec<(Sender<Command>, Thread)>,
    progress: Arc<WorkerProgress>,
    failures: Failures,
    /// Joined when dropped, after the commands of all workers have ended.
    guards: Option<WorkerGuards<()>>,
}

impl Stream {
    pub(crate) fn plan(&self) -> &SourcePlan {
        &self.plan
    }

    /// Starts the dataflow. The first rows fed must start at the frontier `from`.
    ///
    /// # Errors
    /// [`EvaluateError`] if a thread cannot be started.
    pub fn start(
        plan: &Arc<SourcePlan>,
        from: Frontier,
        options: &EngineOptions,
    ) -> Result<Self, EvaluateError> {
        Stream::start_among(plan, from, options, None)
    }

    /// Starts this process's part of a dataflow that it shares with its peers, if it has any.
    pub(crate) fn start_among(
        plan: &Arc<SourcePlan>,
        from: Frontier,
        options: &EngineOptions,
        peers: Option<Peers>,
    ) -> Result<Self, EvaluateError> {
        let n_workers = options.workers.max(1);
        let batch_rows = options.batch_rows.unwrap_or(BATCH_ROWS).max(1);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..n_workers).map(|_| channel()).unzip();
        let receivers: Mutex<Vec<Option<Receiver<Command>>>> =
            Mutex::new(receivers.into_iter().map(Some).collect());
        let (started, threads) = channel();
        let started = Mutex::new(started);
        let progress = Arc::new(WorkerProgress::default());
        let failures = Failures::default();
        let guards = {
            let (plan, progress, failures) = (plan.clone(), progress.clone(), failures.clone());
            let options = options.clone();
            let failed = |error| EvaluateError::thread(Engine::Stream, error);
            let (workers, held) = allocators(n_workers, peers).map_err(failed)?;
            execute_from(workers, held, WorkerConfig::default(), move |worker| {
                // Workers are numbered over all processes, each of which has as many.
                let index = worker.index() % n_workers;
                let commands = receivers.lock().unwrap_or_else(PoisonError::into_inner)[index].take();
                let started = started.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(commands) = commands
                    && started.send((index, std::thread::current())).is_ok()
                {
                    drop(started);
                    run(worker, &plan, &options, batch_rows, &commands, &progress, &failures);
                }
            })
            .map_err(failed)?
        };
        let mut threads: Vec<(usize, Thread)> = threads.iter().take(n_workers).collect();
        if threads.len() < n_workers {
            return Err(EvaluateError::thread(Engine::Stream, "a worker did not start"));
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
            batch_rows,
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

    /// Rows of a full micro-batch. Memory for rows that are not combined yet is a small multiple of it.
    pub fn batch_rows(&self) -> usize {
        self.batch_rows
    }

    /// Feeds one decoded batch. The positions that it covers must be the next ones of their partition.
    /// Returns at once while few batches are in flight, else waits for the workers.
    pub fn feed(&mut self, batch: &Batch) -> Result<(), EvaluateError> {
        let slice = &batch.slice;
        match self.at.0.get_mut(slice.partition as usize) {
            Some(at) if *at == slice.from => *at = slice.to,
            at => {
                let expected = at.map_or_else(
                    || "the log has no such partition".to_owned(),
                    |at| format!("it is at {at}"),
                );
                let (partition, from) = (slice.partition, slice.from);
                return Err(EvaluateError::Order { partition, from, expected });
            }
        }
        self.feed_rows(batch.rows.clone())
    }

    fn feed_rows(&mut self, rows: RecordBatch) -> Result<(), EvaluateError> {
        if rows.num_rows() == 0 {
            return self.failed();
        }
        let worker = (self.n_fed % self.workers.len() as u64) as usize;
        self.epoch_rows += rows.num_rows();
        self.n_fed += 1;
        self.send(worker, Command::Rows(rows))?;
        if self.epoch_rows >= self.max_epoch_rows {
            self.end_epoch()?;
        }
        let is_combined = self.progress.wait_combined(self.n_fed.saturating_sub(IN_FLIGHT));
        self.failed()?;
        if is_combined { Ok(()) } else { Err(self.died()) }
    }

    /// Ends the epoch, so that its rows can be read; does nothing if it has none.
    fn end_epoch(&mut self) -> Result<(), EvaluateError> {
        if self.epoch_rows == 0 {
            return Ok(());
        }
        self.epoch += 1;
        self.epoch_rows = 0;
        (0..self.workers.len()).try_for_each(|worker| self.send(worker, Command::Advance(self.epoch)))
    }

    /// The segments over an interval of which all peers together have fed the rows: of the groups that are
    /// this process's. Waits for the peers, and ends the feeding.
    pub(crate) fn read_shared(&mut self, whole: &Interval) -> Result<Vec<Segment>, EvaluateError> {
        // Epochs of processes are not counted alike, but for the last one.
        self.epoch = LAST_EPOCH;
        (0..self.workers.len()).try_for_each(|worker| self.send(worker, Command::Advance(LAST_EPOCH)))?;
        self.pending(whole.clone())?.wait()
    }

    /// Waits until all rows fed are in the segments.
    pub fn wait(&mut self) -> Result<(), EvaluateError> {
        self.end_epoch()?;
        let is_complete = self.progress.wait_complete(self.epoch);
        self.failed()?;
        if is_complete { Ok(()) } else { Err(self.died()) }
    }

    /// The segments from the start to the current frontier, one per metric of the plan. Rows fed later
    /// are not in them.
    pub fn read(&mut self) -> Result<Vec<Segment>, EvaluateError> {
        self.begin_read()?.wait()
    }

    /// Begins to read the segments up to the current frontier without waiting for them: feeding can go on.
    pub fn begin_read(&mut self) -> Result<PendingRead, EvaluateError> {
        self.end_epoch()?;
        self.pending(Interval::new(self.from.clone(), self.at.clone())?)
    }

    fn pending(&self, interval: Interval) -> Result<PendingRead, EvaluateError> {
        let (reply, replies) = channel();
        for worker in 0..self.workers.len() {
            self.send(worker, Command::Read(self.epoch, reply.clone()))?;
        }
        let (plan, failures) = (self.plan.clone(), self.failures.clone());
        Ok(PendingRead { plan, interval, replies, n_workers: self.workers.len(), failures })
    }

    fn send(&self, worker: usize, command: Command) -> Result<(), EvaluateError> {
        let (commands, thread) = &self.workers[worker];
        let sent = commands.send(command);
        thread.unpark();
        sent.map_err(|_| self.died())
    }

    fn failed(&self) -> Result<(), EvaluateError> {
        self.failures.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn died(&self) -> EvaluateError {
        match self.failures.take() {
            Some(error) => error.into(),
            None => worker_died(),
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
            // The call that fed or read has returned the panic of a worker as an error.
            for ended in guards.join() {
                let _ = ended;
            }
        }
    }
}
