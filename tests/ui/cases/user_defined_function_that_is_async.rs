use metricc::user_defined::scalar;

#[scalar]
async fn asked(x: i64) -> i64 {
    x
}

fn main() {
    let _ = asked(1);
}
