//! Parquet files as partitions: their index, and reading typed rows.
//!
//! The typed columns of Parquet need no parsing, but the same checks: a float that is not finite or a
//! time that loses digits is quarantined here as it is in text. A column that is not wanted is only
//! left unread where its type and its statistics prove that it cannot reject a record, so what is
//! quarantined never depends on what is read.
//!
//! A float that is not finite is none, whatever its field declares; a default replaces absent and null values
//! alone.
//!
//! What the file itself declares (that its strings are UTF-8, its statistics) is trusted until it is
//! read; where it then turns out wrong, the file is not valid and reading ends with an error.

pub(crate) mod column_path;
pub(crate) mod column_types;
pub(crate) mod convert;
mod dictionary_names;
mod findings;
mod row_groups;
mod string_views;
mod value_checks;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;

use crate::field_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use crate::file_format::Shape;
use crate::file_of_partition::FileOfPartition;
use crate::files::LogFile;
use crate::open_file::{OpenFile, ReadAt};
use crate::partition::{OffsetRange, Partition, PartitionReader, SliceRequest};
use crate::record_decoder::{RecordDecoder, SharedDecoder};
use crate::seen_names::{NameSample, Names, SAMPLED_RECORDS};
use crate::{Format, LogError};
use column_path::Nowhere;

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
    /// The names of columns and of what is in them, and of the folder keys.
    names: Names,
}

/// The column of a field.
#[derive(Debug, Clone)]
struct FileColumn {
    /// Index of the top-level column.
    root: usize,
    /// The leaf columns that it is read from, ascending.
    leaves: Vec<usize>,
    /// The only one of them, if it has one value a row.
    only_leaf: Option<usize>,
    /// What Arrow reads it as.
    found: DataType,
    /// For each row group, whether a value of it may not decode.
    may_reject: Vec<MayReject>,
}

/// Whether a value of a column of a row group may not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MayReject {
    /// Its type and its statistics prove that all do.
    No,
    /// Unless its dictionary, that of this leaf column, has nothing but names of the enum.
    UnlessNames(usize),
    Yes,
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
            let metadata = string_views::read_as_views(&metadata);
            let names = names(file, decoder, &handle, &metadata)?;
            Ok(ParquetIndex { n_records, metadata, starts, columns, names })
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
    index: Arc<ParquetIndex>,
    decoder: SharedDecoder,
}

impl ParquetPartition {
    /// Reads the footer of an open file of rows that are typed already, and checks that the file has the
    /// fields of the source. Nothing in it is spelled, and a null is a value that is none. `shown` is its
    /// path in messages.
    ///
    /// # Errors
    /// [`LogError`] if the file is not readable or not valid, or does not have the columns that the source
    /// declares.
    pub fn of_typed_rows(
        file: Arc<dyn ReadAt>,
        shown: &str,
        decoder: &SharedDecoder,
    ) -> Result<Self, LogError> {
        let shape = Shape { format: Format::Parquet, delimiter: b',' };
        let file = LogFile::of_open(file, shown, shape);
        let file = file.map_err(|cause| LogError::unreadable(shown, cause))?;
        Self::open(file, &decoder.typed_rows()?)
    }

