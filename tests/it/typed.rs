//! Typed metrics in Rust: events in memory are treated like those of any other log, in both engines.

use metricc::jiff::{SignedDuration, Timestamp, civil};
use metricc::{Decimal, Event, EventLog, Events, Frontier, Metric, Run, day, metric};
use rand::Rng;

/// A payment attempt.
#[derive(Event, Debug, Clone)]
#[event(name = "payments")]
struct Payment {
    #[event(key)]
    payment_id: String,
    #[event(time)]
    created_at: Timestamp,
    merchant_id: i64,
    status: Status,
    #[event(decimal(12, 2))]
    amount: Decimal,
    score: f64,
    weight: Option<f64>,
    country: Option<String>,
    tags: Vec<Option<String>>,
    took: Option<SignedDuration>,
    #[event(rename = "type", default = "web")]
    channel: Option<String>,
    due: Option<civil::Date>,
    #[event(zone = "America/New_York")]
    local: civil::DateTime,
}

#[derive(Event, Debug, Clone, Copy)]
enum Status {
    Captured,
    Failed,
    #[event(rename = "given back")]
    Refunded,
}

/// Merchants with at least one captured payment, per business day.
#[metric]
fn distinct_merchants(payments: Events<Payment>) -> Metric {
    payments
        .filter(|p| p.status == Status::Captured && p.amount > 0)
        .every(day("Asia/Kolkata").weeks_from("sunday"))
        .distinct(|p| p.merchant_id)
}

