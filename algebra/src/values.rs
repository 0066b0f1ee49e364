//! Values of any plain type as ordered bytes: the one encoding in which variable-size states hold them.
//!
//! The bytes of two values of one type are in the order of the values, and equal values have equal bytes:
//! booleans and words big-endian with the sign turned, floats by the IEEE 754 total order of finite values,
//! texts as they are. A state that holds values therefore needs no code of its own for each type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    Float64Array, Int32Array, Int64Array, StringViewArray, StringViewBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};

use crate::Checked;
use crate::argument_column::Column;
use crate::scalar::{OneWord, Scalar, from_wide_word, wide_word};

/// How the bytes of a type are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// One byte, 0 or 1.
    Bool,
    /// An integer of 32 bits.
    Short,
    /// An integer of 64 bits.
    Long,
    /// A finite float.
    Float,
    /// The digits of a decimal.
    Wide,
    /// UTF-8.
    Text,
}

const SHAPES: [Shape; 6] = [Shape::Bool, Shape::Short, Shape::Long, Shape::Float, Shape::Wide, Shape::Text];
const NO_SUCH_VALUE: &str = "the state holds bytes that are no value of its type";

impl Shape {
    /// The shape of a plain type; none for lists and others.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Shape::Bool,
            DataType::Int32 | DataType::Date32 => Shape::Short,
            DataType::Int64
            | DataType::Timestamp(TimeUnit::Microsecond, None)
            | DataType::Duration(TimeUnit::Microsecond) => Shape::Long,
            DataType::Float64 => Shape::Float,
            DataType::Decimal128(..) => Shape::Wide,
            DataType::Utf8View => Shape::Text,
            _ => return None,
        })
    }

    /// Bytes of a value; a text has its length in addition.
    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Shape::Bool => 1,
            Shape::Short => 4,
            Shape::Long | Shape::Float => 8,
            Shape::Wide => 16,
            Shape::Text => 0,
        }
    }

    /// The byte that stands for the shape between processes.
    pub(crate) fn tag(self) -> u8 {
        SHAPES.iter().position(|shape| *shape == self).unwrap_or(0) as u8
    }

    pub(crate) fn of_tag(tag: u8) -> Option<Self> {
        SHAPES.get(usize::from(tag)).copied()
    }

    /// Hands the bytes of the value with this word to `read`; of shapes that are no word's, the word.
    #[inline]
    pub(crate) fn with_word_bytes<T>(self, word: u64, read: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Shape::Bool => read(&[word as u8]),
            // The word is that of the integer widened to 64 bits.
            Shape::Short => read(&(word as u32 ^ 1 << 31).to_be_bytes()),
            Shape::Long | Shape::Float | Shape::Wide | Shape::Text => read(&word.to_be_bytes()),
        }
    }

    /// The word of the value with these bytes; of shapes that are no word's, none.
    #[inline]
    pub(crate) fn word(self, bytes: &[u8]) -> Checked<u64> {
        let word = match self {
            Shape::Bool => bytes.first().filter(|byte| **byte < 2).map(|byte| u64::from(*byte)),
            Shape::Short => short(bytes).map(OneWord::to_word),
            Shape::Long => word(bytes),
            Shape::Float => word(bytes).filter(|word| f64::from_word(*word).is_some()),
            Shape::Wide | Shape::Text => None,
        };
        word.ok_or(NO_SUCH_VALUE)
    }

    /// Whether some value has these bytes.
    pub(crate) fn check(self, bytes: &[u8]) -> Checked<()> {
        let is_value = match self {
            Shape::Bool => matches!(bytes, [0 | 1]),
            Shape::Short => bytes.len() == 4,
            Shape::Long => bytes.len() == 8,
            Shape::Float => word(bytes).is_some_and(|word| f64::from_word(word).is_some()),
            Shape::Wide => bytes.len() == 16,
            Shape::Text => std::str::from_utf8(bytes).is_ok(),
        };
        if is_value { Ok(()) } else { Err(NO_SUCH_VALUE) }
    }
}

fn word(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn long(bytes: &[u8]) -> Option<i64> {
    word(bytes).and_then(i64::from_word)
}

fn short(bytes: &[u8]) -> Option<i32> {
    bytes.try_into().ok().map(|bytes| (u32::from_be_bytes(bytes) ^ 1 << 31) as i32)
}

fn wide(bytes: &[u8]) -> Option<i128> {
    bytes.try_into().ok().map(|bytes| from_wide_word(u128::from_be_bytes(bytes)))
}

/// A column of any plain type.
#[derive(Debug)]
pub(crate) enum Values {
    Bool(BooleanArray),
    Enum(Int32Array),
    Date(Date32Array),
    Int(Int64Array),
    Timestamp(TimestampMicrosecondArray),
    Duration(DurationMicrosecondArray),
    Float(Float64Array),
    Decimal(Decimal128Array),
    Text(StringViewArray),
}

/// One value of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    column: &'a Values,
    row: usize,
}

