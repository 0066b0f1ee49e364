//! Events that come as columns: Arrow IPC streams. The same rules as for Parquet files turn them into typed rows.
//!
//! A stream can say more than it has bytes: views and dictionaries repeat what stands in it once. So what it says is
//! measured before anything is converted.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, OffsetSizeTrait, RecordBatch};
use arrow::compute::{concat, filter};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::events::{BodyError, BodyLimits, Events, Rejected};
use crate::decode::{Problem, Reject, SharedRules};
use crate::format_parquet::{accept, convert};

/// Decodes an Arrow IPC stream.
pub(crate) fn decode(rules: &SharedRules, body: &[u8], limits: &BodyLimits) -> Result<Events, BodyError> {
    // The reader checks what it reads; should it break off nevertheless, only this request is lost.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_stream(rules, body, limits)));
    decoded.unwrap_or_else(|_| Err(BodyError::Body("the Arrow reader broke off on this stream".to_owned())))
}

fn decode_stream(rules: &SharedRules, body: &[u8], limits: &BodyLimits) -> Result<Events, BodyError> {
    let broken = |error: ArrowError| BodyError::Body(format!("no Arrow IPC stream: {error}"));
    let reader = StreamReader::try_new(Cursor::new(body), None).map_err(broken)?;
    let places = places(rules, reader.schema().fields())?;
    let mut building =
        Building { rules, columns: vec![Vec::new(); rules.fields.len()], rejected: Vec::new(), n_records: 0 };
    let mut n_bytes = 0;
    for batch in reader {
        let batch = batch.map_err(broken)?;
        limits.check_records(building.n_records + batch.num_rows() as u64)?;
        n_bytes += batch.columns().iter().map(n_bytes_said).sum::<usize>();
        limits.check_bytes(n_bytes)?;
        building.add(&batch, &places).map_err(broken)?;
    }
    building.finish().map_err(broken)
}

/// The column of each field; none for one that may be absent and is.
fn places(rules: &SharedRules, columns: &arrow::datatypes::Fields) -> Result<Vec<Option<usize>>, BodyError> {
    let place = |field: &crate::rule::FieldRule| {
        let mut found = columns.iter().enumerate().filter(|(_, column)| *column.name() == field.name);
        let (place, column) = match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                return Err(BodyError::Columns(format!("there are two columns `{}`", field.name)));
            }
            (None, _) if field.may_be_absent() => return Ok(None),
            (None, _) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name().as_str()).collect();
                let problem =
                    format!("there is no column `{}`; there are `{}`", field.name, names.join("`, `"));
                return Err(BodyError::Columns(problem));
            }
            (Some((_, column)), None) if *column.data_type() == DataType::Null && field.may_be_absent() => {
                return Ok(None);
            }
            (Some(found), None) => found,
        };
        accept::check(column.data_type(), &field.rule, &field.name).map_err(|help| {
            BodyError::Columns(format!(
                "column `{}` is `{}`, where the source has `{}`: {help}",
                field.name,
                column.data_type(),
                field.rule.ty
            ))
        })?;
        Ok(Some(place))
    };
    rules.fields.iter().map(place).collect()
}

/// About how many bytes the values of a column are, each counted as often as it is said.
fn n_bytes_said(column: &ArrayRef) -> usize {
    let of_views = |views: &[u128]| views.iter().map(|view| *view as u32 as usize).sum();
    match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().views()),
        DataType::BinaryView => of_views(column.as_binary_view().views()),
        DataType::List(_) => n_bytes_said(column.as_list::<i32>().values()),
        DataType::LargeList(_) => n_bytes_said(column.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => n_bytes_said(column.as_fixed_size_list().values()),
        DataType::Dictionary(..) => {
            // As if all keys named the longest value.
            let values = column.as_any_dictionary().values();
            let longest = (0..values.len()).map(|place| n_bytes_said(&values.slice(place, 1))).max();
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
    rules: &'a SharedRules,
    /// For each field its columns, one for each batch.
    columns: Vec<Vec<ArrayRef>>,
    rejected: Vec<Rejected>,
    n_records: u64,
}

impl Building<'_> {
    fn add(&mut self, batch: &RecordBatch, places: &[Option<usize>]) -> Result<(), ArrowError> {
        let n_rows = batch.num_rows();
        let mut rejects: BTreeMap<usize, Reject> = BTreeMap::new();
        let mut arrays = Vec::with_capacity(places.len());
        for (index, (place, field)) in places.iter().zip(&self.rules.fields).enumerate() {
            let Some(place) = place else {
                arrays.push(convert::absent(field, n_rows));
                continue;
            };
            let converted = convert::field(batch.column(*place), field)?;
            for (row, problem) in converted.rejects {
                rejects.entry(row).or_insert_with(|| problem.in_field(index));
            }
            arrays.push(converted.array);
        }
        let keep: BooleanArray = (0..n_rows).map(|row| Some(!rejects.contains_key(&row))).collect();
        for (column, array) in self.columns.iter_mut().zip(arrays) {
            column.push(if rejects.is_empty() { array } else { filter(&array, &keep)? });
        }
        for (row, Reject { field, problem: Problem { text, excerpt } }) in rejects {
            self.rejected.push(Rejected {
                record: self.n_records + row as u64,
                field: field.and_then(|index| self.rules.fields.get(index)).map(|field| field.name.clone()),
                problem: text.into_owned(),
                excerpt,
                raw: shown(batch, row)?.into_bytes(),
            });
        }
        self.n_records += n_rows as u64;
        Ok(())
    }

    fn finish(self) -> Result<Events, ArrowError> {
        let columns = self.columns.iter().zip(&self.rules.fields).map(|(parts, field)| match &parts[..] {
            [] => Ok(convert::absent(field, 0)),
            parts => {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                concat(&parts)
            }
        });
        let rows = columns.collect::<Result<_, _>>()?;
        let source = self.rules.source.clone();
        Ok(Events { source, n_records: self.n_records, rows, rejected: self.rejected })
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
