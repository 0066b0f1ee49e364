use metricc::{Event, jiff::Timestamp};

struct Decimal;

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    amount: Decimal,
}

fn main() {}
