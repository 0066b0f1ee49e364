use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    at: Timestamp,
}

fn main() {}
