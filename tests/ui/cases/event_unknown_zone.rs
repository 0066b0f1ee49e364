use metricc::Event;

#[derive(Event)]
struct Visit {
    #[event(time, zone = "Asia/Calcuta")]
    at: metricc::jiff::civil::DateTime,
}

fn main() {}
