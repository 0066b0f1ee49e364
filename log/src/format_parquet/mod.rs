//! Parquet files as partitions: what opening finds out, and reading typed rows.
//!
//! The typed columns of Parquet spare the parsing, not the checking: a float that is not finite or a
//! time that loses digits is quarantined here as it is in text. A column that is not wanted is only
//! left unread where its type and its statistics prove that it cannot reject a record, so what is
//! quarantined never depends on what is read.
//!
//! Not a number is none in an optional float; a default stands for absent and null values alone.
//!
//! What the file itself declares (that its strings are UTF-8, its statistics) is believed until it is
//! read; where it then turns out wrong, the file is no sound one and reading ends with an error.

pub(crate) mod accept;
pub(crate) mod convert;
mod scalars;
mod views;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;

use crate::LogError;
use crate::decode::SharedRules;
use crate::files::{Handle, LogFile};
use crate::partition::ReadRequest;
use crate::rule::{FieldRule, Rules};

mod read;
pub(crate) use read::ParquetReader;

/// Both ends of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// What is known of a Parquet file.
#[derive(Debug)]
pub(crate) struct ParquetIndex {
    pub(crate) n_records: u64,
    metadata: ArrowReaderMetadata,
    /// Offset of the first record of each row group, and the number of records at the end.
    starts: Vec<u64>,
    /// Where each field of the source stands; none for one that the file does not have and may be without.
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
    pub(crate) fn build(file: &LogFile, rules: &Rules) -> Result<Self, LogError> {
        let handle = file.open_handle()?;
        check_ends(file, &handle)?;
        let index = guarded(file, || {
            let broken = |error: ParquetError| malformed(file, error.to_string());
            let metadata = ArrowReaderMetadata::load(&handle, ArrowReaderOptions::new()).map_err(broken)?;
            let starts = group_starts(file, &metadata)?;
            let columns = rules.fields.iter().map(|field| find_column(file, rules, field, &metadata));
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let n_records = starts.last().copied().unwrap_or(0);
            let metadata = views::read_as_views(&metadata);
            Ok(ParquetIndex { n_records, metadata, starts, columns })
        })?;
        file.check_handle(&handle)?;
        Ok(index)
    }

    /// The start of a row group that is nearest to an offset.
    pub(crate) fn nearest_start(&self, offset: u64) -> u64 {
        let above = self.starts.partition_point(|&start| start < offset);
        let candidates = [above.checked_sub(1), Some(above)]
            .into_iter()
            .flatten()
            .filter_map(|place| self.starts.get(place));
        candidates.copied().min_by_key(|start| start.abs_diff(offset)).unwrap_or(0)
    }

    /// The row groups that hold some of the records.
    fn groups(&self, from: u64, to: u64) -> Range<usize> {
        let first = self.starts.partition_point(|&start| start <= from).saturating_sub(1);
        let last = self.starts.partition_point(|&start| start < to);
        first..last.min(self.starts.len().saturating_sub(1))
    }

    /// A reader of some records. The caller has checked that they are in the file.
    pub(crate) fn read(
        &self,
        file: &LogFile,
        rules: &SharedRules,
        request: ReadRequest,
    ) -> Result<ParquetReader, LogError> {
        ParquetReader::new(self, file, rules, request)
    }
}

/// Runs a piece of work of the Parquet library. It may panic on a file that is not sound.
fn guarded<T>(file: &LogFile, work: impl FnOnce() -> Result<T, LogError>) -> Result<T, LogError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(malformed(file, "the Parquet reader broke off on its contents".into())))
}

fn malformed(file: &LogFile, problem: String) -> LogError {
    LogError::Malformed { path: file.shown.to_string(), format: "Parquet", problem }
}

/// Says in plain words what is wrong with a file that is empty, cut off, or something else.
fn check_ends(file: &LogFile, handle: &Handle) -> Result<(), LogError> {
    let n_bytes = file.stamp.n_bytes;
    if n_bytes == 0 {
        return Err(malformed(file, "it is empty".into()));
    }
    let unreadable = |cause| LogError::unreadable(&file.shown, cause);
    let (mut start, mut end) = ([0; 4], [0; 4]);
    if n_bytes >= 12 {
        handle.read_up_to(0, &mut start).map_err(unreadable)?;
        handle.read_up_to(n_bytes - 4, &mut end).map_err(unreadable)?;
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
    rules: &Rules,
    field: &FieldRule,
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
            return Err(LogError::missing_column(&file.shown, &rules.source.name, &field.name, names));
        }
        // A column of nothing but nulls may have no type.
        (Some((_, column)), None) if *column.data_type() == DataType::Null && field.may_be_absent() => {
            return Ok(None);
        }
        (Some(found), None) => found,
    };
    if let Err(help) = accept::check(column.data_type(), &field.rule, &field.name) {
        return Err(LogError::ColumnType {
            path: (*file.shown).into(),
            column: field.name.as_str().into(),
            origin: rules.source.name.as_str().into(),
            found: format!("`{}`", column.data_type()).into(),
            expected: field.rule.ty.to_string().into(),
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
