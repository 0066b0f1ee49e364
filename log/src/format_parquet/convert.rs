//! From a column as the Parquet library reads it to a typed column, and the rows that do not decode.
//! Whole columns are checked at once; rows are looked at one by one only where a check fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, ListArray, Scalar, StringViewArray,
    StructArray, TimestampMicrosecondArray, make_array,
};
use arrow::buffer::{BooleanBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::compute::kernels::nullif::nullif;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use metricc_ir::{Step, Type};

use super::column_path::{self, plain};
use super::column_types;
use super::findings::Findings;
use super::value_checks::{self, Rejects};
use crate::NoneReason;
use crate::column_builder::Column;
use crate::decode_value::{Decoded, Problem, Raw, scalar};
use crate::field_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use crate::read_stats::FieldStats;
use crate::schema::{arrow_type, element_field};

/// A typed column. The values of rejected rows have no meaning.
pub(crate) struct Converted {
    pub(crate) array: ArrayRef,
    pub(crate) findings: Findings,
}

/// Converts what stands at the path of a field in its column.
pub(crate) fn column(column: &ArrayRef, decoder: &FieldDecoder) -> Result<Converted, ArrowError> {
    match decoder.path.steps() {
        [] | [_] => field(column, decoder),
        [_, steps @ ..] => at(column, steps, decoder),
    }
}

/// Converts what stands after these steps.
fn at(array: &ArrayRef, steps: &[Step], decoder: &FieldDecoder) -> Result<Converted, ArrowError> {
    let column_path::Followed { array, rejects, seen } = column_path::follow(array, steps)?;
    let mut converted = field(&array, decoder)?;
    converted.findings.seen.seen = seen;
    if !rejects.is_empty() {
        let known = std::mem::take(&mut converted.findings.rejects).into_iter().chain(rejects);
        let known: BTreeMap<usize, Problem> = known.collect();
        converted.findings.rejects = known.into_iter().collect();
    }
    Ok(converted)
}

/// Converts the values of a field.
fn field(array: &ArrayRef, field: &FieldDecoder) -> Result<Converted, ArrowError> {
    let array = without_spelled_nulls(plain(array)?, &field.value)?;
    let mut converted = values(&array, &field.value, field.row_type.optional)?;
    converted.findings.seen.seen = true;
    if field.is_typed {
        return Ok(converted);
    }
    if field.value.rules.invalid_is_none() && !converted.findings.rejects.is_empty() {
        converted = with_invalid_as_none(converted)?;
    }
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(converted);
    };
    if let Some(default) = &field.default {
        let mut one = Column::new(&field.row_type);
        if one.push_value(default) {
            let is_null = BooleanArray::new(!nulls.inner(), None);
            converted.array = zip(&is_null, &Scalar::new(one.take()), &converted.array)?;
        }
    } else if !field.value.ty.optional {
        let rows = (0..array.len()).filter(|&row| nulls.is_null(row));
        let rejects = &mut converted.findings.rejects;
        rejects.extend(rows.map(|row| (row, Problem::missing(field))));
        rejects.sort_by_key(|(row, _)| *row);
    }
    Ok(converted)
}

/// The texts of a column without those that are spellings of none.
fn without_spelled_nulls(array: ArrayRef, decoder: &ValueDecoder) -> Result<ArrayRef, ArrowError> {
    let rules = &decoder.rules;
    if !rules.has_nulls() {
        return Ok(array);
    }
    let is_null: BooleanBuffer = match (array.as_string_view_opt(), array.as_binary_view_opt()) {
        (Some(texts), _) => texts.iter().map(|text| text.is_some_and(|text| rules.is_null(text))).collect(),
        (_, Some(bytes)) => {
            let is_null = |bytes| std::str::from_utf8(bytes).is_ok_and(|text| rules.is_null(text));
            bytes.iter().map(|bytes| bytes.is_some_and(is_null)).collect()
        }
        _ => return Ok(array),
    };
    nullif(&array, &BooleanArray::new(is_null, None))
}

/// The column with none for what does not decode.
fn with_invalid_as_none(converted: Converted) -> Result<Converted, ArrowError> {
    let Converted { array, mut findings } = converted;
    let rejects = std::mem::take(&mut findings.rejects);
    let mut is_invalid = BooleanBufferBuilder::new(array.len());
    is_invalid.append_n(array.len(), false);
    rejects.iter().for_each(|(row, _)| is_invalid.set_bit(*row, true));
    let array = nullif(&array, &BooleanArray::new(is_invalid.finish(), None))?;
    findings.none_values.retain(|(row, _)| rejects.binary_search_by_key(row, |(row, _)| *row).is_err());
    findings.none_values.extend(rejects.into_iter().map(|(row, _)| (row, NoneReason::Invalid)));
    Ok(Converted { array, findings })
}

