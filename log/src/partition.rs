//! What a log is made of: partitions, each a sequence of records that never changes once it is written.
//!
//! A file is a partition, and so are the events of a process. Whatever else keeps records by offset, such as
//! a durable log or a topic of a broker, becomes part of a [`Log`](crate::Log) by implementing [`Partition`];
//! both engines then read it like a file, since all they see are decoded batches.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};

use crate::file_of_partition::FileOfPartition;
use crate::read_stats::ReadStats;
use crate::seen_names::Names;
use crate::wanted_rows::WantedRows;
use crate::{LogError, POSITION_TYPE, Position};

/// The records of one partition, by their offsets, as they are known at one moment: [`Partition::end`] does
/// not move.
pub trait Partition: fmt::Debug + Send + Sync {
    /// Its name in listings.
    fn name(&self) -> &str;

    /// The first offset that it may have a record at. Offsets before it have none any more, as those that the
    /// retention of a topic has passed.
    fn start(&self) -> u64 {
        0
    }

    /// The offset after the last record.
    fn end(&self) -> u64;

    /// The offset nearest to the given one from which records are read without decoding others before them.
    /// Splits for parallel reading start there.
    fn nearest_start(&self, offset: u64) -> u64;

    /// The names of columns or keys that its records have beside declared ones, as far as opening it has
    /// shown them: to tell how a field that no record has is spelled there.
    fn column_names(&self) -> Option<&Names> {
        None
    }

    /// Bytes that reading all of it reads, for showing progress; 0 if that is not known.
    fn n_bytes(&self) -> u64 {
        0
    }

    /// The file that has the records of a range, if another process can read them from there.
    fn file(&self, _range: OffsetRange) -> Option<FileOfPartition> {
        None
    }

    /// Reads the records of a range, which is not empty and within the partition.
    ///
    /// # Errors
    /// [`LogError`] if they are not readable.
    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError>;
}

/// Reads a range of a partition, batch by batch.
pub trait PartitionReader: fmt::Debug + Send {
    /// The next records, which follow those of the batch before; `None` at the end of the range.
    ///
    /// # Errors
    /// [`LogError`] if they are not readable. There is nothing more to read then.
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError>;
}

/// Offsets of a partition, `to` not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first offset.
    pub from: u64,
    /// The offset after the last one.
    pub to: u64,
}

/// What to read of a partition.
#[derive(Debug, Clone)]
pub struct SliceRequest {
    /// The number of the partition in its log.
    pub partition: u32,
    /// The records to read.
    pub range: OffsetRange,
    /// Indices of the wanted fields, ascending.
    pub columns: Vec<usize>,
    /// The rows that are wanted; others may be left out.
    pub wanted: Arc<WantedRows>,
    /// The most records of a batch, those that are not rows counted; at least 1.
    pub batch_rows: u64,
    /// Records to leave out: those that the log has found to be duplicates.
    pub duplicates: Arc<Duplicates>,
}

/// The duplicates of a partition, by their offsets.
#[derive(Debug, Clone, Default)]
pub struct Duplicates {
    /// All of them, ascending.
    pub(crate) offsets: Vec<u64>,
    /// Those that are conflicts, ascending.
    pub(crate) conflicts: Vec<u64>,
}

impl Duplicates {
    /// The duplicates from one offset to another, `to` not included.
    pub(crate) fn within(&self, from: u64, to: u64) -> &[u64] {
        between(&self.offsets, from, to)
    }

    /// The conflicts from one offset to another, `to` not included.
    pub(crate) fn conflicts_within(&self, from: u64, to: u64) -> &[u64] {
        between(&self.conflicts, from, to)
    }

    /// The number of duplicates, and of conflicts among them, from one offset to another.
    pub(crate) fn count(&self, from: u64, to: u64) -> (u64, u64) {
        (self.within(from, to).len() as u64, self.conflicts_within(from, to).len() as u64)
    }

    /// Where a walk in the order of offsets starts, see [`Duplicates::contains`].
    pub(crate) fn first_from(&self, offset: u64) -> usize {
        self.offsets.partition_point(|&duplicate| duplicate < offset)
    }

