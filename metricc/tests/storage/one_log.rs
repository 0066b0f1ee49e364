//! One log, however it comes: from a topic, over HTTP into a node, as NDJSON, as Parquet on S3, as a Delta
//! table. Both engines make segments of the same bytes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use krafka::{Compression, Record};
use metricc::Package;
use metricc_compiler::{EngineOptions, SourcePlan};
use metricc_durable_log::{DedupWindow, DurableLog, DurableOptions, LocalDisk, LogId, SourceOptions};
use metricc_ir::base_metrics;
use metricc_ir::user_defined::Imports;
use metricc_kafka::{Bounds, RecordOptions, Security};
use metricc_log::{Binding, FileOptions, FileStore, Frontier, Interval, Log};
use metricc_storage::Storage;
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::broker::Server;
use crate::node::{Environment, Node};
use crate::server::Moto;

const PACKAGE: &str = "source payments {\n  id: int key\n  at: timestamp time\n  country: string?\n  \
                       amount: decimal(10, 2)\n  rate: float?\n}\n\
                       metric revenue = sum(amount) { from payments by country every 1h }\n\
                       metric payers = distinct(id, within: 1%) { from payments by country }\n\
                       metric rates = { mean: mean(rate), most: max(rate), p99: p99(rate) } { from payments every 6h }\n\
                       metric countries = { all: set(country ?? \"none\"), often: top(2, country ?? \"none\") } { from payments }\n\
                       metric latest = last(amount) { from payments by country }\n\
                       metric visits = count() { from payments by country session gap 20m }\n";

/// How many events there are; some of them come twice.
const N_EVENTS: i64 = 3000;
/// 2026-04-25 in microseconds since 1970.
const MIDNIGHT: i64 = 1_777_075_200_000_000;

/// The values of an event: id, microseconds since 1970, country, cents, rate.
fn event(n: i64) -> (i64, i64, Option<&'static str>, i128, Option<f64>) {
    let id = if n % 50 == 49 { n - 30 } else { n };
    let at = MIDNIGHT + (id * 7919 % 86_400) * 1_000_000;
    let country = [Some("DE"), Some("IN"), None, Some("Côte \"d'Ivoire\"")][id as usize % 4];
    let rate = (id % 9 != 0).then(|| id as f64 / 7.0 - 20.0);
    (id, at, country, i128::from(id * 37 % 100_000), rate)
}

fn ndjson(events: std::ops::Range<i64>) -> String {
    let line = |n: i64| {
        let (id, at, country, cents, rate) = event(n);
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        let seconds = (at - MIDNIGHT) / 1_000_000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let at = format!("2026-04-25T{hour:02}:{minute:02}:{second:02}Z");
        let json = json!({ "id": id, "at": at, "country": country, "amount": amount, "rate": rate });
        format!("{json}\n")
    };
    events.map(line).collect()
}