/// Converts the values that are there; the nulls stay, and nothing is said about them. `nullable`: whether a
/// value that is there may be none.
fn values(array: &ArrayRef, decoder: &ValueDecoder, nullable: bool) -> Result<Converted, ArrowError> {
    let mut findings = Findings::default();
    let rejects = &mut findings.rejects;
    let text =
        array.as_binary_view_opt().map(|bytes| Arc::new(value_checks::text(bytes, rejects)) as ArrayRef);
    let array = text.as_ref().unwrap_or(array);
    let array: ArrayRef = match (&decoder.format, array.data_type()) {
        (ValueFormat::Bool, DataType::Boolean) => Arc::clone(array),
        (ValueFormat::Text, DataType::Utf8View) => Arc::clone(array),
        (ValueFormat::Enum(names), DataType::Utf8View) => {
            let indices = value_checks::enum_indices(array.as_string_view(), names, rejects);
            rejects.sort_by_key(|(row, _)| *row);
            Arc::new(indices)
        }
        (ValueFormat::List(element), DataType::List(_)) => return lists(array.as_list(), element),
        (_, DataType::Utf8View) => spelled(array.as_string_view(), decoder, nullable, &mut findings),
        (ValueFormat::Bool, _) => {
            let digits = cast(array, &DataType::Utf8View)?;
            spelled(digits.as_string_view(), decoder, nullable, &mut findings)
        }
        (ValueFormat::Float, _) => {
            let floats = cast(array, &DataType::Float64)?;
            Arc::new(value_checks::floats(floats.as_primitive(), nullable, &mut findings))
        }
        (ValueFormat::Int, found) if column_types::is_float(found) => {
            let floats = cast(array, &DataType::Float64)?;
            Arc::new(value_checks::ints_of_floats(floats.as_primitive(), nullable, &mut findings))
        }
        (ValueFormat::Int, found) if column_types::is_decimal(found) => {
            let whole = value_checks::decimals(&value_checks::wide(array)?, (38, 0), rejects)?;
            Arc::new(value_checks::ints_of_decimals(&whole, rejects))
        }
        (ValueFormat::Decimal { precision, scale }, _) => {
            Arc::new(value_checks::decimals(&value_checks::wide(array)?, (*precision, *scale), rejects)?)
        }
        (ValueFormat::Date, DataType::Date32) => Arc::new(value_checks::days(array.as_primitive(), rejects)),
        (ValueFormat::Date, DataType::Date64) => {
            Arc::new(value_checks::days_of_milliseconds(array.as_primitive(), rejects))
        }
        (ValueFormat::Timestamp, found) => Arc::new(instants(array, found, decoder, rejects)?),
        (ValueFormat::Duration, DataType::Duration(unit)) => {
            let counts = cast(array, &DataType::Int64)?;
            Arc::new(value_checks::durations(counts.as_primitive(), *unit, rejects))
        }
        (ValueFormat::Duration, _) => {
            let counts = value_checks::ints(array, rejects)?;
            Arc::new(value_checks::durations(&counts, TimeUnit::Microsecond, rejects))
        }
        (ValueFormat::Int, _) => Arc::new(value_checks::ints(array, rejects)?),
        (ValueFormat::Record(parts), DataType::Struct(_) | DataType::Map(..)) => {
            return records(array, parts, decoder);
        }
        (_, found) => {
            return Err(ArrowError::SchemaError(format!("a column of `{found}` where none was expected")));
        }
    };
    Ok(Converted { array, findings })
}

/// The instants of a column of times, dates, or numbers of the field's unit.
fn instants(
    array: &ArrayRef,
    found: &DataType,
    decoder: &ValueDecoder,
    rejects: &mut Rejects,
) -> Result<TimestampMicrosecondArray, ArrowError> {
    let zone = decoder.rules.zone();
    Ok(match (found, decoder.rules.unit()) {
        (DataType::Timestamp(unit, found), _) => {
            let counts = cast(array, &DataType::Int64)?;
            value_checks::instants(counts.as_primitive(), *unit, zone.filter(|_| found.is_none()), rejects)
        }
        (DataType::Date32, _) => {
            value_checks::midnights(&value_checks::days(array.as_primitive(), rejects), zone, rejects)
        }
        (DataType::Date64, _) => value_checks::midnights(
            &value_checks::days_of_milliseconds(array.as_primitive(), rejects),
            zone,
            rejects,
        ),
        (found, Some(_)) if column_types::is_float(found) => {
            let floats = cast(array, &DataType::Float64)?;
            value_checks::instants_of_floats(floats.as_primitive(), &decoder.rules, rejects)
        }
        (_, Some(unit)) => {
            value_checks::instants_of_ints(&value_checks::ints(array, rejects)?, unit, rejects)
        }
        (found, None) => {
            return Err(ArrowError::SchemaError(format!("a column of `{found}` where none was expected")));
        }
    })
}

