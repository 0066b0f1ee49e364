//! Sealing: the rows of some positions as a Parquet file that anybody can read.
//!
//! The file has the fields of the source under their names, in the types that people expect (names for enums, UTC for
//! timestamps), and `_offset`, the place of each row in its partition. It is read back by the reader of any Parquet file.

use std::cell::Cell;
use std::hash::Hasher;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int32Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use metricc_ir::{Kind, Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use twox_hash::XxHash3_64;

use super::disk::{Disk, DiskFile};
use super::entry::{SealedEntry, SealedFile};
use super::error::DurableError;
use super::exceptions;
use super::part::{Excluded, Part};
use super::remember::last_time;
use crate::{Log, LogError, Position, Slice, schema};

/// Name of the column with the offset of each row.
const OFFSET: &str = "_offset";

/// The zone of instants, by the name that readers know.
const UTC: &str = "UTC";

/// Rows that are written at once.
const BATCH_ROWS: usize = 65_536;

/// A seal that was written and is not yet part of the log.
#[derive(Debug)]
pub struct Seal {
    pub(crate) entry: SealedEntry,
}

/// Writes the rows of a slice to a file, and makes it durable. The log goes on as it was until it
/// [adopts](super::DurableLog::adopt) the seal.
pub(crate) fn seal(disk: &Arc<dyn Disk>, log: &Log, slice: &Slice) -> Result<Seal, DurableError> {
    let source = log.source().clone();
    let parts = log.durable_parts(slice.partition).ok_or_else(|| {
        DurableError::Request(format!("partition {} is not one of a durable log", slice.partition))
    })?;
    let folder = format!("{}/{}", super::SEALED_FOLDER, source.name);
    disk.create_folder(&folder).map_err(DurableError::io("making the folder", disk.shown(&folder)))?;
    let name =
        |suffix: &str| format!("{folder}/{}-{:020}-{:020}{suffix}", slice.partition, slice.from, slice.to);
    let columns: Vec<usize> = (0..=source.fields.len()).collect();
    let schema = readable_schema(&source.fields);
    let (mut n_rows, mut last) = (0, None);
    let file = write(disk, &name(".parquet"), &schema, |writer| {
        for batch in log.read(slice, &columns, BATCH_ROWS)? {
            let rows = batch?.rows;
            last = last.max(last_time(rows.column(source.time)));
            let batch = readable(&rows, &source.fields, &schema)?;
            n_rows += batch.num_rows() as u64;
            writer(&batch)?;
        }
        Ok(())
    })?;
    let (excluded, records) = left_out(&parts, slice)?;
    let batches = exceptions::to_batches(&excluded, &records)?;
    let exceptions = match batches.first().map(RecordBatch::schema) {
        None => None,
        Some(schema) => Some(write(disk, &name(".exceptions.parquet"), &schema, |writer| {
            batches.iter().try_for_each(writer)
        })?),
    };
    disk.sync_folder(&folder).map_err(DurableError::io("making names durable in", disk.shown(&folder)))?;
    let Slice { partition, from, to } = *slice;
    let (source, last_time) = (source.name.clone(), last);
    let entry = SealedEntry { source, partition, from, to, n_rows, last_time, file, exceptions };
    Ok(Seal { entry })
}

type Records = Vec<(super::entry::QuarantinedEntry, Vec<u8>)>;

/// The records of a slice that are no rows.
fn left_out(parts: &[Arc<Part>], slice: &Slice) -> Result<(Excluded, Records), DurableError> {
    let (mut quarantined, mut duplicates, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
    let mut records = Vec::new();
    for part in parts.iter().filter(|part| part.range.from < slice.to && slice.from < part.range.to) {
        quarantined.extend_from_slice(&part.excluded.quarantined);
        duplicates.extend_from_slice(&part.excluded.duplicates);
        conflicts.extend_from_slice(&part.excluded.conflicts);
        records.extend(part.quarantined(part.range, true, &Cell::new(usize::MAX))?);
    }
    Ok((Excluded::new(quarantined, duplicates, conflicts), records))
}

/// Writes a Parquet file under another name first, so that one with this name is always whole.
fn write(
    disk: &Arc<dyn Disk>,
    path: &str,
    schema: &Arc<Schema>,
    rows: impl FnOnce(&mut dyn FnMut(&RecordBatch) -> Result<(), DurableError>) -> Result<(), DurableError>,
) -> Result<SealedFile, DurableError> {
    let unfinished = format!("{path}.unfinished");
    let shown = disk.shown(path);
    // One that a crash left behind.
    let _ = disk.remove(&unfinished);
    let file = disk.create(&unfinished).map_err(DurableError::io("making", shown.clone()))?;
    let written = (|| {
        let failed = |error: parquet::errors::ParquetError| io_error(&shown, &error.to_string());
        let sink = Sink { file: file.clone(), at: 0, hasher: XxHash3_64::new() };
        let mut writer = ArrowWriter::try_new(
            BufWriter::with_capacity(1 << 20, sink),
            schema.clone(),
            Some(properties(schema)),
        )
        .map_err(failed)?;
        rows(&mut |batch| writer.write(batch).map_err(failed))?;
        let buffered = writer.into_inner().map_err(failed)?;
        let sink = buffered.into_inner().map_err(|error| io_error(&shown, &error.to_string()))?;
        file.sync().map_err(DurableError::io("writing", shown.clone()))?;
        disk.rename(&unfinished, path).map_err(DurableError::io("naming", shown.clone()))?;
        Ok(SealedFile { path: path.to_owned(), n_bytes: sink.at, checksum: sink.hasher.finish() })
    })();
    if written.is_err() {
        let _ = disk.remove(&unfinished);
    }
    written
}

fn io_error(path: &str, problem: &str) -> DurableError {
    DurableError::Io { doing: "writing", path: path.to_owned(), cause: io::Error::other(problem.to_owned()) }
}

/// Dictionaries only for texts: of numbers, finding what is new in a dictionary takes longer than all the rest.
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
            // Each is a little more than the one before.
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
        .map(|field| Field::new(&field.name, readable_type(&field.ty), field.ty.optional))
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
        kind => schema::arrow_type(kind),
    }
}

/// Typed rows with their positions as what is written.
fn readable(
    rows: &RecordBatch,
    fields: &[metricc_ir::Field],
    schema: &Arc<Schema>,
) -> Result<RecordBatch, LogError> {
    let failed = |error: arrow::error::ArrowError| LogError::Request { problem: error.to_string() };
    let convert = |(field, array): (&metricc_ir::Field, &ArrayRef)| readable_array(&field.ty, array);
    let mut arrays: Vec<ArrayRef> =
        fields.iter().zip(rows.columns()).map(convert).collect::<Result<_, _>>().map_err(failed)?;
    if schema.fields().len() > arrays.len() {
        let places = rows.column(fields.len()).as_primitive::<Decimal128Type>();
        let offset = |place: &i128| i64::try_from(Position::from_order(*place).offset).unwrap_or(i64::MAX);
        arrays.push(Arc::new(Int64Array::from_iter_values(places.values().iter().map(offset))));
    }
    RecordBatch::try_new(schema.clone(), arrays).map_err(failed)
}

fn readable_array(ty: &Type, array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    Ok(match &ty.kind {
        Kind::Enum(names) => {
            let names = StringArray::from_iter_values(names.iter());
            let places = array.as_primitive::<Int32Type>().clone();
            Arc::new(DictionaryArray::try_new(places, Arc::new(names))?)
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
        _ => array.clone(),
    })
}
