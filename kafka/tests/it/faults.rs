//! Brokers that fail: what is read is right, or there is an error that says where.

use std::time::Duration;

use krafka::Compression;
use krafka::error::ErrorCode;
use krafka::testing::{ApiKey, Control, FakeBroker};
use metricc_kafka::{Bounds, KafkaError, Mechanism, RecordOptions, Sasl, Security, Topic, TopicAddress};
use tokio::runtime::Runtime;

use crate::server::{Server, batches, event, numbers, record, rows, source, whole};

const TOPIC: &str = "events";

fn filled(n_records: i64) -> Server {
    let server = Server::fake();
    server.create(TOPIC, 1);
    server.produce(Compression::None, (0..n_records).map(|n| record(TOPIC, 0, &event(n))).collect());
    server
}

fn said(error: &KafkaError) -> String {
    format!("{error}; help: {}", error.help().unwrap_or_default())
}

/// Reads a topic, or fails within two seconds in which nothing comes.
fn read_all(server: &Server) -> Result<u64, KafkaError> {
    let topic =
        Topic::open_with_patience(server.address(TOPIC), Security::default(), Duration::from_secs(2))?;
    let end = topic.ends()?[0].end;
    let (mut records, mut n_records) = (topic.records(0, 0, end), 0);
    while let Some(fetched) = records.next_fetched()? {
        for record in &fetched.records {
            assert_eq!(record.offset, n_records);
            n_records += 1;
        }
    }
    Ok(n_records)
}

#[test]
fn reading_goes_on_after_a_fault_that_passes() {
    for control in [
        Control::Disconnect,
        Control::Error(ErrorCode::NotLeaderForPartition),
        Control::Error(ErrorCode::LeaderNotAvailable),
        Control::Error(ErrorCode::FencedLeaderEpoch),
        Control::Delay(Duration::from_millis(300)),
    ] {
        let server = filled(200);
        let broker = server.fake.as_ref().expect("the broker of this process");
        let again = control.clone();
        broker.on_times(ApiKey::Fetch, 3, move |_| again.clone());
        assert_eq!(read_all(&server).expect("all records"), 200, "{control:?}");
    }
}

#[test]
fn a_throttled_topic_is_read_to_its_end() {
    let server = filled(50);
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.set_throttle(ApiKey::Fetch, Duration::from_millis(200));
    assert_eq!(read_all(&server).expect("all records"), 50);
}

#[test]
fn the_leader_of_a_partition_may_change_while_it_is_read() {
    let runtime = Runtime::new().expect("a runtime");
    let fake = runtime.block_on(FakeBroker::start_cluster(2)).expect("brokers");
    let server = Server::of_fake(runtime, fake);
    server.create(TOPIC, 1);
    server.produce(Compression::None, (0..100).map(|n| record(TOPIC, 0, &event(n))).collect());
    let broker = server.fake.as_ref().expect("the brokers of this process");
    let log = server.open(&source(false), TOPIC);
    for node in [0, 1, 0] {
        broker.set_leader(TOPIC, 0, node);
        let found = numbers(&batches(&log, whole(&log).slices(), 7));
        assert_eq!(found, (0..100).collect::<Vec<_>>(), "leader {node}");
    }
    broker.crash(1);
    broker.set_leader(TOPIC, 0, 0);
    assert_eq!(numbers(&batches(&log, whole(&log).slices(), 7)).len(), 100);
}

#[test]
fn a_log_is_read_on_after_its_broker_was_ended() {
    for server in Server::all() {
        server.create(TOPIC, 2);
        let produce = |from: i64| {
            let records = (from..from + 60).map(|n| record(TOPIC, i32::from(n % 2 == 1), &event(n)));
            server.produce(Compression::Zstd, records.collect());
        };
        produce(0);
        let log = server.open(&source(false), TOPIC);
        let before = rows(&batches(&log, whole(&log).slices(), 7));
        server.restart(Duration::from_millis(100));
        assert_eq!(rows(&batches(&log, whole(&log).slices(), 7)), before);
        produce(60);
        assert_eq!(numbers(&batches(&log, whole(&log).slices(), 7)).len(), 60, "its end is fixed");
        let log = server.open(&source(false), TOPIC);
        assert_eq!(numbers(&batches(&log, whole(&log).slices(), 7)).len(), 120);
    }
}

#[test]
fn a_broker_that_gives_nothing_is_an_error_with_the_offset() {
    let server = filled(5);
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.on(ApiKey::Fetch, |_| Control::Error(ErrorCode::KafkaStorageException));
    let error = read_all(&server).expect_err("nothing is read");
    assert!(
        said(&error).contains("topic `events`, partition 0, offset 0: no record for 2 s"),
        "{}",
        said(&error)
    );
    broker.clear_hooks();
    broker.on(ApiKey::Fetch, |_| Control::CorruptRecords);
    let error = read_all(&server).expect_err("nothing is read");
    assert!(said(&error).contains("topic `events`, partition 0, offset 0: "), "{}", said(&error));
}

#[test]
fn a_topic_that_was_deleted_or_made_again_is_not_read_on() {
    let server = filled(5);
    let broker = server.fake.as_ref().expect("the broker of this process");
    let topic = Topic::open(server.address(TOPIC), Security::default()).expect("a topic");
    broker.delete_topic(TOPIC);
    broker.create_topic(TOPIC, 1);
    server.produce(Compression::None, (0..9).map(|n| record(TOPIC, 0, &event(100 + n))).collect());
    let mut records = topic.records(0, 0, 5);
    let error = records.next_fetched().expect_err("the topic is another one");
    assert_eq!(error, KafkaError::Replaced { topic: TOPIC.to_owned() });

    let gone = RecordOptions::default();
    let error = server.open_with(&source(false), "other", &gone, Bounds::default()).expect_err("no topic");
    let said = format!("{error}; {}", error.help().unwrap_or_default());
    for part in ["there is no topic `other` at `127.0.0.1:", "check the name"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn whoever_is_not_let_in_is_told_so() {
    let server = filled(3);
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.require_sasl_plain("user", "right");
    let open = |sasl: Option<(&str, &str)>| {
        let sasl = sasl.map(|(user, password)| Sasl {
            mechanism: Mechanism::Plain,
            user: user.to_owned(),
            password: password.to_owned(),
        });
        let security = Security { tls: None, sasl };
        Topic::open_with_patience(server.address(TOPIC), security, Duration::from_secs(2))
    };
    assert_eq!(open(Some(("user", "right"))).expect("a topic").ends().expect("ends")[0].end, 3);
    let error = open(Some(("user", "wr0ng"))).expect_err("a wrong password");
    assert!(matches!(error, KafkaError::Authentication { .. }), "{error:?}");
    assert!(!said(&error).contains("wr0ng") && said(&error).contains("check mechanism, user and password"));
    let error = open(None).expect_err("no password");
    assert!(said(&error).contains(&server.brokers), "{}", said(&error));
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let address: TopicAddress = "kafka://127.0.0.1:1,127.0.0.1:2/t".parse().expect("an address");
    let error = Topic::open(address, Security::default()).expect_err("nobody answers");
    let said = said(&error);
    assert!(said.starts_with("no broker of `127.0.0.1:1,127.0.0.1:2` answers: "), "{said}");
    assert!(said.contains("check host and port"), "{said}");
}
