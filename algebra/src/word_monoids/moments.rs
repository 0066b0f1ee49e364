//! Variance and standard deviation of integers and decimals: exact power sums, divided once.
//!
//! With exact sums the textbook formula (n·Σx² − (Σx)²) / (n·(n−1)) loses nothing, and does not depend
//! on order as running means do.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};
use num_bigint::BigInt;
use num_traits::Signed;

use super::{big, check_count, narrow, sign_word, two_words};
use crate::rounding::{ratio_i128_to_f64, scaled_ratio_to_f64, scaled_root_to_f64};
use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

const NO_SUCH_ROWS: &str = "the state holds power sums that no rows have";

/// Variance of ints: count, sum, sum of squares.
#[derive(Debug, Clone)]
pub(crate) struct IntMoments {
    /// Present the square root.
    pub(crate) root: bool,
}

impl WordKernel<6> for IntMoments {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(1), WordOp::Add(2), WordOp::Add(3)];
    type Column = Int64Array;

    #[inline]
    fn state(value: i64) -> [u64; 6] {
        let [low, high] = two_words(i128::from(value));
        let [low_square, high_square] = two_words(i128::from(value) * i128::from(value));
        [1, low, high, low_square, high_square, 0]
    }
    fn check(&self, state: &[u64; 6]) -> Checked<()> {
        check_moments(state[0], &state[1..3], &state[3..])
    }
    fn present(&self, states: &[[u64; 6]]) -> Checked<ArrayRef> {
        let present = |state: &[u64; 6]| present_moments(state[0], &state[1..3], &state[3..], 0, self.root);
        Ok(Arc::new(states.iter().map(present).collect::<Checked<Float64Array>>()?))
    }
}

/// Variance of decimals: count, sum, sum of squares, all unscaled.
#[derive(Debug, Clone)]
pub(crate) struct DecimalMoments {
    /// Digits after the decimal point of the input.
    pub(crate) scale: u8,
    /// Present the square root.
    pub(crate) root: bool,
}

impl WordKernel<9> for DecimalMoments {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(1), WordOp::Add(3), WordOp::Add(5)];
    type Column = Decimal128Array;

    #[inline]
    fn state(value: i128) -> [u64; 9] {
        let [low, high] = two_words(value);
        let [first, second, third, fourth] = square(value.unsigned_abs());
        [1, low, high, sign_word(value), first, second, third, fourth, 0]
    }
    fn check(&self, state: &[u64; 9]) -> Checked<()> {
        check_moments(state[0], &state[1..4], &state[4..])
    }
    fn present(&self, states: &[[u64; 9]]) -> Checked<ArrayRef> {
        let present =
            |state: &[u64; 9]| present_moments(state[0], &state[1..4], &state[4..], self.scale, self.root);
        Ok(Arc::new(states.iter().map(present).collect::<Checked<Float64Array>>()?))
    }
}

/// The square in four words, least significant first.
#[inline]
fn square(value: u128) -> [u64; 4] {
    let (low, high) = (value & u128::from(u64::MAX), value >> 64);
    let (lowest, middle, highest) = (low * low, low * high, high * high);
    // The middle product counts twice, from bit 64 on.
    let (doubled, carry) = (middle << 1, middle >> 127);
    let (lower, over) = lowest.overflowing_add(doubled << 64);
    let upper = highest + (doubled >> 64) + (carry << 64) + u128::from(over);
    [lower as u64, (lower >> 64) as u64, upper as u64, (upper >> 64) as u64]
}

/// No rows have no sums, and Σx² is not negative.
fn check_moments(count: u64, sum: &[u64], squares: &[u64]) -> Checked<()> {
    let is_empty = check_count(count)? == 0;
    let is_zero = sum.iter().chain(squares).all(|word| *word == 0);
    let is_negative = squares.last().is_some_and(|word| word >> 63 == 1);
    if is_negative || (is_empty && !is_zero) { Err(NO_SUCH_ROWS) } else { Ok(()) }
}

/// n·Σx² − (Σx)².
fn spread(count: u64, sum: &[u64], squares: &[u64]) -> BigInt {
    let sum = big(sum);
    big(squares) * count - &sum * &sum
}

/// The same where nothing is wider than 128 bits.
fn small_spread(count: u64, sum: &[u64], squares: &[u64]) -> Option<i128> {
    let sum = narrow(sum)?;
    narrow(squares)?.checked_mul(i128::from(count))?.checked_sub(sum.checked_mul(sum)?)
}

fn present_moments(count: u64, sum: &[u64], squares: &[u64], scale: u8, root: bool) -> Checked<Option<f64>> {
    if count < 2 {
        return Ok(None);
    }
    let n_pairs = i128::from(count) * i128::from(count - 1);
    if !root
        && scale == 0
        && let Some(spread) = small_spread(count, sum, squares)
    {
        return if spread < 0 { Err(NO_SUCH_ROWS) } else { Ok(ratio_i128_to_f64(spread, n_pairs)) };
    }
    let spread = spread(count, sum, squares);
    // Never so for the sums of any rows, by Cauchy and Schwarz.
    if spread.is_negative() {
        return Err(NO_SUCH_ROWS);
    }
    let denominator = BigInt::from(10).pow(2 * u32::from(scale)) * n_pairs;
    let present = if root { scaled_root_to_f64 } else { scaled_ratio_to_f64 };
    Ok(present(&spread, &denominator, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn c74_the_variance_of_one_row_is_null_and_of_a_constant_zero() {
        let one = IntMoments::state(7);
        let mut two = one;
        crate::merge_words(IntMoments::PROGRAM, &mut two, &one);
        let presented = IntMoments { root: true }.present(&[[0; 6], one, two]).unwrap();
        let expected: Float64Array = [None, None, Some(0.0)].into_iter().collect();
        assert_eq!(presented.as_ref(), &expected as &dyn arrow::array::Array);
    }

    #[test]
    fn power_sums_that_no_rows_have_are_refused() {
        for root in [false, true] {
            let kernel = IntMoments { root };
            assert!(kernel.present(&[[2, 10, 0, 50, 0, 0]]).is_ok());
            assert!(kernel.present(&[[2, 10, 0, 49, 0, 0]]).is_err());
            assert!(kernel.check(&[0, 1, 0, 1, 0, 0]).is_err());
            assert!(kernel.check(&[1, 1, 0, 1, 0, 1 << 63]).is_err());
        }
    }

    proptest! {
        #[test]
        fn squares_agree_with_big_integers(value in any::<u128>(), by in 0_u32..127) {
            let value = (value >> 1) >> by;
            let words = square(value);
            let expected = BigInt::from(value) * value;
            prop_assert_eq!(big(&[words[0], words[1], words[2], words[3], 0]), expected);
        }
    }
}
