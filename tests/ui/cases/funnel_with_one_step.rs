use metricc::{Event, Events, Metric, jiff, metric};

#[derive(Event)]
struct Visit {
    #[event(key)]
    id: String,
    #[event(time)]
    at: jiff::Timestamp,
    page: String,
}

#[metric]
fn buying(visits: Events<Visit>) -> Metric {
    visits.funnel(|v| v.id, |v| [v.page == "paid"]).within(1h)
}

fn main() {
    let _ = buying();
}
