//! Metrics made of metrics, from Rust: typed, in both engines and as a stream.

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
fn a_metric_of_metrics_runs_in_both_engines_and_as_a_stream() {
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

#[test]
fn a_metric_over_several_sources_has_a_hash_and_no_log() {
    assert_ne!(conversion().hash().expect("a hash"), summary().hash().expect("a hash"));
    let event = std::any::type_name::<<conversion::Definition as metricc::Definition>::Event>();
    assert_eq!(event, "()");
}
