use metricc::{Event, Events, Metric, jiff, metric};

#[derive(Event)]
struct Visit {
    #[event(key)]
    id: String,
    #[event(time)]
    at: jiff::Timestamp,
    ms: i64,
}

#[metric]
fn waits(visits: Events<Visit>) -> Metric {
    visits.histogram(|v| v.ms, [10, 100, 50])
}

fn main() {
    let _ = waits();
}
