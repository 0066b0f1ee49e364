use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    #[event(time)]
    seen: Timestamp,
}

fn main() {}
