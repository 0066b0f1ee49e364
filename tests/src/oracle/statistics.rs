//! Aggregates that present one number, from exact sums.

use metricc_ir::{AggregateOp, Kind};
use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

use super::datum::Datum;
use super::exact::{self, Rational};
use super::numbers::fit;

/// The values as whole multiples of one unit, which is exact for every kind: all finite floats are
/// multiples of 2⁻¹⁰⁷⁴, all decimals of 10⁻³⁸.
fn in_units(values: &[Datum]) -> (Vec<BigInt>, Rational) {
    let per_one = match values.first() {
        Some(Datum::Float(_)) => BigInt::one() << 1074_u32,
        _ => exact::power_of_ten(38),
    };
    let per_one = exact::of_integer(per_one);
    let multiples = values.iter().map(|value| (value.exact() * &per_one).to_integer());
    (multiples.collect(), per_one.recip())
}

/// Exact sum.
pub(super) fn sum(values: &[Datum]) -> Rational {
    let (multiples, unit) = in_units(values);
    exact::of_integer(multiples.iter().sum::<BigInt>()) * unit
}

pub(super) fn mean(values: &[Datum], kind: &Kind) -> Datum {
    if values.is_empty() {
        return Datum::None;
    }
    fit(&(sum(values) / exact::of_integer(values.len())), kind)
}

/// Variance of the sample: the sum of (x − mean)² over n − 1. Both sides are multiplied by n² so that
/// the mean is a whole number of units: (n·x − sum)².
pub(super) fn variance(values: &[Datum]) -> Option<Rational> {
    if values.len() < 2 {
        return None;
    }
    let n_values = BigInt::from(values.len());
    let (multiples, unit) = in_units(values);
    let total: BigInt = multiples.iter().sum();
    let squares: BigInt = multiples.iter().map(|value| (value * &n_values - &total).pow(2)).sum();
    let divisor = n_values.pow(2) * (n_values - BigInt::one());
    Some(Rational::new(squares, divisor) * &unit * &unit)
}

/// The value of lower rank ⌊q·(n − 1)⌋ among the sorted values.
pub(super) fn ranked(values: &[Datum], q_ppb: u32) -> Option<&Datum> {
    let mut sorted: Vec<&Datum> = values.iter().collect();
    sorted.sort();
    let last = sorted.len().checked_sub(1)?;
    let rank = last as u128 * u128::from(q_ppb) / 1_000_000_000;
    Some(sorted[usize::try_from(rank).unwrap_or(last)])
}

/// The same as a float.
pub(super) fn quantile(values: &[Datum], q_ppb: u32) -> Datum {
    ranked(values, q_ppb).map_or(Datum::None, |value| fit(&value.exact(), &Kind::Float))
}

/// The float with the sign of the first number, whose square is the second.
fn signed_root(sign: &BigInt, square: &Rational) -> Datum {
    match exact::nearest_square_root(square) {
        Some(root) if sign.is_negative() => Datum::float(-root),
        Some(root) => Datum::float(root),
        None => Datum::None,
    }
}

/// n·x − Σx for every value, in units of the value: n times the distance from the mean.
fn distances(values: &[Datum]) -> (Vec<BigInt>, Rational) {
    let (multiples, unit) = in_units(values);
    let total: BigInt = multiples.iter().sum();
    let n_values = BigInt::from(values.len());
    (multiples.iter().map(|value| value * &n_values - &total).collect(), unit)
}

fn power_sum(distances: &[BigInt], power: u32) -> BigInt {
    distances.iter().map(|distance| distance.pow(power)).sum()
}

/// G₁ = k₃ / s³ with k₃ = n / ((n−1)(n−2)) · Σ(x − mean)³ and s² the variance of the sample.
pub(super) fn skewness(values: &[Datum]) -> Datum {
    let n = BigInt::from(values.len());
    let (distances, _) = distances(values);
    let (squares, cubes) = (power_sum(&distances, 2), power_sum(&distances, 3));
    if values.len() < 3 || squares.is_zero() {
        return Datum::None;
    }
    // Every distance is n times too large, and so is each factor of both sides.
    let third = Rational::new(&n * &cubes, (&n - 1) * (&n - 2));
    let variance = Rational::new(squares, &n - 1);
    signed_root(&cubes, &(&third * &third / (&variance * &variance * &variance)))
}

/// G₂ = n(n+1) / ((n−1)(n−2)(n−3)) · Σ(x − mean)⁴ / s⁴ − 3(n−1)² / ((n−2)(n−3)).
pub(super) fn kurtosis(values: &[Datum]) -> Datum {
    let n = BigInt::from(values.len());
    let (distances, _) = distances(values);
    let (squares, fourths) = (power_sum(&distances, 2), power_sum(&distances, 4));
    if values.len() < 4 || squares.is_zero() {
        return Datum::None;
    }
    let variance = Rational::new(squares, &n - 1);
    let factor = Rational::new(&n * (&n + 1), (&n - 1) * (&n - 2) * (&n - 3));
    let normal = Rational::new((&n - 1) * (&n - 1) * 3, (&n - 2) * (&n - 3));
    fit(&(factor * exact::of_integer(fourths) / (&variance * &variance) - normal), &Kind::Float)
}

/// Covariance and its like of pairs of values.
pub(super) fn relation(op: &AggregateOp, first: &[Datum], second: &[Datum]) -> Datum {
    if first.len() < 2 {
        return Datum::None;
    }
    let n = BigInt::from(first.len());
    let ((a, a_unit), (b, b_unit)) = (distances(first), distances(second));
    let both: BigInt = a.iter().zip(&b).map(|(a, b)| a * b).sum();
    let (a_squares, b_squares) = (power_sum(&a, 2), power_sum(&b, 2));
    let slope = |both: &BigInt| Rational::new(both.clone(), b_squares.clone()) * &a_unit / &b_unit;
    match op {
        AggregateOp::Covariance => {
            fit(&(Rational::new(both, &n * &n * (&n - BigInt::one())) * a_unit * b_unit), &Kind::Float)
        }
        AggregateOp::Correlation if a_squares.is_zero() || b_squares.is_zero() => Datum::None,
        AggregateOp::Correlation => signed_root(&both, &Rational::new(&both * &both, a_squares * &b_squares)),
        _ if b_squares.is_zero() => Datum::None,
        AggregateOp::Slope => fit(&slope(&both), &Kind::Float),
        _ => {
            let mean = |values: &[Datum], unit: &Rational| {
                let total: BigInt = in_units(values).0.iter().sum();
                Rational::new(total, n.clone()) * unit
            };
            fit(&(mean(first, &a_unit) - slope(&both) * mean(second, &b_unit)), &Kind::Float)
        }
    }
}

/// Bits of whole numbers.
pub(super) fn bits(op: &AggregateOp, values: &[Datum]) -> Datum {
    let all = values.iter().map(|value| match value {
        Datum::Int(value) => i64::try_from(value).expect("64 bits"),
        other => panic!("{other:?} has no bits"),
    });
    let bits = match op {
        AggregateOp::BitsOr => Some(all.fold(0, |bits, value| bits | value)),
        AggregateOp::BitsXor => Some(all.fold(0, |bits, value| bits ^ value)),
        _ => all.reduce(|bits, value| bits & value),
    };
    bits.map_or(Datum::None, |bits| Datum::Int(bits.into()))
}
