//! The shared scan: a share of the log is read and decoded once, for all metrics.
//!
//! The first grouping of a plan reads: it takes each decoded batch itself, after it has sent it to every other grouping
//! over a channel of one. So the slowest one sets the pace, memory stays bounded by a few batches per grouping, and a
//! plan of one grouping hands nothing from thread to thread.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use metricc_log::{Findings, Log, LogError, Reader, Slice};
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;

use crate::BatchError;

/// Decoded batches that wait for one grouping: it is to take each while it is in the cache.
const QUEUE_LENGTH: usize = 1;

/// What all shares are read with.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) log: Log,
    /// Ascending indices of the fields that the plan reads.
    pub(crate) columns: Arc<[usize]>,
    /// Most rows of a batch; at least 1.
    pub(crate) batch_rows: usize,
    /// What came of the reading.
    pub(crate) read: Arc<Read>,
}

/// What reading has come to, over all shares.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Positions read so far.
    n_positions: AtomicU64,
    /// Shares of which all was read.
    n_ended: AtomicUsize,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    findings: Findings,
    failed: Option<LogError>,
}

impl Read {
    pub(crate) fn n_positions(&self) -> u64 {
        self.n_positions.load(Ordering::Relaxed)
    }

    /// What was found in so many shares, each of them read to its end.
    pub(crate) fn take_findings(&self, n_shares: usize) -> Result<Findings, BatchError> {
        let Outcome { findings, failed } =
            std::mem::take(&mut *self.outcome.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(error) = failed {
            return Err(error.into());
        }
        if self.n_ended.load(Ordering::Relaxed) < n_shares {
            return Err(BatchError::Thread("a share of the log was not read to its end".to_owned()));
        }
        Ok(findings)
    }

    fn add(&self, n_positions: u64, findings: Findings) {
        self.n_positions.fetch_add(n_positions, Ordering::Relaxed);
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).findings.merge(findings);
    }

    fn fail(&self, error: LogError) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).failed.get_or_insert(error);
    }
}

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

/// One share of the log as a grouping gets it.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Reads it, and sends it to the others.
    Reader(ShareReader),
    /// Is sent it.
    Receiver(mpsc::Receiver<RecordBatch>),
}

impl Rows {
    /// The next decoded batch. None at the end, and where the log could not be read or a grouping has gone: what
    /// went wrong is then found in [`Read`] or with that grouping.
    pub(crate) async fn next(&mut self) -> Option<RecordBatch> {
        match self {
            Rows::Reader(reader) => reader.next().await,
            Rows::Receiver(receiver) => receiver.recv().await,
        }
    }
}

/// Reads one share.
#[derive(Debug)]
pub(crate) struct ShareReader {
    scan: Scan,
    slices: std::vec::IntoIter<Slice>,
    /// The slice that is being read.
    slice: Option<Reader>,
    others: Vec<mpsc::Sender<RecordBatch>>,
}

/// Lays every share out for every grouping. An interval without positions has no shares.
pub(crate) fn connect(scan: &Scan, shares: Vec<Vec<Slice>>, n_groupings: usize) -> Vec<Arc<Shares>> {
    let mut ends: Vec<Vec<Mutex<Option<Rows>>>> = (0..n_groupings).map(|_| Vec::new()).collect();
    let Some((first, rest)) = ends.split_first_mut() else { return Vec::new() };
    for slices in shares {
        let mut others = Vec::with_capacity(rest.len());
        for end in rest.iter_mut() {
            let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
            others.push(sender);
            end.push(Mutex::new(Some(Rows::Receiver(receiver))));
        }
        let reader = ShareReader { scan: scan.clone(), slices: slices.into_iter(), slice: None, others };
        first.push(Mutex::new(Some(Rows::Reader(reader))));
    }
    ends.into_iter().map(|end| Arc::new(Shares(end))).collect()
}

impl ShareReader {
    async fn next(&mut self) -> Option<RecordBatch> {
        // Without others there is nothing to wait for, and so no moment at which the engine could stop this.
        consume_budget().await;
        let rows = match self.read() {
            Ok(Some(rows)) => rows,
            Ok(None) => {
                self.scan.read.n_ended.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Err(error) => {
                self.scan.read.fail(error);
                return None;
            }
        };
        for other in &self.others {
            other.send(rows.clone()).await.ok()?;
        }
        if !self.others.is_empty() {
            // They run now, while the rows are still in the cache.
            yield_now().await;
        }
        Some(rows)
    }

    /// Decodes the next batch; none at the end of the share.
    fn read(&mut self) -> Result<Option<RecordBatch>, LogError> {
        loop {
            if let Some(batch) = self.slice.as_mut().and_then(Iterator::next).transpose()? {
                self.scan.read.add(batch.slice.n_positions(), batch.findings);
                return Ok(Some(batch.rows));
            }
            let Some(slice) = self.slices.next() else { return Ok(None) };
            self.slice = Some(self.scan.log.read(&slice, &self.scan.columns, self.scan.batch_rows)?);
        }
    }
}
