use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit<T> {
    #[event(time)]
    at: Timestamp,
    page: T,
}

fn main() {}
