//! Aggregates, as functions of the list of all values of a group.

use std::collections::BTreeSet;

use metricc_ir::{Aggregate, AggregateOp, Kind};

use super::datum::Datum;
use super::lists::count;
use super::numbers::fit;
use super::statistics::{mean, quantile, ranked, sum, variance};
use super::{exact, expression, lists, statistics};

/// The presented value over the rows (scopes, in the order of the log) of one group; `time` is the column of
/// the event time. Sketches present what they estimate. With it, if it could not be computed, the number of
/// rows that left their types, or 0 if the result alone does.
pub(super) fn evaluate(aggregate: &Aggregate, rows: &[Vec<Datum>], time: usize) -> (Datum, Option<usize>) {
    let mut columns: Vec<Vec<Datum>> = vec![Vec::new(); aggregate.args.len()];
    let (mut times, mut n_lost) = (Vec::new(), 0);
    for row in rows {
        let condition = aggregate
            .filter
            .as_ref()
            .map_or(Datum::Bool(true), |filter| expression::evaluate_or_lost(filter, row));
        let values: Vec<Datum> =
            aggregate.args.iter().map(|arg| expression::evaluate_or_lost(arg, row)).collect();
        let is_lost = |value: &Datum| matches!(value, Datum::Lost);
        let is_left_out = !(condition.is_true() || is_lost(&condition)) || values.iter().any(Datum::is_none);
        let is_own = !is_left_out && (is_lost(&condition) || values.iter().any(is_lost));
        // What the metric lets into the group without knowing.
        let is_given = aggregate.lost.as_ref().is_some_and(|lost| expression::evaluate(lost, row).is_true());
        if is_own || is_given {
            n_lost += 1;
        } else if !is_left_out {
            columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
            times.push(match row[time] {
                Datum::Date(days) => days * super::civil::DAY,
                Datum::Timestamp(micros) => micros,
                ref other => panic!("{other:?} is no event time"),
            });
        }
    }
    if n_lost > 0 {
        return (Datum::None, Some(n_lost));
    }
    let value = of_values(aggregate, &columns, &times);
    // A statistic of enough values that is none has no place in its type.
    let n_needed = match aggregate.op {
        AggregateOp::Sum => Some(0),
        AggregateOp::Mean | AggregateOp::WideMean => Some(1),
        AggregateOp::Variance | AggregateOp::Stddev | AggregateOp::Covariance => Some(2),
        _ => None,
    };
    let is_beyond = value.is_none() && n_needed.is_some_and(|n_needed| times.len() >= n_needed);
    (value, is_beyond.then_some(0))
}

/// The value of the row that is first, or last, by these keys and its position.
fn chosen<K: Ord>(values: &[Datum], keys: impl Iterator<Item = K>, first: bool) -> Datum {
    let places = keys.zip(0..);
    let index = if first { places.min() } else { places.max() };
    index.map_or(Datum::None, |(_, index): (K, usize)| values[index].clone())
}

fn of_values(aggregate: &Aggregate, columns: &[Vec<Datum>], times: &[i64]) -> Datum {
    let kind = &aggregate.ty.kind;
    let values: &[Datum] = columns.first().map_or(&[], Vec::as_slice);
    let second: &[Datum] = columns.get(1).map_or(&[], Vec::as_slice);
    match &aggregate.op {
        AggregateOp::UserDefined(import) => panic!("`{}` is not known to the interpreter", import.name),
        AggregateOp::Count => count(times.len()),
        AggregateOp::First => chosen(values, times.iter(), true),
        AggregateOp::Last => chosen(values, times.iter(), false),
        AggregateOp::ArgMin => chosen(values, second.iter().zip(times), true),
        AggregateOp::ArgMax => chosen(values, second.iter().zip(times), false),
        AggregateOp::Skewness => statistics::skewness(values),
        AggregateOp::Kurtosis => statistics::kurtosis(values),
        op @ (AggregateOp::Covariance
        | AggregateOp::Correlation
        | AggregateOp::Slope
        | AggregateOp::Intercept) => statistics::relation(op, values, second),
        op @ (AggregateOp::BitsOr | AggregateOp::BitsAnd | AggregateOp::BitsXor) => {
            statistics::bits(op, values)
        }
        AggregateOp::ExactQuantile { q_ppb } => ranked(values, *q_ppb).cloned().unwrap_or(Datum::None),
        AggregateOp::Frequency { item, .. } => {
            let item = Datum::of(item, &aggregate.args[0].ty.kind);
            count(values.iter().filter(|value| **value == item).count())
        }
        AggregateOp::Set => lists::set(values.iter()),
        AggregateOp::Union => lists::set(values.iter().flat_map(|list| match list {
            Datum::List(elements) => elements.iter(),
            other => panic!("{other:?} is no list"),
        })),
        AggregateOp::Histogram { .. }
        | AggregateOp::Top { .. }
        | AggregateOp::Funnel { .. }
        | AggregateOp::Retention { .. } => table(aggregate, columns, times),
        AggregateOp::Sum => fit(&sum(values), kind),
        AggregateOp::Mean | AggregateOp::WideMean => mean(values, kind),
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

/// The aggregates that present several numbers.
fn table(aggregate: &Aggregate, columns: &[Vec<Datum>], times: &[i64]) -> Datum {
    let values: &[Datum] = columns.first().map_or(&[], Vec::as_slice);
    let second: &[Datum] = columns.get(1).map_or(&[], Vec::as_slice);
    match &aggregate.op {
        AggregateOp::Histogram { edges } => {
            let of = &aggregate.args[0].ty.kind;
            lists::histogram(&edges.iter().map(|edge| Datum::of(edge, of)).collect::<Vec<_>>(), values)
        }
        AggregateOp::Top { k } => {
            let Kind::List(entry) = &aggregate.ty.kind else { panic!("`top` presents a list") };
            let Kind::Record(fields) = &entry.kind else { panic!("`top` presents records") };
            lists::top(*k, values, second, &fields[1].ty)
        }
        AggregateOp::Funnel { within } => {
            let step = |index: usize| columns[1..].iter().map(|step| step[index].is_true()).collect();
            let rows: Vec<(Datum, i64, Vec<bool>)> =
                (0..times.len()).map(|index| (values[index].clone(), times[index], step(index))).collect();
            lists::funnel(&rows, columns.len() - 1, *within)
        }
        AggregateOp::Retention { n_periods } => {
            let rows: Vec<(Datum, Datum)> = values.iter().cloned().zip(second.iter().cloned()).collect();
            lists::retention(&rows, *n_periods)
        }
        other => panic!("{other:?} presents one value"),
    }
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
