//! The shared scan: each split of the log is read and decoded once, for all metrics.
//!
//! The first grouping of a plan reads. It sends each block of a few decoded batches to every other grouping
//! over a channel of one, then takes the block itself. So the slowest grouping sets the pace, memory stays
//! bounded by a few blocks per grouping, and a plan of one grouping passes nothing from thread to thread. The
//! rows of a block are enough to bring a grouping's table into the cache.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use metricc_compiler::{Engine, EvaluateError, SharedRows};
use metricc_log::{Log, LogError, ReadStats, Reader, Slice, WantedRows};
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;

/// Blocks that wait for one grouping. Few, so that each is still in the cache when it is taken.
const QUEUE_LENGTH: usize = 1;

/// Decoded batches of a block, if there are several groupings.
const BLOCK_BATCHES: usize = 4;

/// Decoded batches that a grouping takes one after the other.
type Block = Vec<Arc<SharedRows>>;

/// The log, and how its splits are read.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) log: Log,
    /// Ascending indices of the fields that the plan reads.
    pub(crate) columns: Arc<[usize]>,
    /// The rows that the plan wants.
    pub(crate) wanted: Arc<WantedRows>,
    /// Most rows of a batch; at least 1.
    pub(crate) batch_rows: usize,
    /// Filters of the plan.
    pub(crate) n_filters: usize,
    pub(crate) progress: Arc<ScanProgress>,
    /// Set when nobody waits for the result any more.
    pub(crate) is_cancelled: Arc<AtomicBool>,
}

/// How far reading has come, over all splits.
#[derive(Debug, Default)]
pub(crate) struct ScanProgress {
    /// Positions read so far.
    n_positions: AtomicU64,
    /// Splits that were read to their end.
    n_ended: AtomicUsize,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    stats: ReadStats,
    failed: Option<LogError>,
}

impl ScanProgress {
    pub(crate) fn n_positions(&self) -> u64 {
        self.n_positions.load(Ordering::Relaxed)
    }

    /// Statistics of all splits; an error unless each of them was read to its end.
    pub(crate) fn take_stats(&self, n_splits: usize) -> Result<ReadStats, EvaluateError> {
        let Outcome { stats, failed } =
            std::mem::take(&mut *self.outcome.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(error) = failed {
            return Err(error.into());
        }
        if self.n_ended.load(Ordering::Relaxed) < n_splits {
            return Err(EvaluateError::thread(Engine::Batch, "a split of the log was not read to its end"));
        }
        Ok(stats)
    }

    fn add(&self, n_positions: u64, stats: ReadStats) {
        self.n_positions.fetch_add(n_positions, Ordering::Relaxed);
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).stats.merge(stats);
    }

    fn fail(&self, error: LogError) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).failed.get_or_insert(error);
    }
}

/// Where one grouping gets its rows, one source per split; each is taken once.
#[derive(Debug)]
pub(crate) struct Splits(Vec<Mutex<Option<Rows>>>);

impl Splits {
    /// Splits without rows, for a plan that is shown and not run.
    pub(crate) fn unread(n_splits: usize) -> Self {
        Splits((0..n_splits).map(|_| Mutex::new(None)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn take(&self, split: usize) -> Option<Rows> {
        self.0.get(split)?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The rows of one split, as a grouping gets them.
#[derive(Debug)]
pub(crate) struct Rows {
    from: RowsFrom,
    /// What is left of the block.
    block: std::vec::IntoIter<Arc<SharedRows>>,
}

#[derive(Debug)]
enum RowsFrom {
    /// The grouping reads the split, and sends each block to the others.
    Reader(SplitReader),
    /// Another grouping reads and sends.
    Receiver(mpsc::Receiver<Block>),
}

impl Rows {
    fn from(from: RowsFrom) -> Mutex<Option<Self>> {
        Mutex::new(Some(Rows { from, block: Vec::new().into_iter() }))
    }

    /// The next decoded batch; `None` at the end, or if the log could not be read or another grouping failed.
    /// That error is kept in [`ScanProgress`], or returned by the other grouping.
    pub(crate) async fn next(&mut self) -> Option<Arc<SharedRows>> {
        loop {
            if let Some(rows) = self.block.next() {
                return Some(rows);
            }
            let block = match &mut self.from {
                RowsFrom::Reader(reader) => reader.next().await?,
                RowsFrom::Receiver(receiver) => receiver.recv().await?,
            };
            self.block = block.into_iter();
        }
    }
}

/// Reads one split.
#[derive(Debug)]
pub(crate) struct SplitReader {
    scan: Scan,
    slices: std::vec::IntoIter<Slice>,
    /// The slice that is being read.
    slice: Option<Reader>,
    others: Vec<mpsc::Sender<Block>>,
    is_at_end: bool,
}

/// Connects every grouping with every split. An interval without positions has no splits.
pub(crate) fn connect(scan: &Scan, splits: Vec<Vec<Slice>>, n_groupings: usize) -> Vec<Arc<Splits>> {
    let mut ends: Vec<Vec<Mutex<Option<Rows>>>> = (0..n_groupings).map(|_| Vec::new()).collect();
    let Some((first, rest)) = ends.split_first_mut() else { return Vec::new() };
    for slices in splits {
        let mut others = Vec::with_capacity(rest.len());
        for end in rest.iter_mut() {
            let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
            others.push(sender);
            end.push(Rows::from(RowsFrom::Receiver(receiver)));
        }
        let slices = slices.into_iter();
        let reader = SplitReader { scan: scan.clone(), slices, slice: None, others, is_at_end: false };
        first.push(Rows::from(RowsFrom::Reader(reader)));
    }
    ends.into_iter().map(|end| Arc::new(Splits(end))).collect()
}

impl SplitReader {
    async fn next(&mut self) -> Option<Block> {
        // Without other groupings nothing here waits, so nothing else lets the engine cancel the task.
        consume_budget().await;
        let n_wanted = if self.others.is_empty() { 1 } else { BLOCK_BATCHES };
        let mut block = Vec::with_capacity(n_wanted);
        while block.len() < n_wanted && !self.is_at_end {
            if self.scan.is_cancelled.load(Ordering::Relaxed) {
                return None;
            }
            match self.read() {
                Ok(Some(rows)) => block.push(Arc::new(SharedRows::new(rows, self.scan.n_filters))),
                Ok(None) => {
                    self.is_at_end = true;
                    self.scan.progress.n_ended.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    self.scan.progress.fail(error);
                    return None;
                }
            }
        }
        if block.is_empty() {
            return None;
        }
        for other in &self.others {
            other.send(block.clone()).await.ok()?;
        }
        if !self.others.is_empty() {
            // The others run now, while the rows are still in the cache.
            yield_now().await;
        }
        Some(block)
    }

    /// Decodes the next batch; `None` at the end of the split.
    fn read(&mut self) -> Result<Option<RecordBatch>, LogError> {
        loop {
            if let Some(batch) = self.slice.as_mut().and_then(Iterator::next).transpose()? {
                self.scan.progress.add(batch.slice.n_positions(), batch.read_stats);
                return Ok(Some(batch.rows));
            }
            let Some(slice) = self.slices.next() else { return Ok(None) };
            let Scan { log, columns, wanted, batch_rows, .. } = &self.scan;
            self.slice = Some(log.read_wanted(&slice, columns, wanted, *batch_rows)?);
        }
    }
}
