//! Big rationals as the reference: what a float is exactly, and whether a float is the nearest one.

use num_bigint::BigInt;
use num_rational::Ratio;
use num_traits::{One, Signed, Zero};

pub(crate) type Exact = Ratio<BigInt>;

/// The exact value of a finite float.
pub(crate) fn exact(value: f64) -> Exact {
    let bits = value.to_bits();
    let (biased, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
    let (mantissa, exponent) =
        if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased as i32 - 1075) };
    let mantissa = BigInt::from(mantissa) * if value < 0.0 { -1 } else { 1 };
    let power = BigInt::one() << exponent.unsigned_abs();
    if exponent >= 0 { Ratio::from_integer(mantissa * power) } else { Ratio::new(mantissa, power) }
}

/// Where rounding to nearest first gives infinity.
fn beyond() -> Exact {
    Ratio::from_integer((BigInt::one() << 1024_u32) - (BigInt::one() << 970_u32))
}

/// Asserts that a presented float is the one nearest to the reference, ties to even; none beyond all floats.
pub(crate) fn assert_nearest(presented: Option<f64>, reference: &Exact) {
    let Some(value) = presented else {
        assert!(reference.abs() >= beyond(), "none presented for {reference}");
        return;
    };
    assert!(value.is_finite() && value.to_bits() != (-0.0_f64).to_bits(), "{value}");
    let distance = |other: f64| (exact(other) - reference).abs();
    let own = distance(value);
    for other in [value.next_up(), value.next_down()].into_iter().filter(|other| other.is_finite()) {
        let other_distance = distance(other);
        assert!(
            own < other_distance || (own == other_distance && value.to_bits() & 1 == 0),
            "{value:e} presented, {other:e} is nearer"
        );
    }
}

/// Asserts that a presented float is the one nearest to the square root of the reference; none beyond all
/// floats, where the deviation of a few values of both signs near the largest float is.
pub(crate) fn assert_nearest_root(presented: Option<f64>, square: &Exact) {
    let Some(value) = presented else {
        assert!(*square >= beyond() * beyond(), "none presented for the root of {square}");
        return;
    };
    let two = Ratio::from_integer(BigInt::from(2));
    let upper = (exact(value) + exact(value.next_up())) / &two;
    assert!(&upper * &upper >= *square, "{value:e} is too small");
    if value > 0.0 {
        let lower = (exact(value) + exact(value.next_down())) / &two;
        assert!(&lower * &lower <= *square, "{value:e} is too large");
    }
}

/// The variance of the sample.
pub(crate) fn variance(values: &[Exact]) -> Option<Exact> {
    if values.len() < 2 {
        return None;
    }
    let n_values = Ratio::from_integer(BigInt::from(values.len()));
    let mean = values.iter().sum::<Exact>() / &n_values;
    let squares =
        values.iter().map(|value| (value - &mean) * (value - &mean)).fold(Exact::zero(), |a, b| a + b);
    Some(squares / (n_values - Exact::one()))
}

/// An unscaled decimal.
pub(crate) fn decimal(unscaled: i128, scale: u32) -> Exact {
    Ratio::new(BigInt::from(unscaled), BigInt::from(10).pow(scale))
}
