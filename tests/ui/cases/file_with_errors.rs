metricc::metrics!("broken.metric");

fn main() {}
