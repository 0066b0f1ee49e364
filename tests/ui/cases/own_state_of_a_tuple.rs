use metricc::own::{State, Sum};

#[derive(Debug, Clone, Default, State)]
struct Both(Sum, Sum);

fn main() {}
