//! Exact numbers to floats and decimals, rounded once and correctly.
//!
//! Every state here is an exact integer or rational. What is presented is the float nearest to it
//! (ties to even), so no order of arithmetic can show through. Scalar expressions round their
//! quotients with the same functions.

use num_bigint::{BigInt, BigUint, Sign};
use num_traits::{One, Signed, ToPrimitive, Zero};

/// Bits a quotient or root needs before it is rounded: the 53 of a float, and one to see the half.
const N_BITS_KEPT: i64 = 55;

/// The largest power of ten that a float holds exactly.
const MAX_EXACT_POWER_OF_TEN: usize = 22;

/// Powers of ten that floats hold exactly.
const POWERS_OF_TEN: [f64; MAX_EXACT_POWER_OF_TEN + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Integers up to here are floats.
const MAX_EXACT_INTEGER: u128 = 1 << 53;

/// The quotient, rounded once to the nearest float, ties to even. None for a denominator of zero, and
/// when the rounded quotient is beyond the largest float. Never -0.0.
///
/// ```
/// use metricc_algebra::ratio_to_f64;
/// use num_bigint::BigInt;
///
/// assert_eq!(ratio_to_f64(&BigInt::from(1), &BigInt::from(3)), Some(1.0 / 3.0));
/// assert_eq!(ratio_to_f64(&BigInt::from(1), &BigInt::from(0)), None);
/// ```
pub fn ratio_to_f64(numerator: &BigInt, denominator: &BigInt) -> Option<f64> {
    scaled_ratio_to_f64(numerator, denominator, 0)
}

/// As [`ratio_to_f64`], for 128-bit integers and without big ones where they are not needed.
pub fn ratio_i128_to_f64(numerator: i128, denominator: i128) -> Option<f64> {
    if denominator == 0 {
        return None;
    }
    let (n, d) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let magnitude = if n == 0 || (n <= MAX_EXACT_INTEGER && d <= MAX_EXACT_INTEGER) {
        // Both are floats, and division of floats is correctly rounded; zero is zero by any other.
        Some(n as f64 / d as f64)
    } else {
        let n_bits = |value: u128| i64::from(u128::BITS - value.leading_zeros());
        let shift = (N_BITS_KEPT + n_bits(d) - n_bits(n)).max(0);
        if n_bits(n) + shift > i64::from(u128::BITS) {
            return ratio_to_f64(&BigInt::from(numerator), &BigInt::from(denominator));
        }
        let shifted = n << shift;
        round_u128(shifted / d, !shifted.is_multiple_of(d), -shift)
    };
    with_sign(magnitude, (numerator < 0) != (denominator < 0))
}

/// An unscaled decimal as the nearest float, ties to even.
pub(crate) fn decimal_to_f64(unscaled: i128, scale: u8) -> Option<f64> {
    match POWERS_OF_TEN.get(usize::from(scale)) {
        Some(power) if unscaled.unsigned_abs() <= MAX_EXACT_INTEGER => Some(unscaled as f64 / power + 0.0),
        _ => ratio_i128_to_f64(unscaled, 10_i128.checked_pow(u32::from(scale))?),
    }
}

/// `numerator / denominator · 2^exponent`, rounded as [`ratio_to_f64`].
pub(crate) fn scaled_ratio_to_f64(numerator: &BigInt, denominator: &BigInt, exponent: i64) -> Option<f64> {
    if denominator.is_zero() {
        return None;
    }
    let (n, d) = (numerator.magnitude(), denominator.magnitude());
    let shift = N_BITS_KEPT + n_bits(d) - n_bits(n);
    let (quotient, exact) = shifted_quotient(n, d, shift);
    let magnitude = round_u64(quotient.to_u64()?, !exact, exponent - shift);
    with_sign(magnitude, numerator.is_negative() != denominator.is_negative())
}

/// The square root of `numerator / denominator · 2^exponent`, rounded as [`ratio_to_f64`]. None below zero.
pub(crate) fn scaled_root_to_f64(numerator: &BigInt, denominator: &BigInt, exponent: i64) -> Option<f64> {
    if denominator.is_zero() || numerator.is_negative() || denominator.is_negative() {
        return None;
    }
    let (n, d) = (numerator.magnitude(), denominator.magnitude());
    let mut shift = 2 * N_BITS_KEPT + n_bits(d) - n_bits(n);
    // The square root of the power of two has to be a power of two.
    if (exponent - shift) % 2 != 0 {
        shift += 1;
    }
    let (quotient, exact) = shifted_quotient(n, d, shift);
    let root = quotient.sqrt();
    let exact = exact && &root * &root == quotient;
    round_u64(root.to_u64()?, !exact, (exponent - shift) / 2)
}

/// `⌊numerator · 2^shift / denominator⌋`, and whether that is all of it.
fn shifted_quotient(numerator: &BigUint, denominator: &BigUint, shift: i64) -> (BigUint, bool) {
    let by = shift.unsigned_abs();
    let (n, d) = if shift >= 0 {
        (numerator << by, denominator.clone())
    } else {
        (numerator.clone(), denominator << by)
    };
    let quotient = &n / &d;
    let exact = &quotient * &d == n;
    (quotient, exact)
}

fn n_bits(value: &BigUint) -> i64 {
    i64::try_from(value.bits()).unwrap_or(i64::MAX)
}

fn with_sign(magnitude: Option<f64>, negative: bool) -> Option<f64> {
    // The sum turns -0.0 into 0.0.
    magnitude.map(|value| if negative { -value } else { value } + 0.0)
}

/// `limbs · 2^exponent`, the limbs a two's complement integer, least significant first. None beyond the
/// largest float.
pub(crate) fn round_limbs(limbs: &[u64], exponent: i64) -> Option<f64> {
    let Some(lowest) = limbs.iter().position(|limb| *limb != 0) else { return Some(0.0) };
    let negative = limbs.last().is_some_and(|limb| limb >> 63 == 1);
    // Limbs of the magnitude: negation leaves zeros, negates the lowest other limb, inverts the rest.
    let magnitude = |index: usize| match limbs[index] {
        limb if !negative => limb,
        limb if index == lowest => limb.wrapping_neg(),
        limb if index > lowest => !limb,
        _ => 0,
    };
    let top = (lowest..limbs.len()).rev().find(|index| magnitude(*index) != 0).unwrap_or(lowest);
    let next = if top == 0 { 0 } else { magnitude(top - 1) };
    let leading = u128::from(magnitude(top)) << 64 | u128::from(next);
    let sticky = lowest + 1 < top;
    let exponent = exponent + 64 * (top as i64 - 1);
    with_sign(round_u128(leading, sticky, exponent), negative)
}

/// `(mantissa + ε) · 2^exponent` with 0 < ε < 1 if `sticky`, else ε = 0.
fn round_u128(mantissa: u128, sticky: bool, exponent: i64) -> Option<f64> {
    let surplus = i64::from(64 - mantissa.leading_zeros().min(64));
    let kept = (mantissa >> surplus) as u64;
    let lost = mantissa & ((1 << surplus) - 1) != 0;
    round_u64(kept, sticky || lost, exponent + surplus)
}

/// mantissa · 2^exponent, rounded once; none beyond the largest float.
pub(crate) fn round_scaled(mantissa: u64, exponent: i64) -> Option<f64> {
    round_u64(mantissa, false, exponent)
}

/// As [`round_u128`]. A sticky mantissa has at least 54 bits.
fn round_u64(mantissa: u64, sticky: bool, exponent: i64) -> Option<f64> {
    if mantissa == 0 {
        return Some(0.0);
    }
    let top = exponent + 63 - i64::from(mantissa.leading_zeros());
    // Weight of a float's last bit at this magnitude: floats below 2^-1022 have fewer bits.
    let last = (top - 52).max(-1074);
    let n_dropped = last - exponent;
    let rounded = match n_dropped {
        ..=0 => mantissa << -n_dropped.max(-63),
        1..=64 => {
            let kept = mantissa.checked_shr(n_dropped as u32).unwrap_or(0);
            let half = 1_u64 << (n_dropped - 1);
            let rest = mantissa & (half | (half - 1));
            let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
            kept + u64::from(up)
        }
        _ => 0,
    };
    if last > 1023 - 52 {
        return None;
    }
    // The mantissa's leading one, where there is one, counts up the exponent; so does a carry.
    let bits = (((last + 1074) as u64) << 52) + rounded;
    Some(f64::from_bits(bits)).filter(|value| value.is_finite())
}

/// `numerator / denominator` to the nearest integer, ties to even. The denominator is positive.
pub(crate) fn round_half_even(numerator: &BigInt, denominator: &BigInt) -> BigInt {
    let (n, d) = (numerator.magnitude(), denominator.magnitude());
    let quotient = n / d;
    let twice = (n - &quotient * d) << 1_u32;
    let up = twice > *d || (twice == *d && quotient.bit(0));
    let rounded = if up { quotient + BigUint::one() } else { quotient };
    BigInt::from_biguint(if numerator.sign() == Sign::Minus { Sign::Minus } else { Sign::Plus }, rounded)
}

#[cfg(test)]
mod tests {
    use num_rational::Ratio;
    use proptest::prelude::*;

    use super::*;

    /// The exact value of a finite float.
    fn exact(value: f64) -> Ratio<BigInt> {
        let bits = value.to_bits();
        let (biased, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased as i32 - 1075) };
        let mantissa = BigInt::from(mantissa) * if value < 0.0 { -1 } else { 1 };
        let power = BigInt::one() << exponent.unsigned_abs();
        if exponent >= 0 { Ratio::from_integer(mantissa * power) } else { Ratio::new(mantissa, power) }
    }

    /// Whether no other float is nearer, and a tie went to the even one.
    fn is_nearest(value: f64, exact_value: &Ratio<BigInt>) -> bool {
        let distance = |other: f64| (exact(other) - exact_value).abs();
        let own = distance(value);
        [value.next_up(), value.next_down()]
            .iter()
            .filter(|other| other.is_finite())
            .all(|other| own < distance(*other) || (own == distance(*other) && value.to_bits() & 1 == 0))
    }

    fn integer() -> impl Strategy<Value = BigInt> {
        (any::<bool>(), proptest::collection::vec(any::<u32>(), 0..8), 0_u32..200).prop_map(
            |(negative, digits, shift)| {
                let magnitude = BigInt::from(BigUint::new(digits)) << shift;
                if negative { -magnitude } else { magnitude }
            },
        )
    }

    #[test]
    fn ties_go_to_the_even_float() {
        let two_to_53 = 1_i128 << 53;
        assert_eq!(ratio_i128_to_f64(two_to_53 + 1, 1), Some(two_to_53 as f64));
        assert_eq!(ratio_i128_to_f64(two_to_53 + 3, 1), Some((two_to_53 + 4) as f64));
        assert_eq!(ratio_i128_to_f64(-(two_to_53 + 1), 1), Some(-(two_to_53 as f64)));
    }

    #[test]
    fn the_least_and_the_largest_floats_are_reached_and_not_passed() {
        let power = |exponent: u32| BigInt::one() << exponent;
        assert_eq!(ratio_to_f64(&power(0), &power(1074)), Some(5e-324));
        assert_eq!(ratio_to_f64(&power(0), &power(1075)), Some(0.0));
        assert_eq!(ratio_to_f64(&BigInt::from(3), &power(1076)), Some(5e-324));
        let beyond = power(1024) - power(970);
        assert_eq!(ratio_to_f64(&(&beyond - 1), &power(0)), Some(f64::MAX));
        assert_eq!(ratio_to_f64(&beyond, &power(0)), None);
        assert_eq!(ratio_to_f64(&-beyond, &power(0)), None);
        assert_eq!(ratio_to_f64(&power(100_000), &power(0)), None);
        assert_eq!(ratio_to_f64(&power(0), &power(100_000)), Some(0.0));
    }

    #[test]
    fn c41_nothing_rounds_to_negative_zero() {
        let tiny = ratio_to_f64(&BigInt::from(-1), &(BigInt::one() << 2000_u32));
        assert_eq!(tiny.map(f64::to_bits), Some(0));
        assert_eq!(ratio_i128_to_f64(0, -7).map(f64::to_bits), Some(0));
        assert_eq!(decimal_to_f64(0, 2).map(f64::to_bits), Some(0));
    }

    #[test]
    fn c35_halves_go_to_the_even_integer() {
        let rounded = |n: i64| round_half_even(&BigInt::from(n), &BigInt::from(10));
        assert_eq!([5, 15, 25, -5, -15, 16].map(rounded), [0, 2, 2, 0, -2, 2].map(BigInt::from));
    }

    proptest! {
        #[test]
        fn ratios_are_the_nearest_float(n in integer(), d in integer()) {
            prop_assume!(!d.is_zero());
            let rounded = ratio_to_f64(&n, &d).unwrap();
            prop_assert!(is_nearest(rounded, &Ratio::new(n, d)), "{rounded:e}");
        }

        #[test]
        fn small_and_big_ratios_agree(n in any::<i128>(), d in any::<i128>(), by in 0_u32..127, of in 0_u32..127) {
            let (n, d) = (n >> by, d >> of);
            let big = ratio_to_f64(&BigInt::from(n), &BigInt::from(d));
            prop_assert_eq!(ratio_i128_to_f64(n, d), big);
        }

        #[test]
        fn decimals_agree_with_parsing_their_text(n in -10_i128.pow(38) + 1..10_i128.pow(38), by in 0_u32..127, scale in 0_u8..=38) {
            let n = n >> by;
            let parsed: f64 = format!("{n}e-{scale}").parse().unwrap();
            prop_assert_eq!(decimal_to_f64(n, scale), Some(parsed));
        }

        #[test]
        fn subnormal_ratios_are_the_nearest_float(n in any::<u64>(), scale in 1040_u32..1150) {
            let (n, d) = (BigInt::from(n), BigInt::from(3) << scale);
            let rounded = ratio_to_f64(&n, &d).unwrap();
            prop_assert!(is_nearest(rounded, &Ratio::new(n, d)), "{rounded:e}");
        }

        #[test]
        fn roots_are_the_nearest_float(n in integer(), d in integer(), exponent in -300_i64..300) {
            let (n, d) = (n.abs(), d.abs());
            prop_assume!(!d.is_zero());
            let root = scaled_root_to_f64(&n, &d, exponent).unwrap();
            let power = Ratio::from_integer(BigInt::one() << exponent.unsigned_abs());
            let square = Ratio::new(n, d);
            let square = if exponent >= 0 { square * power } else { square / power };
            // The root lies between the two halfway points around the rounded one.
            let two = Ratio::from_integer(BigInt::from(2));
            let upper = (exact(root) + exact(root.next_up())) / &two;
            prop_assert!(&upper * &upper >= square);
            if root > 0.0 {
                let lower = (exact(root) + exact(root.next_down())) / &two;
                prop_assert!(&lower * &lower <= square);
            }
        }

        #[test]
        fn limbs_round_as_big_integers(mut limbs in proptest::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 1..6), exponent in -1500_i64..600) {
            let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
            let expected = scaled_ratio_to_f64(&BigInt::from_signed_bytes_le(&bytes), &BigInt::one(), exponent);
            prop_assert_eq!(round_limbs(&limbs, exponent), expected);
            limbs.insert(0, 0);
            prop_assert_eq!(round_limbs(&limbs, exponent - 64), expected);
        }
    }

    #[test]
    fn zero_over_any_denominator_is_zero() {
        for shift in 0..127 {
            assert_eq!(ratio_i128_to_f64(0, 1 << shift), Some(0.0), "0 / 2^{shift}");
        }
        assert_eq!(ratio_i128_to_f64(0, i128::MAX), Some(0.0));
        assert_eq!(ratio_i128_to_f64(0, i128::MIN), Some(0.0));
    }
}
