//! Presented cells as values of the language.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use metricc_ir::{Kind, Value};

/// The value in a row of a column of a kind.
///
/// # Panics
/// When the column is not of the kind's Arrow type.
pub fn value_at(kind: &Kind, column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::None;
    }
    match kind {
        Kind::Bool => Value::Bool(column.as_boolean().value(row)),
        Kind::Int => Value::Int(column.as_primitive::<Int64Type>().value(row)),
        Kind::Int128 | Kind::Decimal { .. } => {
            Value::Decimal(column.as_primitive::<Decimal128Type>().value(row))
        }
        Kind::Float => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        Kind::String => Value::String(column.as_string_view().value(row).to_owned()),
        // Places in the list of an enum are never negative.
        Kind::Enum(_) => Value::Enum(column.as_primitive::<Int32Type>().value(row).unsigned_abs()),
        Kind::Date => Value::Date(column.as_primitive::<Date32Type>().value(row)),
        Kind::Timestamp => Value::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        Kind::Duration => Value::Duration(column.as_primitive::<DurationMicrosecondType>().value(row)),
        Kind::List(element) => {
            let elements = column.as_list::<i32>().value(row);
            Value::List((0..elements.len()).map(|row| value_at(&element.kind, &elements, row)).collect())
        }
        Kind::Record(fields) => {
            let columns = fields.iter().zip(column.as_struct().columns());
            Value::Record(columns.map(|(field, column)| value_at(&field.ty.kind, column, row)).collect())
        }
    }
}
