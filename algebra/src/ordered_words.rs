//! Columns of fixed-width values as words in the order of the values: one kernel then serves all their types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use crate::Checked;
use crate::argument_column::Column;
use crate::scalar::{OneWord, from_wide_word, wide_word};
use crate::values::Values;

const NO_SUCH_VALUE: &str = "the state holds a word that no value has";

/// A column of values of `N` words each: decimals take two, all other fixed-width types one.
#[derive(Debug)]
pub(crate) struct Ordered<const N: usize> {
    words: Vec<[u64; N]>,
    values: Values,
}

/// Number of words of a value; none for types that are not of fixed width.
pub(crate) fn n_words_of(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Decimal128(..) => Some(2),
        DataType::Boolean
        | DataType::Int32
        | DataType::Date32
        | DataType::Int64
        | DataType::Timestamp(TimeUnit::Microsecond, None)
        | DataType::Duration(TimeUnit::Microsecond)
        | DataType::Float64 => Some(1),
        _ => None,
    }
}

/// Both words of a decimal, most significant first.
#[inline]
pub(crate) fn decimal_words(value: i128) -> [u64; 2] {
    let word = wide_word(value);
    [(word >> 64) as u64, word as u64]
}

/// The decimal of two words; none at or beyond 10 to the power of its precision.
pub(crate) fn decimal_of([high, low]: [u64; 2], precision: u8) -> Option<i128> {
    let value = from_wide_word(u128::from(high) << 64 | u128::from(low));
    (value.unsigned_abs() < 10_u128.pow(u32::from(precision))).then_some(value)
}

fn words_of<T: OneWord, const N: usize>(values: impl Iterator<Item = T>) -> Vec<[u64; N]> {
    values.map(|value| [value.to_word(); N]).collect()
}

impl<const N: usize> Column for Ordered<N> {
    type Item<'a> = [u64; N];

    fn open(args: &[ArrayRef]) -> Option<Self> {
        let array = args.first()?;
        if n_words_of(array.data_type()) != Some(N) {
            return None;
        }
        let values = Values::of(array)?;
        let words = match &values {
            Values::Bool(column) => words_of(column.values().iter()),
            Values::Enum(column) => words_of(column.values().iter().copied()),
            Values::Date(column) => words_of(column.values().iter().copied()),
            Values::Int(column) => words_of(column.values().iter().copied()),
            Values::Timestamp(column) => words_of(column.values().iter().copied()),
            Values::Duration(column) => words_of(column.values().iter().copied()),
            Values::Float(column) => words_of(column.values().iter().copied()),
            Values::Decimal(column) => {
                let words = column.values().iter().map(|value| decimal_words(*value));
                words.map(|words| <[u64; N]>::try_from(words.as_slice()).ok()).collect::<Option<_>>()?
            }
            Values::Text(_) => return None,
        };
        Some(Ordered { words, values })
    }
    #[inline]
    fn items(&self) -> impl Iterator<Item = [u64; N]> {
        self.words.iter().copied()
    }
    #[inline]
    fn item(&self, row: usize) -> [u64; N] {
        self.words[row]
    }
    fn nulls(&self) -> Option<NullBuffer> {
        self.values.nulls()
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        self.values.is_proper(selected)
    }
}

/// A column of a fixed-width type from the words of its values; of types of one word the first counts.
pub(crate) fn column_of_order(
    data_type: &DataType,
    values: impl Iterator<Item = Option<[u64; 2]>>,
) -> Checked<ArrayRef> {
    fn one<V: OneWord>(words: Option<[u64; 2]>) -> Checked<Option<V>> {
        words.map(|[word, _]| V::from_word(word).ok_or(NO_SUCH_VALUE)).transpose()
    }
    fn primitive<T: ArrowPrimitiveType>(values: impl Iterator<Item = Option<[u64; 2]>>) -> Checked<ArrayRef>
    where
        T::Native: OneWord,
    {
        Ok(Arc::new(values.map(one).collect::<Checked<PrimitiveArray<T>>>()?))
    }
    match data_type {
        DataType::Boolean => Ok(Arc::new(values.map(one).collect::<Checked<BooleanArray>>()?)),
        DataType::Int32 => primitive::<Int32Type>(values),
        DataType::Date32 => primitive::<Date32Type>(values),
        DataType::Int64 => primitive::<Int64Type>(values),
        DataType::Timestamp(TimeUnit::Microsecond, None) => primitive::<TimestampMicrosecondType>(values),
        DataType::Duration(TimeUnit::Microsecond) => primitive::<DurationMicrosecondType>(values),
        DataType::Float64 => primitive::<Float64Type>(values),
        DataType::Decimal128(precision, _) => {
            let decimal = |words| decimal_of(words, *precision).ok_or(NO_SUCH_VALUE);
            let column = values.map(|words| words.map(decimal).transpose());
            let column: Decimal128Array = column.collect::<Checked<_>>()?;
            Ok(Arc::new(column.with_data_type(data_type.clone())))
        }
        _ => Err("the state holds values of a type that is not of fixed width"),
    }
}

/// Whether some value of the type has these words.
pub(crate) fn is_value(data_type: &DataType, words: &[u64]) -> bool {
    match (data_type, words) {
        (DataType::Decimal128(precision, _), [high, low]) => decimal_of([*high, *low], *precision).is_some(),
        (DataType::Boolean, [word]) => bool::from_word(*word).is_some(),
        (DataType::Int32 | DataType::Date32, [word]) => i32::from_word(*word).is_some(),
        (DataType::Float64, [word]) => f64::from_word(*word).is_some(),
        (DataType::Int64 | DataType::Timestamp(..) | DataType::Duration(_), [_]) => true,
        _ => false,
    }
}
