//! The same payments in JSON, Avro and Protobuf give the same bytes, from `metricc run` and from a node,
//! whatever becomes of the registry meanwhile.

use std::path::Path;
use std::time::Duration;

use krafka::{Compression, Record};
use serde_json::Value;

use crate::fake_registry::{FakeRegistry, free_port};
use crate::node::Node;
use crate::payments::{AVRO, AVRO_WITHOUT_AMOUNT, AVRO_WITHOUT_COUNTRY, PROTOBUF, Payment, framed};
use crate::server::Server;
use crate::{PACKAGE, metricc, text};

const N_PAYMENTS: i64 = 900;
/// 2026-04-25, in milliseconds since 1970.
const DAY: i64 = 1_777_075_200_000;

/// The last hundred repeat the first ones.
fn payment(n: i64) -> Payment {
    let n = n % 800;
    let country = [Some("DE"), Some("IN"), None][n as usize % 3];
    Payment { id: n, at: DAY + n % 23 * 3_600_001, country, cents: n * 101 }
}

fn produce(server: &Server, topic: &str, codec: Compression, values: impl Iterator<Item = Vec<u8>>) {
    let partition = |n: usize| i32::try_from(n % 3).expect("a partition");
    let records = values.enumerate().map(|(n, value)| Record::new(topic, value).partition(partition(n)));
    server.produce(codec, records.collect());
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("p.metric", PACKAGE), ("payment.avsc", AVRO), ("payment.proto", PROTOBUF)] {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn registry(port: u16) -> FakeRegistry {
    let registry = FakeRegistry::start(port);
    registry.state().wants = Some("Basic dTpyaWdodA==".to_owned());
    registry.add("1", "AVRO", AVRO, &[]);
    registry.add("2", "AVRO", AVRO_WITHOUT_COUNTRY, &[]);
    registry.add("3", "AVRO", AVRO_WITHOUT_AMOUNT, &[]);
    registry.add("9", "PROTOBUF", PROTOBUF, &[]);
    registry
}

/// The topic, what follows its address, how it is compressed, and the value of a payment.
type Form = (&'static str, &'static str, Compression, fn(&Payment) -> Vec<u8>);

const FORMS: [Form; 5] = [
    ("json", "", Compression::None, Payment::json),
    ("avro", ",format=avro", Compression::Zstd, |one| framed(1, &one.avro())),
    ("avro-file", ",format=avro,schema=payment.avsc", Compression::Lz4, Payment::avro),
    ("protobuf", ",format=protobuf", Compression::Snappy, |one| one.framed_protobuf(9)),
    (
        "protobuf-file",
        ",format=protobuf,schema=payment.proto,message=shop.Payment",
        Compression::Gzip,
        Payment::protobuf,
    ),
];

#[test]
fn each_format_gives_the_same_bytes_in_each_engine() {
    let registry = registry(free_port());
    for server in Server::all() {
        let folder = folder();
        let mut wanted = None;
        for (topic, options, codec, value) in FORMS {
            server.create(topic, 3);
            produce(&server, topic, codec, (0..N_PAYMENTS).map(|n| value(&payment(n))));
            let source = format!("payments=kafka://{}/{topic}{options}", server.brokers);
            let mut arguments = vec!["--source", &source];
            if options.starts_with(",format") && !options.contains("schema") {
                arguments.extend(["--registry", &registry.url, "--registry-auth", "env:REGISTRY"]);
            }
            for engine in ["batch", "stream", "merged"] {
                let run = ["run", "p.metric", "--output", "json", "--engine", engine];
                let output = metricc(folder.path(), &[&run[..], &arguments].concat());
                assert!(output.status.success(), "{topic}: {}", text(&output.stderr));
                let said = text(&output.stderr);
                assert!(
                    said.contains("skipped 100 duplicates") && !said.contains("different payload"),
                    "{topic}: {said}"
                );
                let rows = text(&output.stdout);
                assert!(rows.lines().count() > 70, "{rows}");
                assert_eq!(rows, *wanted.get_or_insert(rows.clone()), "{engine} over {source}");
            }
            if topic.ends_with('o') {
                let verify = ["verify", "p.metric", "--cuts", "3", "--seed", "1"];
                let output = metricc(folder.path(), &[&verify[..], &arguments].concat());
                assert!(text(&output.stderr).contains("0 differences"), "{}", text(&output.stderr));
            }
        }
    }
}

#[test]
fn what_does_not_belong_together_is_said_at_the_start() {
    let server = Server::fake();
    server.create("t", 1);
    produce(&server, "t", Compression::None, std::iter::once(framed(1, &payment(1).avro())));
    let folder = folder();
    let registry = registry(free_port());
    let gone = format!("http://127.0.0.1:{}", free_port());
    for (options, more, part) in [
        (",format=avro", &[][..], "records of Avro need a schema"),
        (",format=parquet", &[], "unknown format `parquet` of the records of a topic"),
        (
            ",format=protobuf,schema=payment.proto",
            &[],
            "several messages: set `message` to one of `shop.Refund`, `shop.Payment`",
        ),
        (",format=avro,schema=no.avsc", &[], "the schema `no.avsc` cannot be used"),
        (",format=text", &[], "have no field `id`"),
        ("", &["--registry", "http://r"], "no source reads records with its schemas"),
        (",format=avro", &["--registry", "r"], "not the URL of a schema registry"),
        (",format=avro", &["--registry-auth", "env:A"], "--registry"),
        (",format=avro", &["--registry", &gone], "does not give the schema"),
        (",format=avro", &["--registry", &registry.url], "does not accept this client"),
    ] {
        let source = format!("payments=kafka://{}/t{options}", server.brokers);
        let output = metricc(folder.path(), &[&["run", "p.metric", "--source", &source][..], more].concat());
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(part), "{options} {more:?}: {said}");
    }
}

