//! Aggregates that present more than one value, or look at several values of a row.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use metricc_ir::{AggregateOp, Kind, Type};
use num_bigint::BigInt;
use num_traits::{One, Signed, Zero};

use super::aggregate::in_units;
use super::datum::Datum;
use super::exact::{self, Rational};
use super::numbers::fit;

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

fn count(n_rows: usize) -> Datum {
    Datum::Int(BigInt::from(n_rows))
}

/// Rows below the first edge, from each to the next, from the last on.
pub(super) fn histogram(edges: &[Datum], values: &[Datum]) -> Datum {
    let n_at_least = |edge: &Datum| values.iter().filter(|value| *value >= edge).count();
    let mut at_least = vec![values.len()];
    at_least.extend(edges.iter().map(n_at_least));
    at_least.push(0);
    Datum::List(at_least.windows(2).map(|pair| count(pair[0] - pair[1])).collect())
}

/// The distinct values in order.
pub(super) fn set<'a>(values: impl Iterator<Item = &'a Datum>) -> Datum {
    Datum::List(
        values.filter(|value| !value.is_none()).collect::<BTreeSet<_>>().into_iter().cloned().collect(),
    )
}

fn record(fields: [(&str, Datum); 2]) -> Datum {
    Datum::Record(fields.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

/// The items with the most rows or the greatest sums; `weights` is empty for rows.
pub(super) fn top(k: u32, items: &[Datum], weights: &[Datum], value: &Type) -> Datum {
    let mut of_item: BTreeMap<&Datum, Vec<Datum>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        of_item.entry(item).or_default().extend(weights.get(index).cloned());
    }
    let total = |item: &Datum| match weights {
        [] => exact::of_integer(items.iter().filter(|other| *other == item).count()),
        _ => super::aggregate::sum(&of_item[item]),
    };
    // Sums of floats are compared as they are presented; one past the largest is beyond all others.
    let compared = |sum: &Rational| match value.kind {
        Kind::Float => match exact::nearest_float(sum) {
            Some(sum) => (0, exact::of_float(sum)),
            None => (if sum.is_negative() { -1 } else { 1 }, Rational::zero()),
        },
        _ => (0, sum.clone()),
    };
    let mut ranked: Vec<(&Datum, Rational)> = of_item.keys().map(|item| (*item, total(item))).collect();
    ranked.sort_by(|(left_item, left), (right_item, right)| match compared(right).cmp(&compared(left)) {
        Ordering::Equal => left_item.cmp(right_item),
        order => order,
    });
    let ranked = ranked.into_iter().take(k as usize);
    Datum::List(
        ranked
            .map(|(item, sum)| record([("item", item.clone()), ("value", fit(&sum, &value.kind))]))
            .collect(),
    )
}

/// How many actors did each step within a time from their first: rows of actor, time, and the steps of the
/// row.
pub(super) fn funnel(rows: &[(Datum, i64, Vec<bool>)], n_steps: usize, within: i64) -> Datum {
    let mut n_actors = vec![0; n_steps];
    for actor in rows.iter().map(|(actor, ..)| actor).collect::<BTreeSet<_>>() {
        let own: Vec<_> = rows.iter().filter(|(other, ..)| other == actor).collect();
        let reached = own.iter().filter(|(.., steps)| steps[0]).map(|(_, begin, _)| {
            let mut at = *begin;
            let mut n_reached = 1;
            while n_reached < n_steps {
                // The earliest next step leaves the most time for the steps after it.
                let next = own.iter().filter(|(_, time, steps)| *time >= at && steps[n_reached]);
                match next.map(|(_, time, _)| *time).min().filter(|time| time - begin <= within) {
                    Some(time) => at = time,
                    None => break,
                }
                n_reached += 1;
            }
            n_reached
        });
        let reached = reached.max().unwrap_or(0);
        n_actors[..reached].iter_mut().for_each(|n_actors| *n_actors += 1);
    }
    Datum::List(n_actors.into_iter().map(count).collect())
}

/// By the actors' first period, how many were active how many periods later: rows of actor and period.
pub(super) fn retention(rows: &[(Datum, Datum)], n_periods: u32) -> Datum {
    let number = |period: &Datum| match period {
        Datum::Date(days) => i128::from(*days),
        Datum::Int(value) => i128::try_from(value).expect("64 bits"),
        other => panic!("{other:?} is no period"),
    };
    let mut first: BTreeMap<&Datum, &Datum> = BTreeMap::new();
    for (actor, period) in rows {
        let known = first.entry(actor).or_insert(period);
        *known = (*known).min(period);
    }
    let cohorts: BTreeSet<&Datum> = first.values().copied().collect();
    let actors_of = |cohort: &Datum| {
        let later = (0..n_periods).map(|distance| {
            let is_there = |(actor, period): &&(Datum, Datum)| {
                first[actor] == cohort && number(period) - number(cohort) == i128::from(distance)
            };
            count(rows.iter().filter(is_there).map(|(actor, _)| actor).collect::<BTreeSet<_>>().len())
        });
        Datum::List(later.collect())
    };
    let presented =
        cohorts.into_iter().map(|cohort| record([("cohort", cohort.clone()), ("actors", actors_of(cohort))]));
    Datum::List(presented.collect())
}
