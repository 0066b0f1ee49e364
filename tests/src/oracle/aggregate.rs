//! The meaning of an aggregate: a function of the whole list of a group's values.

use std::collections::BTreeSet;

use metricc_dsl::ir::{Aggregate, AggregateOp, Kind};
use num_bigint::BigInt;
use num_traits::One;

use super::datum::Datum;
use super::exact::{self, Rational};
use super::numbers::fit;
use super::scalar;

/// The presented value over the rows (scopes) of one group. Sketches present what they estimate.
pub(super) fn evaluate(aggregate: &Aggregate, rows: &[Vec<Datum>]) -> Datum {
    let rows = rows
        .iter()
        .filter(|row| aggregate.filter.as_ref().is_none_or(|filter| scalar::evaluate(filter, row).is_true()));
    match &aggregate.arg {
        None => count(rows.count()),
        Some(arg) => {
            let values = rows.map(|row| scalar::evaluate(arg, row)).filter(|value| !value.is_none());
            of_values(aggregate, &values.collect::<Vec<_>>())
        }
    }
}

fn of_values(aggregate: &Aggregate, values: &[Datum]) -> Datum {
    let kind = &aggregate.ty.kind;
    match &aggregate.op {
        AggregateOp::Count => count(values.len()),
        AggregateOp::Sum => fit(&sum(values), kind),
        AggregateOp::Mean => mean(values, kind),
        AggregateOp::Min => values.iter().min().cloned().unwrap_or(Datum::None),
        AggregateOp::Max => values.iter().max().cloned().unwrap_or(Datum::None),
        AggregateOp::Variance => match variance(values) {
            Some(variance) => fit(&variance, &Kind::Float),
            None => Datum::None,
        },
        AggregateOp::Stddev => {
            match variance(values).and_then(|variance| exact::nearest_square_root(&variance)) {
                Some(deviation) => Datum::float(deviation),
                None => Datum::None,
            }
        }
        AggregateOp::Any => Datum::Bool(values.iter().any(Datum::is_true)),
        AggregateOp::All => Datum::Bool(values.iter().all(Datum::is_true)),
        AggregateOp::Distinct | AggregateOp::DistinctWithin { .. } => {
            count(values.iter().collect::<BTreeSet<_>>().len())
        }
        AggregateOp::Quantile { q_ppb, .. } => quantile(values, *q_ppb),
    }
}

fn count(n_rows: usize) -> Datum {
    Datum::Int(BigInt::from(n_rows))
}

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
fn sum(values: &[Datum]) -> Rational {
    let (multiples, unit) = in_units(values);
    exact::of_integer(multiples.iter().sum::<BigInt>()) * unit
}

fn mean(values: &[Datum], kind: &Kind) -> Datum {
    if values.is_empty() {
        return Datum::None;
    }
    fit(&(sum(values) / exact::of_integer(values.len())), kind)
}

/// Variance of the sample: the sum of (x − mean)² over n − 1. Both sides are multiplied by n² so that
/// the mean is a whole number of units: (n·x − sum)².
fn variance(values: &[Datum]) -> Option<Rational> {
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

/// The value of lower rank ⌊q·(n − 1)⌋ among the sorted values, as a float.
fn quantile(values: &[Datum], q_ppb: u32) -> Datum {
    let mut sorted: Vec<&Datum> = values.iter().collect();
    sorted.sort();
    let Some(last) = sorted.len().checked_sub(1) else { return Datum::None };
    let rank = last as u128 * u128::from(q_ppb) / 1_000_000_000;
    let rank = usize::try_from(rank).unwrap_or(last);
    fit(&sorted[rank].exact(), &Kind::Float)
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
