//! Sums of powers and products of integers and decimals, wide enough for 2⁶³ rows of the largest.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};

use super::{big, check_count};
use crate::moments::{Figure, PairSums, PowerSums, Relation, Unit};
use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

const NO_SUCH_ROWS: &str = "the state holds power sums that no rows have";

/// Skewness or kurtosis of ints: count, sums of x, x², x³, x⁴.
#[derive(Debug, Clone)]
pub(crate) struct IntPowers(pub(crate) Figure);

/// The same of decimals, unscaled.
#[derive(Debug, Clone)]
pub(crate) struct DecimalPowers(pub(crate) Figure);

/// A figure of two ints: count, sums of a, b, a², b², a·b.
#[derive(Debug, Clone)]
pub(crate) struct IntPairs(pub(crate) Relation);

/// The same of two decimals, unscaled.
#[derive(Debug, Clone)]
pub(crate) struct DecimalPairs {
    pub(crate) relation: Relation,
    /// Digits after the decimal point of both arguments.
    pub(crate) scales: [u8; 2],
}

/// The product of the factors in two's complement, as wide as `out`, which has room for it.
fn put_product(factors: &[i128], out: &mut [u64]) {
    out.fill(0);
    out[0] = 1;
    for factor in factors {
        let factor = factor.unsigned_abs();
        // From the most significant word on, so that each is read before it is written.
        for place in (0..out.len()).rev() {
            let word = std::mem::take(&mut out[place]);
            let low = u128::from(word) * u128::from(factor as u64);
            let high = u128::from(word) * (factor >> 64);
            add_at(&mut out[place..], low);
            if high > 0 {
                add_at(&mut out[place + 1..], high);
            }
        }
    }
    if factors.iter().filter(|factor| factor.is_negative()).count() % 2 == 1 {
        let mut carry = true;
        for word in out {
            (*word, carry) = (!*word).overflowing_add(u64::from(carry));
        }
    }
}

fn add_at(words: &mut [u64], value: u128) {
    let mut rest = value;
    for word in words {
        if rest == 0 {
            return;
        }
        let sum = u128::from(*word) + (rest & u128::from(u64::MAX));
        *word = sum as u64;
        rest = (rest >> 64) + (sum >> 64);
    }
}

/// One after the other: the count, and a sum of each width.
fn sums<const N: usize>(products: &[&[i128]], widths: &[usize]) -> [u64; N] {
    let mut state = [0; N];
    state[0] = 1;
    let mut rest = &mut state[1..];
    for (factors, width) in products.iter().zip(widths) {
        let (sum, others) = rest.split_at_mut(*width);
        put_product(factors, sum);
        rest = others;
    }
    state
}

/// The sums of a state.
fn split<'a>(state: &'a [u64], widths: &'a [usize]) -> impl Iterator<Item = &'a [u64]> {
    widths.iter().scan(&state[1..], |rest, width| {
        let (sum, others) = rest.split_at(*width);
        *rest = others;
        Some(sum)
    })
}

/// No rows have no sums, and sums of even powers are not negative.
fn check_sums(state: &[u64], widths: &[usize], even: &[usize]) -> Checked<()> {
    let is_empty = check_count(state[0])? == 0;
    let is_negative = |sum: &[u64]| sum.last().is_some_and(|word| word >> 63 == 1);
    let bad = split(state, widths).enumerate().any(|(place, sum)| even.contains(&place) && is_negative(sum));
    if bad || (is_empty && state.iter().any(|word| *word != 0)) { Err(NO_SUCH_ROWS) } else { Ok(()) }
}

const INT_POWERS: [usize; 4] = [2, 3, 4, 5];
const DECIMAL_POWERS: [usize; 4] = [3, 5, 7, 9];
const EVEN_POWERS: [usize; 2] = [1, 3];
const INT_PAIRS: [usize; 5] = [2, 2, 3, 3, 3];
const DECIMAL_PAIRS: [usize; 5] = [3, 3, 5, 5, 5];
const EVEN_PAIRS: [usize; 2] = [2, 3];

fn powers<const N: usize>(x: i128, widths: &[usize; 4]) -> [u64; N] {
    sums(&[&[x], &[x, x], &[x, x, x], &[x, x, x, x]], widths)
}

fn pairs<const N: usize>(a: i128, b: i128, widths: &[usize; 5]) -> [u64; N] {
    sums(&[&[a], &[b], &[a, a], &[b, b], &[a, b]], widths)
}

