//! Records of Avro and Protobuf, with a registry and with a file: the rows of the same events in JSON, and
//! what becomes of records whose schema does not fit.

use std::path::Path;
use std::sync::Arc;

use krafka::{Compression, Record};
use metricc_ir::{Field, Kind, Source, Type};
use metricc_kafka::{Bounds, RecordOptions, RecordSettings, RegistryAddress};
use metricc_log::{Batch, Log, LogError};

use crate::fake_registry::{FakeRegistry, free_port};
use crate::payments::{AVRO, AVRO_WITHOUT_AMOUNT, AVRO_WITHOUT_COUNTRY, PROTOBUF, Payment, framed};
use crate::server::{Server, whole};

fn source() -> Arc<Source> {
    let fields = vec![
        Field::new("id", Type::of(Kind::Int)),
        Field::new("at", Type::of(Kind::Timestamp)),
        Field::new("country", Type::optional(Kind::String)),
        Field::new("amount", Type::of(Kind::Decimal { precision: 10, scale: 2 })),
    ];
    Arc::new(Source { name: "payments".into(), doc: String::new(), fields, time: 1, identity: vec![0] })
}

fn payments() -> impl Iterator<Item = Payment> {
    (0..200i64).map(|n| Payment {
        // The smallest and the largest number, some of them twice, and times before 1970.
        id: [i64::MIN, i64::MAX, n % 150, n % 150][n as usize % 4],
        at: n * 86_400_001 * 150 - 1_234_567_890_123,
        country: [Some("DE"), None, Some("IN \"quoted\"")][n as usize % 3],
        cents: n * 12_345 % 1_000_000,
    })
}

fn options(format: &str, schema: Option<&Path>, registry: Option<&FakeRegistry>) -> RecordOptions {
    let settings = RecordSettings {
        format: Some(format.to_owned()),
        schema: schema.map(Path::to_owned),
        message: schema.filter(|_| format == "protobuf").map(|_| "Payment".to_owned()),
        registry: registry.map(|fake| RegistryAddress { url: fake.url.clone(), auth: None }),
        ..RecordSettings::default()
    };
    settings.options().expect("options")
}

fn open(server: &Server, topic: &str, options: &RecordOptions) -> Result<Log, LogError> {
    server.open_with(&source(), topic, options, Bounds::default())
}

fn read(log: &Log) -> Vec<Batch> {
    let columns = [0, 1, 2, 3];
    let read = |slice| log.read(&slice, &columns, 64).expect("a reader");
    whole(log).slices().flat_map(read).map(|batch| batch.expect("a batch")).collect()
}

fn rows(batches: &[Batch]) -> Vec<String> {
    crate::server::rows(batches)
}

fn problems(batches: &[Batch]) -> Vec<String> {
    batches.iter().flat_map(|batch| &batch.read_stats.quarantined).map(ToString::to_string).collect()
}

fn produce(server: &Server, topic: &str, codec: Compression, values: impl Iterator<Item = Vec<u8>>) {
    let partition = |n: usize| i32::try_from(n % 3).expect("a partition");
    let records = values.enumerate().map(|(n, value)| Record::new(topic, value).partition(partition(n)));
    server.produce(codec, records.collect());
}

/// A payment as the bytes of a record.
type Encode = fn(&Payment) -> Vec<u8>;

