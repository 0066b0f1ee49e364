//! A read at a frontier, begun while the stream runs.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use arrow::array::RecordBatch;
use metricc_compiler::{EvaluateError, Segment, SourcePlan};
use metricc_log::Interval;

use crate::failure::{Failures, worker_died};
use crate::worker::WorkerStates;

/// A read that has begun. Rows fed later are not in it.
#[derive(Debug)]
pub struct PendingRead {
    pub(crate) plan: Arc<SourcePlan>,
    pub(crate) interval: Interval,
    pub(crate) replies: Receiver<WorkerStates>,
    pub(crate) n_workers: usize,
    pub(crate) failures: Failures,
}

impl PendingRead {
    /// Waits until everything before the read's frontier is complete, and returns the segments up to it, one
    /// per metric of the plan.
    pub fn wait(self) -> Result<Vec<Segment>, EvaluateError> {
        let mut states: Vec<Vec<RecordBatch>> = vec![Vec::new(); self.plan.groupings.len()];
        let mut n_replies = 0;
        for worker_states in self.replies {
            for (states, read) in states.iter_mut().zip(worker_states?) {
                states.extend(read);
            }
            n_replies += 1;
        }
        if let Some(error) = self.failures.take() {
            return Err(error.into());
        }
        if n_replies < self.n_workers {
            return Err(worker_died());
        }
        let mut segments = Vec::with_capacity(self.plan.metrics.len());
        for (grouping, states) in self.plan.groupings.iter().zip(states) {
            segments.extend(grouping.segments(&self.interval, grouping.form.collect(&states)?)?);
        }
        Ok(self.plan.in_order(segments))
    }
}