#[metric]
fn by_channel(payments: Events<Payment>) -> Metric {
    payments
        .filter(|p| matches!(p.status, Status::Captured | Status::Refunded))
        .key_by(|p| Key { channel: p.channel, r#type: p.country.unwrap_or("unknown") })
        .aggregate(|e| Value {
            n: e.count(),
            total: e.sum(|p| p.amount),
            weight: e.mean(|p| p.weight),
            score: e.max(|p| p.score),
            p90: e.quantile(|p| p.amount, 0.9).within(0.02),
            readers: e.distinct(|p| p.payment_id).within(0.01),
            longest: e.max(|p| p.took),
            due: e.min(|p| p.due),
            local: e.min(|p| p.local),
            share: e.filter(|p| p.amount > 5).count() / e.count(),
        })
}

#[metric]
fn tags(payments: Events<Payment>) -> Metric {
    payments
        .flat_map(|p| p.tags)
        .map(|(p, tag)| (tag, p.amount * 2))
        .filter(|(tag, double)| tag.is_some() && double > 1)
        .key_by(|(tag, _)| Key { tag: tag })
        .sum(|(_, double)| double)
}

fn payment(number: u64) -> Payment {
    let mut random = metricc_tests::generate::random(number);
    let mut one_in = |n: u32| random.random_range(0..n) == 0;
    Payment {
        payment_id: format!("p{}", number / 2),
        created_at: Timestamp::from_second(1_700_000_000 + 7_000 * number as i64).expect("in range"),
        merchant_id: number as i64 % 5,
        status: [Status::Captured, Status::Failed, Status::Refunded][number as usize % 3],
        // Sometimes too many decimal places.
        amount: Decimal::new(i128::from(number) * 37 - 200, if one_in(9) { 3 } else { 2 })
            .expect("a decimal"),
        score: if one_in(11) { f64::NAN } else { number as f64 / 3.0 },
        weight: if one_in(5) { Some(f64::NAN) } else { Some(number as f64 / 7.0) },
        country: (!one_in(3)).then(|| "IN".to_owned()),
        tags: vec![Some("a".to_owned()), None, Some(format!("t{}", number % 3))],
        took: (!one_in(4)).then(|| SignedDuration::from_micros(number as i64)),
        channel: one_in(2).then(|| "shop".to_owned()),
        due: Some(civil::date(2026, 1, 1 + (number % 28) as i8)),
        local: civil::date(2023, 11, 5).at((number % 24) as i8, 30, 0, 0),
    }
}

fn payments() -> Vec<Payment> {
    (0..60).map(payment).collect()
}

#[test]
fn batch_stream_and_merged_at_every_cut_agree() {
    let events = payments();
    let log = EventLog::of_events(&events).expect("a log");
    let merchants = distinct_merchants().batch(&log).expect("batch");
    let channels = by_channel().batch(&log).expect("batch");
    let of_tags = tags().batch(&log).expect("batch");
    assert!(merchants.rows.len() > 3 && channels.rows.len() == 4 && of_tags.rows.len() == 4);
    for cut in 0..=events.len() as u64 {
        let cut = log.frontier_at(cut);
        assert_eq!(distinct_merchants().merged(&log, &cut).expect("merged").rows, merchants.rows);
        assert_eq!(by_channel().merged(&log, &cut).expect("merged").rows, channels.rows);
        assert_eq!(tags().merged(&log, &cut).expect("merged").rows, of_tags.rows);
    }
}

#[test]
fn each_read_of_a_stream_equals_batch_at_its_frontier() {
    let events = payments();
    let mut stream = by_channel().stream().expect("a stream");
    assert!(stream.read().expect("a read").rows.is_empty());
    for (n, event) in events.iter().enumerate() {
        stream.push(event).expect("pushed");
        if n % 7 == 0 || n + 1 == events.len() {
            let batch =
                by_channel().batch(&EventLog::of_events(&events[..=n]).expect("a log")).expect("batch");
            let read = stream.read().expect("a read");
            assert_eq!(read.rows, batch.rows);
            assert_eq!(read.read_stats, batch.read_stats);
            assert_eq!(read.frontier, Frontier(vec![n as u64 + 1]));
        }
    }
}

#[metric]
fn squares(payments: Events<Payment>) -> Metric {
    payments.sum(|p| p.score * p.score)
}

#[metric]
fn most(payments: Events<Payment>) -> Metric {
    payments.max(|p| p.merchant_id * p.merchant_id)
}

#[test]
fn a_row_says_what_could_not_be_computed_and_has_ints_beyond_64_bits() {
    let score = |score: f64, id: u64| Payment { score, merchant_id: i64::MAX, ..payment(id) };
    let log = EventLog::of_events(&[score(1e300, 1), score(2.0, 2)]).expect("a log");
    let answer = squares().merged(&log, &Frontier(vec![1])).expect("merged");
    assert_eq!(answer.rows[0].value, None);
    assert_eq!(answer.rows[0].overflow.get("value"), Some(&1));
    let answer = most().batch(&log).expect("batch");
    assert_eq!(answer.rows[0].value, Some(i128::from(i64::MAX) * i128::from(i64::MAX)));
    assert!(answer.rows[0].overflow.is_empty());
}

#[test]
fn values_out_of_range_are_quarantined_and_repeated_keys_skipped() {
    let sound = Payment { amount: "1.50".parse().expect("a decimal"), score: 1.0, ..payment(2) };
    let other = |name: &str| Payment { payment_id: name.to_owned(), ..sound.clone() };
    let events = [
        sound.clone(),
        sound.clone(),
        Payment { merchant_id: 77, ..sound.clone() },
        Payment { amount: "1.505".parse().expect("a decimal"), ..other("digits") },
        Payment { amount: "12345678901.00".parse().expect("a decimal"), ..other("size") },
        Payment { score: f64::INFINITY, ..other("infinite") },
        Payment { took: Some(SignedDuration::from_nanos(1)), ..other("lost") },
        Payment { weight: Some(f64::NAN), ..other("nan is none") },
    ];
    let answer = by_channel().batch(&EventLog::of_events(&events).expect("a log")).expect("batch");
    let stats = &answer.read_stats;
    assert_eq!((stats.n_records, stats.n_duplicates, stats.n_conflicts), (8, 2, 1));
    let shown: Vec<String> = stats.quarantined.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "memory (position [0, 3]): field `amount`: more than 2 digits after the point: 1.505",
            "memory (position [0, 4]): field `amount`: more than 10 digits before the point: 12345678901.00",
            "memory (position [0, 6]): field `took`: digits beyond the microsecond would be lost",
        ]
    );
    let none_values: Vec<_> = stats.none_values.iter().map(|(field, _, count)| (field, count)).collect();
    assert_eq!(none_values, [("score", 1), ("weight", 1)]);
    assert_eq!(answer.rows.iter().map(|row| row.value.n).sum::<i64>(), 3);
}

