//! Payments, measured beside their types.

use metricc::jiff::Timestamp;
use metricc::{Event, EventLog, Events, Metric, Run, day, metric};
use rust_decimal::{Decimal, dec};

/// An attempt to pay, as the gateway reports it.
#[derive(Event)]
#[event(name = "payments")]
struct Payment {
    /// Set by the gateway; a second report of one payment has the same.
    #[event(key)]
    payment_id: String,
    #[event(time)]
    created_at: Timestamp,
    merchant_id: i64,
    status: Status,
    #[event(decimal(12, 2))]
    amount: Decimal,
    country: Option<String>,
    tags: Vec<String>,
}

#[derive(Event, Clone, Copy)]
enum Status {
    Captured,
    Failed,
    #[allow(dead_code)]
    Refunded,
}

/// Merchants with at least one captured payment, per business day.
#[metric]
fn distinct_merchants(payments: Events<Payment>) -> Metric {
    payments
        .filter(|p| p.status == Status::Captured && p.amount > dec!(0))
        .every(day("Asia/Kolkata"))
        .distinct(|p| p.merchant_id)
}

/// The same as an estimate, by country.
#[metric]
fn approx_merchants(payments: Events<Payment>) -> Metric {
    payments
        .key_by(|p| Key { country: p.country.unwrap_or("unknown") })
        .distinct(|p| p.merchant_id)
        .within(0.01)
}

/// What was captured, per hour.
#[metric]
fn revenue(payments: Events<Payment>) -> Metric {
    payments.filter(|p| p.status == Status::Captured).every(1h).sum(|p| p.amount)
}

/// How payments went, by status.
#[metric]
fn outcome(payments: Events<Payment>) -> Metric {
    payments.key_by(|p| p.status).aggregate(|e| Value {
        payments: e.count(),
        large: e.filter(|p| p.amount >= 100).count(),
        mean: e.mean(|p| p.amount),
        p95: e.quantile(|p| p.amount, 0.95).within(0.01),
        failed: e.filter(|p| matches!(p.status, Status::Failed)).count() / e.count(),
    })
}

/// How often each tag is used for payments of more than one unit.
#[metric]
fn tag_use(payments: Events<Payment>) -> Metric {
    payments
        .flat_map(|p| p.tags)
        .filter(|(p, tag)| {
            let net = p.amount - 1;
            net > 0 && !tag.starts_with("internal")
        })
        .key_by(|(_, tag)| Key { tag: tag.lower() })
        .count()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payment = |id: &str, at: &str, merchant_id, status, amount| Payment {
        payment_id: id.to_owned(),
        created_at: at.parse().expect("a timestamp"),
        merchant_id,
        status,
        amount,
        country: (merchant_id > 1).then(|| "IN".to_owned()),
        tags: vec!["Web".to_owned(), "internal-test".to_owned()],
    };
    let events = [
        payment("a", "2026-04-25T10:00:00Z", 1, Status::Failed, dec!(10.00)),
        payment("b", "2026-04-25T19:00:00Z", 1, Status::Captured, dec!(5.00)),
        payment("b", "2026-04-25T19:00:00Z", 1, Status::Captured, dec!(5.00)),
        payment("c", "2026-04-25T19:30:00Z", 2, Status::Captured, dec!(250.55)),
    ];
    // Batch, and both layers around a cut.
    let log = EventLog::of_events(&events)?;
    for row in distinct_merchants().batch(&log)?.rows {
        println!("{} merchants from {} on", row.value, row.window.start);
    }
    for row in revenue().merged(&log, &log.frontier_at(2))?.rows {
        println!("{} in the hour of {}", row.value.unwrap_or_default(), row.window.start);
    }
    for row in approx_merchants().batch(&log)?.rows {
        println!("about {} in {} (± {:.0} %)", row.value.value, row.key.country, row.value.error * 100.0);
    }
    for row in tag_use().batch(&log)?.rows {
        println!("tag {}: {}", row.key.tag, row.value);
    }

    // A stream that is read while events come in.
    let mut stream = outcome().stream()?;
    for event in &events {
        stream.push(event)?;
        let answer = stream.read()?;
        let read: Vec<_> =
            answer.rows.iter().map(|row| format!("{:?} {}", row.key.status, row.value.payments)).collect();
        println!("after {}: {}", answer.frontier, read.join(", "));
    }
    let answer = stream.read()?;
    println!("left out as repeated: {}", answer.read_stats.n_duplicates);
    println!("{:#?}", answer.rows[0].value);
    Ok(())
}
