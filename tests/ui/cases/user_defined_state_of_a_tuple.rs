use metricc::user_defined::{State, Sum};

#[derive(Debug, Clone, Default, State)]
struct Both(Sum, Sum);

fn main() {}