fn configure(folder: &Path, server: &Server, settings: &str) {
    let brokers = &server.brokers;
    let config = format!(
        "package = \"p.metric\"\n[batch]\nevery = \"400ms\"\n[ingest]\nseal_events = 200\n[sources.payments]\npartitions = 2\n\
         [sources.payments.kafka]\nbrokers = [\"{brokers}\"]\n{settings}"
    );
    std::fs::write(folder.join("metricc.toml"), config).expect("the configuration");
}

/// The rows of all metrics.
fn answers(node: &Node) -> Vec<Value> {
    let rows = |metric| {
        let answer = node.get(&format!("/v1/metrics/{metric}"));
        serde_json::from_str::<Value>(&answer).expect("an answer")["rows"].take()
    };
    ["revenue", "median", "countries"].map(rows).to_vec()
}

fn is_read(node: &Node) -> bool {
    node.lag() == Some(0) && node.topic()["problem"].is_null()
}

#[test]
fn a_node_waits_for_the_registry_and_answers_as_one_that_reads_json() {
    for server in Server::all() {
        let port = free_port();
        let (of_avro, of_json) = (folder(), folder());
        let settings = format!(
            "topic = \"avro\"\nformat = \"avro\"\nregistry = \"http://127.0.0.1:{port}\"\nregistry_auth = \"env:REGISTRY\"\n\
             commit_group = \"monitor\"\n"
        );
        configure(of_avro.path(), &server, &settings);
        configure(of_json.path(), &server, "topic = \"json\"\n");
        server.create("avro", 3);
        server.create("json", 3);
        produce(&server, "json", Compression::Gzip, (0..N_PAYMENTS).map(|n| payment(n).json()));
        let avro = |n: i64| framed(1, &payment(n).avro());
        produce(&server, "avro", Compression::Zstd, (0..300).map(avro));

        let node = Node::start(of_avro.path());
        let has_problem = |node: &Node| {
            node.topic()["problem"]
                .as_str()
                .is_some_and(|problem| problem.contains("does not give the schema"))
        };
        node.until("it says that there is no registry", has_problem);
        let status = metricc(of_avro.path(), &["status", "--node", &format!("http://{}", node.address)]);
        assert!(text(&status.stderr).contains("does not give the schema"), "{}", text(&status.stderr));
        let registry = registry(port);
        node.until("the first records are read", is_read);
        drop(node);
        produce(&server, "avro", Compression::Snappy, (300..N_PAYMENTS).map(avro));
        // Killed in the middle, more than once, and once with a registry that fails.
        for pause in [40, 150, 400] {
            registry.state().faults = vec![500; usize::from(pause == 150) * 3];
            let node = Node::start(of_avro.path());
            std::thread::sleep(Duration::from_millis(pause));
            drop(node);
        }
        let (node, other) = (Node::start(of_avro.path()), Node::start(of_json.path()));
        node.until("all records are read", is_read);
        other.until("all records are read", is_read);
        node.until("both answer alike", |node| answers(node) == answers(&other));
        assert!(answers(&node)[0].as_array().is_some_and(|rows| rows.len() > 60), "{:?}", answers(&node));
        let audit = metricc(of_avro.path(), &["audit", "--node", &format!("http://{}", node.address)]);
        assert!(audit.status.success(), "{}{}", text(&audit.stdout), text(&audit.stderr));

        let last = Payment { id: 5_000, country: Some("DE"), cents: 100, ..payment(0) };
        let values = [
            framed(2, &last.avro_without_country()),
            framed(3, &last.avro_without_amount()),
            framed(4, b"?"),
        ];
        produce(&server, "avro", Compression::None, values.into_iter());
        let reasons =
            ["\"field\":\"amount\"", "schema 4: the registry", "(topic avro, partition 2, offset 300)"];
        node.until("schemas that do not fit stop nothing", |node| {
            let quarantined = ["0", "1"]
                .map(|partition| node.get(&format!("/v1/sources/payments/quarantine?partition={partition}")));
            is_read(node) && reasons.iter().all(|reason| quarantined.concat().contains(reason))
        });
        node.until("the group is told", |_| server.committed("monitor", "avro", 3) == Some(N_PAYMENTS + 3));
    }
}
