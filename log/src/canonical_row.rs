//! Canonical bytes of typed rows: equal rows have equal bytes and different rows different ones,
//! whatever format they came from.
//!
//! A value is a byte 0 for null, or 1 and then the value: fixed widths little-endian, texts and lists
//! after their length, records as their fields one after another.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};

/// A typed column, seen as its values.
pub(crate) struct CanonicalCells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Bool(&'a BooleanArray),
    Long(&'a [i64]),
    Short(&'a [i32]),
    Wide(&'a [i128]),
    Float(&'a [f64]),
    Text(&'a StringViewArray),
    List(&'a ListArray, Box<CanonicalCells<'a>>),
    Record(Vec<CanonicalCells<'a>>),
}

impl<'a> CanonicalCells<'a> {
    /// `None` for an Arrow type that typed rows do not have.
    pub(crate) fn new(array: &'a ArrayRef) -> Option<Self> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean_opt()?),
            DataType::Int64 => Values::Long(array.as_primitive_opt::<Int64Type>()?.values()),
            DataType::Timestamp(..) => {
                Values::Long(array.as_primitive_opt::<TimestampMicrosecondType>()?.values())
            }
            DataType::Duration(_) => {
                Values::Long(array.as_primitive_opt::<DurationMicrosecondType>()?.values())
            }
            DataType::Int32 => Values::Short(array.as_primitive_opt::<Int32Type>()?.values()),
            DataType::Date32 => Values::Short(array.as_primitive_opt::<Date32Type>()?.values()),
            DataType::Decimal128(..) => Values::Wide(array.as_primitive_opt::<Decimal128Type>()?.values()),
            DataType::Float64 => Values::Float(array.as_primitive_opt::<Float64Type>()?.values()),
            DataType::Utf8View => Values::Text(array.as_string_view_opt()?),
            DataType::List(_) => {
                let list: &ListArray = array.as_list_opt()?;
                Values::List(list, Box::new(CanonicalCells::new(list.values())?))
            }
            DataType::Struct(_) => {
                let parts = array.as_struct_opt()?.columns();
                Values::Record(parts.iter().map(CanonicalCells::new).collect::<Option<_>>()?)
            }
            _ => return None,
        };
        Some(CanonicalCells { nulls: array.nulls(), values })
    }

    /// Appends the bytes of the value in a row.
    pub(crate) fn append(&self, row: usize, bytes: &mut Vec<u8>) {
        let is_there = self.nulls.is_none_or(|nulls| nulls.is_valid(row));
        bytes.push(u8::from(is_there));
        if !is_there {
            return;
        }
        match &self.values {
            Values::Bool(values) => bytes.push(u8::from(values.value(row))),
            Values::Long(values) => bytes.extend(values[row].to_le_bytes()),
            Values::Short(values) => bytes.extend(values[row].to_le_bytes()),
            Values::Wide(values) => bytes.extend(values[row].to_le_bytes()),
            Values::Float(values) => bytes.extend(values[row].to_bits().to_le_bytes()),
            Values::Text(values) => {
                let text = values.value(row).as_bytes();
                bytes.extend((text.len() as u64).to_le_bytes());
                bytes.extend(text);
            }
            Values::List(lists, elements) => {
                let offsets = lists.value_offsets();
                let index = |offset: i32| usize::try_from(offset).unwrap_or(0);
                let range = index(offsets[row])..index(offsets[row + 1]);
                bytes.extend((range.len() as u64).to_le_bytes());
                range.for_each(|element| elements.append(element, bytes));
            }
            Values::Record(parts) => parts.iter().for_each(|part| part.append(row, bytes)),
        }
    }
}
