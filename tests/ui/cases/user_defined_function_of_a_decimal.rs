use metricc::user_defined::scalar;

#[scalar(version = 2)]
fn tax(amount: metricc::Decimal) -> f64 {
    let _ = amount;
    0.0
}

fn main() {}
