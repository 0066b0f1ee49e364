//! What records of a topic may be without a schema: JSON objects, lines of CSV without a header, and text.

use std::sync::Arc;

use krafka::{Compression, Record};
use metricc_ir::{Field, Kind, Path, Source, Step, Type};
use metricc_kafka::{Bounds, RecordOptions, RecordSettings};
use metricc_log::Batch;

use crate::server::{Server, batches, event, numbers, record, source, whole};

const TOPIC: &str = "events";

fn options(settings: &[(&str, &str)]) -> RecordOptions {
    let mut all = RecordSettings::default();
    settings.iter().for_each(|(option, value)| all.set(option, value).expect("a setting"));
    all.options().expect("options")
}

fn problems(batches: &[Batch]) -> Vec<String> {
    let rejected = batches.iter().flat_map(|batch| &batch.read_stats.quarantined);
    rejected.map(|record| record.problem.clone()).collect()
}

#[test]
fn lines_of_csv_have_the_fields_in_their_order() {
    let server = Server::fake();
    server.create(TOPIC, 1);
    let lines = [
        "2026-04-25T10:00:00Z;1;a",
        "2026-04-25T10:00:00Z;2;\"b;\nb\"\r\n",
        "2026-04-25T10:00:00Z;3",
        "2026-04-25T10:00:00Z;4;a\n2026-04-25T10:00:00Z;5;a",
        "at;n;s",
    ];
    server.produce(Compression::None, lines.iter().map(|line| record(TOPIC, 0, line)).collect());
    let log = server
        .open_with(
            &source(false),
            TOPIC,
            &options(&[("format", "csv"), ("delimiter", ";")]),
            Bounds::default(),
        )
        .expect("a log");
    let found = batches(&log, whole(&log).slices(), 100);
    assert_eq!(numbers(&found), [1, 2]);
    let problems = problems(&found);
    assert_eq!(
        problems[..2],
        ["2 cells where the header has 3", "more than one line of CSV"],
        "{problems:?}"
    );
    assert!(problems[2].starts_with("not a timestamp"), "{problems:?}");
}

