use metricc::user_defined::{Monoid, Sum, monoid};
use metricc::{Event, Events, Metric, jiff, metric};

#[derive(Event)]
struct Trip {
    #[event(key)]
    id: String,
    #[event(time)]
    at: jiff::Timestamp,
    n: i64,
}

#[derive(Debug)]
struct Total;

#[monoid]
impl Monoid for Total {
    type Input = i64;
    type State = Sum;
    type Output = i64;
    const NAME: &'static str = "total";
    fn lift(state: &mut Sum, n: i64) {
        state.add(i128::from(n));
    }
    fn present(state: &Sum) -> i64 {
        state.0 as i64
    }
}

#[metric]
fn all(trips: Events<Trip>) -> Metric {
    trips.user_defined(Total, |t| t.n)
}

fn main() {
    let _ = all();
}
