use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    labels: std::collections::BTreeMap<String, String>,
}

fn main() {}
