//! Ranges of windows and coarser windows, by definition: the events of the windows of a metric that start in
//! the range, in the coarser windows; and every window of the metric in a coarser one looked at.

use metricc_ir::{Calendar, Metric, Window};

use super::datum::Datum;
use super::{Event, Row, civil, evaluate, window_of};

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A date, in days since 1970-01-01.
    Date(i64),
    /// An instant, µs.
    Instant(i64),
}

/// A range of windows of a metric, in coarser windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// Its start.
    pub from: Option<Bound>,
    /// Its end.
    pub to: Option<Bound>,
    /// The coarser windows.
    pub grain: Option<Window>,
}

impl Range {
    /// The instants between which windows of a metric start.
    fn instants(&self, window: &Window) -> (i64, i64) {
        let calendar = self.grain.as_ref().and_then(calendar_of).or_else(|| calendar_of(window));
        let zone = civil::zone(calendar.map_or("UTC", |calendar| &calendar.zone));
        let instant = |bound| match bound {
            Bound::Date(days) => civil::first_instant(days, &zone),
            Bound::Instant(micros) => micros,
        };
        (self.from.map_or(i64::MIN, instant), self.to.map_or(i64::MAX, instant))
    }

    /// The rows; `None` if an event's window in the range lies in no coarser window as a whole, or two meet
    /// inside of one.
    pub fn evaluate(&self, metric: &Metric, events: &[Event]) -> Option<Vec<Row>> {
        let (from, to) = self.instants(&metric.window);
        let of = |instant| window_of(&metric.window, &Datum::Timestamp(instant)).expect("windows");
        let kept: Vec<Event> = events
            .iter()
            .filter(|event| {
                let (start, _) = of(time_of(metric, event));
                from <= start && start < to
            })
            .cloned()
            .collect();
        let Some(grain) = &self.grain else { return Some(evaluate(metric, &kept)) };
        if *grain != Window::AllTime {
            let fits = |event: &Event| {
                let (start, end) =
                    window_of(grain, &Datum::Timestamp(time_of(metric, event))).expect("windows");
                of(start).0 == start && of(end).0 == end
            };
            if !kept.iter().all(fits) {
                return None;
            }
        }
        let coarse = Metric { window: grain.clone(), ..metric.clone() };
        let mut rows = evaluate(&coarse, &kept);
        let is_rolled_up = *grain != Window::AllTime && !has_same_windows(&metric.window, grain);
        for row in rows.iter_mut().filter(|_| is_rolled_up) {
            let (start, end) = row.span.expect("a window");
            let mut fine = start;
            while fine < end {
                row.is_partial |= fine < from || to <= fine;
                fine = of(fine).1;
            }
        }
        Some(rows)
    }

    /// Which of the bounds, from and to, are no start of a window of the metric.
    pub fn between(&self, window: &Window) -> [bool; 2] {
        let (from, to) = self.instants(window);
        let is_between = |bound: Option<Bound>, instant| {
            bound.is_some() && window_of(window, &Datum::Timestamp(instant)).expect("windows").0 != instant
        };
        [is_between(self.from, from), is_between(self.to, to)]
    }
}

fn calendar_of(window: &Window) -> Option<&Calendar> {
    match window {
        Window::Calendar(_, calendar) => Some(calendar),
        _ => None,
    }
}

/// Whether both divide time alike: a day is a day wherever weeks start.
fn has_same_windows(left: &Window, right: &Window) -> bool {
    match (left, right) {
        (Window::Calendar(left, one), Window::Calendar(right, other)) => {
            let is_week = *left == metricc_ir::CalendarUnit::Week;
            left == right && one.zone == other.zone && (!is_week || one.week_start == other.week_start)
        }
        _ => left == right,
    }
}

fn time_of(metric: &Metric, event: &Event) -> i64 {
    match super::datum::field_of(event, &metric.source.fields[metric.source.time]) {
        Datum::Timestamp(micros) => micros,
        other => panic!("{other:?} is no instant"),
    }
}
