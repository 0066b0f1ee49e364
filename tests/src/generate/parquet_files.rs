//! Logs as Parquet files.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float64Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use metricc_ir::{self as ir, Kind, Source, Type, Value};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::column_tree::Columns;
use super::files::{Layout, Written, runs};
use super::value_texts::value_of;
use crate::oracle::Event;

/// Writes Parquet into `folder`, in row groups of at most `n_rows_per_group` rows. Enums are texts,
/// timestamps are µs in UTC; fields that may be none, or have a default, are nullable.
///
/// # Errors
/// If a file cannot be written.
pub fn write_parquet(
    folder: &Path,
    source: &Source,
    events: &[Event],
    layout: &Layout,
    n_rows_per_group: usize,
) -> io::Result<Written> {
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.parquet"));
        let batch = batch(source, run).map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(n_rows_per_group.max(1)))
            .set_dictionary_enabled((layout.seed + number as u64).is_multiple_of(2))
            .build();
        let mut writer = ArrowWriter::try_new(File::create(&path)?, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        written.paths.push(path);
    }
    Ok(written)
}

/// The events as columns, as [`write_parquet`] writes them.
///
/// # Errors
/// If the columns do not make a batch.
pub fn batch(source: &Source, events: &[Event]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut columns = Columns::default();
    for field in &source.fields {
        let values: Vec<&Value> = events.iter().map(|event| value_of(event, field)).collect();
        put(&mut columns, field, &values, field.ty.optional || field.default.is_some());
    }
    let (fields, columns) = columns.finish();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn data_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Int128 => DataType::Decimal128(38, 0),
        Kind::Decimal { precision, scale } => DataType::Decimal128(*precision, scale.cast_signed()),
        Kind::Float => DataType::Float64,
        Kind::String | Kind::Enum(_) => DataType::Utf8,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Duration => DataType::Duration(TimeUnit::Microsecond),
        Kind::List(element) => DataType::List(element_field(element)),
        Kind::Record(_) => panic!("records are built of columns"),
    }
}

fn element_field(element: &Type) -> Arc<Field> {
    Arc::new(Field::new("item", data_type(&element.kind), element.optional))
}

/// The result of `pick` for each value; `None` for values that are none.
fn picked<T>(values: &[&Value], pick: impl Fn(&Value) -> Option<T>) -> Vec<Option<T>> {
    values.iter().map(|value| pick(value)).collect()
}

/// `fields` is how the records among the values are read.
fn column(values: &[&Value], ty: &Type, fields: &[ir::Field]) -> ArrayRef {
    match &ty.kind {
        Kind::Bool => Arc::new(BooleanArray::from(picked(values, |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }))),
        Kind::Float => Arc::new(Float64Array::from(picked(values, |value| match value {
            Value::Float(value) => Some(*value),
            _ => None,
        }))),
        Kind::Date => Arc::new(Date32Array::from(picked(values, |value| match value {
            Value::Date(days) => Some(*days),
            _ => None,
        }))),
        Kind::String | Kind::Enum(_) => {
            Arc::new(StringArray::from(picked(values, |value| text(value, &ty.kind))))
        }
        Kind::Int128 | Kind::Decimal { .. } => decimals(values, &ty.kind),
        Kind::Int => Arc::new(Int64Array::from(picked(values, long))),
        Kind::Timestamp => Arc::new(
            TimestampMicrosecondArray::from(picked(values, long)).with_data_type(data_type(&ty.kind)),
        ),
        Kind::Duration => Arc::new(DurationMicrosecondArray::from(picked(values, long))),
        Kind::List(element) => lists(values, element, fields),
        Kind::Record(_) => records(values, fields),
    }
}

fn long(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) | Value::Timestamp(value) | Value::Duration(value) => Some(*value),
        _ => None,
    }
}

fn text(value: &Value, kind: &Kind) -> Option<String> {
    match (value, kind) {
        (Value::String(text), _) => Some(text.clone()),
        (Value::Enum(index), Kind::Enum(names)) => Some(names[*index as usize].clone()),
        _ => None,
    }
}

fn decimals(values: &[&Value], kind: &Kind) -> ArrayRef {
    let digits = picked(values, |value| match value {
        Value::Decimal(digits) => Some(*digits),
        _ => None,
    });
    Arc::new(Decimal128Array::from(digits).with_data_type(data_type(kind)))
}

fn lists(values: &[&Value], element: &Type, fields: &[ir::Field]) -> ArrayRef {
    let elements = |value: &&Value| match value {
        Value::List(elements) => elements.len(),
        _ => 0,
    };
    let all: Vec<&Value> = values
        .iter()
        .filter_map(|value| if let Value::List(elements) = value { Some(elements) } else { None })
        .flatten()
        .collect();
    let offsets = OffsetBuffer::from_lengths(values.iter().map(elements));
    let nulls: NullBuffer = values.iter().map(|value| matches!(value, Value::List(_))).collect();
    let all = column(&all, element, fields);
    let item = Arc::new(Field::new("item", all.data_type().clone(), element.optional));
    Arc::new(ListArray::new(item, offsets, all, Some(nulls)))
}

/// Structs of the fields by their paths.
fn records(values: &[&Value], fields: &[ir::Field]) -> ArrayRef {
    let nulls: NullBuffer = values.iter().map(|value| matches!(value, Value::Record(_))).collect();
    let mut columns = Columns::default();
    for (index, field) in fields.iter().enumerate() {
        let part = |value: &&'_ Value| match value {
            Value::Record(parts) => parts[index].clone(),
            _ => Value::None,
        };
        let parts: Vec<Value> = values.iter().map(part).collect();
        put(&mut columns, field, &parts.iter().collect::<Vec<_>>(), true);
    }
    let (fields, arrays) = columns.finish();
    Arc::new(StructArray::new(fields.into(), arrays, Some(nulls)))
}

fn put(columns: &mut Columns, field: &ir::Field, values: &[&Value], is_nullable: bool) {
    let array = column(values, &field.ty, &field.fields);
    let arrow = Field::new(&field.name, array.data_type().clone(), is_nullable);
    columns.put(field.full_path().steps(), arrow, array);
}

#[cfg(test)]
mod tests {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::generate::logs::{LogOptions, log};
    use crate::generate::sources::Shape;

    #[test]
    fn a_file_reads_back_as_the_batch_that_was_written() {
        for shape in Shape::all() {
            let source = shape.source();
            let events = log(&source, &LogOptions::new(5, 60));
            let folder = tempfile::tempdir().expect("a folder");
            let layout = Layout { seed: 1, n_files: 2, is_hostile: false };
            let written = write_parquet(folder.path(), &source, &events, &layout, 7).expect("files");
            let mut n_rows = 0;
            for (path, run) in written.paths.iter().zip(runs(&events, 2)) {
                let file = File::open(path).expect("a file");
                let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
                assert_eq!(builder.metadata().num_row_groups(), run.len().div_ceil(7));
                let read: Vec<RecordBatch> = builder
                    .with_batch_size(1_000)
                    .build()
                    .expect("a reader")
                    .map(|b| b.expect("rows"))
                    .collect();
                assert_eq!(read, [batch(&source, run).expect("columns")]);
                n_rows += read[0].num_rows();
            }
            assert_eq!(n_rows, 60);
        }
    }
}
