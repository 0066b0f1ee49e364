//! From a column as the Parquet library reads it to a typed column, and the rows that do not decode.
//! Whole columns are checked at once; rows are looked at one by one only where a check fails.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, Scalar, make_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::error::ArrowError;

use super::scalars;
use crate::column::Column;
use crate::decode::Problem;
use crate::record_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use crate::schema::element_field;

/// A typed column. The values of rejected rows have no meaning.
pub(crate) struct Converted {
    pub(crate) array: ArrayRef,
    /// By row, each row at most once.
    pub(crate) rejects: Vec<(usize, Problem)>,
}

/// Converts the column of a field.
pub(crate) fn field(array: &ArrayRef, field: &FieldDecoder) -> Result<Converted, ArrowError> {
    let array = plain(array)?;
    let mut converted = values(&array, &field.value)?;
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(converted);
    };
    if let Some(default) = &field.default {
        let mut one = Column::new(&field.value.ty);
        if one.push_value(default) {
            let is_null = BooleanArray::new(!nulls.inner(), None);
            converted.array = zip(&is_null, &Scalar::new(one.take()), &converted.array)?;
        }
    } else if !field.value.ty.optional {
        let rows = (0..array.len()).filter(|&row| nulls.is_null(row));
        converted.rejects.extend(rows.map(|row| (row, Problem::missing(field))));
        converted.rejects.sort_by_key(|(row, _)| *row);
    }
    Ok(converted)
}

/// The column of a field that the file does not have.
pub(crate) fn absent(field: &FieldDecoder, n_rows: usize) -> ArrayRef {
    let mut column = Column::new(&field.value.ty);
    for _ in 0..n_rows {
        if !field.default.as_ref().is_some_and(|default| column.push_value(default)) {
            column.push_none();
        }
    }
    column.take()
}

/// The array without dictionaries and without the larger layouts.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let list = |item: &Arc<Field>| DataType::List(Arc::clone(item));
    match array.data_type() {
        DataType::Dictionary(_, inner) => plain(&cast(array, inner)?),
        DataType::Utf8 | DataType::LargeUtf8 => cast(array, &DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => cast(array, &DataType::BinaryView),
        DataType::FixedSizeBinary(_) => cast(&cast(array, &DataType::Binary)?, &DataType::BinaryView),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => cast(array, &list(item)),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            cast(array, &DataType::Decimal128(*precision, *scale))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// Converts the values that are there; the nulls stay, and nothing is said about them.
fn values(array: &ArrayRef, decoder: &ValueDecoder) -> Result<Converted, ArrowError> {
    let as_int = |array: &ArrayRef| cast(array, &DataType::Int64);
    let mut rejects = Vec::new();
    let array: ArrayRef = match (&decoder.format, array.data_type()) {
        (ValueFormat::Bool, DataType::Boolean) => Arc::clone(array),
        (ValueFormat::Text, DataType::Utf8View) => Arc::clone(array),
        (ValueFormat::Text, DataType::BinaryView) => {
            Arc::new(scalars::text(array.as_binary_view(), &mut rejects))
        }
        (ValueFormat::Enum(names), DataType::Utf8View) => {
            Arc::new(scalars::enum_indices(array.as_string_view(), names, &mut rejects))
        }
        (ValueFormat::Enum(names), DataType::BinaryView) => {
            let text = scalars::text(array.as_binary_view(), &mut rejects);
            let indices = scalars::enum_indices(&text, names, &mut rejects);
            rejects.sort_by_key(|(row, _)| *row);
            Arc::new(indices)
        }
        (ValueFormat::Int, _) => as_int(array)?,
        (ValueFormat::Float, _) => {
            let floats = cast(array, &DataType::Float64)?;
            Arc::new(scalars::floats(floats.as_primitive(), decoder.ty.optional, &mut rejects))
        }
        (ValueFormat::Decimal { precision, scale }, DataType::Decimal128(_, found)) => {
            let wanted = (*precision, *scale);
            Arc::new(scalars::decimals(array.as_primitive(), *found, wanted, &mut rejects)?)
        }
        (ValueFormat::Decimal { precision, scale }, _) => {
            let ints = as_int(array)?;
            let wide = ints.as_primitive::<Int64Type>().unary(i128::from);
            Arc::new(scalars::decimals(&wide, 0, (*precision, *scale), &mut rejects)?)
        }
        (ValueFormat::Date, DataType::Date32) => Arc::new(scalars::days(array.as_primitive(), &mut rejects)),
        (ValueFormat::Date, DataType::Date64) => {
            Arc::new(scalars::days_of_milliseconds(array.as_primitive(), &mut rejects))
        }
        (ValueFormat::Timestamp { zone, .. }, DataType::Timestamp(unit, found)) => {
            let zone = zone.as_ref().filter(|_| found.is_none());
            let counts = cast(array, &DataType::Int64)?;
            Arc::new(scalars::instants(counts.as_primitive(), *unit, zone, &mut rejects))
        }
        (ValueFormat::Timestamp { unit: Some(unit), .. }, _) => {
            Arc::new(scalars::instants_of_ints(as_int(array)?.as_primitive(), *unit, &mut rejects))
        }
        (ValueFormat::Duration, DataType::Duration(unit)) => {
            let counts = cast(array, &DataType::Int64)?;
            Arc::new(scalars::durations(counts.as_primitive(), *unit, &mut rejects))
        }
        (ValueFormat::Duration, _) => {
            let unit = arrow::datatypes::TimeUnit::Microsecond;
            Arc::new(scalars::durations(as_int(array)?.as_primitive(), unit, &mut rejects))
        }
        (ValueFormat::List(element), DataType::List(_)) => return lists(array.as_list(), element),
        (_, found) => {
            return Err(ArrowError::SchemaError(format!("a column of `{found}` where none was expected")));
        }
    };
    Ok(Converted { array, rejects })
}

fn lists(array: &ListArray, element: &ValueDecoder) -> Result<Converted, ArrowError> {
    let ends: Vec<usize> =
        array.value_offsets().iter().map(|&offset| usize::try_from(offset).unwrap_or(0)).collect();
    let first = ends.first().copied().unwrap_or(0);
    let n_elements = ends.last().copied().unwrap_or(0) - first;
    let elements = plain(&array.values().slice(first, n_elements))?;
    let converted = values(&elements, element)?;

    let missing = |_| Problem::new("null in a list whose elements are not optional", "null");
    let nulls = (0..n_elements).filter(|&index| !element.ty.optional && elements.is_null(index));
    let mut in_elements: Vec<_> =
        nulls.map(|index| (index, missing(index))).chain(converted.rejects).collect();
    in_elements.sort_by_key(|(index, _)| *index);
    let mut rejects: Vec<(usize, Problem)> = Vec::new();
    for (index, problem) in in_elements {
        let row = ends.partition_point(|&start| start <= index + first) - 1;
        // The elements of a null list have no meaning.
        if array.is_valid(row) && rejects.last().is_none_or(|(last, _)| *last != row) {
            rejects.push((row, problem));
        }
    }
    let mut elements = converted.array;
    if !element.ty.optional && elements.null_count() > 0 {
        // All nulls are in rejected lists or under nulls; Arrow does not accept them all the same.
        elements = make_array(elements.to_data().into_builder().nulls(None).build()?);
    }
    let lengths = ends.windows(2).map(|pair| pair[1] - pair[0]);
    let offsets = OffsetBuffer::from_lengths(lengths);
    let array =
        ListArray::try_new(Arc::new(element_field(&element.ty)), offsets, elements, array.nulls().cloned())?;
    Ok(Converted { array: Arc::new(array), rejects })
}
