//! The monoids whose states are words.

mod any_all;
mod arg_extreme;
mod bits;
mod count_sum;
mod extreme;
mod mean;
mod moments;
mod powers;

pub(crate) use any_all::{AllTrue, AnyTrue};
pub(crate) use arg_extreme::ChosenWords;
pub(crate) use bits::{BitsAnd, BitsOr, BitsXor};
pub(crate) use count_sum::{Count, DecimalSum, IntSum};
pub(crate) use extreme::{BooleanExtreme, DecimalExtreme, Extreme};
pub(crate) use mean::{DecimalMean, IntMean, WideMean};
pub(crate) use moments::{DecimalMoments, IntMoments};
pub(crate) use powers::{DecimalPairs, DecimalPowers, IntPairs, IntPowers};

use num_bigint::BigInt;

use crate::Checked;

/// Decimals hold up to 38 digits: every unscaled value is below this.
const DECIMAL_LIMIT: i128 = 10_i128.pow(38);

/// Two words, least significant first.
#[inline]
fn two_words(value: i128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// The words that extend a two's complement number: all zero or all one.
#[inline]
fn sign_word(value: i128) -> u64 {
    (value >> 127) as u64
}

/// A two's complement integer of words, least significant first.
fn big(words: &[u64]) -> BigInt {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    BigInt::from_signed_bytes_le(&bytes)
}

/// The same, when it fits.
fn narrow(words: &[u64]) -> Option<i128> {
    let (low, rest) = words.split_first_chunk::<2>()?;
    let value = (u128::from(low[1]) << 64 | u128::from(low[0])) as i128;
    rest.iter().all(|word| *word == sign_word(value)).then_some(value)
}

/// An unscaled decimal, none past 38 digits.
fn within_38_digits(value: i128) -> Option<i128> {
    (value.unsigned_abs() < DECIMAL_LIMIT.unsigned_abs()).then_some(value)
}

/// A count of rows is never negative.
fn check_count(word: u64) -> Checked<i64> {
    i64::try_from(word).map_err(|_| "the state counts more than 2^63 rows")
}
