use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(timestamp)]
    at: Timestamp,
}

fn main() {}