impl Value<'_> {
    /// Hands the value's bytes to `read`.
    #[inline]
    pub(crate) fn with_bytes<T>(self, read: impl FnOnce(&[u8]) -> T) -> T {
        let row = self.row;
        match self.column {
            Values::Bool(column) => read(&[u8::from(column.value(row))]),
            Values::Enum(column) => read(&short_bytes(column.value(row))),
            Values::Date(column) => read(&short_bytes(column.value(row))),
            Values::Int(column) => read(&column.value(row).to_word().to_be_bytes()),
            Values::Timestamp(column) => read(&column.value(row).to_word().to_be_bytes()),
            Values::Duration(column) => read(&column.value(row).to_word().to_be_bytes()),
            Values::Float(column) => read(&column.value(row).to_word().to_be_bytes()),
            Values::Decimal(column) => read(&wide_word(column.value(row)).to_be_bytes()),
            Values::Text(column) => read(column.value(row).as_bytes()),
        }
    }
}

fn short_bytes(value: i32) -> [u8; 4] {
    (value as u32 ^ 1 << 31).to_be_bytes()
}

impl Values {
    pub(crate) fn array(&self) -> &dyn Array {
        match self {
            Values::Bool(column) => column,
            Values::Enum(column) => column,
            Values::Date(column) => column,
            Values::Int(column) => column,
            Values::Timestamp(column) => column,
            Values::Duration(column) => column,
            Values::Float(column) => column,
            Values::Decimal(column) => column,
            Values::Text(column) => column,
        }
    }

    pub(crate) fn of(array: &ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean_opt()?.clone()),
            DataType::Int32 => Values::Enum(array.as_primitive_opt::<Int32Type>()?.clone()),
            DataType::Date32 => Values::Date(array.as_primitive_opt::<Date32Type>()?.clone()),
            DataType::Int64 => Values::Int(array.as_primitive_opt::<Int64Type>()?.clone()),
            DataType::Timestamp(..) => {
                Values::Timestamp(array.as_primitive_opt::<TimestampMicrosecondType>()?.clone())
            }
            DataType::Duration(_) => {
                Values::Duration(array.as_primitive_opt::<DurationMicrosecondType>()?.clone())
            }
            DataType::Float64 => Values::Float(array.as_primitive_opt::<Float64Type>()?.clone()),
            DataType::Decimal128(..) => Values::Decimal(array.as_primitive_opt::<Decimal128Type>()?.clone()),
            DataType::Utf8View => Values::Text(array.as_string_view_opt()?.clone()),
            _ => return None,
        })
    }
}

impl Column for Values {
    type Item<'a> = Value<'a>;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        args.first().and_then(Values::of)
    }
    fn items(&self) -> impl Iterator<Item = Value<'_>> {
        (0..self.array().len()).map(|row| Value { column: self, row })
    }
    #[inline]
    fn item(&self, row: usize) -> Value<'_> {
        Value { column: self, row }
    }
    fn nulls(&self) -> Option<NullBuffer> {
        self.array().nulls().cloned()
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        match (self, selected) {
            (Values::Float(column), None) => column.values().iter().all(|value| value.is_proper()),
            (Values::Float(column), Some(selected)) => {
                selected.set_indices().all(|row| column.value(row).is_proper())
            }
            _ => true,
        }
    }
}

/// The bytes of a constant as a value of a plain type: a parameter of an aggregate, such as an edge of a
/// histogram. None where it is not of the type.
pub(crate) fn constant_bytes(value: &metricc_ir::Value, data_type: &DataType) -> Option<Vec<u8>> {
    use metricc_ir::Value as Constant;
    Some(match (value, data_type) {
        (Constant::Bool(value), DataType::Boolean) => vec![u8::from(*value)],
        (Constant::Enum(place), DataType::Int32) => short_bytes(place.cast_signed()).to_vec(),
        (Constant::Date(days), DataType::Date32) => short_bytes(*days).to_vec(),
        (Constant::Int(value), DataType::Int64)
        | (Constant::Timestamp(value), DataType::Timestamp(TimeUnit::Microsecond, None))
        | (Constant::Duration(value), DataType::Duration(TimeUnit::Microsecond)) => {
            value.to_word().to_be_bytes().to_vec()
        }
        (Constant::Float(value), DataType::Float64) if value.is_finite() => {
            (value + 0.0).to_word().to_be_bytes().to_vec()
        }
        (Constant::Decimal(digits), DataType::Decimal128(..)) => wide_word(*digits).to_be_bytes().to_vec(),
        (Constant::String(text), DataType::Utf8View) => text.clone().into_bytes(),
        _ => return None,
    })
}

