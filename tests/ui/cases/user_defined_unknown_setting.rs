use metricc::user_defined::scalar;

#[scalar(pure)]
fn twice(x: i64) -> i64 {
    2 * x
}

fn main() {
    let _ = twice(1);
}
