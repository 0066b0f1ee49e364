use metricc::{Event, jiff::Timestamp};

#[derive(Event)]
struct Visit(Timestamp);

fn main() {}
