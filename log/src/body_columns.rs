//! Events that come as columns: Arrow IPC streams. The conversions of Parquet columns make them into typed
//! rows.
//!
//! A stream can describe more values than it has bytes: views and dictionaries repeat what it holds once. So
//! the size of its values is measured before anything is converted.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::Buffer;
use arrow::compute::{concat, filter};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::NoneValues;
use crate::decode_value::Reject;
use crate::events::{BodyError, BodyLimits, Events, Rejected};
use crate::field_decoder::FieldDecoder;
use crate::format_parquet::column_path::{self, Nowhere};
use crate::format_parquet::{column_types, convert};
use crate::read_stats::FieldStats;
use crate::record_decoder::SharedDecoder;
use crate::seen_names::NameSample;
use crate::time_slice::yield_if_due;

/// How much larger typed values may be than what a body says.
const MOST_EXPANSION: usize = 64;

/// Decodes an Arrow IPC stream.
pub(crate) fn decode(decoder: &SharedDecoder, body: &[u8], limits: &BodyLimits) -> Result<Events, BodyError> {
    // The reader validates its input; should it panic nevertheless, only this request is lost.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_stream(decoder, body, limits)));
    decoded.unwrap_or_else(|_| Err(BodyError::Body("the Arrow reader broke off on this stream".to_owned())))
}

fn decode_stream(decoder: &SharedDecoder, body: &[u8], limits: &BodyLimits) -> Result<Events, BodyError> {
    let broken = |error: ArrowError| BodyError::Body(format!("no Arrow IPC stream: {error}"));
    // Unlike the reader of files, this one does not allocate the lengths that a stream declares.
    let (mut stream, mut rest) = (StreamDecoder::new(), Buffer::from(body));
    let mut building = None;
    let (mut n_bytes, mut n_typed) = (0, 0);
    while !rest.is_empty() {
        let batch = stream.decode(&mut rest).map_err(broken)?;
        if building.is_none()
            && let Some(schema) = stream.schema()
        {
            building = Some(Building::new(decoder, schema.fields())?);
        }
        let (Some(batch), Some(building)) = (batch, &mut building) else { continue };
        limits.check_records(building.n_records.saturating_add(batch.num_rows() as u64))?;
        n_bytes += batch.columns().iter().map(n_bytes_of).sum::<usize>();
        limits.check_bytes(n_bytes)?;
        n_typed += building.add(&batch).map_err(broken)?;
        // Fields of records that a body does not have cost memory and no bytes of it.
        limits.check_bytes(n_typed / MOST_EXPANSION)?;
        yield_if_due();
    }
    stream.finish().map_err(broken)?;
    match building {
        Some(building) => building.finish().map_err(broken),
        None => Err(BodyError::Body("no Arrow IPC stream: it is empty".to_owned())),
    }
}

/// The column of each field; `None` for one that may be absent and is.
fn columns_of(
    decoder: &SharedDecoder,
    columns: &arrow::datatypes::Fields,
) -> Result<Vec<Option<usize>>, BodyError> {
    let index = |field: &FieldDecoder| {
        let (index, found) = match column_path::type_at(columns, &field.path) {
            Ok((_, DataType::Null)) | Err(Nowhere::Missing(..)) if field.may_be_absent() => return Ok(None),
            Ok(found) => found,
            Err(Nowhere::Repeated(name)) => {
                return Err(BodyError::Columns(format!("there are two columns `{name}`")));
            }
            Err(Nowhere::Missing(name, there)) if field.path.steps().len() == 1 => {
                let told = column_types::no_way(&Nowhere::Missing(name, there), field);
                return Err(BodyError::Columns(told.replacen("no `", "no column `", 1)));
            }
            Err(nowhere) => return Err(BodyError::Columns(column_types::no_way(&nowhere, field))),
        };
        column_types::check(found, &field.value, &field.name).map_err(|help| {
            BodyError::Columns(format!(
                "column `{}` is `{found}`, where the source has `{}`: {help}",
                field.path.header(),
                field.value.ty
            ))
        })?;
        Ok(Some(index))
    };
    decoder.fields.iter().map(index).collect()
}

