//! `metricc run` and `metricc verify` over topics: with any engine, the bytes of a file with the same
//! records.
//!
//! The broker is that of the client library's tests, in this process; and `noida-db`, if `METRICC_NOIDA_DB`
//! names its program.

#[path = "../../../kafka/tests/it/fake_registry.rs"]
mod fake_registry;
mod formats;
#[expect(dead_code, reason = "the tests of sinks use all of it")]
mod front;
mod node;
#[path = "../../../kafka/tests/it/payments.rs"]
mod payments;
mod security;
#[path = "../../../kafka/tests/it/broker.rs"]
mod server;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Output};

use krafka::{Compression, Record};
use server::Server;

const PACKAGE: &str = r#"
source payments {
  id: int key
  at: timestamp time
  country: string?
  amount: decimal(10, 2)
}
calendar utc { zone "UTC" }
metric revenue = sum(amount) { from payments by country every 1h }
metric median = quantile(amount, 0.5, within: 1%) { from payments by country }
metric countries = distinct(country) { from payments every day in utc }
metric latest = last(amount) { from payments by country }
"#;

const N_EVENTS: u32 = 2_000;

fn payment(n: u32) -> String {
    let (id, hour, minute) = (n % (N_EVENTS - 100), n % 24, n % 60);
    let country = ["\"DE\"", "\"IN\"", "null"][n as usize % 3];
    format!(
        r#"{{"id":{id},"at":"2026-04-25T{hour:02}:{minute:02}:00Z","country":{country},"amount":"{n}.50"}}"#
    )
}

/// Three partitions in four codecs, with repeated events, an aborted transaction, tombstones and records that
/// do not decode; and the records that count, in the order of the log, in a file.
fn fill(server: &Server, folder: &Path) {
    server.create("payments", 3);
    let mut files = vec![String::new(); 3];
    for (number, codec) in
        [Compression::None, Compression::Zstd, Compression::Lz4, Compression::Snappy].into_iter().enumerate()
    {
        let part = N_EVENTS / 4;
        let mut records = Vec::new();
        for n in (part * number as u32)..(part * (number as u32 + 1)) {
            let partition = n % 3;
            let text = if n % 500 == 7 { "{\"id\":\"seven\"}".to_owned() } else { payment(n) };
            writeln!(files[partition as usize], "{text}").expect("a line");
            records.push(Record::new("payments", text).partition(partition.cast_signed()));
            if n % 700 == 0 {
                records.push(Record::tombstone("payments", "key").partition(partition.cast_signed()));
            }
        }
        server.produce(codec, records);
        let aborted = (0..3).map(|partition| Record::new("payments", payment(9_999)).partition(partition));
        server.transaction(aborted.collect(), false);
    }
    for (partition, text) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("{partition}.ndjson")), text).expect("a file of the log");
    }
}

fn metricc(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
    command.current_dir(folder).args(arguments).env("KAFKA_PASSWORD", "right").env("REGISTRY", "u:right");
    command.output().expect("metricc runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn all_engines_give_the_bytes_of_files_with_the_same_records() {
    for server in Server::all() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("p.metric"), PACKAGE).expect("the package");
        let log = folder.path().join("log");
        std::fs::create_dir(&log).expect("the folder of the log");
        fill(&server, &log);
        let run = |source: &str, engine: &str| {
            let source = format!("payments={source}");
            let arguments = [
                "run",
                "p.metric",
                "--source",
                &source,
                "--engine",
                engine,
                "--output",
                "json",
                "--workers",
                "2",
            ];
            let output = metricc(folder.path(), &arguments);
            assert!(output.status.success(), "{source} {engine}: {}", text(&output.stderr));
            (text(&output.stdout), text(&output.stderr))
        };
        let (wanted, said) = run("log", "batch");
        assert!(wanted.len() > 1000 && said.contains("4 of 2000 records rejected"), "{said}");
        let topic = format!("kafka://{}/payments", server.brokers);
        for engine in ["batch", "stream", "merged"] {
            let (rows, said) = run(&topic, engine);
            assert_eq!(rows, wanted, "{engine} over {topic}");
            for part in [
                "4 of 2000 records rejected",
                "(topic payments, partition 0, offset ",
                "skipped 3 tombstones (records without a value)",
                "skipped 99 duplicates, 99 of them with a different payload",
            ] {
                assert!(said.contains(part), "{engine}: {part}: {said}");
            }
        }
        let source = format!("payments={topic}");
        let output = metricc(
            folder.path(),
            &["verify", "p.metric", "--source", &source, "--cuts", "6", "--seed", "1"],
        );
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.contains("0 differences"), "{said}");

        // The records were written now.
        for (since, is_all) in [("2020-01-01", true), ("2100-01-01T00:00:00+05:30", false)] {
            let run = ["run", "p.metric", "--source", &source, "--output", "json", "--allow-empty"];
            let output = metricc(folder.path(), &[&run[..], &["--since", since]].concat());
            assert_eq!(text(&output.stdout) == wanted, is_all, "{since}: {}", text(&output.stderr));
        }
        let bounded = ["--from-offset", "10", "--to-offset", "20", "--rejected", "rejected.ndjson"];
        let mut arguments =
            vec!["run", "p.metric", "--source", &source, "--metric", "countries", "--output", "json"];
        arguments.extend(bounded);
        let output = metricc(folder.path(), &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_place_and_the_way_out() {
    let server = Server::fake();
    server.create("payments", 2);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("p.metric"), PACKAGE).expect("the package");
    let run = |arguments: &[&str]| {
        let output = metricc(folder.path(), &[&["run", "p.metric"][..], arguments].concat());
        (output.status.code(), text(&output.stderr))
    };
    let topic = format!("payments=kafka://{}/payments", server.brokers);
    let other = format!("payments=kafka://{}/other", server.brokers);
    for (arguments, code, part) in [
        (&["--source", topic.as_str()][..], 1, "the log is empty: 2 partitions without a record"),
        (&["--source", other.as_str()], 2, "there is no topic `other` at `"),
        (&["--source", "payments=kafka://127.0.0.1:1/t"], 2, "no broker of `127.0.0.1:1` answers"),
        (&["--source", "payments=kafka://a"], 2, "write `kafka://HOST:PORT,HOST:PORT/TOPIC`"),
        (
            &["--source", "payments=p.metric", "--since", "2026-04-25"],
            2,
            "`--since` is about topics of Kafka",
        ),
        (&["--source", topic.as_str(), "--since", "yesterday"], 2, "neither a date nor an instant"),
        (
            &["--source", topic.as_str(), "--since", "2026-04-25", "--from-offset", "1"],
            2,
            "cannot be used with",
        ),
        (&["--source", topic.as_str(), "--kafka-user", "u"], 2, "--kafka-password"),
        (
            &["--source", topic.as_str(), "--kafka-user", "u", "--kafka-password", "s3cret"],
            2,
            "not the password itself",
        ),
    ] {
        let (found, said) = run(arguments);
        assert!(found == Some(code) && said.contains(part), "{arguments:?}: {found:?} {said}");
    }
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.require_sasl_plain("user", "right");
    let login = |user: &str| {
        run(&[
            "--source",
            topic.as_str(),
            "--kafka-user",
            user,
            "--kafka-password",
            "env:KAFKA_PASSWORD",
            "--kafka-mechanism",
            "plain",
        ])
    };
    assert!(login("user").1.contains("the log is empty"), "{}", login("user").1);
    let said = login("other").1;
    assert!(said.contains("do not accept this client") && !said.contains("right"), "{said}");
}
