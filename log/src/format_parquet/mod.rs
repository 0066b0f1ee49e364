//! Parquet files as partitions: their index, and reading typed rows.
//!
//! The typed columns of Parquet need no parsing, but the same checks: a float that is not finite or a
//! time that loses digits is quarantined here as it is in text. A column that is not wanted is only
//! left unread where its type and its statistics prove that it cannot reject a record, so what is
//! quarantined never depends on what is read.
//!
//! NaN is null in an optional float; a default replaces absent and null values alone.
//!
//! What the file itself declares (that its strings are UTF-8, its statistics) is trusted until it is
//! read; where it then turns out wrong, the file is not valid and reading ends with an error.

pub(crate) mod accept;
pub(crate) mod convert;
mod scalars;
mod views;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;

use crate::LogError;
use crate::decode::SharedDecoder;
use crate::files::{LogFile, OpenFile, ReadAt};
use crate::partition::{Partition, PartitionReader, ReadRequest};
use crate::record_decoder::{FieldDecoder, RecordDecoder};

mod read;
use read::ParquetReader;

/// Both ends of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// The index of a Parquet file.
#[derive(Debug)]
struct ParquetIndex {
    n_records: u64,
    metadata: ArrowReaderMetadata,
    /// Offset of the first record of each row group, and the number of records at the end.
    starts: Vec<u64>,
    /// The column of each field of the source; `None` for one that may be absent and is.
    columns: Vec<Option<FileColumn>>,
}

/// The column of a field.
#[derive(Debug, Clone)]
struct FileColumn {
    /// Index of the top-level column.
    root: usize,
    /// For each row group, whether a value of it may not decode.
    may_reject: Vec<bool>,
}

impl ParquetIndex {
    fn build(file: &LogFile, decoder: &RecordDecoder) -> Result<Self, LogError> {
        let handle = file.open_at()?;
        check_ends(file, &handle)?;
        let index = guarded(file, || {
            let broken = |error: ParquetError| malformed(file, error.to_string());
            let metadata = ArrowReaderMetadata::load(&handle, ArrowReaderOptions::new()).map_err(broken)?;
            let starts = group_starts(file, &metadata)?;
            let columns = decoder.fields.iter().map(|field| find_column(file, decoder, field, &metadata));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let n_records = starts.last().copied().unwrap_or(0);
            let metadata = views::read_as_views(&metadata);
            Ok(ParquetIndex { n_records, metadata, starts, columns })
        })?;
        file.check(handle.file())?;
        Ok(index)
    }

    /// The start of a row group that is nearest to an offset.
    fn nearest_start(&self, offset: u64) -> u64 {
        let above = self.starts.partition_point(|&start| start < offset);
        let candidates = [above.checked_sub(1), Some(above)]
            .into_iter()
            .flatten()
            .filter_map(|index| self.starts.get(index));
        candidates.copied().min_by_key(|start| start.abs_diff(offset)).unwrap_or(0)
    }

    /// The row groups that hold some of the records.
    fn groups(&self, from: u64, to: u64) -> Range<usize> {
        let first = self.starts.partition_point(|&start| start <= from).saturating_sub(1);
        let last = self.starts.partition_point(|&start| start < to);
        first..last.min(self.starts.len().saturating_sub(1))
    }
}

/// A Parquet file as a partition.
#[derive(Debug)]
pub struct ParquetPartition {
    file: LogFile,
    index: ParquetIndex,
    decoder: SharedDecoder,
}

impl ParquetPartition {
    /// Reads the footer of an open file, and checks that the file has the fields of the source. `shown` is
    /// its path in messages.
    ///
    /// # Errors
    /// [`LogError`] if the file is not readable or not valid, or does not have the columns that the source
    /// declares.
    pub fn of_open_file(
        file: Arc<dyn ReadAt>,
        shown: &str,
        decoder: &SharedDecoder,
    ) -> Result<Self, LogError> {
        let file = LogFile::of_open(file, shown).map_err(|cause| LogError::unreadable(shown, cause))?;
        Self::open(file, decoder)
    }

    pub(crate) fn open(file: LogFile, decoder: &SharedDecoder) -> Result<Self, LogError> {
        let index = ParquetIndex::build(&file, decoder)?;
        Ok(ParquetPartition { file, index, decoder: decoder.clone() })
    }
}

impl Partition for ParquetPartition {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn end(&self) -> u64 {
        self.index.n_records
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        self.index.nearest_start(offset)
    }

    fn n_bytes(&self) -> u64 {
        self.file.stamp.n_bytes
    }

    fn read(&self, request: ReadRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        Ok(Box::new(ParquetReader::new(&self.index, &self.file, &self.decoder, request)?))
    }
}