/// The bytes of one value of a plain column; none for a null, and for other types.
pub fn value_bytes(column: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    ValueBytes::of(column).with(row, |bytes| bytes.map(<[u8]>::to_vec))
}

/// A column whose values are read as bytes, row by row.
#[derive(Debug)]
pub struct ValueBytes(Option<Values>);

impl ValueBytes {
    /// A plain column; of one of another type, all values are none.
    pub fn of(column: &ArrayRef) -> Self {
        ValueBytes(Values::of(column))
    }

    /// Hands the bytes of a value to `read`, or none for a null.
    #[inline]
    pub fn with<T>(&self, row: usize, read: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match &self.0 {
            Some(values) if values.array().is_valid(row) => {
                values.item(row).with_bytes(|bytes| read(Some(bytes)))
            }
            _ => read(None),
        }
    }
}

/// A column of a plain type from the bytes of its values.
pub(crate) fn column_of<'a>(
    data_type: &DataType,
    values: impl Iterator<Item = Option<&'a [u8]>>,
) -> Checked<ArrayRef> {
    fn read<'a, T>(
        values: impl Iterator<Item = Option<&'a [u8]>>,
        one: impl Fn(&[u8]) -> Option<T>,
    ) -> Checked<Vec<Option<T>>> {
        values.map(|bytes| bytes.map(|bytes| one(bytes).ok_or(NO_SUCH_VALUE)).transpose()).collect()
    }
    Ok(match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from(read(values, |bytes| Some(bytes == [1]))?)),
        DataType::Int32 => Arc::new(Int32Array::from(read(values, short)?)),
        DataType::Date32 => Arc::new(Date32Array::from(read(values, short)?)),
        DataType::Int64 => Arc::new(Int64Array::from(read(values, long)?)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Arc::new(TimestampMicrosecondArray::from(read(values, long)?))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            Arc::new(DurationMicrosecondArray::from(read(values, long)?))
        }
        DataType::Float64 => {
            Arc::new(Float64Array::from(read(values, |bytes| word(bytes).and_then(f64::from_word))?))
        }
        DataType::Decimal128(..) => {
            Arc::new(Decimal128Array::from(read(values, wide)?).with_data_type(data_type.clone()))
        }
        DataType::Utf8View => {
            let mut texts = StringViewBuilder::new();
            for bytes in values {
                let text = bytes.map(std::str::from_utf8).transpose().map_err(|_| NO_SUCH_VALUE)?;
                texts.append_option(text);
            }
            Arc::new(texts.finish())
        }
        _ => return Err("the state holds values of a type that is not plain"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_of(column: &ArrayRef) -> Vec<Vec<u8>> {
        (0..column.len()).map(|row| value_bytes(column, row).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn bytes_keep_the_order_and_come_back(
            longs in proptest::collection::vec(any::<i64>(), 2), shorts in proptest::collection::vec(any::<i32>(), 2),
            texts in proptest::collection::vec("\\PC{0,4}", 2),
            floats in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO, 2),
        ) {
            let floats: Vec<f64> = floats.iter().map(|value| value + 0.0).collect();
            let columns: [(ArrayRef, std::cmp::Ordering); 4] = [
                (Arc::new(Int64Array::from(longs.clone())), longs[0].cmp(&longs[1])),
                (Arc::new(Date32Array::from(shorts.clone())), shorts[0].cmp(&shorts[1])),
                (Arc::new(StringViewArray::from_iter_values(&texts)), texts[0].as_bytes().cmp(texts[1].as_bytes())),
                (Arc::new(Float64Array::from(floats.clone())), floats[0].total_cmp(&floats[1])),
            ];
            for (column, order) in columns {
                let bytes = bytes_of(&column);
                prop_assert_eq!(bytes[0].cmp(&bytes[1]), order);
                let shape = Shape::of(column.data_type()).unwrap();
                prop_assert!(bytes.iter().all(|bytes| shape.check(bytes).is_ok()));
                let again = column_of(column.data_type(), bytes.iter().map(|bytes| Some(bytes.as_slice()))).unwrap();
                prop_assert_eq!(again.to_data(), column.to_data());
            }
        }
    }

    #[test]
    fn bytes_that_no_value_has_are_refused() {
        for (shape, bytes) in [
            (Shape::Bool, &[2_u8][..]),
            (Shape::Short, &[0; 3]),
            (Shape::Long, &[0; 9]),
            (Shape::Float, &[0xff; 8]),
            (Shape::Wide, &[0; 15]),
            (Shape::Text, &[0xff]),
        ] {
            assert!(shape.check(bytes).is_err(), "{shape:?}");
            assert_eq!(Shape::of_tag(shape.tag()), Some(shape));
        }
        assert_eq!(Shape::of_tag(6), None);
    }
}
