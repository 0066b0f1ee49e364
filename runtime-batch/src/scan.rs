//! The shared scan: a share of the log is read and decoded once, for all metrics.
//!
//! One reader per share sends every decoded batch to each grouping over a channel of one, so the
//! slowest one sets the pace and memory stays bounded by a few batches per grouping. Readers are tasks beside the
//! groupings: a batch is aggregated on the thread that decoded it, unless another one is idle.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use metricc_log::{Findings, Log, Slice};
use tokio::sync::mpsc;

use crate::BatchError;

/// Decoded batches that wait for one grouping: it is to take each while it is in the cache.
const QUEUE_LENGTH: usize = 1;

/// What a grouping receives.
pub(crate) type Rows = mpsc::Receiver<RecordBatch>;

/// The reading ends of one grouping, one per share; each is taken once.
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

/// The writing end of one share: a reader and the channels to all groupings.
pub(crate) struct ShareReader {
    slices: Vec<Slice>,
    groupings: Vec<mpsc::Sender<RecordBatch>>,
}

/// Lays the channels from `shares` of the log to every grouping.
pub(crate) fn connect(shares: Vec<Vec<Slice>>, n_groupings: usize) -> (Vec<ShareReader>, Vec<Arc<Shares>>) {
    let mut readers = Vec::with_capacity(shares.len());
    let mut ends: Vec<Vec<Mutex<Option<Rows>>>> = (0..n_groupings).map(|_| Vec::new()).collect();
    for slices in shares {
        let mut groupings = Vec::with_capacity(n_groupings);
        for end in &mut ends {
            let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
            groupings.push(sender);
            end.push(Mutex::new(Some(receiver)));
        }
        readers.push(ShareReader { slices, groupings });
    }
    (readers, ends.into_iter().map(|end| Arc::new(Shares(end))).collect())
}

impl ShareReader {
    /// Reads the share to its end; waits when a grouping lags. Stops early, without an error of its own,
    /// when a grouping has gone: its error says why.
    pub(crate) async fn run(
        self,
        log: Log,
        columns: Arc<[usize]>,
        batch_rows: usize,
        progress: mpsc::UnboundedSender<u64>,
    ) -> Result<Findings, BatchError> {
        let mut findings = Findings::default();
        for slice in &self.slices {
            for batch in log.read(slice, &columns, batch_rows)? {
                let batch = batch?;
                for grouping in &self.groupings {
                    if grouping.send(batch.rows.clone()).await.is_err() {
                        return Ok(findings);
                    }
                }
                // Nobody need listen.
                let _ = progress.send(batch.slice.n_positions());
                findings.merge(batch.findings);
                // The groupings that wait run now, on this thread, while the rows are still in its cache.
                tokio::task::yield_now().await;
            }
        }
        Ok(findings)
    }
}
