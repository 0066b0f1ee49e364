//! The rows of the last writes, which are still in memory.
//!
//! The tail of a node usually reads rows that were written a moment ago. The batches that were encoded for
//! the journal are kept within a byte budget, so that they need not be read, checked and decoded again. A
//! chunk holds a weak reference: when the budget drops a batch, its readers read the journal, by the same
//! code from there on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;

/// For each source and partition of one frame, its rows.
pub(crate) type FrameRows<R> = BTreeMap<(String, u32), R>;

/// The batches of the last writes, oldest first.
#[derive(Debug)]
pub(crate) struct RecentRows {
    batches: VecDeque<(Arc<RecordBatch>, usize)>,
    n_bytes: usize,
    budget: usize,
}

impl RecentRows {
    pub(crate) fn new(budget: usize) -> Self {
        RecentRows { batches: VecDeque::new(), n_bytes: 0, budget }
    }

    /// Keeps the rows of a frame, and drops the oldest ones beyond the budget.
    pub(crate) fn keep(&mut self, rows: FrameRows<RecordBatch>) -> FrameRows<Weak<RecordBatch>> {
        let mut kept = FrameRows::new();
        for (key, batch) in rows {
            let n_bytes = batch.get_array_memory_size();
            if n_bytes > self.budget {
                continue;
            }
            let batch = Arc::new(batch);
            kept.insert(key, Arc::downgrade(&batch));
            self.batches.push_back((batch, n_bytes));
            self.n_bytes += n_bytes;
        }
        while self.n_bytes > self.budget
            && let Some((_, n_bytes)) = self.batches.pop_front()
        {
            self.n_bytes -= n_bytes;
        }
        kept
    }
}
