metricc::metrics!("cases/nowhere.metric");

fn main() {}
