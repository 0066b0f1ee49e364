//! Aggregates that present lists: of counts, values or records.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use metricc_ir::{Kind, Type};
use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use super::datum::Datum;
use super::exact::{self, Rational};
use super::numbers::fit;
use super::statistics::sum;

pub(super) fn count(n_rows: usize) -> Datum {
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
        _ => sum(&of_item[item]),
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
