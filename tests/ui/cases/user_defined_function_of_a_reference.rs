use metricc::user_defined::scalar;

#[scalar]
fn length(text: &str) -> i64 {
    text.len() as i64
}

fn main() {
    let _ = length("");
}
