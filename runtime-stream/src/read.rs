//! A read at a frontier, asked for while the stream runs.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use arrow::array::RecordBatch;
use metricc_compiler::{Segment, SourcePlan};
use metricc_log::Interval;

use crate::stream::StreamError;
use crate::worker::{Failures, Reading};

/// A read that has been asked for: rows that are fed after it flow on and are not in it.
#[derive(Debug)]
pub struct PendingRead {
    pub(crate) plan: Arc<SourcePlan>,
    pub(crate) interval: Interval,
    pub(crate) replies: Receiver<Reading>,
    pub(crate) n_workers: usize,
    pub(crate) failures: Failures,
}

impl PendingRead {
    /// Waits until everything below the read's frontier is complete, and gives the segments up to it, one
    /// per metric of the plan.
    pub fn wait(self) -> Result<Vec<Segment>, StreamError> {
        let mut states: Vec<Vec<RecordBatch>> = vec![Vec::new(); self.plan.groupings.len()];
        let mut n_replies = 0;
        for reading in self.replies {
            for (states, read) in states.iter_mut().zip(reading?) {
                states.extend(read);
            }
            n_replies += 1;
        }
        if let Some(error) = self.failures.take() {
            return Err(error.into());
        }
        if n_replies < self.n_workers {
            return Err(StreamError::died());
        }
        let mut segments = Vec::with_capacity(self.plan.metrics.len());
        for (grouping, states) in self.plan.groupings.iter().zip(states) {
            segments.extend(grouping.segments(&self.interval, &states)?);
        }
        Ok(self.plan.in_order(segments))
    }
}
