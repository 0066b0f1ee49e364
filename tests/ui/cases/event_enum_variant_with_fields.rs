use metricc::Event;

#[derive(Event)]
enum Status {
    Captured,
    Failed(String),
}

fn main() {}
