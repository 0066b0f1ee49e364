//! Counts, and sums of integers and decimals, in integers wide enough for 2⁶³ rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array};

use super::{check_count, narrow, sign_word, two_words, within_38_digits};
use crate::argument_column::NoColumn;
use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

/// Number of rows.
#[derive(Debug, Clone)]
pub(crate) struct Count;

impl WordKernel<1> for Count {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(1)];
    type Column = NoColumn;

    #[inline]
    fn state((): ()) -> [u64; 1] {
        [1]
    }
    fn check(&self, state: &[u64; 1]) -> Checked<()> {
        check_count(state[0]).map(|_| ())
    }
    fn present(&self, states: &[[u64; 1]]) -> Checked<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(states.iter().map(|[count]| *count as i64))))
    }
}

/// Sum of ints: 2⁶³ rows of 2⁶³ need 127 bits.
#[derive(Debug, Clone)]
pub(crate) struct IntSum;

impl WordKernel<2> for IntSum {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(2)];
    type Column = Int64Array;

    #[inline]
    fn state(value: i64) -> [u64; 2] {
        two_words(i128::from(value))
    }
    fn check(&self, state: &[u64; 2]) -> Checked<()> {
        narrow(state)
            .filter(|sum| sum.unsigned_abs() <= 1 << 126)
            .map(|_| ())
            .ok_or("the sum is larger than that of 2^63 ints")
    }
    fn present(&self, states: &[[u64; 2]]) -> Checked<ArrayRef> {
        decimals(states.iter().map(|state| narrow(state)), 0)
    }
}

/// Sum of decimals: 2⁶³ rows of 38 digits need 191 bits.
#[derive(Debug, Clone)]
pub(crate) struct DecimalSum {
    /// Digits after the decimal point, of input and result.
    pub(crate) scale: u8,
}

impl WordKernel<3> for DecimalSum {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(3)];
    type Column = Decimal128Array;

    #[inline]
    fn state(value: i128) -> [u64; 3] {
        let [low, high] = two_words(value);
        [low, high, sign_word(value)]
    }
    fn check(&self, _state: &[u64; 3]) -> Checked<()> {
        Ok(())
    }
    fn present(&self, states: &[[u64; 3]]) -> Checked<ArrayRef> {
        decimals(states.iter().map(|state| narrow(state).and_then(within_38_digits)), self.scale)
    }
}

/// A column of decimal(38, scale).
pub(super) fn decimals(values: impl Iterator<Item = Option<i128>>, scale: u8) -> Checked<ArrayRef> {
    let column: Decimal128Array = values.collect();
    column
        .with_precision_and_scale(38, scale as i8)
        .map(|column| Arc::new(column) as ArrayRef)
        .map_err(|_| "the scale of the result is above 38")
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    #[test]
    fn c34_a_sum_past_38_digits_is_null_and_comes_back_below() {
        let kernel = DecimalSum { scale: 2 };
        let largest = DecimalSum::state(10_i128.pow(38) - 1);
        let mut beyond = largest;
        crate::merge_words(DecimalSum::PROGRAM, &mut beyond, &DecimalSum::state(1));
        let mut back = beyond;
        crate::merge_words(DecimalSum::PROGRAM, &mut back, &DecimalSum::state(-1));
        let presented = kernel.present(&[largest, beyond, back]).unwrap();
        assert_eq!([0, 1, 2].map(|row| presented.is_null(row)), [false, true, false]);
    }

    #[test]
    fn counts_and_sums_that_no_rows_have_are_refused() {
        assert!(Count.check(&[1 << 63]).is_err());
        assert!(IntSum.check(&[0, 1 << 62]).is_ok());
        assert!(IntSum.check(&[1, 1 << 62]).is_err());
    }
}
