//! Flushing: the rows of some positions as a Parquet file that other programs read.
//!
//! The file has the fields of the source under their names, in the types that people expect (names for enums,
//! UTC for timestamps), and `_offset`, the offset of each row in its partition. The log reads it like any
//! other Parquet file.

use std::cell::Cell;
use std::hash::Hasher;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Fields, Int32Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use metricc_ir::{Kind, RecordField, Type};
use metricc_log::{Log, Position, Slice, arrow_type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use twox_hash::XxHash3_64;

use crate::chunk_list::Chunks;
use crate::disk::{Disk, DiskFile};
use crate::duplicate_key::DuplicateKey;
use crate::error::DurableError;
use crate::frame_payload::{FlushedEntry, FlushedFile, QuarantinedEntry};
use crate::rejected::{self, Excluded};
use crate::request_end::RequestEnd;
use crate::request_ends::to_bytes;

/// Name of the column with the offset of each row.
const OFFSET: &str = "_offset";

/// The time zone of timestamps, by the name that readers know.
const UTC: &str = "UTC";

/// Rows that are written at once.
const BATCH_ROWS: usize = 65_536;

/// Files that were written and are not part of the log yet.
#[derive(Debug)]
pub struct Flush {
    pub(crate) entry: FlushedEntry,
}

/// Writes the rows of a slice of a log, and the records of its chunks that are not rows.
pub(crate) fn write(
    disk: &Arc<dyn Disk>,
    log: &Log,
    chunks: &Chunks,
    slice: &Slice,
) -> Result<Flush, DurableError> {
    let source = log.source().clone();
    let folder = format!("{}/{}", crate::FLUSHED_FOLDER, source.name);
    disk.create_folder(&folder).map_err(DurableError::io("creating the folder", disk.shown(&folder)))?;
    let name =
        |suffix: &str| format!("{folder}/{}-{:020}-{:020}{suffix}", slice.partition, slice.from, slice.to);
    let columns: Vec<usize> = (0..=source.fields.len()).collect();
    let schema = readable_schema(&source.fields);
    let (mut n_rows, mut last_event) = (0, None);
    let file = write_file(disk, &name(".parquet"), &schema, |writer| {
        for batch in log.read(slice, &columns, BATCH_ROWS)? {
            let rows = batch?.rows;
            last_event = last_event.max(last_time(rows.column(source.time)));
            let batch = readable(&rows, &source.fields, &schema)?;
            n_rows += batch.num_rows() as u64;
            writer(&batch)?;
        }
        Ok(())
    })?;
    let (excluded, records, keys) = not_rows(chunks, slice)?;
    let batches = rejected::to_batches(&excluded, &records, &keys)?;
    let exceptions = match batches.first().map(RecordBatch::schema) {
        None => None,
        Some(schema) => Some(write_file(disk, &name(".exceptions.parquet"), &schema, |writer| {
            batches.iter().try_for_each(writer)
        })?),
    };
    let ends = to_bytes(&ends_within(chunks, slice)?);
    let requests = Some(write_whole(disk, &name(".requests"), |mut sink| {
        let path = disk.shown(&name(".requests"));
        sink.write_all(&ends).map_err(DurableError::io("writing", path))?;
        Ok(sink)
    })?);
    disk.sync_folder(&folder).map_err(DurableError::io("syncing the folder", disk.shown(&folder)))?;
    let Slice { partition, from, to } = *slice;
    let (source, last_time) = (source.name.clone(), last_event);
    let entry = FlushedEntry { source, partition, from, to, n_rows, last_time, file, exceptions, requests };
    Ok(Flush { entry })
}

/// The latest of some event times, in µs; `None` if there are none.
pub(crate) fn last_time(times: &ArrayRef) -> Option<i64> {
    let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
    arrow::compute::max(times)
}

type Records = Vec<(QuarantinedEntry, Vec<u8>)>;
type Keys = Vec<(u64, DuplicateKey)>;

/// The records of a slice that are not rows.
fn not_rows(chunks: &Chunks, slice: &Slice) -> Result<(Excluded, Records, Keys), DurableError> {
    let (mut quarantined, mut duplicates, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut records, mut keys) = (Vec::new(), Vec::new());
    for chunk in chunks.from(slice.from).take_while(|chunk| chunk.range.from < slice.to) {
        quarantined.extend_from_slice(&chunk.excluded.quarantined);
        duplicates.extend_from_slice(&chunk.excluded.duplicates);
        conflicts.extend_from_slice(&chunk.excluded.conflicts);
        records.extend(chunk.quarantined(chunk.range, true, &Cell::new(usize::MAX))?);
        keys.extend(chunk.duplicate_keys()?);
    }
    Ok((Excluded::new(quarantined, duplicates, conflicts), records, keys))
}

/// The ends of the requests of a slice. Chunks that are not flushed know them.
fn ends_within(chunks: &Chunks, slice: &Slice) -> Result<Vec<RequestEnd>, DurableError> {
    let mut ends = Vec::new();
    for chunk in chunks.from(slice.from).take_while(|chunk| chunk.range.from < slice.to) {
        let known = chunk.ends.read()?.unwrap_or_default();
        ends.extend(known.iter().filter(|end| slice.from < end.offset && end.offset <= slice.to));
    }
    Ok(ends)
}

/// Writes a Parquet file.
fn write_file(
    disk: &Arc<dyn Disk>,
    path: &str,
    schema: &Arc<Schema>,
    rows: impl FnOnce(&mut dyn FnMut(&RecordBatch) -> Result<(), DurableError>) -> Result<(), DurableError>,
) -> Result<FlushedFile, DurableError> {
    let shown = disk.shown(path);
    let failed = |cause: ParquetError| DurableError::Parquet { path: shown.clone(), cause };
    write_whole(disk, path, |sink| {
        let mut writer = ArrowWriter::try_new(
            BufWriter::with_capacity(1 << 20, sink),
            schema.clone(),
            Some(properties(schema)),
        )
        .map_err(failed)?;
        rows(&mut |batch| writer.write(batch).map_err(failed))?;
        let buffered = writer.into_inner().map_err(failed)?;
        let sink = buffered.into_inner().map_err(|error| error.into_error());
        sink.map_err(DurableError::io("writing", shown.clone()))
    })
}

/// Writes a file under another name first, so that one with this name is always whole.
fn write_whole(
    disk: &Arc<dyn Disk>,
    path: &str,
    write: impl FnOnce(Sink) -> Result<Sink, DurableError>,
) -> Result<FlushedFile, DurableError> {
    let unfinished = format!("{path}.unfinished");
    let shown = disk.shown(path);
    // A crash may have left one.
    let _ = disk.remove(&unfinished);
    let file = disk.create(&unfinished).map_err(DurableError::io("creating", shown.clone()))?;
    let written = (|| {
        let sink = write(Sink { file: file.clone(), at: 0, hasher: XxHash3_64::new() })?;
        file.sync().map_err(DurableError::io("writing", shown.clone()))?;
        disk.rename(&unfinished, path).map_err(DurableError::io("renaming", shown.clone()))?;
        Ok(FlushedFile { path: path.to_owned(), n_bytes: sink.at, checksum: sink.hasher.finish() })
    })();
    if written.is_err() {
        let _ = disk.remove(&unfinished);
    }
    written
}

/// Dictionaries only for texts: for numbers, looking up values in a dictionary takes longer than all the
/// rest.
fn properties(schema: &Schema) -> WriterProperties {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(131_072))
        .set_created_by("metricc".to_owned());
    for field in schema.fields() {
        if field.data_type().is_numeric() || field.data_type().is_temporal() {
            builder = builder.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
        if field.name() == OFFSET {
            // Offsets ascend in small steps.
            builder = builder.set_column_encoding(ColumnPath::from(OFFSET), Encoding::DELTA_BINARY_PACKED);
        }
    }
    builder.build()
}

/// A file that is written from its start to its end.
struct Sink {
    file: Arc<dyn DiskFile>,
    at: u64,
    hasher: XxHash3_64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(self.at, bytes)?;
        self.hasher.write(bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn readable_schema(fields: &[metricc_ir::Field]) -> Arc<Schema> {
    let mut columns: Vec<Field> = fields
        .iter()
        .map(|field| Field::new(&field.name, readable_type(&field.ty), field.row_type().optional))
        .collect();
    if fields.iter().all(|field| field.name != OFFSET) {
        columns.push(Field::new(OFFSET, DataType::Int64, false));
    }
    Arc::new(Schema::new(columns))
}

fn readable_type(ty: &Type) -> DataType {
    match &ty.kind {
        Kind::Enum(_) => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Kind::List(element) => {
            DataType::List(Arc::new(Field::new("item", readable_type(element), element.optional)))
        }
        Kind::Record(fields) => DataType::Struct(readable_fields(fields)),
        kind => arrow_type(kind),
    }
}

fn readable_fields(fields: &[RecordField]) -> Fields {
    fields.iter().map(|field| Field::new(&field.name, readable_type(&field.ty), field.ty.optional)).collect()
}

/// Typed rows with their positions as they are written.
fn readable(
    rows: &RecordBatch,
    fields: &[metricc_ir::Field],
    schema: &Arc<Schema>,
) -> Result<RecordBatch, ArrowError> {
    let convert = |(field, array): (&metricc_ir::Field, &ArrayRef)| readable_array(&field.ty, array);
    let mut arrays: Vec<ArrayRef> =
        fields.iter().zip(rows.columns()).map(convert).collect::<Result<_, _>>()?;
    if schema.fields().len() > arrays.len() {
        let positions = rows.column(fields.len()).as_primitive::<Decimal128Type>();
        let offset = |order: &i128| i64::try_from(Position::from_order(*order).offset).unwrap_or(i64::MAX);
        arrays.push(Arc::new(Int64Array::from_iter_values(positions.values().iter().map(offset))));
    }
    RecordBatch::try_new(schema.clone(), arrays)
}

fn readable_array(ty: &Type, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match &ty.kind {
        Kind::Enum(names) => {
            let names = StringArray::from_iter_values(names.iter());
            let indices = array.as_primitive::<Int32Type>().clone();
            Arc::new(DictionaryArray::try_new(indices, Arc::new(names))?)
        }
        Kind::Timestamp => {
            Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone(UTC))
        }
        Kind::List(element) => {
            let list = array.as_list::<i32>();
            let item = Field::new("item", readable_type(element), element.optional);
            let values = readable_array(element, list.values())?;
            Arc::new(ListArray::try_new(
                Arc::new(item),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?)
        }
        Kind::Record(fields) => {
            let records = array.as_struct();
            let parts = fields.iter().zip(records.columns());
            let parts =
                parts.map(|(field, part)| readable_array(&field.ty, part)).collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new(readable_fields(fields), parts, records.nulls().cloned())?)
        }
        _ => array.clone(),
    })
}
