use metricc::jiff::Timestamp;
use metricc::{Event, Events, Metric, day, metric};

#[derive(Event)]
struct Visit {
    #[event(key)]
    id: i64,
    #[event(time)]
    at: Timestamp,
    visitor: i64,
}

#[metric]
fn visits(visits: Events<Visit>) -> Metric {
    visits.every(1h).count()
}

#[metric]
fn visitors(visits: Events<Visit>) -> Metric {
    visits.every(day("Asia/Kolkata")).distinct(|v| v.visitor)
}

#[metric]
fn broken(visits: Events<Visit>) -> Metric {
    visits.every(1h).sum(|v| v.nothing)
}

#[metric]
fn other_windows(visits: Metric, visitors: Metric) -> Metric {
    visits / visitors
}

#[metric]
fn not_a_whole_window(visits: Metric) -> Metric {
    visits - visits.offset(90m)
}

#[metric]
fn how_far(visits: Metric) -> Metric {
    visits - visits.offset(hours(1))
}

#[metric]
fn no_part(visits: Metric) -> Metric {
    visits.p99
}

#[metric]
fn no_such_key(visits: Metric) -> Metric {
    visits.key_by(|k| k.country)
}

#[metric]
fn aggregate_of_metrics(visits: Metric) -> Metric {
    visits.sum(|v| v.n)
}

#[metric]
fn says_nothing_of_a_broken_one(visits: Metric, broken: Metric) -> Metric {
    visits / broken
}

#[metric]
fn of_both(visits: Metric, events: Events<Visit>) -> Metric {
    visits / events.count()
}

#[metric]
pub fn seen_further(visits: Metric) -> Metric {
    visits * 2
}

#[metric]
fn of_itself(of_itself: Metric) -> Metric {
    of_itself * 2
}

use Visit as event;

#[metric]
fn of_an_event(event: Metric) -> Metric {
    event
}

fn main() {}