#[test]
fn the_same_events_have_the_same_rows_in_each_format() {
    let registry = FakeRegistry::start(free_port());
    registry.add("1", "AVRO", AVRO, &[]);
    registry.add("70000", "PROTOBUF", PROTOBUF, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (avsc, proto) = (folder.path().join("payment.avsc"), folder.path().join("payment.proto"));
    std::fs::write(&avsc, AVRO).expect("a file");
    std::fs::write(&proto, PROTOBUF).expect("a file");
    for server in Server::all() {
        let topics: [(&str, RecordOptions, Compression, Encode); 5] = [
            ("json", RecordOptions::default(), Compression::None, Payment::json),
            ("avro", options("avro", None, Some(&registry)), Compression::Zstd, |one| framed(1, &one.avro())),
            ("avro-file", options("avro", Some(&avsc), None), Compression::Lz4, Payment::avro),
            ("protobuf", options("protobuf", None, Some(&registry)), Compression::Snappy, |one| {
                one.framed_protobuf(70_000)
            }),
            ("protobuf-file", options("protobuf", Some(&proto), None), Compression::Gzip, Payment::protobuf),
        ];
        let mut wanted = None;
        for (topic, options, codec, value) in topics {
            server.create(topic, 3);
            produce(&server, topic, codec, payments().map(|payment| value(&payment)));
            server.produce(codec, vec![Record::tombstone(topic, "key").partition(0)]);
            let log = open(&server, topic, &options).expect("a log");
            let found = read(&log);
            assert_eq!(problems(&found), Vec::<String>::new(), "{topic}");
            let names: Vec<String> = log.names().paths().map(ToString::to_string).collect();
            assert_eq!(names, ["amount", "at", "country", "id"], "{topic}");
            let found = rows(&found);
            // Each id counts once.
            assert_eq!(found.len(), 102, "{topic}");
            assert_eq!(found, *wanted.get_or_insert(found.clone()), "{topic} at {}", server.brokers);
        }
    }
}

#[test]
fn versions_of_a_schema_that_do_not_fit_reject_their_records() {
    let registry = FakeRegistry::start(free_port());
    registry.add("1", "AVRO", AVRO, &[]);
    registry.add("2", "AVRO", AVRO_WITHOUT_COUNTRY, &[]);
    registry.add("3", "AVRO", AVRO_WITHOUT_AMOUNT, &[]);
    registry.add("4", "AVRO", "\"string\"", &[]);
    for server in Server::all() {
        server.create("payments", 1);
        let of = |id| Payment { id, at: 0, country: Some("DE"), cents: 150 };
        let whole = framed(1, &of(7).avro());
        let values = vec![
            framed(1, &of(1).avro()),
            framed(2, &of(2).avro_without_country()),
            framed(3, &of(3).avro_without_amount()),
            framed(4, &[2, b'a']),
            framed(5, &of(5).avro()),
            of(6).json(),
            whole[..whole.len() - 1].to_vec(),
            [&whole[..], b"x"].concat(),
            framed(1, &of(8).avro()),
        ];
        server.produce(
            Compression::None,
            values.into_iter().map(|value| Record::new("payments", value).partition(0)).collect(),
        );
        let found = read(&open(&server, "payments", &options("avro", None, Some(&registry))).expect("a log"));
        let ids: Vec<String> = rows(&found);
        assert_eq!(ids.len(), 3, "{ids:?}");
        assert!(ids[1].contains("\n  2,") && ids[1].contains("null"), "{ids:?}");
        let problems = problems(&found);
        assert_eq!(problems.len(), 6, "{problems:?}");
        for (offset, part) in [
            (2, "`amount`"),
            (3, "schema 4: it cannot be used: its values are not records"),
            (4, "schema 5: the registry `http://127.0.0.1:"),
            (5, "not a record of a schema registry"),
            (6, "no Avro of schema 1: at `amount`: the record ends in the middle of a value"),
            (7, "no Avro of schema 1: 1 bytes follow the record"),
        ] {
            let place = format!("topic payments, partition 0, offset {offset}");
            let is_it = |problem: &String| problem.contains(&place) && problem.contains(part);
            assert!(problems.iter().any(is_it), "{part}: {problems:#?}");
        }
    }
}

#[test]
fn a_registry_or_a_file_that_cannot_be_read_is_an_error_of_the_log() {
    let server = Server::fake();
    server.create("payments", 1);
    let payment = Payment { id: 1, at: 0, country: None, cents: 1 };
    server.produce(Compression::None, vec![Record::new("payments", framed(1, &payment.avro())).partition(0)]);
    let registry = FakeRegistry::start(free_port());
    registry.state().faults = vec![503; 100];
    let error = open(&server, "payments", &options("avro", None, Some(&registry))).expect_err("no schema");
    let said = format!("{error}; {}", error.help().unwrap_or_default());
    for part in [
        "topic payments, partition 0",
        "503 Service Unavailable: a fault",
        "check its URL",
        "no record was rejected",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (format, name, text, part) in [
        ("avro", "gone.avsc", None, "No such file"),
        ("avro", "a.avsc", Some("{"), "no JSON"),
        ("avro", "b.avsc", Some("\"int\""), "its values are not records"),
        ("protobuf", "a.proto", Some("message A { int64 n }"), "a.proto:1:"),
    ] {
        let path = folder.path().join(name);
        text.into_iter().for_each(|text| std::fs::write(&path, text).expect("a file"));
        let error =
            open(&server, "payments", &options(format, Some(&path), None)).expect_err(name).to_string();
        assert!(error.contains(part) && error.contains(&path.display().to_string()), "{part}: {error}");
    }
}
