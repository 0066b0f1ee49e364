use metricc::{Event, Events, Metric, jiff::Timestamp, metric};

#[derive(Event)]
struct Payment {
    #[event(time)]
    at: Timestamp,
    merchant_id: i64,
    amount: f64,
    country: Option<String>,
    status: Status,
    tags: Vec<String>,
}

#[derive(Event)]
enum Status {
    Captured,
    Failed,
}

#[metric]
fn m(payments: Events<Payment>) -> Metric {
    payments.distinct(|p| p.merchant_id).within(0)
}

fn main() {}
