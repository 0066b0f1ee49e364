//! The rows of the last writes, which are still in memory.
//!
//! The tail of a node usually reads rows that were written a moment ago. The batches that were encoded for
//! the journal are kept within a byte budget, so that they need not be read, checked and decoded again. A
//! chunk holds a weak reference: when the budget drops a batch, its readers read the journal, by the same
//! code from there on.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Weak};

use arrow::array::{Array, ArrayData, RecordBatch};

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
        let (mut kept, mut counted) = (FrameRows::new(), HashSet::new());
        for (key, batch) in rows {
            let n_bytes =
                batch.columns().iter().map(|column| n_bytes_of(&column.to_data(), &mut counted)).sum();
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

/// Bytes of the allocations of an array that are not counted yet. Columns of one body often share a single
/// allocation: each stays in memory once, and whole, however small the part that is used.
fn n_bytes_of(data: &ArrayData, counted: &mut HashSet<*const u8>) -> usize {
    let buffers = data.buffers().iter().chain(data.nulls().map(|nulls| nulls.buffer()));
    let mut n_bytes = 0;
    for buffer in buffers {
        if counted.insert(buffer.data_ptr().as_ptr().cast_const()) {
            n_bytes += buffer.capacity();
        }
    }
    n_bytes + data.child_data().iter().map(|child| n_bytes_of(child, counted)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::buffer::{Buffer, ScalarBuffer};

    use super::*;

    #[test]
    fn an_allocation_that_many_columns_share_is_counted_once() {
        let (n_columns, n_rows) = (20, 100);
        let shared = Buffer::from_vec(vec![7i64; n_columns * n_rows]);
        let column = |index: usize| {
            let values = ScalarBuffer::new(shared.clone(), index * n_rows, n_rows);
            (format!("c{index}"), Arc::new(Int64Array::new(values, None)) as ArrayRef)
        };
        let batch = RecordBatch::try_from_iter((0..n_columns).map(column)).expect("a batch");
        let mut recent = RecentRows::new(shared.capacity());
        let halves = [batch.slice(0, n_rows / 2), batch.slice(n_rows / 2, n_rows / 2)];
        let rows = (0..).zip(halves).map(|(partition, half)| (("events".to_owned(), partition), half));
        let kept = recent.keep(rows.collect());
        assert!(kept.len() == 2 && kept.values().all(|rows| rows.upgrade().is_some()), "within the budget");
        assert_eq!(recent.n_bytes, shared.capacity());
    }
}