/// The values of texts, by the rules of all other texts.
fn spelled(
    texts: &StringViewArray,
    decoder: &ValueDecoder,
    nullable: bool,
    findings: &mut Findings,
) -> ArrayRef {
    let mut column = Column::new(&Type { optional: true, ..decoder.ty.clone() });
    for (row, text) in texts.iter().enumerate() {
        match text.map(|text| scalar(Raw::Text(text), decoder)) {
            None | Some(Ok(Decoded::Absent)) => column.push_none(),
            Some(Ok(Decoded::Value(scalar))) => column.push(scalar),
            Some(Ok(Decoded::NotFinite)) => {
                column.push_none();
                findings.not_finite(row, nullable);
            }
            Some(Err(problem)) => {
                column.push_none();
                findings.rejects.push((row, problem));
            }
        }
    }
    column.take()
}

fn lists(array: &ListArray, element: &ValueDecoder) -> Result<Converted, ArrowError> {
    let ends: Vec<usize> =
        array.value_offsets().iter().map(|&offset| usize::try_from(offset).unwrap_or(0)).collect();
    let first = ends.first().copied().unwrap_or(0);
    let n_elements = ends.last().copied().unwrap_or(0) - first;
    let elements = without_spelled_nulls(plain(&array.values().slice(first, n_elements))?, element)?;
    let Converted { array: typed, findings } = values(&elements, element, element.ty.optional)?;

    let missing = |_| Problem::new("null in a list whose elements are not optional", "null");
    let nulls = (0..n_elements).filter(|&index| !element.ty.optional && elements.is_null(index));
    let mut in_elements: Vec<_> =
        nulls.map(|index| (index, missing(index))).chain(findings.rejects).collect();
    in_elements.sort_by_key(|(index, _)| *index);
    let row_of = |index: usize| ends.partition_point(|&start| start <= index + first) - 1;
    let mut rejects: Vec<(usize, Problem)> = Vec::new();
    for (index, problem) in in_elements {
        let row = row_of(index);
        // The elements of a null list have no meaning.
        if array.is_valid(row) && rejects.last().is_none_or(|(last, _)| *last != row) {
            rejects.push((row, problem));
        }
    }
    let none_values = findings.none_values.into_iter().map(|(index, reason)| (row_of(index), reason));
    let none_values = none_values.filter(|(row, _)| array.is_valid(*row)).collect();
    let elements = settled(typed, element.ty.optional)?;
    let lengths = ends.windows(2).map(|pair| pair[1] - pair[0]);
    let offsets = OffsetBuffer::from_lengths(lengths);
    let array =
        ListArray::try_new(Arc::new(element_field(&element.ty)), offsets, elements, array.nulls().cloned())?;
    let findings = Findings { rejects, none_values, seen: findings.seen };
    Ok(Converted { array: Arc::new(array), findings })
}

/// Records of structs, or of maps by their keys.
fn records(
    array: &ArrayRef,
    parts: &[FieldDecoder],
    decoder: &ValueDecoder,
) -> Result<Converted, ArrowError> {
    let mut arrays = Vec::with_capacity(parts.len());
    let (mut rejects, mut none_values) = (BTreeMap::new(), Vec::new());
    let mut seen = vec![FieldStats::default(); parts.len()];
    for (index, part) in parts.iter().enumerate() {
        let is_there = column_path::type_below(array.data_type(), part.path.steps()).is_ok();
        if !is_there {
            arrays.push(part.absent_column(array.len()));
            continue;
        }
        let converted = at(array, part.path.steps(), part)?;
        // What is in a record that is null has no meaning.
        let Findings { rejects: found, none_values: none, seen: part_seen } = converted.findings;
        seen[index] = part_seen;
        for (row, problem) in found.into_iter().filter(|(row, _)| array.is_valid(*row)) {
            rejects.entry(row).or_insert_with(|| problem.in_field(index).within());
        }
        none_values.extend(none.into_iter().filter(|(row, _)| array.is_valid(*row)));
        arrays.push(settled(converted.array, part.value.ty.optional)?);
    }
    let DataType::Struct(fields) = arrow_type(&decoder.ty.kind) else {
        return Err(ArrowError::SchemaError(format!("records where `{}` is declared", decoder.ty)));
    };
    let records = StructArray::try_new(fields, arrays, array.nulls().cloned())?;
    let parts = if array.null_count() < array.len() { seen } else { Vec::new() };
    let seen = FieldStats { seen: true, parts };
    let findings = Findings { rejects: rejects.into_iter().collect(), none_values, seen };
    Ok(Converted { array: Arc::new(records), findings })
}

/// Values of a list or record, without nulls where their type has none: those that there are belong to what
/// is rejected, or is null itself, and Arrow does not accept them all the same.
fn settled(values: ArrayRef, optional: bool) -> Result<ArrayRef, ArrowError> {
    if optional || values.null_count() == 0 {
        return Ok(values);
    }
    Ok(make_array(values.to_data().into_builder().nulls(None).build()?))
}
