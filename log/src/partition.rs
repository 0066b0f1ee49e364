//! One part of a log: a file, whatever its format, or events of this process.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};

use crate::decode::SharedRules;
use crate::durable::{DurablePartition, DurableReader};
use crate::files::LogFile;
use crate::findings::Findings;
use crate::format_parquet::{ParquetIndex, ParquetReader};
use crate::identity::Duplicates;
use crate::memory::{MemoryPartition, MemoryReader};
use crate::text_reader::{SAMPLE_EVERY, TextIndex, TextReader};
use crate::{Format, LogError, POSITION_TYPE, Position};

/// Offsets of a partition, `to` not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What is to be read of a partition.
#[derive(Debug, Clone)]
pub(crate) struct ReadRequest {
    pub(crate) partition: u32,
    pub(crate) range: Range,
    /// Indices of the wanted fields, ascending.
    pub(crate) columns: Vec<usize>,
    /// The most positions that a batch covers; at least 1.
    pub(crate) batch_rows: u64,
    pub(crate) duplicates: Arc<Duplicates>,
    /// Index of the first duplicate that is not behind the next record.
    pub(crate) next_duplicate: usize,
}

/// Some contiguous records, decoded.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) range: Range,
    /// The wanted fields of the accepted records.
    pub(crate) arrays: Vec<ArrayRef>,
    pub(crate) n_rows: usize,
    pub(crate) findings: Findings,
    /// The offsets of all quarantined records, in order.
    pub(crate) rejected: Vec<u64>,
}

/// A part of a log, and what opening found out about it.
#[derive(Debug)]
pub(crate) struct Partition {
    /// The path below the root that the binding names.
    pub(crate) name: String,
    /// Bytes that reading it reads.
    pub(crate) n_bytes: u64,
    index: Index,
}

#[derive(Debug)]
enum Index {
    Text(LogFile, TextIndex),
    Parquet(LogFile, Box<ParquetIndex>),
    Memory(Arc<MemoryPartition>),
    Durable(Arc<DurablePartition>),
}

/// A reader of some records of a partition.
#[derive(Debug)]
pub(crate) enum PartitionReader {
    Text(Box<TextReader>),
    Parquet(Box<ParquetReader>),
    Memory(Box<MemoryReader>),
    Durable(Box<DurableReader>),
}

impl Partition {
    pub(crate) fn open(
        file: LogFile,
        rules: &SharedRules,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LogError> {
        let (name, n_bytes) = (file.name.clone(), file.stamp.n_bytes);
        let index = match file.format {
            Format::Parquet => {
                let index = ParquetIndex::build(&file, rules)?;
                progress(n_bytes);
                Index::Parquet(file, Box::new(index))
            }
            Format::Ndjson | Format::Csv => {
                let index = TextIndex::build(&file, rules, progress)?;
                Index::Text(file, index)
            }
        };
        Ok(Partition { name, n_bytes, index })
    }

    /// Events of this process.
    pub(crate) fn of_memory(events: MemoryPartition) -> Self {
        Partition { name: "memory".to_owned(), n_bytes: 0, index: Index::Memory(Arc::new(events)) }
    }

    /// A partition of a durable log.
    pub(crate) fn of_durable(partition: DurablePartition) -> Self {
        Partition {
            name: partition.shown.to_string(),
            n_bytes: 0,
            index: Index::Durable(Arc::new(partition)),
        }
    }

    /// The partition of a durable log, if it is one.
    pub(crate) fn durable(&self) -> Option<&Arc<DurablePartition>> {
        match &self.index {
            Index::Durable(partition) => Some(partition),
            _ => None,
        }
    }

    pub(crate) fn n_records(&self) -> u64 {
        match &self.index {
            Index::Text(_, index) => index.n_records,
            Index::Parquet(_, index) => index.n_records,
            Index::Memory(events) => events.n_records(),
            Index::Durable(partition) => partition.end,
        }
    }

    /// The offset nearest to the given one at which reading starts without stepping over records.
    pub(crate) fn nearest_start(&self, offset: u64) -> u64 {
        match &self.index {
            Index::Text(..) => (offset + SAMPLE_EVERY / 2) / SAMPLE_EVERY * SAMPLE_EVERY,
            Index::Parquet(_, index) => index.nearest_start(offset),
            Index::Memory(_) => offset,
            Index::Durable(partition) => partition.nearest_start(offset),
        }
    }

    pub(crate) fn read(
        &self,
        rules: &SharedRules,
        request: ReadRequest,
    ) -> Result<PartitionReader, LogError> {
        Ok(match &self.index {
            Index::Text(file, index) => PartitionReader::Text(Box::new(index.read(file, rules, request)?)),
            Index::Parquet(file, index) => {
                PartitionReader::Parquet(Box::new(index.read(file, rules, request)?))
            }
            Index::Memory(events) => {
                PartitionReader::Memory(Box::new(MemoryReader::new(Arc::clone(events), request)))
            }
            Index::Durable(partition) => {
                PartitionReader::Durable(Box::new(DurableReader::new(partition, rules, request)?))
            }
        })
    }
}

impl Decoded {
    /// The places of the accepted records in the order of the log, one per row: see [`Position::to_order`].
    pub(crate) fn positions(&self, partition: u32, duplicates: &Duplicates) -> ArrayRef {
        let Range { from, to } = self.range;
        let mut rejected = self.rejected.iter().peekable();
        let mut duplicates = duplicates.within(from, to).iter().peekable();
        let is_kept = |offset: &u64| {
            let is_rejected = rejected.next_if_eq(&offset).is_some();
            duplicates.next_if_eq(&offset).is_none() && !is_rejected
        };
        let place = |offset| Position { partition, offset }.to_order();
        let places = Decimal128Array::from_iter_values((from..to).filter(is_kept).map(place));
        Arc::new(places.with_data_type(POSITION_TYPE))
    }
}

impl PartitionReader {
    pub(crate) fn next_batch(&mut self) -> Result<Option<Decoded>, LogError> {
        match self {
            PartitionReader::Text(reader) => reader.next_batch(),
            PartitionReader::Parquet(reader) => reader.next_batch(),
            PartitionReader::Memory(reader) => reader.next_batch(),
            PartitionReader::Durable(reader) => reader.next_batch(),
        }
    }
}
