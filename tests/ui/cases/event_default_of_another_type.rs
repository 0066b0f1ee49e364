use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    #[event(default = "none")]
    n_items: i64,
}

fn main() {}
