use metricc::user_defined::scalar;

#[scalar]
fn nothing(_x: i64) {}

fn main() {
    nothing(1);
}