/// About the bytes of the values of a column, each counted as often as it occurs.
fn n_bytes_of(column: &ArrayRef) -> usize {
    let of_views = |views: &[u128]| views.iter().map(|view| *view as u32 as usize).sum();
    match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().views()),
        DataType::BinaryView => of_views(column.as_binary_view().views()),
        DataType::List(_) => n_bytes_of(column.as_list::<i32>().values()),
        DataType::LargeList(_) => n_bytes_of(column.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => n_bytes_of(column.as_fixed_size_list().values()),
        DataType::Struct(_) => column.as_struct().columns().iter().map(n_bytes_of).sum(),
        DataType::Map(..) => n_bytes_of(column.as_map().keys()) + n_bytes_of(column.as_map().values()),
        DataType::Dictionary(..) => {
            // As if all keys named the longest value.
            let values = column.as_any_dictionary().values();
            let longest = (0..values.len()).map(|index| n_bytes_of(&values.slice(index, 1))).max();
            longest.unwrap_or(0).saturating_mul(column.len())
        }
        DataType::Utf8 => ends(column.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => ends(column.as_string::<i64>().value_offsets()),
        DataType::Binary => ends(column.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => ends(column.as_binary::<i64>().value_offsets()),
        DataType::FixedSizeBinary(width) => column.len() * usize::try_from(*width).unwrap_or(0),
        _ => column.len() * 8,
    }
}

/// The bytes between the first offset and the last.
fn ends<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    match offsets {
        [first, .., last] => last.as_usize() - first.as_usize(),
        _ => 0,
    }
}

struct Building<'a> {
    decoder: &'a SharedDecoder,
    /// The index of the column of each field; `None` for one that may be absent and is.
    indices: Vec<Option<usize>>,
    /// For each field its columns, one for each batch.
    columns: Vec<Vec<ArrayRef>>,
    rejected: Vec<Rejected>,
    none_values: NoneValues,
    n_records: u64,
    /// What was seen of each field.
    fields: Vec<FieldStats>,
    names: NameSample,
}

impl<'a> Building<'a> {
    fn new(decoder: &'a SharedDecoder, found: &arrow::datatypes::Fields) -> Result<Self, BodyError> {
        let indices = columns_of(decoder, found)?;
        let (n_fields, mut names) = (decoder.fields.len(), NameSample::new(&decoder.fields));
        names.add_types(found);
        Ok(Building {
            decoder,
            indices,
            columns: vec![Vec::new(); n_fields],
            rejected: Vec::new(),
            none_values: NoneValues::default(),
            n_records: 0,
            fields: vec![FieldStats::default(); n_fields],
            names,
        })
    }

    /// Adds a batch; gives about the bytes of its typed values.
    fn add(&mut self, batch: &RecordBatch) -> Result<usize, ArrowError> {
        let n_rows = batch.num_rows();
        if self.n_records == 0 {
            self.names.add_keys(batch);
        }
        let mut rejects: BTreeMap<usize, Reject> = BTreeMap::new();
        let mut arrays = Vec::with_capacity(self.indices.len());
        let mut none_values = Vec::new();
        for (index, (column, field)) in self.indices.iter().zip(&self.decoder.fields).enumerate() {
            let Some(column) = column else {
                arrays.push(field.absent_column(n_rows));
                continue;
            };
            let converted = convert::column(batch.column(*column), field)?;
            self.fields[index].merge(&converted.findings.seen);
            for (row, problem) in converted.findings.rejects {
                rejects.entry(row).or_insert_with(|| problem.in_field(index));
            }
            let found = converted.findings.none_values.into_iter();
            none_values.extend(found.map(|(row, reason)| (row, index, reason)));
            arrays.push(converted.array);
        }
        for (_, field, reason) in none_values.into_iter().filter(|(row, ..)| !rejects.contains_key(row)) {
            self.none_values.add_n(&self.decoder.fields[field].name, reason, 1);
        }
        let n_bytes = arrays.iter().map(n_bytes_of).sum();
        let keep: BooleanArray = (0..n_rows).map(|row| Some(!rejects.contains_key(&row))).collect();
        for (column, array) in self.columns.iter_mut().zip(arrays) {
            column.push(if rejects.is_empty() { array } else { filter(&array, &keep)? });
        }
        for (row, reject) in rejects {
            self.rejected.push(Rejected {
                record: self.n_records + row as u64,
                field: self.decoder.field_name(&reject),
                problem: self.decoder.problem_text(&reject),
                excerpt: reject.problem.excerpt,
                raw: shown(batch, row)?.into_bytes(),
            });
        }
        self.n_records += n_rows as u64;
        Ok(n_bytes)
    }

