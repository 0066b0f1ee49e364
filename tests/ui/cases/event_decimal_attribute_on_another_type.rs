use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    #[event(decimal(12, 2))]
    amount: i64,
}

fn main() {}
