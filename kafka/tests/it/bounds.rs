//! Intervals of a topic: by offset, by time, and what retention has left of it.

use std::time::{SystemTime, UNIX_EPOCH};

use krafka::Compression;
use krafka::error::ErrorCode;
use krafka::testing::{ApiKey, Control};
use metricc_ir::Frontier;
use metricc_kafka::{Bounds, From, RecordOptions};
use metricc_log::{Log, LogError};

use crate::server::{Server, batches, event, numbers, record, source, whole};

const TOPIC: &str = "events";

/// Now, in milliseconds: retention would remove older records.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_millis()).expect("a time")
}

/// Ten records a second apart.
fn fill(server: &Server, first: i64) {
    server.create(TOPIC, 2);
    let records = (0..10).map(|n| record(TOPIC, 0, &event(n)).timestamp(first + n * 1000)).collect();
    server.produce(Compression::None, records);
}

fn open(server: &Server, from: Option<From>, to: Option<u64>) -> Result<Log, LogError> {
    server.open_with(&source(false), TOPIC, &RecordOptions::default(), Bounds { from, to })
}

fn read(log: &Log) -> Vec<i64> {
    numbers(&batches(log, whole(log).slices(), 3))
}

#[test]
fn offsets_and_times_bound_what_is_read() {
    for server in Server::all() {
        let first = now() - 60_000;
        fill(&server, first);
        for (from, to, wanted) in [
            (None, None, 0..10),
            (Some(From::Offset(4)), None, 4..10),
            (Some(From::Offset(4)), Some(7), 4..7),
            (None, Some(3), 0..3),
            (None, Some(99), 0..10),
            (Some(From::Offset(99)), None, 0..0),
            (Some(From::Offset(7)), Some(4), 0..0),
            (Some(From::Time(first - 1)), None, 0..10),
            (Some(From::Time(first + 4000)), None, 4..10),
            (Some(From::Time(first + 4001)), Some(8), 5..8),
            (Some(From::Time(first + 99_000)), None, 0..0),
        ] {
            let log = open(&server, from, to).expect("a log");
            assert_eq!(read(&log), wanted.clone().collect::<Vec<_>>(), "{from:?} to {to:?}");
            assert_eq!(log.n_positions(), wanted.count() as u64, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn a_log_starts_where_retention_has_left_it() {
    let server = Server::fake();
    fill(&server, now());
    let all = open(&server, None, None).expect("a log");
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.with_state(|state| state.partition_mut(TOPIC, 0).expect("the partition").log_start_offset = 6);
    let left = open(&server, None, None).expect("a log");
    assert_eq!((left.start(), left.end()), (Frontier(vec![6, 0]), Frontier(vec![10, 0])));
    assert_eq!(read(&left), [6, 7, 8, 9]);
    assert_eq!(left.frontier_at(1), Frontier(vec![7, 0]));
    let slices = left.slices(&whole(&left), 3);
    assert_eq!(slices.len(), 2);

    let error = open(&server, Some(From::Offset(2)), None).expect_err("offset 2 is gone");
    let said = format!("{error}; {}", error.help().unwrap_or_default());
    for part in ["topic `events`, partition 0", "offset 2 is no longer there", "start at offset 6"] {
        assert!(said.contains(part), "{said}");
    }
    // A log that was opened before says it when it is read. The broker of the tests has the error by order
    // alone.
    broker.on(ApiKey::Fetch, |_| Control::Error(ErrorCode::OffsetOutOfRange));
    let slice = whole(&all).slices().next().expect("a slice");
    let error = all.read(&slice, &[0], 100).expect("a reader").find_map(Result::err).expect("an error");
    assert!(error.to_string().contains("offset 0 is no longer there; the first one is 6"), "{error}");
}