fn present_powers<const N: usize>(
    states: &[[u64; N]],
    widths: &[usize; 4],
    figure: Figure,
) -> Checked<ArrayRef> {
    let present = |state: &[u64; N]| {
        let mut sums = split(state, widths).map(big);
        let sums = std::array::from_fn(|_| sums.next().unwrap_or_default());
        PowerSums { n_rows: state[0], sums }.present(figure)
    };
    Ok(Arc::new(states.iter().map(present).collect::<Checked<Float64Array>>()?))
}

fn present_pairs<const N: usize>(
    states: &[[u64; N]],
    widths: &[usize; 5],
    relation: Relation,
    scales: [u8; 2],
) -> Checked<ArrayRef> {
    let units = scales.map(|scale| Unit { binary: 0, decimal: u32::from(scale) });
    let present = |state: &[u64; N]| {
        let mut sums = split(state, widths).map(big);
        let [first, second, first_squares, second_squares, products] =
            std::array::from_fn(|_| sums.next().unwrap_or_default());
        let sums = PairSums { n_rows: state[0], first, second, first_squares, second_squares, products };
        sums.present(relation, units)
    };
    Ok(Arc::new(states.iter().map(present).collect::<Checked<Float64Array>>()?))
}

impl WordKernel<15> for IntPowers {
    const PROGRAM: &'static [WordOp] =
        &[WordOp::Add(1), WordOp::Add(2), WordOp::Add(3), WordOp::Add(4), WordOp::Add(5)];
    type Column = Int64Array;

    fn state(value: i64) -> [u64; 15] {
        powers(i128::from(value), &INT_POWERS)
    }
    fn check(&self, state: &[u64; 15]) -> Checked<()> {
        check_sums(state, &INT_POWERS, &EVEN_POWERS)
    }
    fn present(&self, states: &[[u64; 15]]) -> Checked<ArrayRef> {
        present_powers(states, &INT_POWERS, self.0)
    }
}

impl WordKernel<25> for DecimalPowers {
    const PROGRAM: &'static [WordOp] =
        &[WordOp::Add(1), WordOp::Add(3), WordOp::Add(5), WordOp::Add(7), WordOp::Add(9)];
    type Column = Decimal128Array;

    fn state(value: i128) -> [u64; 25] {
        powers(value, &DECIMAL_POWERS)
    }
    fn check(&self, state: &[u64; 25]) -> Checked<()> {
        check_sums(state, &DECIMAL_POWERS, &EVEN_POWERS)
    }
    fn present(&self, states: &[[u64; 25]]) -> Checked<ArrayRef> {
        present_powers(states, &DECIMAL_POWERS, self.0)
    }
}

impl WordKernel<14> for IntPairs {
    const PROGRAM: &'static [WordOp] =
        &[WordOp::Add(1), WordOp::Add(2), WordOp::Add(2), WordOp::Add(3), WordOp::Add(3), WordOp::Add(3)];
    type Column = (Int64Array, Int64Array);

    fn state((a, b): (i64, i64)) -> [u64; 14] {
        pairs(i128::from(a), i128::from(b), &INT_PAIRS)
    }
    fn check(&self, state: &[u64; 14]) -> Checked<()> {
        check_sums(state, &INT_PAIRS, &EVEN_PAIRS)
    }
    fn present(&self, states: &[[u64; 14]]) -> Checked<ArrayRef> {
        present_pairs(states, &INT_PAIRS, self.0, [0, 0])
    }
}

impl WordKernel<22> for DecimalPairs {
    const PROGRAM: &'static [WordOp] =
        &[WordOp::Add(1), WordOp::Add(3), WordOp::Add(3), WordOp::Add(5), WordOp::Add(5), WordOp::Add(5)];
    type Column = (Decimal128Array, Decimal128Array);

    fn state((a, b): (i128, i128)) -> [u64; 22] {
        pairs(a, b, &DECIMAL_PAIRS)
    }
    fn check(&self, state: &[u64; 22]) -> Checked<()> {
        check_sums(state, &DECIMAL_PAIRS, &EVEN_PAIRS)
    }
    fn present(&self, states: &[[u64; 22]]) -> Checked<ArrayRef> {
        present_pairs(states, &DECIMAL_PAIRS, self.relation, self.scales)
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn products_agree_with_big_integers(a in any::<i128>(), b in any::<i128>(), by in 0_u32..127) {
            let (a, b) = (a >> 1, b >> by >> 1);
            for factors in [&[a][..], &[b, b], &[a, b], &[a, b, b], &[a, a, a, b]] {
                let mut words = [0; 9];
                put_product(factors, &mut words);
                prop_assert_eq!(big(&words), factors.iter().map(|factor| BigInt::from(*factor)).product::<BigInt>());
            }
        }
    }
}
