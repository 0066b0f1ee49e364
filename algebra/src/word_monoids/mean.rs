//! Means of integers and decimals: exact count and sum, divided once.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};
use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::count_sum::decimals;
use super::{big, check_count, narrow, sign_word, two_words, within_38_digits};
use crate::rounding::{ratio_i128_to_f64, ratio_to_f64, round_half_even};
use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

/// Mean of ints: count, sum.
#[derive(Debug, Clone)]
pub(crate) struct IntMean;

impl WordKernel<3> for IntMean {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(1), WordOp::Add(2)];
    type Column = Int64Array;

    #[inline]
    fn state(value: i64) -> [u64; 3] {
        let [low, high] = two_words(i128::from(value));
        [1, low, high]
    }
    fn check(&self, state: &[u64; 3]) -> Checked<()> {
        check_sum(state[0], &state[1..])
    }
    fn present(&self, states: &[[u64; 3]]) -> Checked<ArrayRef> {
        let mean =
            |[count, low, high]: &[u64; 3]| ratio_i128_to_f64(narrow(&[*low, *high])?, i128::from(*count));
        Ok(Arc::new(states.iter().map(mean).collect::<Float64Array>()))
    }
}

/// Mean of decimals, with up to six more digits: count, sum.
#[derive(Debug, Clone)]
pub(crate) struct DecimalMean {
    /// Digits after the decimal point of the input.
    pub(crate) scale: u8,
}

impl DecimalMean {
    /// Digits after the decimal point of the result.
    pub(crate) fn presented_scale(&self) -> u8 {
        (self.scale + 6).min(38)
    }

    fn mean(&self, [count, sum @ ..]: &[u64; 4]) -> Option<i128> {
        if *count == 0 {
            return None;
        }
        let power = 10_i128.pow(u32::from(self.presented_scale() - self.scale));
        let count = i128::from(*count);
        let mean = match narrow(sum).and_then(|sum| sum.checked_mul(power)) {
            Some(numerator) => half_even(numerator, count),
            None => round_half_even(&(big(sum) * power), &BigInt::from(count)).to_i128()?,
        };
        within_38_digits(mean)
    }
}

/// `numerator / count` to the nearest integer, ties to even; `0 < count < 2⁶³`.
fn half_even(numerator: i128, count: i128) -> i128 {
    let (quotient, rest) = (numerator / count, (numerator % count).abs());
    let up = 2 * rest > count || (2 * rest == count && quotient % 2 != 0);
    quotient + if up { numerator.signum() } else { 0 }
}

impl WordKernel<4> for DecimalMean {
    const PROGRAM: &'static [WordOp] = &[WordOp::Add(1), WordOp::Add(3)];
    type Column = Decimal128Array;

    #[inline]
    fn state(value: i128) -> [u64; 4] {
        let [low, high] = two_words(value);
        [1, low, high, sign_word(value)]
    }
    fn check(&self, state: &[u64; 4]) -> Checked<()> {
        check_sum(state[0], &state[1..])
    }
    fn present(&self, states: &[[u64; 4]]) -> Checked<ArrayRef> {
        decimals(states.iter().map(|state| self.mean(state)), self.presented_scale())
    }
}

/// Mean of ints of 128 bits, as a float: count, sum.
#[derive(Debug, Clone)]
pub(crate) struct WideMean;

impl WordKernel<4> for WideMean {
    const PROGRAM: &'static [WordOp] = DecimalMean::PROGRAM;
    type Column = Decimal128Array;

    #[inline]
    fn state(value: i128) -> [u64; 4] {
        DecimalMean::state(value)
    }
    fn check(&self, state: &[u64; 4]) -> Checked<()> {
        check_sum(state[0], &state[1..])
    }
    fn present(&self, states: &[[u64; 4]]) -> Checked<ArrayRef> {
        let mean = |[count, sum @ ..]: &[u64; 4]| match narrow(sum) {
            Some(sum) => ratio_i128_to_f64(sum, i128::from(*count)),
            None => ratio_to_f64(&big(sum), &BigInt::from(*count)),
        };
        Ok(Arc::new(states.iter().map(mean).collect::<Float64Array>()))
    }
}

/// The sum of no rows is zero.
fn check_sum(count: u64, sum: &[u64]) -> Checked<()> {
    if check_count(count)? == 0 && sum.iter().any(|word| *word != 0) {
        return Err("the state sums up no rows to more than zero");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn c35_small_and_big_means_round_alike(numerator in any::<i128>(), by in 0_u32..127, count in 1_i64..) {
            let (numerator, count) = (numerator >> by, i128::from(count));
            let expected = round_half_even(&BigInt::from(numerator), &BigInt::from(count));
            prop_assert_eq!(BigInt::from(half_even(numerator, count)), expected);
        }

        #[test]
        fn c35_halves_go_to_even(quotient in -1000_i128..1000, count in 1_i128..1000) {
            let rounded = half_even(2 * quotient * count + count, 2 * count);
            prop_assert_eq!(rounded, if quotient % 2 == 0 { quotient } else { quotient + 1 });
        }
    }
}