    fn finish(self) -> Result<Events, ArrowError> {
        let columns = self.columns.iter().zip(&self.decoder.fields).map(|(parts, field)| match &parts[..] {
            [] => Ok(field.absent_column(0)),
            parts => {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                concat(&parts)
            }
        });
        let rows = columns.collect::<Result<_, _>>()?;
        let source = self.decoder.source.clone();
        let Building { n_records, rejected, none_values, fields, names, .. } = self;
        Ok(Events { source, n_records, rows, rejected, none_values, fields, names: names.into_names() })
    }
}

/// A row as a JSON object of the texts of its values.
fn shown(batch: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let options = FormatOptions::new();
    let mut members = serde_json::Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let value = match column.is_null(row) {
            true => serde_json::Value::Null,
            false => ArrayFormatter::try_new(column, &options)?.value(row).to_string().into(),
        };
        members.insert(field.name().clone(), value);
    }
    Ok(serde_json::Value::Object(members).to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        DictionaryArray, Float64Array, Int8Array, Int32Array, Int64Array, ListArray, StringArray,
        StringViewArray, StructArray, TimestampMillisecondArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Int32Type;
    use arrow::ipc::writer::StreamWriter;
    use metricc_ir::{Field, Kind, RecordField, Source, Type};

    use super::*;
    use crate::body::EventDecoder;
    use crate::body_format::BodyFormat;

    fn field(name: &str, kind: Kind, optional: bool) -> Field {
        let ty = Type { optional, ..Type::of(kind) };
        Field::new(name, ty)
    }

    fn decoder() -> EventDecoder {
        let fields = vec![
            field("at", Kind::Timestamp, false),
            field("name", Kind::String, false),
            field("x", Kind::Float, true),
        ];
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        EventDecoder::new(&Arc::new(source)).unwrap()
    }

    fn times(n: usize) -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from_iter_values(0..n as i64).with_timezone_utc())
    }

    fn stream(batches: &[RecordBatch]) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    fn decoded(columns: Vec<(&str, ArrayRef)>) -> Result<Events, BodyError> {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let limits = BodyLimits { records: 100, bytes: 1 << 16 };
        decoder().decode(BodyFormat::Arrow, &stream(&[batch.clone(), batch]), &limits)
    }

    #[test]
    fn columns_of_other_layouts_become_rows_and_those_that_do_not_fit_are_quarantined() {
        let names = StringArray::from(vec![Some("a"), None, Some("c")]);
        let x = Float64Array::from(vec![Some(1.5), Some(2.0), Some(f64::INFINITY)]);
        let events = decoded(vec![
            ("more", times(3)),
            ("x", Arc::new(x)),
            ("name", Arc::new(names)),
            ("at", times(3)),
        ]);
        let events = events.unwrap();
        assert_eq!(events.n_records, 6);
        let told: Vec<_> =
            events.rejected.iter().map(|r| (r.record, r.field.as_deref().unwrap_or(""))).collect();
        assert_eq!(told, [(1, "name"), (4, "name")]);
        let raw = String::from_utf8(events.rejected[1].raw.clone()).unwrap();
        assert!(raw.contains("\"name\":null") && raw.contains("\"x\":\"2.0\""), "{raw}");
        let names = events.rows[1].as_string_view().iter().flatten();
        assert_eq!(names.collect::<Vec<_>>(), ["a", "c", "a", "c"]);
        assert_eq!((events.rows[2].len(), events.rows[2].null_count()), (4, 2));
        assert_eq!(events.none_values.to_string(), "2 NaN or infinite values of `x` are none");
    }

    #[test]
    fn f23_a_column_of_another_type_is_refused_with_what_to_change() {
        let names: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let error = decoded(vec![("at", times(2)), ("name", names)]).unwrap_err();
        let BodyError::Columns(problem) = &error else { panic!("{error:?}") };
        assert!(problem.contains("column `name` is `Int64`, where the source has `string`"), "{problem}");
        let error = decoded(vec![("at", times(2))]).unwrap_err();
        assert_eq!(error, BodyError::Columns("there is no column `name`; there are `at`".into()));
    }

    #[test]
    fn what_stands_once_and_is_said_often_counts_as_often_as_it_is_said() {
        let long = "x".repeat(40_000);
        let views = StringViewArray::from(vec![long.as_str()]);
        let places = arrow::array::UInt32Array::from(vec![0; 20]);
        let said: ArrayRef = arrow::compute::take(&views, &places, None).unwrap();
        let error = decoded(vec![("at", times(20)), ("name", said)]).unwrap_err();
        assert!(matches!(error, BodyError::TooLarge(_)), "{error:?}");
        let names = DictionaryArray::<Int32Type>::try_new(
            Int32Array::from(vec![0; 20]),
            Arc::new(StringArray::from(vec![long.as_str()])),
        );
        let error = decoded(vec![("at", times(20)), ("name", Arc::new(names.unwrap()))]).unwrap_err();
        assert!(matches!(error, BodyError::TooLarge(_)), "{error:?}");
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a"; 60]));
        let error = decoded(vec![("at", times(60)), ("name", names)]).unwrap_err();
        assert!(error.to_string().contains("more than 100 events in one request"), "{error}");
    }

    #[test]
    fn fields_that_the_records_of_a_body_do_not_have_count_too() {
        let parts =
            (0..200).map(|part| RecordField { name: format!("f{part}"), ty: Type::optional(Kind::Int) });
        let records = Kind::List(Box::new(Type::of(Kind::Record(parts.collect()))));
        let fields = vec![field("at", Kind::Timestamp, false), field("v", records, false)];
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        let decode = |n_records: usize| {
            let numbers: ArrayRef = Arc::new(Int8Array::from(vec![1; n_records]));
            let records = StructArray::from(vec![(
                Arc::new(arrow::datatypes::Field::new("f0", DataType::Int8, true)),
                numbers,
            )]);
            let item = arrow::datatypes::Field::new("item", records.data_type().clone(), true);
            let offsets = OffsetBuffer::from_lengths([n_records]);
            let lists = ListArray::new(Arc::new(item), offsets, Arc::new(records), None);
            let batch = RecordBatch::try_from_iter([("at", times(1)), ("v", Arc::new(lists) as ArrayRef)]);
            let limits = BodyLimits { records: 100, bytes: 1 << 20 };
            let decoder = EventDecoder::new(&Arc::new(source.clone())).unwrap();
            decoder.decode(BodyFormat::Arrow, &stream(&[batch.unwrap()]), &limits)
        };
        assert_eq!(decode(1_000).unwrap().n_records, 1);
        let error = decode(100_000).unwrap_err();
        assert!(matches!(error, BodyError::TooLarge(_)), "{error:?}");
    }

    #[test]
    fn bytes_that_are_no_stream_are_refused_wherever_they_are_cut_or_changed() {
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let batch = RecordBatch::try_from_iter([("at", times(2)), ("name", names)]).unwrap();
        let sound = stream(&[batch]);
        let limits = BodyLimits { records: 100, bytes: 1 << 16 };
        for end in 0..sound.len() {
            let _ = decoder().decode(BodyFormat::Arrow, &sound[..end], &limits);
        }
        for place in 0..sound.len() * 8 {
            let mut changed = sound.clone();
            changed[place / 8] ^= [0x55, 0xff, 0x80, 0x01, 0x40, 0x7f, 0x10, 0x08][place % 8];
            // Whatever it is, it is no panic; and no more rows than were there.
            if let Ok(events) = decoder().decode(BodyFormat::Arrow, &changed, &limits) {
                assert!(events.n_records <= 100);
            }
        }
    }
}
