use metricc::user_defined::{Monoid, Sum, monoid};

#[derive(Debug)]
struct Total;

const NAME: &str = "total";

#[monoid]
impl Monoid for Total {
    type Input = i64;
    type State = Sum;
    type Output = i64;
    const NAME: &'static str = NAME;
    fn lift(state: &mut Sum, n: i64) {
        state.add(i128::from(n));
    }
    fn present(state: &Sum) -> i64 {
        state.0 as i64
    }
}

fn main() {}
