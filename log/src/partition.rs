//! One file of a log, whatever its format.

use std::sync::Arc;

use arrow::array::ArrayRef;

use crate::decode::SharedRules;
use crate::files::LogFile;
use crate::findings::Findings;
use crate::format_parquet::{ParquetIndex, ParquetReader};
use crate::identity::Duplicates;
use crate::text_reader::{SAMPLE_EVERY, TextIndex, TextReader};
use crate::{Format, LogError};

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

/// A file of a log, and what opening found out about it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) file: LogFile,
    index: Index,
}

#[derive(Debug)]
enum Index {
    Text(TextIndex),
    Parquet(Box<ParquetIndex>),
}

/// A reader of some records of a partition.
#[derive(Debug)]
pub(crate) enum PartitionReader {
    Text(Box<TextReader>),
    Parquet(Box<ParquetReader>),
}

impl Partition {
    pub(crate) fn open(
        file: LogFile,
        rules: &SharedRules,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LogError> {
        let index = match file.format {
            Format::Parquet => {
                let index = ParquetIndex::build(&file, rules)?;
                progress(file.stamp.n_bytes);
                Index::Parquet(Box::new(index))
            }
            Format::Ndjson | Format::Csv => Index::Text(TextIndex::build(&file, rules, progress)?),
        };
        Ok(Partition { file, index })
    }

    pub(crate) fn n_records(&self) -> u64 {
        match &self.index {
            Index::Text(index) => index.n_records,
            Index::Parquet(index) => index.n_records,
        }
    }

    /// The offset nearest to the given one at which reading starts without stepping over records.
    pub(crate) fn nearest_start(&self, offset: u64) -> u64 {
        match &self.index {
            Index::Text(_) => (offset + SAMPLE_EVERY / 2) / SAMPLE_EVERY * SAMPLE_EVERY,
            Index::Parquet(index) => index.nearest_start(offset),
        }
    }

    pub(crate) fn read(
        &self,
        rules: &SharedRules,
        request: ReadRequest,
    ) -> Result<PartitionReader, LogError> {
        Ok(match &self.index {
            Index::Text(index) => PartitionReader::Text(Box::new(index.read(&self.file, rules, request)?)),
            Index::Parquet(index) => {
                PartitionReader::Parquet(Box::new(index.read(&self.file, rules, request)?))
            }
        })
    }
}

impl PartitionReader {
    pub(crate) fn next_batch(&mut self) -> Result<Option<Decoded>, LogError> {
        match self {
            PartitionReader::Text(reader) => reader.next_batch(),
            PartitionReader::Parquet(reader) => reader.next_batch(),
        }
    }
}