#[test]
fn records_that_are_no_text_or_too_long_are_rejected() {
    let server = Server::fake();
    server.create(TOPIC, 1);
    let long = format!("{{\"s\":\"{}\"}}", "x".repeat(1 << 20));
    let records =
        [b"\0\0\0\0\x07avro".to_vec(), b"\xff".to_vec(), long.into_bytes(), Vec::new(), b"[1]".to_vec()];
    let records = records.into_iter().map(|value| Record::new(TOPIC, value).partition(0));
    server.produce(Compression::Gzip, records.chain([record(TOPIC, 0, &event(1))]).collect());
    let log = server.open(&source(false), TOPIC);
    let found = batches(&log, whole(&log).slices(), 100);
    assert_eq!(numbers(&found), [1]);
    let problems = problems(&found);
    assert_eq!(problems.len(), 5, "{problems:?}");
    for (problem, part) in problems.iter().zip([
        "`format` is `avro` or `protobuf`",
        "UTF-8",
        "more than 1048576 bytes",
        "blank",
        "no JSON",
    ]) {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn fields_are_read_from_what_stands_beside_a_record() {
    let server = Server::fake();
    server.create(TOPIC, 2);
    let beside = |text: &str, path: &[&str]| {
        let kind = Type::optional(Kind::String);
        let steps = path.iter().map(|name| Step::Name((*name).to_owned())).collect();
        Field { path: Path::new(steps), ..Field::new(text, kind) }
    };
    let mut source = Source::clone(&source(false));
    source.fields[2] = beside("key", &["kafka", "key"]);
    source.fields.push(beside("trace", &["kafka", "headers", "trace"]));
    source.fields[0].path = Path::new(vec![Step::Name("kafka".into()), Step::Name("timestamp".into())]);
    let with = record(TOPIC, 1, r#"{"n":1}"#).key("k1").header("trace", "t1").timestamp(1_000);
    server.produce(Compression::None, vec![with, record(TOPIC, 1, r#"{"n":2}"#).timestamp(2_000)]);
    let log = server.open(&Arc::new(source), TOPIC);
    let batch = log.read(&whole(&log).slices().last().expect("a slice"), &[0, 1, 2, 3], 10);
    let batch = batch.expect("a reader").next().expect("a batch").expect("rows");
    let shown: Vec<String> = batch.rows.columns().iter().map(|column| format!("{column:?}")).collect();
    for (column, part) in shown.iter().zip(["1970-01-01T00:00:01", "1,", "\"k1\"", "\"t1\""]) {
        assert!(column.contains(part), "{column}");
    }
    assert_eq!(batch.rows.column(2).null_count(), 1);
}

#[test]
fn names_in_the_first_records_help_to_spell_fields() {
    let server = Server::fake();
    server.create(TOPIC, 1);
    server.produce(Compression::None, vec![record(TOPIC, 0, r#"{"when":"x","N":1}"#)]);
    let log = server.open(&source(false), TOPIC);
    let names: Vec<String> = log.names().paths().map(ToString::to_string).collect();
    assert_eq!(names, ["N", "when"]);
}

#[test]
fn the_cells_of_csv_may_be_named() {
    let server = Server::fake();
    server.create(TOPIC, 1);
    let lines = ["1,x,2026-04-25T10:00:00Z", "2,x,2026-04-25T10:00:00Z", "3,2026-04-25T10:00:00Z"];
    server.produce(Compression::None, lines.iter().map(|line| record(TOPIC, 0, line)).collect());
    let named = |columns| options(&[("format", "csv"), ("columns", columns)]);
    // `s` is optional and has no cell; `other` is no field.
    let log =
        server.open_with(&source(false), TOPIC, &named("n,other,at"), Bounds::default()).expect("a log");
    let found = batches(&log, whole(&log).slices(), 100);
    assert_eq!(numbers(&found), [1, 2]);
    assert_eq!(problems(&found), ["2 cells where the header has 3"]);
    let error =
        server.open_with(&source(false), TOPIC, &named("n,s"), Bounds::default()).expect_err("no `at`");
    assert!(error.to_string().contains("`at`"), "{error}");
}

#[test]
fn a_text_is_one_field() {
    let server = Server::fake();
    server.create(TOPIC, 1);
    let beside = |name: &str, kind: Type, step: &str| {
        let steps = ["kafka", step].map(|step| Step::Name(step.to_owned())).to_vec();
        Field { path: Path::new(steps), ..Field::new(name, kind) }
    };
    let fields = vec![
        beside("at", Type::of(Kind::Timestamp), "timestamp"),
        beside("line", Type::of(Kind::String), "value"),
        beside("key", Type::optional(Kind::String), "key"),
    ];
    let text = Source { fields, ..Source::clone(&source(false)) };
    let values: [&[u8]; 4] = [b"a \"line\"\n\0", b"", b"\xff", b"{\"json\": 1}"];
    let records = values.iter().map(|value| Record::new(TOPIC, value.to_vec()).partition(0).timestamp(1000));
    let records = records.chain([Record::tombstone(TOPIC, "k").partition(0)]);
    server.produce(Compression::Snappy, records.collect());
    let as_text = options(&[("format", "text")]);
    let log = server.open_with(&Arc::new(text), TOPIC, &as_text, Bounds::default()).expect("a log");
    let batch = log.read(&whole(&log).slices().next().expect("a slice"), &[0, 1, 2], 10);
    let batch = batch.expect("a reader").next().expect("a batch").expect("rows");
    let lines = batch.rows.column(1).clone();
    let lines = lines.as_any().downcast_ref::<arrow::array::StringViewArray>().expect("texts");
    let lines: Vec<&str> = lines.iter().flatten().collect();
    assert_eq!(lines, ["a \"line\"\n\0", "", "{\"json\": 1}"]);
    assert_eq!(batch.read_stats.n_tombstones, 1);
    assert_eq!(problems(&[batch]), ["not UTF-8 at byte 0"]);
    let error = server.open_with(&source(false), TOPIC, &as_text, Bounds::default()).expect_err("no fields");
    assert!(
        error.to_string().contains("have no field `at`") && error.to_string().contains("`from kafka.value`"),
        "{error}"
    );
}