fn parquet() -> Vec<u8> {
    let events: Vec<_> = (0..N_EVENTS).map(event).collect();
    let at =
        TimestampMicrosecondArray::from_iter_values(events.iter().map(|event| event.1)).with_timezone("UTC");
    let amount = Decimal128Array::from_iter_values(events.iter().map(|event| event.3));
    let columns: [(&str, ArrayRef); 5] = [
        ("id", Arc::new(Int64Array::from_iter_values(events.iter().map(|event| event.0)))),
        ("at", Arc::new(at)),
        ("country", Arc::new(events.iter().map(|event| event.2).collect::<StringArray>())),
        ("amount", Arc::new(amount.with_precision_and_scale(10, 2).unwrap())),
        ("rate", Arc::new(events.iter().map(|event| event.4).collect::<Float64Array>())),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

/// The log at a place: a path, a URL of a store, a topic, or the data folder of a node after `node:`.
fn open(plan: &SourcePlan, place: &str) -> Log {
    let (source, nothing) = (&plan.source, &|_| ());
    if let Some(address) = place.starts_with("kafka://").then(|| place.parse().unwrap()) {
        let (security, options) = (Security::default(), RecordOptions::default());
        return metricc_kafka::open(source, address, security, &options, Bounds::default(), nothing).unwrap();
    }
    if let Some(data) = place.strip_prefix("node:") {
        let disk = Arc::new(LocalDisk::new(Path::new(data).join("log")));
        let options = SourceOptions {
            source: source.clone(),
            others: Vec::new(),
            n_partitions: 1,
            window: DedupWindow::Positions(1_000_000),
        };
        let opened =
            DurableLog::open(disk, DurableOptions::default(), &[options], LogId { id: 1, seed: 1 }, 1);
        return opened.unwrap().0.snapshot().log(&source.name, &Frontier(vec![0])).unwrap();
    }
    if place.starts_with("s3://") {
        let url: metricc_storage::StorageUrl = place.parse().unwrap();
        let path = url.path().to_owned();
        let store: Arc<dyn FileStore> = Arc::new(Storage::open(url).unwrap());
        return Log::open_stored(source, &store, &path, &FileOptions::default(), nothing).unwrap();
    }
    Log::open_with_progress(source, &Binding::new(place), nothing).unwrap()
}

/// Prints what the segments of a log are, in a process whose environment has what its store wants.
#[test]
#[ignore = "the test below runs it in processes of their own"]
fn segments_of_a_log() {
    let place = std::env::var("METRICC_ONE_LOG").unwrap();
    let package =
        Package::from_text(metricc_dsl::SourceText { name: "p.metric".into(), bytes: PACKAGE.into() });
    let metrics = package.select(&[]).unwrap().wanted;
    let plans = SourcePlan::of_package(&base_metrics(&metrics), &Imports::default()).unwrap();
    let plan = Arc::new(plans.into_iter().next().unwrap());
    let log = open(&plan, &place);
    let interval = Interval::new(Frontier(vec![0]), log.end()).unwrap();
    let options = EngineOptions::default();
    let batch = metricc_runtime_batch::evaluate(&plan, &log, &interval, &options, &|_| ()).unwrap();
    let stream = metricc_runtime_stream::evaluate(&plan, &log, &interval, &options, &|_| ()).unwrap();
    for (engine, segments) in [("batch", batch.segments), ("stream", stream.segments)] {
        for (metric, segment) in plan.metrics.iter().zip(segments) {
            let digest = twox_hash::XxHash3_64::oneshot(&segment.to_file(metric).unwrap());
            println!("segment {} {} {digest:016x} {engine}", metric.metric.name, segment.interval.to());
        }
    }
}

/// What the segments of a log are, without the engine: both must agree.
fn segments(place: &str, environment: &Environment) -> BTreeSet<String> {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "one_log::segments_of_a_log", "--ignored", "--nocapture"])
        .env("METRICC_ONE_LOG", place)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{place}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let lines = said
        .lines()
        .filter_map(|line| line.find("segment ").map(|at| line[at..].rsplit_once(' ').unwrap().0));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_log_gives_the_same_segments_however_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("p.metric"), PACKAGE).unwrap();
    fs::write(path("payments.ndjson"), ndjson(0..N_EVENTS)).unwrap();
    let none = Environment::new();
    let wanted = segments(&path("payments.ndjson"), &none);
    assert_eq!(wanted.len(), 6, "batch and stream agree: {wanted:#?}");

    let rows = parquet();
    fs::create_dir_all(path("lake/_delta_log")).unwrap();
    fs::write(path("lake/part-0.parquet"), &rows).unwrap();
    fs::write(path("lake/part-1.parquet"), b"no row of the table").unwrap();
    let log = format!(
        "{{\"protocol\":{{\"minReaderVersion\":1,\"minWriterVersion\":2}}}}\n\
         {{\"add\":{{\"path\":\"part-0.parquet\",\"partitionValues\":{{}},\"size\":{},\"dataChange\":true}}}}\n",
        rows.len()
    );
    fs::write(path("lake/_delta_log/00000000000000000000.json"), log).unwrap();
    assert_eq!(segments(&path("lake"), &none), wanted, "a Delta table");

    if let Some(moto) = Moto::start() {
        moto.put("/shop/one/payments.parquet", &rows);
        let there = segments("s3://shop/one/payments.parquet", &Moto::environment(moto.port));
        assert_eq!(there, wanted, "Parquet on S3");
    }
    for server in Server::all() {
        server.create("payments", 1);
        let records = (0..N_EVENTS).map(|n| Record::new("payments", ndjson(n..n + 1)));
        server.produce(Compression::None, records.collect());
        let there = segments(&format!("kafka://{}/payments", server.brokers), &none);
        assert_eq!(there, wanted, "a topic");
    }

    fs::write(path("metricc.toml"), "package = \"p.metric\"\n[ingest]\nseal_events = 700\n").unwrap();
    {
        let node = Node::start(folder.path(), &none, "data");
        for from in (0..N_EVENTS).step_by(250) {
            node.send_to("payments", &ndjson(from..from + 250));
        }
    }
    assert_eq!(segments(&format!("node:{}", path("data")), &none), wanted, "a node");
}