/// Runs a call of the Parquet library, which may panic on a corrupt file.
fn guarded<T>(file: &LogFile, work: impl FnOnce() -> Result<T, LogError>) -> Result<T, LogError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(malformed(file, "the Parquet reader broke off on its contents".into())))
}

fn malformed(file: &LogFile, problem: String) -> LogError {
    LogError::Malformed { path: file.shown.to_string(), format: "Parquet", problem }
}

/// Says in plain words what is wrong with a file that is empty, cut off, or something else.
fn check_ends(file: &LogFile, handle: &OpenFile) -> Result<(), LogError> {
    let n_bytes = file.stamp.n_bytes;
    if n_bytes == 0 {
        return Err(malformed(file, "it is empty".into()));
    }
    let unreadable = |cause| LogError::unreadable(&file.shown, cause);
    let (mut start, mut end) = ([0; 4], [0; 4]);
    if n_bytes >= 12 {
        handle.file().read_up_to(0, &mut start).map_err(unreadable)?;
        handle.file().read_up_to(n_bytes - 4, &mut end).map_err(unreadable)?;
    }
    match (start == MAGIC, end == MAGIC) {
        (true, true) => Ok(()),
        (true, false) => Err(malformed(file, "its end is missing: the file is cut off".into())),
        _ if &start == b"PARE" || &end == b"PARE" => Err(malformed(file, "it is encrypted".into())),
        _ => Err(malformed(file, "it does not start with `PAR1`: it is another kind of file".into())),
    }
}

fn group_starts(file: &LogFile, metadata: &ArrowReaderMetadata) -> Result<Vec<u64>, LogError> {
    let mut starts = vec![0u64];
    let mut total = 0u64;
    for group in metadata.metadata().row_groups() {
        let n_rows = u64::try_from(group.num_rows()).ok().filter(|_| {
            let flat = group.columns().iter().filter(|chunk| chunk.column_descr().max_rep_level() == 0);
            flat.into_iter().all(|chunk| chunk.num_values() == group.num_rows())
        });
        let next = n_rows.and_then(|n_rows| total.checked_add(n_rows));
        total = next
            .ok_or_else(|| malformed(file, "its footer contradicts itself on the number of rows".into()))?;
        starts.push(total);
    }
    Ok(starts)
}

fn find_column(
    file: &LogFile,
    decoder: &RecordDecoder,
    field: &FieldDecoder,
    metadata: &ArrowReaderMetadata,
) -> Result<Option<FileColumn>, LogError> {
    let fields = metadata.schema().fields();
    let mut found = fields.iter().enumerate().filter(|(_, column)| *column.name() == field.name);
    let (root, column) = match (found.next(), found.next()) {
        (Some(_), Some(_)) => {
            return Err(LogError::RepeatedColumn {
                path: file.shown.to_string(),
                column: field.name.clone(),
            });
        }
        (None, _) if field.may_be_absent() => return Ok(None),
        (None, _) => {
            let names = fields.iter().map(|column| column.name().clone()).collect();
            return Err(LogError::missing_column(&file.shown, &decoder.source.name, &field.name, names));
        }
        // A column of nothing but nulls may have no type.
        (Some((_, column)), None) if *column.data_type() == DataType::Null && field.may_be_absent() => {
            return Ok(None);
        }
        (Some(found), None) => found,
    };
    if let Err(help) = accept::check(column.data_type(), &field.value, &field.name) {
        return Err(LogError::ColumnType {
            path: (*file.shown).into(),
            column: field.name.as_str().into(),
            origin: decoder.source.name.as_str().into(),
            found: format!("`{}`", column.data_type()).into(),
            expected: field.value.ty.to_string().into(),
            help: help.into(),
        });
    }
    let leaf = only_leaf(metadata.parquet_schema(), root);
    let groups = metadata.metadata().row_groups().iter();
    let may_reject =
        groups.map(|group: &RowGroupMetaData| match leaf.and_then(|leaf| group.columns().get(leaf)) {
            Some(chunk) => accept::may_reject(column.data_type(), field, chunk),
            None => true,
        });
    Ok(Some(FileColumn { root, may_reject: may_reject.collect() }))
}

/// The leaf column of a top-level column that has only one and is not repeated.
fn only_leaf(schema: &SchemaDescriptor, root: usize) -> Option<usize> {
    let mut leaves = (0..schema.num_columns()).filter(|&leaf| schema.get_column_root_idx(leaf) == root);
    let leaf = leaves.next().filter(|_| leaves.next().is_none())?;
    (schema.column(leaf).max_rep_level() == 0 && schema.column(leaf).max_def_level() <= 1).then_some(leaf)
}