    /// Whether an offset is a duplicate. `next` walks along: callers look up ascending offsets.
    pub(crate) fn contains(&self, offset: u64, next: &mut usize) -> bool {
        let found = self.offsets.get(*next) == Some(&offset);
        *next += usize::from(found);
        found
    }
}

fn between(offsets: &[u64], from: u64, to: u64) -> &[u64] {
    let start = offsets.partition_point(|&offset| offset < from);
    let end = offsets.partition_point(|&offset| offset < to);
    &offsets[start..end.max(start)]
}

/// Contiguous records, decoded.
#[derive(Debug)]
pub struct DecodedBatch {
    /// The positions that it covers.
    pub range: OffsetRange,
    /// The wanted fields of the rows.
    pub arrays: Vec<ArrayRef>,
    /// The number of rows, also where no field is wanted: that of the accepted records, or 0 if none of them
    /// is among the wanted rows.
    pub n_rows: usize,
    /// Counts of the records, and those that did not decode.
    pub stats: ReadStats,
    /// The offsets of all records that are not rows for a reason of their own, ascending: those that did not
    /// decode, and in partitions that know their duplicates, those.
    pub rejected: Vec<u64>,
    /// Offsets of the range that no record has, ascending. Files have none; topics do.
    pub gaps: Vec<OffsetRange>,
}

impl DecodedBatch {
    /// The positions of the accepted records in the order of the log, one per row: see
    /// [`Position::to_order`].
    pub(crate) fn positions(&self, partition: u32, duplicates: &Duplicates) -> ArrayRef {
        // Where rows are left out, all are.
        let range =
            if self.n_rows == 0 { OffsetRange { to: self.range.from, ..self.range } } else { self.range };
        let mut duplicates = duplicates.within(range.from, range.to).iter().peekable();
        let is_kept = |offset: &u64| duplicates.next_if_eq(&offset).is_none();
        let order = |offset| Position { partition, offset }.to_order();
        let positions = Decimal128Array::from_iter_values(
            self.accepted().filter(|offset| *offset < range.to).filter(is_kept).map(order),
        );
        Arc::new(positions.with_data_type(POSITION_TYPE))
    }

    /// The offsets that have a record which was not rejected, ascending; those of duplicates that the log has
    /// found among them.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = u64> {
        let mut rejected = self.rejected.iter().peekable();
        self.with_records().flat_map(|range| range.from..range.to).filter(move |offset| {
            while rejected.next_if(|rejected| *rejected < offset).is_some() {}
            rejected.next_if_eq(&offset).is_none()
        })
    }

    /// The parts of the range between its gaps.
    fn with_records(&self) -> impl Iterator<Item = OffsetRange> {
        let starts = std::iter::once(self.range.from).chain(self.gaps.iter().map(|gap| gap.to));
        let ends = self.gaps.iter().map(|gap| gap.from).chain(std::iter::once(self.range.to));
        starts.zip(ends).map(|(from, to)| OffsetRange { from, to: to.max(from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_in_gaps_are_no_rows() {
        let gap = |from, to| OffsetRange { from, to };
        let batch = DecodedBatch {
            range: gap(0, 1 << 60),
            arrays: Vec::new(),
            n_rows: 4,
            stats: ReadStats::default(),
            rejected: vec![4, 12],
            gaps: vec![gap(0, 3), gap(6, 11), gap(13, 1 << 60)],
        };
        assert_eq!(batch.accepted().collect::<Vec<_>>(), [3, 5, 11]);
        let without = DecodedBatch { range: gap(3, 7), gaps: Vec::new(), ..batch };
        assert_eq!(without.accepted().collect::<Vec<_>>(), [3, 5, 6]);
    }

    #[test]
    fn a_walk_finds_the_duplicates_of_its_range() {
        let duplicates = Duplicates { offsets: vec![2, 5, 6, 9], conflicts: vec![5] };
        assert_eq!(duplicates.within(3, 9), [5, 6]);
        assert_eq!(duplicates.count(0, 10), (4, 1));
        assert_eq!(duplicates.count(6, 10), (2, 0));
        let mut next = duplicates.first_from(3);
        let found: Vec<u64> = (3..10).filter(|&offset| duplicates.contains(offset, &mut next)).collect();
        assert_eq!(found, [5, 6, 9]);
    }
}
