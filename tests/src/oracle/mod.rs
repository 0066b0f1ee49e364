//! The naive interpreter: evaluates a metric over a list of events by definition.
//!
//! It keeps all rows in memory, groups them in an ordered map, computes each aggregate from the list of all
//! values of a group with exact numbers, and writes the result as the lines of `run --output json`. It panics
//! on a metric that is not well typed, which fails the test.

mod aggregate;
mod civil;
mod datum;
mod exact;
mod expression;
mod lists;
mod numbers;
mod pattern;
mod present;
pub mod ranges;
mod scalar;
mod statistics;
mod strings;
mod text_reader;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use metricc_ir::{Metric, Source, Value, Window};

pub use civil::{date_text, utc_text};
use datum::Datum;
pub use present::{Check, Mismatch, Presented, Row, compare};
pub use text_reader::read_text;

/// An event: its decoded fields by name. An absent field is none, or has its default.
pub type Event = BTreeMap<String, Value>;

/// A group: start and end of the window (`None`: all time), and the keys.
type Place = (Option<(i64, i64)>, Vec<Datum>);

/// The rows of the result, by window and then by keys.
///
/// `events` are in log order and may contain duplicates: of events with the same identity, the first counts.
pub fn evaluate(metric: &Metric, events: &[Event]) -> Vec<Row> {
    let mut groups: BTreeMap<Place, Vec<Vec<Datum>>> = BTreeMap::new();
    if metric.keys.is_empty() && metric.window == Window::AllTime {
        groups.insert((None, Vec::new()), Vec::new());
    }
    for fields in distinct_events(&metric.source, events) {
        let windows = windows_of(&metric.window, &fields[metric.source.time]);
        for row in exploded(metric, fields) {
            if metric.filter.as_ref().is_none_or(|filter| expression::evaluate(filter, &row).is_true()) {
                let keys: Vec<Datum> =
                    metric.keys.iter().map(|key| expression::evaluate(&key.expr, &row)).collect();
                for window in &windows {
                    groups.entry((*window, keys.clone())).or_default().push(row.clone());
                }
            }
        }
    }
    if let Window::Session { gap } = metric.window {
        groups = sessions(groups, gap, metric.source.time);
    }
    groups.iter().map(|(index, rows)| presented(metric, index, rows)).collect()
}

/// The fields of the events without duplicates.
fn distinct_events(source: &Source, events: &[Event]) -> Vec<Vec<Datum>> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for event in events {
        let fields: Vec<Datum> = source.fields.iter().map(|field| datum::field_of(event, field)).collect();
        let identity: Vec<Datum> = source.identity.iter().map(|&index| fields[index].clone()).collect();
        if source.identity.is_empty() || seen.insert(identity) {
            kept.push(fields);
        }
    }
    kept
}

/// One row per element of each list in turn; the elements are further columns.
fn exploded(metric: &Metric, fields: Vec<Datum>) -> Vec<Vec<Datum>> {
    let mut rows = vec![fields];
    for each in &metric.each {
        let mut longer = Vec::new();
        for row in rows {
            if let Datum::List(elements) = expression::evaluate(&each.list, &row) {
                longer.extend(elements.into_iter().map(|element| [row.clone(), vec![element]].concat()));
            }
        }
        rows = longer;
    }
    rows
}

/// The sessions of each group: an event joins the session of the event before it unless the time between is
/// more than the gap.
fn sessions(
    groups: BTreeMap<Place, Vec<Vec<Datum>>>,
    gap: i64,
    time: usize,
) -> BTreeMap<Place, Vec<Vec<Datum>>> {
    let mut sessions = BTreeMap::new();
    for ((_, keys), mut rows) in groups {
        rows.sort_by_key(|row| instant_of(&row[time]));
        for session in rows.chunk_by(|row, next| instant_of(&next[time]) - instant_of(&row[time]) <= gap) {
            let (first, last) = (&session[0][time], &session[session.len() - 1][time]);
            let window = (instant_of(first), instant_of(last) + gap);
            sessions.insert((Some(window), keys.clone()), session.to_vec());
        }
    }
    sessions
}

/// An instant in UTC; of a date its midnight.
fn instant_of(time: &Datum) -> i64 {
    match time {
        Datum::Timestamp(micros) => *micros,
        Datum::Date(days) => days * civil::DAY,
        other => panic!("{other:?} is no event time"),
    }
}

/// Start and end of the windows that contain an event of this time. A date counts as its midnight: in the
/// zone of a calendar (so that an event of the 10th is in the window of the 10th in every zone), otherwise in
/// UTC.
fn windows_of(window: &Window, time: &Datum) -> Vec<Option<(i64, i64)>> {
    match window {
        Window::Sliding { length, step } => {
            // The window that starts last, and all earlier ones that have not ended.
            let latest = times::floor_to(instant_of(time), *step);
            let starts = (0..length / step).map(|n_steps| latest - n_steps * step);
            starts.map(|start| Some((start, start + length))).collect()
        }
        _ => vec![window_of(window, time)],
    }
}

fn window_of(window: &Window, time: &Datum) -> Option<(i64, i64)> {
    match window {
        Window::AllTime | Window::Session { .. } | Window::Sliding { .. } => None,
        Window::Tumbling(width) => {
            let start = times::floor_to(instant_of(time), *width);
            Some((start, start + width))
        }
        Window::Calendar(unit, calendar) => {
            let instant = match time {
                Datum::Timestamp(micros) => *micros,
                Datum::Date(days) => civil::first_instant(*days, &civil::zone(&calendar.zone)),
                other => panic!("{other:?} is no event time"),
            };
            Some(civil::bucket(instant, *unit, calendar))
        }
    }
}

fn presented(metric: &Metric, (window, keys): &Place, rows: &[Vec<Datum>]) -> Row {
    let (aggregates, overflow): (Vec<Datum>, Vec<Option<usize>>) = metric
        .aggregates
        .iter()
        .map(|aggregate| aggregate::evaluate(aggregate, rows, metric.source.time))
        .unzip();
    let outputs: Vec<Datum> =
        metric.outputs.iter().map(|output| expression::evaluate(&output.expr, &aggregates)).collect();
    present::row(metric, *window, keys, &outputs, &overflow)
}

#[cfg(test)]
mod tests;
