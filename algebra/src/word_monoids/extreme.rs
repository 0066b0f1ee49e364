//! Minima and maxima of fixed-width values: one word for "there is a value", then the value's
//! order-preserving word, complemented for the least. One program serves all of them.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, PrimitiveArray};

use crate::scalar::{OneWord, from_wide_word, wide_word};
use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

const NOT_A_VALUE: &str = "the state holds a word that no value has";

/// Least or greatest of a primitive type.
pub(crate) struct Extreme<T, const LEAST: bool>(PhantomData<fn() -> T>);

impl<T, const LEAST: bool> Extreme<T, LEAST> {
    pub(crate) fn new() -> Self {
        Extreme(PhantomData)
    }
}

impl<T, const LEAST: bool> Clone for Extreme<T, LEAST> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T, const LEAST: bool> fmt::Debug for Extreme<T, LEAST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if LEAST { "Least" } else { "Greatest" })
    }
}

/// Least or greatest of booleans; false is less.
#[derive(Debug, Clone)]
pub(crate) struct BooleanExtreme<const LEAST: bool>;

/// Least or greatest of decimals.
#[derive(Debug, Clone)]
pub(crate) struct DecimalExtreme<const LEAST: bool> {
    /// Type of input and result.
    pub(crate) precision: u8,
    /// Digits after the decimal point.
    pub(crate) scale: i8,
}

impl<T: ArrowPrimitiveType, const LEAST: bool> WordKernel<2> for Extreme<T, LEAST>
where
    T::Native: OneWord,
{
    const PROGRAM: &'static [WordOp] = &[WordOp::Max(2)];
    type Column = PrimitiveArray<T>;

    #[inline]
    fn state(value: T::Native) -> [u64; 2] {
        state_of::<T::Native, LEAST>(value)
    }
    fn check(&self, state: &[u64; 2]) -> Checked<()> {
        value_of::<T::Native, LEAST>(state).map(|_| ())
    }
    fn present(&self, states: &[[u64; 2]]) -> Checked<ArrayRef> {
        let values = states.iter().map(value_of::<T::Native, LEAST>);
        Ok(Arc::new(values.collect::<Checked<PrimitiveArray<T>>>()?))
    }
}

impl<const LEAST: bool> WordKernel<2> for BooleanExtreme<LEAST> {
    const PROGRAM: &'static [WordOp] = &[WordOp::Max(2)];
    type Column = BooleanArray;

    #[inline]
    fn state(value: bool) -> [u64; 2] {
        state_of::<bool, LEAST>(value)
    }
    fn check(&self, state: &[u64; 2]) -> Checked<()> {
        value_of::<bool, LEAST>(state).map(|_| ())
    }
    fn present(&self, states: &[[u64; 2]]) -> Checked<ArrayRef> {
        let values = states.iter().map(value_of::<bool, LEAST>);
        Ok(Arc::new(values.collect::<Checked<BooleanArray>>()?))
    }
}

impl<const LEAST: bool> WordKernel<3> for DecimalExtreme<LEAST> {
    const PROGRAM: &'static [WordOp] = &[WordOp::Max(3)];
    type Column = Decimal128Array;

    #[inline]
    fn state(value: i128) -> [u64; 3] {
        let word = wide_word(value);
        let word = if LEAST { !word } else { word };
        [1, (word >> 64) as u64, word as u64]
    }
    fn check(&self, state: &[u64; 3]) -> Checked<()> {
        self.value(state).map(|_| ())
    }
    fn present(&self, states: &[[u64; 3]]) -> Checked<ArrayRef> {
        let values: Decimal128Array = states.iter().map(|state| self.value(state)).collect::<Checked<_>>()?;
        values
            .with_precision_and_scale(self.precision, self.scale)
            .map(|column| Arc::new(column) as ArrayRef)
            .map_err(|_| "the declared type is not a decimal type")
    }
}

impl<const LEAST: bool> DecimalExtreme<LEAST> {
    fn value(&self, state: &[u64; 3]) -> Checked<Option<i128>> {
        match state {
            [0, 0, 0] => Ok(None),
            [1, high, low] => {
                let word = u128::from(*high) << 64 | u128::from(*low);
                let value = from_wide_word(if LEAST { !word } else { word });
                let limit = 10_u128.pow(u32::from(self.precision));
                if value.unsigned_abs() < limit { Ok(Some(value)) } else { Err(NOT_A_VALUE) }
            }
            _ => Err(NOT_A_VALUE),
        }
    }
}

#[inline]
fn state_of<V: OneWord, const LEAST: bool>(value: V) -> [u64; 2] {
    let word = value.to_word();
    [1, if LEAST { !word } else { word }]
}

fn value_of<V: OneWord, const LEAST: bool>(state: &[u64; 2]) -> Checked<Option<V>> {
    match state {
        [0, 0] => Ok(None),
        [1, word] => match V::from_word(if LEAST { !word } else { *word }) {
            Some(value) => Ok(Some(value)),
            None => Err(NOT_A_VALUE),
        },
        _ => Err(NOT_A_VALUE),
    }
}
