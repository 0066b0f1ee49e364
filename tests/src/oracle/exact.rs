//! Exact numbers, rounded once to a float or to a decimal.
//!
//! Nothing here is fast. A rounding is a search over the bit patterns of all floats with exact
//! comparisons, so that it can be read against the definition of *nearest, ties to even*.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::Ratio;
use num_traits::{One, Signed, Zero};

/// An exact fraction.
pub(super) type Rational = Ratio<BigInt>;

/// The bit pattern after the last finite float: infinity. Read as a number it would be 2¹⁰²⁴.
const INFINITY_BITS: u64 = 0x7ff0_0000_0000_0000;

/// The exact value of a finite float.
pub(super) fn of_float(value: f64) -> Rational {
    let size = of_bits(value.to_bits() & !(1 << 63));
    if value.is_sign_negative() { -size } else { size }
}

/// A whole number as a fraction.
pub(super) fn of_integer(value: impl Into<BigInt>) -> Rational {
    Rational::from_integer(value.into())
}

/// 10^`digits`.
pub(super) fn power_of_ten(digits: u32) -> BigInt {
    BigInt::from(10).pow(digits)
}

/// The float nearest to `value`, ties to the even bit pattern, never -0.0. None past the largest.
pub(super) fn nearest_float(value: &Rational) -> Option<f64> {
    let size = value.abs();
    let nearest = search(|candidate| candidate.cmp(&size))?;
    Some(if value.is_negative() && nearest != 0.0 { -nearest } else { nearest })
}

/// The float nearest to the square root of `value` (not negative), ties to the even bit pattern.
pub(super) fn nearest_square_root(value: &Rational) -> Option<f64> {
    search(|candidate| (candidate * candidate).cmp(value))
}

/// The whole number nearest to `value`, ties to the even one.
pub(super) fn half_even(value: &Rational) -> BigInt {
    let below = value.floor().to_integer();
    let fraction = value - of_integer(below.clone());
    let half = Rational::new(BigInt::one(), BigInt::from(2));
    let is_even = (&below % BigInt::from(2)).is_zero();
    match fraction.cmp(&half) {
        Ordering::Less => below,
        Ordering::Equal if is_even => below,
        _ => below + BigInt::one(),
    }
}

/// The digits of `value` with `scale` decimal places, half even.
pub(super) fn at_scale(value: &Rational, scale: u8) -> BigInt {
    half_even(&(value * of_integer(power_of_ten(scale.into()))))
}

/// The value of a decimal's digits.
pub(super) fn of_decimal(unscaled: &BigInt, scale: u8) -> Rational {
    Rational::new(unscaled.clone(), power_of_ten(scale.into()))
}

/// Whether a number has at most `digits` decimal digits.
pub(super) fn has_at_most_digits(value: &BigInt, digits: u8) -> bool {
    value.abs() < power_of_ten(digits.into())
}

/// The value that a bit pattern without sign stands for.
fn of_bits(bits: u64) -> Rational {
    let exponent_field = bits >> 52;
    let fraction_field = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = match exponent_field {
        0 => (fraction_field, -1074),
        field => (fraction_field + (1 << 52), i64::try_from(field).unwrap_or(0) - 1075),
    };
    let power = BigInt::one() << exponent.unsigned_abs();
    if exponent < 0 {
        Rational::new(BigInt::from(mantissa), power)
    } else {
        of_integer(BigInt::from(mantissa) * power)
    }
}

/// The float nearest to a target that is not negative. `compare` compares a candidate with the target.
fn search(compare: impl Fn(&Rational) -> Ordering) -> Option<f64> {
    let (mut not_above, mut above) = (0_u64, INFINITY_BITS);
    while above - not_above > 1 {
        let middle = not_above + (above - not_above) / 2;
        match compare(&of_bits(middle)) {
            Ordering::Greater => above = middle,
            Ordering::Less | Ordering::Equal => not_above = middle,
        }
    }
    let halfway = (of_bits(not_above) + of_bits(above)) / of_integer(2);
    let nearest = match compare(&halfway) {
        Ordering::Less => above,
        Ordering::Greater => not_above,
        Ordering::Equal => not_above + not_above % 2,
    };
    (nearest < INFINITY_BITS).then(|| f64::from_bits(nearest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(numerator: i64, denominator: i64) -> Rational {
        Rational::new(numerator.into(), denominator.into())
    }

    #[test]
    fn a_tenth_is_the_float_that_rust_reads() {
        assert_eq!(nearest_float(&ratio(1, 10)), Some(0.1));
        assert_eq!(nearest_float(&ratio(-1, 3)), Some(-1.0 / 3.0));
        assert_eq!(nearest_float(&ratio(2, 3)), Some(2.0 / 3.0));
    }

    #[test]
    fn every_kind_of_float_comes_back() {
        for value in [0.0, 5e-324, 2.225_073_858_507_201e-308, f64::MIN_POSITIVE, 1.0, -1.5, f64::MAX] {
            assert_eq!(nearest_float(&of_float(value)), Some(value));
        }
    }

    #[test]
    fn ties_go_to_the_even_float() {
        let between = of_integer((1_i64 << 53) + 1);
        assert_eq!(nearest_float(&between), Some(9_007_199_254_740_992.0));
        assert_eq!(nearest_float(&of_integer((1_i64 << 53) + 3)), Some(9_007_199_254_740_996.0));
        assert_eq!(nearest_float(&(of_float(5e-324) / of_integer(2))), Some(0.0));
    }

    #[test]
    fn past_the_largest_there_is_none() {
        let largest = of_float(f64::MAX);
        assert_eq!(nearest_float(&(&largest + of_integer(1))), Some(f64::MAX));
        assert_eq!(nearest_float(&(&largest * of_integer(2))), None);
    }

    #[test]
    fn a_tiny_negative_number_is_plain_zero() {
        let rounded = nearest_float(&(-of_float(5e-324) / of_integer(4)));
        assert_eq!(rounded.map(f64::to_bits), Some(0));
    }

    #[test]
    fn square_roots_are_the_nearest() {
        assert_eq!(nearest_square_root(&of_integer(2)), Some(2.0_f64.sqrt()));
        assert_eq!(nearest_square_root(&of_integer(9)), Some(3.0));
        assert_eq!(nearest_square_root(&Rational::zero()), Some(0.0));
        let beyond_floats = of_float(1e308) * of_float(1e308);
        assert_eq!(nearest_square_root(&beyond_floats), Some(1e308));
    }

    #[test]
    fn halves_go_to_the_even_number() {
        let rounded: Vec<BigInt> = [(1, 2), (3, 2), (5, 2), (-1, 2), (-3, 2), (7, 4), (-7, 4)]
            .map(|(n, d)| half_even(&ratio(n, d)))
            .into();
        assert_eq!(rounded, [0, 2, 2, 0, -2, 2, -2].map(BigInt::from));
    }

    #[test]
    fn digits_are_counted_at_the_boundary() {
        assert!(has_at_most_digits(&BigInt::from(99), 2));
        assert!(!has_at_most_digits(&BigInt::from(-100), 2));
    }
}
