//! The shared scan: a share of the log is read and decoded once, for all metrics.
//!
//! One reader per share sends every decoded batch to each metric over a bounded channel, so the
//! slowest metric sets the pace and memory stays bounded by a few batches per metric.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use metricc_compiler::SourcePlan;
use metricc_log::{Findings, Log, Slice};
use tokio::sync::mpsc;

use crate::BatchError;

/// Decoded batches that wait for one metric. Enough to keep both sides busy.
const QUEUE_LENGTH: usize = 4;

/// What a metric receives.
pub(crate) type Rows = mpsc::Receiver<RecordBatch>;

/// The reading ends of one metric, one per share; each is taken once.
#[derive(Debug)]
pub(crate) struct Shares(Vec<Mutex<Option<Rows>>>);

impl Shares {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn take(&self, share: usize) -> Option<Rows> {
        self.0.get(share)?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The writing end of one share: a reader and the channels to all metrics.
pub(crate) struct ShareReader {
    slices: Vec<Slice>,
    metrics: Vec<mpsc::Sender<RecordBatch>>,
}

/// Lays the channels from `shares` of the log to every metric.
pub(crate) fn connect(shares: Vec<Vec<Slice>>, n_metrics: usize) -> (Vec<ShareReader>, Vec<Arc<Shares>>) {
    let mut readers = Vec::with_capacity(shares.len());
    let mut ends: Vec<Vec<Mutex<Option<Rows>>>> = (0..n_metrics).map(|_| Vec::new()).collect();
    for slices in shares {
        let mut metrics = Vec::with_capacity(n_metrics);
        for end in &mut ends {
            let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
            metrics.push(sender);
            end.push(Mutex::new(Some(receiver)));
        }
        readers.push(ShareReader { slices, metrics });
    }
    (readers, ends.into_iter().map(|end| Arc::new(Shares(end))).collect())
}

impl ShareReader {
    /// Reads the share to its end; blocks when a metric lags. Stops early, without an error of its own,
    /// when a metric has gone: its error says why.
    pub(crate) fn run(
        self,
        log: &Log,
        plan: &SourcePlan,
        batch_rows: usize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Findings, BatchError> {
        let mut findings = Findings::default();
        for slice in &self.slices {
            for batch in log.read(slice, &plan.columns, batch_rows)? {
                let batch = batch?;
                for metric in &self.metrics {
                    if metric.blocking_send(batch.rows.clone()).is_err() {
                        return Ok(findings);
                    }
                }
                progress(batch.slice.n_positions());
                findings.merge(batch.findings);
            }
        }
        Ok(findings)
    }
}
