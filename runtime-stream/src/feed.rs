//! Feeding a dataflow from a log: the one loop from an interval to its slices, batches and the stream.

use metricc_compiler::EvaluateError;
use metricc_log::{Interval, Log, ReadStats};

use crate::stream::Stream;

impl Stream {
    /// Reads an interval of a log, which starts where the stream is, and feeds it in micro-batches of at most
    /// `batch_rows` positions. Calls `progress` after each with the number of its positions. Returns the
    /// counts of the records read.
    ///
    /// # Errors
    /// [`EvaluateError`] if the log could not be read or the dataflow has died. What was fed before stays
    /// fed.
    pub fn feed_from(
        &mut self,
        log: &Log,
        interval: &Interval,
        batch_rows: usize,
        progress: &dyn Fn(u64),
    ) -> Result<ReadStats, EvaluateError> {
        let mut stats = ReadStats::default();
        let (columns, wanted) = (self.plan().columns.clone(), self.plan().wanted.clone());
        for slice in interval.slices() {
            for batch in log.read_wanted(&slice, &columns, &wanted, batch_rows.max(1))? {
                let batch = batch?;
                self.feed(&batch)?;
                progress(batch.slice.n_positions());
                stats.merge(batch.read_stats);
            }
        }
        Ok(stats)
    }
}
