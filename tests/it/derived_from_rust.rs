//! Derived metrics in Rust: typed rows from both engines and from a stream, and the same meaning as in a
//! file.

use metricc::jiff::{SignedDuration, Timestamp};
use metricc::{EventLog, Run};

mod in_a_file {
    metricc::metrics!("fixtures/made.metric");
}

use in_a_file::{Orders, conversion, summary};

/// Orders of three days, five on each.
fn orders() -> Vec<Orders> {
    let order = |id: i64| Orders {
        id,
        at: Timestamp::from_second(1_700_000_000 + 17_000 * id).expect("in range"),
        buyer: id % 3,
        waited: SignedDuration::from_secs(id),
    };
    (0..15).map(order).collect()
}

#[test]
fn a_derived_metric_runs_in_both_engines_and_as_a_stream() {
    let log = EventLog::of_events(&orders()).expect("a log");
    let batch = summary().batch(&log).expect("batch");
    let values: Vec<_> = batch.rows.iter().map(|row| &row.value).collect();
    assert_eq!(values.iter().map(|value| value.before).collect::<Vec<_>>(), [0, 5, 5]);
    assert_eq!((values[1].buyers.value, values[1].buyers.error), (3, 0.01));
    assert_eq!(values[1].share, Some(0.6));
    assert_eq!(values[2].longest, Some(SignedDuration::from_secs(14)));
    let mut stream = summary().stream().expect("a stream");
    for (n, order) in orders().iter().enumerate() {
        let cut = log.frontier_at(n as u64);
        assert_eq!(summary().merged(&log, &cut).expect("merged").rows, batch.rows);
        stream.push(order).expect("pushed");
        let so_far = EventLog::of_events(&orders()[..=n]).expect("a log");
        assert_eq!(stream.read().expect("a read").rows, summary().batch(&so_far).expect("batch").rows);
    }
}

mod in_rust {
    use metricc::jiff::{SignedDuration, Timestamp};
    use metricc::{Event, Events, Metric, day, metric, month};

    #[derive(Event)]
    pub(super) struct Orders {
        #[event(key)]
        pub(super) id: i64,
        #[event(time)]
        pub(super) at: Timestamp,
        pub(super) buyer: i64,
        pub(super) waited: SignedDuration,
    }

    #[derive(Event)]
    #[allow(dead_code)]
    pub(super) struct Visits {
        #[event(key)]
        id: i64,
        #[event(time)]
        at: Timestamp,
        visitor: i64,
    }

    #[metric]
    pub(super) fn buyers(orders: Events<Orders>) -> Metric {
        orders.every(day("Asia/Kolkata")).distinct(|o| o.buyer).within(0.01)
    }

    #[metric]
    pub(super) fn orders_made(orders: Events<Orders>) -> Metric {
        orders.every(day("Asia/Kolkata")).count()
    }

    #[metric]
    fn longest(orders: Events<Orders>) -> Metric {
        orders.every(day("Asia/Kolkata")).max(|o| o.waited)
    }

    #[metric]
    fn visitors(visits: Events<Visits>) -> Metric {
        visits.every(day("Asia/Kolkata")).distinct(|v| v.visitor)
    }

    /// Orders of a day.
    #[metric]
    pub(super) fn summary(buyers: Metric, orders_made: Metric, longest: Metric) -> Metric {
        Value {
            buyers: buyers,
            share: buyers / orders_made,
            before: orders_made.offset(days(1)),
            longest: longest,
        }
    }

    #[metric]
    pub(super) fn conversion(buyers: Metric, visitors: Metric) -> Metric {
        buyers / visitors
    }

    /// Derived from a derived metric and from one of its operands.
    #[metric]
    pub(super) fn rise(summary: Metric, orders_made: Metric) -> Metric {
        (orders_made - summary.before.unwrap_or(0)).unit("orders")
    }

    #[metric]
    pub(super) fn monthly(orders_made: Metric) -> Metric {
        orders_made.every(month("Asia/Kolkata"))
    }
}

#[test]
fn functions_over_metrics_mean_the_same_as_a_file() {
    let (in_file, in_rust) = (summary().hash().expect("a hash"), in_rust::summary().hash().expect("a hash"));
    assert_eq!(in_file, in_rust);
    assert_eq!(conversion().hash().expect("a hash"), in_rust::conversion().hash().expect("a hash"));
    let log = EventLog::of_events(&orders()).expect("a log");
    let own = orders().into_iter().map(|Orders { id, at, buyer, waited }| in_rust::Orders {
        id,
        at,
        buyer,
        waited,
    });
    let own: Vec<in_rust::Orders> = own.collect();
    let own = EventLog::of_events(&own).expect("a log");
    let (of_file, of_rust) =
        (summary().batch(&log).expect("batch"), in_rust::summary().batch(&own).expect("batch"));
    assert_eq!(of_file.rows.len(), of_rust.rows.len());
    for (one, other) in of_file.rows.iter().zip(&of_rust.rows) {
        assert_eq!(
            (one.window, one.value.buyers, one.value.share),
            (other.window, other.value.buyers, other.value.share)
        );
    }
    let rise = in_rust::rise().batch(&own).expect("batch");
    assert_eq!(rise.rows.iter().map(|row| row.value).collect::<Vec<_>>(), [Some(5), Some(0), Some(0)]);
    assert_eq!(in_rust::monthly().batch(&own).expect("batch").rows[0].value, 15);
}

#[test]
fn a_metric_over_several_sources_has_a_hash_and_no_log() {
    assert_ne!(conversion().hash().expect("a hash"), summary().hash().expect("a hash"));
    let event = std::any::type_name::<<conversion::Definition as metricc::Definition>::Event>();
    assert_eq!(event, "()");
}
