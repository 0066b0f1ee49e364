//! Constants of the typed metric as DataFusion scalars of the same Arrow type as a column's.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StructArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;
use metricc_ir::{Kind, RecordField, Value};

use super::data_type;
use crate::CompileError;

/// The scalar for a value of a kind.
pub(super) fn scalar(value: &Value, kind: &Kind) -> Result<ScalarValue, CompileError> {
    Ok(match (value, kind) {
        (Value::None, kind) => ScalarValue::try_from(&data_type(kind))
            .map_err(|error| CompileError::engine(format!("constant of `{kind}`"), error))?,
        (Value::Bool(value), Kind::Bool) => ScalarValue::Boolean(Some(*value)),
        (Value::Int(value), Kind::Int) => ScalarValue::Int64(Some(*value)),
        (Value::Int(value), Kind::Int128) => ScalarValue::Decimal128(Some((*value).into()), 38, 0),
        (Value::Decimal(digits), Kind::Int128) => ScalarValue::Decimal128(Some(*digits), 38, 0),
        (Value::Decimal(digits), Kind::Decimal { precision, scale }) => {
            ScalarValue::Decimal128(Some(*digits), *precision, *scale as i8)
        }
        (Value::Float(value), Kind::Float) if value.is_finite() => ScalarValue::Float64(Some(value + 0.0)),
        (Value::String(text), Kind::String) => ScalarValue::Utf8View(Some(text.clone())),
        (Value::Enum(place), Kind::Enum(names)) if (*place as usize) < names.len() => {
            ScalarValue::Int32(i32::try_from(*place).ok())
        }
        (Value::Date(days), Kind::Date) => ScalarValue::Date32(Some(*days)),
        (Value::Timestamp(micros), Kind::Timestamp) => ScalarValue::TimestampMicrosecond(Some(*micros), None),
        (Value::Duration(micros), Kind::Duration) => ScalarValue::DurationMicrosecond(Some(*micros)),
        (Value::List(elements), Kind::List(element)) => list(elements, &element.kind, element.optional)?,
        (Value::Record(values), Kind::Record(fields)) if values.len() == fields.len() => {
            record(values, fields, kind)?
        }
        (value, kind) => return Err(CompileError::form("constant", format!("{value:?} is not of `{kind}`"))),
    })
}

/// A column of values of a kind.
pub(super) fn column(values: &[&Value], kind: &Kind) -> Result<ArrayRef, CompileError> {
    if values.is_empty() {
        return Ok(new_empty_array(&data_type(kind)));
    }
    let scalars = values.iter().map(|value| scalar(value, kind)).collect::<Result<Vec<_>, _>>()?;
    let column = ScalarValue::iter_to_array(scalars);
    column.map_err(|error| CompileError::engine(format!("column of `{kind}`"), error))
}

fn record(values: &[Value], fields: &[RecordField], kind: &Kind) -> Result<ScalarValue, CompileError> {
    let failed = |error| CompileError::engine("constant record", error);
    let parts = values
        .iter()
        .zip(fields)
        .map(|(value, field)| scalar(value, &field.ty.kind)?.to_array().map_err(failed));
    let DataType::Struct(types) = data_type(kind) else {
        return Err(CompileError::form("constant record", format!("`{kind}` is no record")));
    };
    let record = StructArray::try_new(types, parts.collect::<Result<_, _>>()?, None);
    Ok(ScalarValue::Struct(Arc::new(record.map_err(|error| failed(error.into()))?)))
}

fn list(elements: &[Value], kind: &Kind, optional: bool) -> Result<ScalarValue, CompileError> {
    let failed = |error| CompileError::engine("constant list", error);
    let scalars = elements.iter().map(|element| scalar(element, kind)).collect::<Result<Vec<_>, _>>()?;
    let element_type: DataType = data_type(kind);
    let values: ArrayRef = if scalars.is_empty() {
        new_empty_array(&element_type)
    } else {
        ScalarValue::iter_to_array(scalars).map_err(failed)?
    };
    let item = Arc::new(Field::new_list_field(element_type, optional));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    let list = ListArray::try_new(item, offsets, values, None).map_err(|error| failed(error.into()))?;
    Ok(ScalarValue::List(Arc::new(list)))
}
