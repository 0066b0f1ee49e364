use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    page: &'static str,
}

fn main() {}
