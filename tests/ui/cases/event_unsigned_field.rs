use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    user_id: u64,
}

fn main() {}