    pub(crate) fn open(file: LogFile, decoder: &SharedDecoder) -> Result<Self, LogError> {
        let index = Arc::new(ParquetIndex::build(&file, decoder)?);
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

    fn column_names(&self) -> Option<&Names> {
        Some(&self.index.names)
    }

    fn n_bytes(&self) -> u64 {
        self.file.stamp.n_bytes
    }

    fn file(&self, _range: OffsetRange) -> Option<FileOfPartition> {
        Some(FileOfPartition { file: self.file.clone(), places: None })
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        Ok(Box::new(ParquetReader::new(&self.index, &self.file, &self.decoder, request)?))
    }
}

/// The names in a file beside declared ones. The keys of maps are looked up in the first records.
fn names(
    file: &LogFile,
    decoder: &RecordDecoder,
    handle: &OpenFile,
    metadata: &ArrowReaderMetadata,
) -> Result<Names, LogError> {
    let mut sample = NameSample::new(&decoder.fields);
    sample.add_columns(file.keys.iter().map(|key| key.name.as_str()));
    let columns = metadata.schema().fields();
    sample.add_types(columns);
    let paths = decoder.fields.iter().filter(|field| field.path.steps().len() > 1);
    let of_maps = paths.filter_map(|field| {
        let (root, column) = columns.find(field.path.root())?;
        matches!(column.data_type(), DataType::Map(..)).then_some(root)
    });
    let of_maps: Vec<usize> = of_maps.collect();
    if !of_maps.is_empty() {
        let broken = |error: ParquetError| malformed(file, error.to_string());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle.clone(), metadata.clone());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), of_maps);
        let n_rows = usize::try_from(SAMPLED_RECORDS).unwrap_or(usize::MAX);
        let builder = builder.with_projection(mask).with_limit(n_rows).with_batch_size(n_rows);
        // What does not decode is an error where it is read.
        if let Some(Ok(batch)) = builder.build().map_err(broken)?.next() {
            sample.add_keys(&batch);
        }
    }
    Ok(sample.into_names())
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
    let columns = metadata.schema().fields();
    let (root, found) = match column_path::type_at(columns, &field.path) {
        // A column of nothing but nulls may have no type.
        Ok((_, DataType::Null)) | Err(Nowhere::Missing(..)) if field.may_be_absent() => return Ok(None),
        Ok(found) => found,
        Err(Nowhere::Missing(name, there)) => {
            return Err(field.missing_column(&file.shown, &decoder.source.name, &name, there));
        }
        Err(Nowhere::Repeated(column)) => {
            return Err(LogError::RepeatedColumn { path: file.shown.to_string(), column });
        }
        Err(nowhere) => return Err(column_type(file, decoder, field, &nowhere)),
    };
    if let Err(help) = column_types::check(found, &field.value, &field.name) {
        return Err(LogError::ColumnType {
            path: (*file.shown).into(),
            column: field.path.to_string().into(),
            origin: decoder.source.name.as_str().into(),
            found: format!("`{found}`").into(),
            expected: field.value.ty.to_string().into(),
            help: help.into(),
        });
    }
    let leaves = leaves(columns, metadata.parquet_schema(), root, field);
    let leaf = only_leaf(metadata.parquet_schema(), &leaves, &field.value);
    let groups = metadata.metadata().row_groups().iter();
    let may_reject =
        groups.map(|group: &RowGroupMetaData| match leaf.and_then(|leaf| group.columns().get(leaf)) {
            Some(chunk) if !column_types::may_reject(found, field, chunk) => MayReject::No,
            Some(chunk) if dictionary_names::may_tell(field, chunk) => {
                leaf.map_or(MayReject::Yes, MayReject::UnlessNames)
            }
            _ => MayReject::Yes,
        });
    let may_reject = may_reject.collect();
    Ok(Some(FileColumn { root, may_reject, leaves, only_leaf: leaf, found: found.clone() }))
}

/// A path that goes on where there is one value.
fn column_type(file: &LogFile, decoder: &RecordDecoder, field: &FieldDecoder, nowhere: &Nowhere) -> LogError {
    let (column, found) = match nowhere {
        Nowhere::Barred(n_steps, found) => {
            (column_path::start_of(&field.path, *n_steps), format!("`{found}`"))
        }
        _ => (field.path.to_string(), "nothing".to_owned()),
    };
    LogError::ColumnType {
        path: (*file.shown).into(),
        column: column.into(),
        origin: decoder.source.name.as_str().into(),
        found: found.into(),
        expected: format!("{} from {}", field.declared(), field.path).into(),
        help: column_types::no_way(nowhere, field).into(),
    }
}

/// The leaf columns of a field.
fn leaves(columns: &Fields, schema: &SchemaDescriptor, root: usize, field: &FieldDecoder) -> Vec<usize> {
    let before = columns.iter().take(root).map(|column| column_path::n_leaves(column.data_type())).sum();
    let found = column_path::leaves(columns[root].data_type(), before, field);
    let is_known = |leaf: &usize| *leaf < schema.num_columns() && schema.get_column_root_idx(*leaf) == root;
    if !found.is_empty() && found.iter().all(is_known) {
        return found;
    }
    // Columns of Arrow and leaves of Parquet do not correspond: all that the column has.
    (0..schema.num_columns()).filter(|leaf| schema.get_column_root_idx(*leaf) == root).collect()
}

/// The leaf column of a field that is read from one alone, is one value and not repeated.
fn only_leaf(schema: &SchemaDescriptor, leaves: &[usize], value: &ValueDecoder) -> Option<usize> {
    let [leaf] = leaves else { return None };
    let is_plain = !matches!(value.format, ValueFormat::List(_) | ValueFormat::Record(_));
    (is_plain && schema.column(*leaf).max_rep_level() == 0).then_some(*leaf)
}
