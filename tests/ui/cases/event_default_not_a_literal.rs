use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit {
    #[event(time)]
    at: Timestamp,
    #[event(default = String::new())]
    channel: String,
}

fn main() {}
