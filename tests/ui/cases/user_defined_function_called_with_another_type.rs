use metricc::user_defined::scalar;
use metricc::{Event, Events, Metric, jiff, metric};

#[derive(Event)]
struct Trip {
    #[event(key)]
    id: String,
    #[event(time)]
    at: jiff::Timestamp,
}

#[scalar]
fn miles(km: f64) -> f64 {
    km / 1.609_344
}

#[metric(import(miles))]
fn far(trips: Events<Trip>) -> Metric {
    trips.max(|t| miles(t.id))
}

fn main() {
    let _ = far();
}
