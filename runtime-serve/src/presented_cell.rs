//! Presented cells: the one place that reads a value of the language from an Arrow column. Text, JSON and
//! values of the language are made from it.

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use metricc_ir::{Kind, RecordField, Value};

/// A value in a row of a column.
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Int128(i128),
    /// The unscaled value, and the scale.
    Decimal(i128, usize),
    Float(f64),
    String(&'a str),
    /// The index of a name.
    Enum(u32, &'a [String]),
    Date(i32),
    Timestamp(i64),
    Duration(i64),
    /// The type of the elements, and the elements.
    List(&'a Kind, ArrayRef),
    Record(&'a [RecordField], &'a StructArray, usize),
}

impl<'a> Cell<'a> {
    /// # Panics
    /// When the column is not of the kind's Arrow type.
    pub(crate) fn of(kind: &'a Kind, column: &'a ArrayRef, row: usize) -> Self {
        if column.is_null(row) {
            return Cell::Null;
        }
        match kind {
            Kind::Bool => Cell::Bool(column.as_boolean().value(row)),
            Kind::Int => Cell::Int(column.as_primitive::<Int64Type>().value(row)),
            Kind::Int128 => Cell::Int128(column.as_primitive::<Decimal128Type>().value(row)),
            Kind::Decimal { scale, .. } => {
                Cell::Decimal(column.as_primitive::<Decimal128Type>().value(row), usize::from(*scale))
            }
            Kind::Float => Cell::Float(column.as_primitive::<Float64Type>().value(row)),
            Kind::String => Cell::String(column.as_string_view().value(row)),
            // The index of a name is never negative.
            Kind::Enum(names) => {
                Cell::Enum(column.as_primitive::<Int32Type>().value(row).unsigned_abs(), names)
            }
            Kind::Date => Cell::Date(column.as_primitive::<Date32Type>().value(row)),
            Kind::Timestamp => Cell::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row)),
            Kind::Duration => Cell::Duration(column.as_primitive::<DurationMicrosecondType>().value(row)),
            Kind::List(element) => Cell::List(&element.kind, column.as_list::<i32>().value(row)),
            Kind::Record(fields) => Cell::Record(fields, column.as_struct(), row),
        }
    }

    fn value(&self) -> Value {
        match *self {
            Cell::Null => Value::None,
            Cell::Bool(value) => Value::Bool(value),
            Cell::Int(value) => Value::Int(value),
            Cell::Int128(value) | Cell::Decimal(value, _) => Value::Decimal(value),
            Cell::Float(value) => Value::Float(value),
            Cell::String(value) => Value::String(value.to_owned()),
            Cell::Enum(index, _) => Value::Enum(index),
            Cell::Date(value) => Value::Date(value),
            Cell::Timestamp(value) => Value::Timestamp(value),
            Cell::Duration(value) => Value::Duration(value),
            Cell::List(kind, ref elements) => {
                Value::List((0..elements.len()).map(|row| value_at(kind, elements, row)).collect())
            }
            Cell::Record(fields, columns, row) => {
                let columns = fields.iter().zip(columns.columns());
                Value::Record(columns.map(|(field, column)| value_at(&field.ty.kind, column, row)).collect())
            }
        }
    }
}

/// The value in a row of a column of a kind.
///
/// # Panics
/// When the column is not of the kind's Arrow type.
pub fn value_at(kind: &Kind, column: &ArrayRef, row: usize) -> Value {
    Cell::of(kind, column, row).value()
}

/// The shortest decimal that reads back as the same float, with a point or an exponent.
pub(crate) fn float_text(value: f64) -> String {
    format!("{value:?}")
}
