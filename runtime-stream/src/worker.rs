//! One timely worker: takes commands, steps the dataflow, answers reads.
//!
//! A worker never spins: it parks when it has nothing to do, and is unparked with every command.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use metricc_compiler::{CompileError, EngineOptions, Grouping, SourcePlan};
use timely::dataflow::operators::Input;
use timely::dataflow::{InputHandleVec, ProbeHandle};
use timely::worker::Worker;

use crate::dataflow::{GroupingTrace, Time, attach};
use crate::failure::Failures;

/// Longest sleep of an idle worker; it is woken earlier when there is work.
const PARK: Duration = Duration::from_millis(100);

/// A command to a worker; each worker carries out its commands in order.
pub(crate) enum Command {
    /// A micro-batch of typed rows for this worker, of the current epoch.
    Rows(RecordBatch),
    /// The epochs before this one have ended.
    Advance(Time),
    /// Send the states of all groupings over the epochs before this one, once these are complete.
    Read(Time, Sender<WorkerStates>),
}

/// The states of one worker, one list of batches per grouping.
pub(crate) type WorkerStates = Result<Vec<Vec<RecordBatch>>, CompileError>;

/// How far all workers have come; the thread that feeds waits for it.
#[derive(Debug, Default)]
pub(crate) struct WorkerProgress {
    state: Mutex<ProgressState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct ProgressState {
    /// All epochs before this one are complete.
    complete: Time,
    /// Micro-batches whose rows are combined, by all workers.
    n_combined: u64,
    /// A worker has ended, with or without a panic.
    has_ended: bool,
}

impl WorkerProgress {
    fn publish(&self, complete: Time, n_combined: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if complete > state.complete || n_combined > 0 {
            state.complete = state.complete.max(complete);
            state.n_combined += n_combined;
            self.changed.notify_all();
        }
    }

    /// Waits until all epochs before `time` are complete; false if a worker has ended instead.
    pub(crate) fn wait_complete(&self, time: Time) -> bool {
        self.wait(|state| state.complete >= time)
    }

    /// Waits until this many micro-batches are combined; false if a worker has ended instead.
    pub(crate) fn wait_combined(&self, n_batches: u64) -> bool {
        self.wait(|state| state.n_combined >= n_batches)
    }

    fn wait(&self, is_reached: impl Fn(&ProgressState) -> bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_reached(&state) && !state.has_ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        is_reached(&state)
    }
}

/// Reports on drop that this worker has ended, also when it unwinds.
struct Ending(Arc<WorkerProgress>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
        self.0.changed.notify_all();
    }
}

type RowInput = InputHandleVec<Time, RecordBatch>;

/// Builds the dataflow of some groupings on this worker: its input, and the trace of each grouping.
pub(crate) fn build(
    worker: &mut Worker,
    groupings: &[Arc<Grouping>],
    options: &EngineOptions,
    batch_rows: usize,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
) -> Result<(RowInput, Vec<Box<dyn GroupingTrace>>), CompileError> {
    worker.dataflow::<Time, _, _>(|scope| {
        let (input, rows) = scope.new_input::<Vec<RecordBatch>>();
        let traces = groupings.iter().enumerate().map(|(index, grouping)| {
            attach(grouping, &rows, batch_rows, probe, failures, &options.measure(index))
        });
        Ok((input, traces.collect::<Result<_, CompileError>>()?))
    })
}

/// Runs one worker until its commands end.
pub(crate) fn run(
    worker: &mut Worker,
    plan: &SourcePlan,
    options: &EngineOptions,
    batch_rows: usize,
    commands: &Receiver<Command>,
    progress: &Arc<WorkerProgress>,
    failures: &Failures,
) {
    let _ending = Ending(progress.clone());
    let probe = ProbeHandle::new();
    match build(worker, &plan.groupings, options, batch_rows, &probe, failures) {
        Ok((input, traces)) => {
            let reads = VecDeque::new();
            let mut state = State { input, traces, probe, reads, fed: 0 };
            while let Some(n_batches) = state.obey(commands) {
                // A read of a complete epoch gives the dataflow nothing to do: it is answered before the
                // sleep.
                state.answer();
                worker.step_or_park(Some(PARK));
                state.answer();
                progress.publish(state.complete(), n_batches);
            }
        }
        Err(error) => failures.report(error),
    }
}

struct State {
    input: RowInput,
    traces: Vec<Box<dyn GroupingTrace>>,
    probe: ProbeHandle<Time>,
    /// Reads that wait for their epochs, oldest first.
    reads: VecDeque<(Time, Sender<WorkerStates>)>,
    /// Epoch to which the input has been advanced.
    fed: Time,
}

impl State {
    /// Carries out all waiting commands; the number of micro-batches among them, which the next step
    /// combines. `None` if there will be no more commands.
    fn obey(&mut self, commands: &Receiver<Command>) -> Option<u64> {
        let mut n_batches = 0;
        loop {
            match commands.try_recv() {
                Ok(Command::Rows(rows)) => {
                    self.input.send(rows);
                    n_batches += 1;
                }
                Ok(Command::Advance(time)) => {
                    self.input.advance_to(time);
                    self.fed = time;
                    self.compact();
                }
                Ok(Command::Read(time, reply)) => self.reads.push_back((time, reply)),
                Err(TryRecvError::Empty) => {
                    self.input.flush();
                    return Some(n_batches);
                }
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }

    fn complete(&self) -> Time {
        self.probe.with_frontier(|frontier| frontier.first().copied().unwrap_or(self.fed))
    }

    fn answer(&mut self) {
        while let Some((time, _)) = self.reads.front()
            && self.complete() >= *time
            && let Some((time, reply)) = self.reads.pop_front()
        {
            let states = self.traces.iter_mut().map(|trace| trace.read(time)).collect();
            // The reader may have been dropped.
            let _ = reply.send(states);
            self.compact();
        }
    }

    /// Reads are of the epoch of their command, so no later read is before the oldest that waits.
    fn compact(&mut self) {
        let oldest = self.reads.front().map_or(self.fed, |(time, _)| *time);
        for trace in &mut self.traces {
            trace.compact(oldest.saturating_sub(1));
        }
    }
}