#[test]
fn keys_windows_and_values_have_their_types() {
    let event = Payment {
        amount: "7.25".parse().expect("a decimal"),
        score: 1.5,
        weight: Some(0.5),
        country: None,
        channel: None,
        took: Some(SignedDuration::from_secs(3)),
        ..payment(0)
    };
    let log = EventLog::of_events([&event]).expect("a log");
    let answer = by_channel().batch(&log).expect("batch");
    let key = by_channel::Key { channel: "web".to_owned(), r#type: "unknown".to_owned() };
    let value = answer.get(&key).expect("the group is there");
    assert_eq!(value.total, Some("7.25".parse().expect("a decimal")));
    assert_eq!((value.n, value.weight, value.score, value.share), (1, Some(0.5), Some(1.5), Some(1.0)));
    assert_eq!((value.readers.value, value.readers.error), (1, 0.01));
    assert!((value.p90.expect("an estimate").value - 7.25).abs() <= 7.25 * 0.02);
    assert_eq!(value.longest, Some(SignedDuration::from_secs(3)));
    assert_eq!(value.due, Some(civil::date(2026, 1, 1)));
    // 00:30 on the day on which the clocks of New York go back.
    assert_eq!(value.local, Some("2023-11-05T04:30:00Z".parse().expect("a timestamp")));
    let merchants = distinct_merchants().batch(&log).expect("batch");
    let window = merchants.rows[0].window;
    assert!(window.contains(event.created_at));
    assert_eq!(window.start.to_string(), "2023-11-14T18:30:00Z");
    assert_eq!(merchants.rows[0].value, 1);
}

/// The same metrics, in a file.
mod in_a_file {
    metricc::metrics!("fixtures/payments.metric");
}

#[test]
fn a_file_and_a_crate_give_one_metric() {
    let hash = distinct_merchants().hash().expect("a hash");
    assert_eq!(hash, in_a_file::distinct_merchants().hash().expect("a hash"));
    assert_eq!(by_channel().hash().expect("a hash"), in_a_file::by_channel().hash().expect("a hash"));
    assert_eq!(tags().hash().expect("a hash"), in_a_file::tags().hash().expect("a hash"));
    let event = payment(0);
    let of_file = in_a_file::Payments {
        payment_id: event.payment_id.clone(),
        created_at: event.created_at,
        merchant_id: event.merchant_id,
        status: in_a_file::PaymentsStatus::Captured,
        amount: "7.25".parse().expect("a decimal"),
        score: 1.0,
        weight: None,
        country: None,
        tags: Vec::new(),
        took: None,
        r#type: None,
        due: None,
        local: "2023-11-05T04:30:00Z".parse().expect("a timestamp"),
    };
    let mut stream = in_a_file::distinct_merchants().stream().expect("a stream");
    stream.push(&of_file).expect("pushed");
    assert_eq!(stream.read().expect("a read").rows[0].value, 1);
}

#[test]
fn events_and_metrics_may_be_local_to_a_function() {
    #[derive(Event)]
    struct Visit {
        #[event(time)]
        at: Timestamp,
        kind: Kind,
    }

    #[derive(Event, Clone, Copy)]
    enum Kind {
        Human,
        Bot,
    }

    #[metric]
    fn bots(visits: Events<Visit>) -> Metric {
        visits.filter(|v| v.kind == Kind::Bot).count()
    }

    let visits = [Kind::Human, Kind::Bot].map(|kind| Visit { at: Timestamp::UNIX_EPOCH, kind });
    let log = EventLog::of_events(&visits).expect("a log");
    assert_eq!(bots().batch(&log).expect("batch").rows[0].value, 1);
}

/// Events of another crate. Importing the type is enough for metrics over it.
mod of_another_crate {
    use super::*;
    use metricc_tests::events::{Click, Device, elsewhere};

    #[metric]
    pub(super) fn on_phones(clicks: Events<Click>) -> Metric {
        clicks.filter(|c| c.device == Device::Phone).count()
    }

    #[metric]
    pub(super) fn others(clicks: Events<elsewhere::Click>) -> Metric {
        clicks.count()
    }

    #[test]
    fn events_work_like_local_ones() {
        let at = Timestamp::UNIX_EPOCH;
        let clicks = [Device::Phone, Device::Other].map(|device| Click { at, device });
        let log = EventLog::of_events(&clicks).expect("a log");
        assert_eq!(on_phones().batch(&log).expect("batch").rows[0].value, 1);
        let log = EventLog::of_events(&[elsewhere::Click { at }]).expect("a log");
        assert_eq!(others().batch(&log).expect("batch").rows[0].value, 1);
    }
}
