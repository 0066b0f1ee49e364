use metricc::Event;

#[derive(Event)]
union Visit {
    at: i64,
}

fn main() {}
