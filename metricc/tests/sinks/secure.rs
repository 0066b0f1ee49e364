//! Sinks over TLS, with a password: what is not let in and what is not trusted is said, with the server.

use std::path::{Path, PathBuf};

use crate::front::{Front, Login, Programs};
use crate::node::{METRICS, Node, configure, events, folder};
use crate::postgres_server::Postgres;
use crate::redis_server::Redis;
use crate::server::Server;
use crate::webhook::Hook;
use crate::{kafka, normal, postgres, redis, until};

/// A folder with the certificate of `broker`, that of another issuer, and a password that is not right.
fn secure_folder(programs: &Programs) -> tempfile::TempDir {
    let folder = folder("");
    for name in ["broker", "other"] {
        programs.certify(folder.path(), name, "IP:127.0.0.1");
    }
    std::fs::write(folder.path().join("wrong"), "wr0ng").expect("a file");
    folder
}

fn certificate(folder: &Path) -> [PathBuf; 2] {
    ["broker.pem", "broker.key"].map(|name| folder.join(name))
}

/// Starts a node whose sink has a setting that is wrong, and waits until it says all parts.
fn refused(folder: &Path, sink: &str, parts: &[&str]) {
    configure(folder, sink);
    let node = Node::start(folder);
    assert!(node.send(&events(0..40)));
    until(&format!("it says {parts:?}: {}", node.sink("revenue")), || {
        let sink = node.sink("revenue");
        let problem = sink["problem"].as_str().unwrap_or_default();
        parts.iter().all(|part| problem.contains(part))
    });
    assert!(!node.get("/v1/sources").contains("wr0ng"));
}

/// Starts a node with the right settings, and more events.
fn started(folder: &Path, sink: &str) -> Node {
    configure(folder, sink);
    let node = Node::start(folder);
    assert!(node.send(&events(0..60)));
    node
}

#[test]
fn a_topic_is_written_over_tls_with_a_login() {
    let Some(programs) = Programs::find() else { return };
    for server in Server::all() {
        let folder = secure_folder(&programs);
        server.create("changes", 3);
        let login = Login { mechanism: "SCRAM-SHA-256", user: "reports", password: "right" };
        let front = Front::start(&programs, &server.brokers, Some((folder.path(), "broker")), Some(login));
        let brokers = &front.brokers;
        let sink = |ca: &str, password: &str| {
            format!(
                "[sinks.changes]\nevery = \"30ms\"\n[sinks.changes.kafka]\nbrokers = [\"{brokers}\"]\n\
                 topic = \"changes\"\ntls = true\nca = \"{ca}-ca.pem\"\nuser = \"reports\"\n\
                 password = \"{password}\"\nmechanism = \"scram-sha-256\"\n"
            )
        };
        let shown = format!("topic `changes` at `{brokers}`");
        let parts = [&shown, "; check `user`, `password` and `mechanism`"];
        refused(folder.path(), &sink("broker", "file:wrong"), &parts);
        let parts = [&shown, "UnknownIssuer; name the certificate that has issued theirs with `ca`"];
        refused(folder.path(), &sink("other", "env:SINK_SECRET"), &parts);
        let node = started(folder.path(), &sink("broker", "env:SINK_SECRET"));
        kafka::check(&server, &node);
    }
}

#[test]
fn a_topic_is_written_with_a_certificate_of_the_node() {
    let Some(programs) = Programs::find() else { return };
    let (folder, server) = (secure_folder(&programs), Server::fake());
    server.create("changes", 3);
    programs.certify(folder.path(), "reports", "DNS:reports.example");
    let front = Front::of_certified(&programs, &server.brokers, (folder.path(), "broker"), "reports");
    let brokers = &front.brokers;
    let sink = |client: &str| {
        format!(
            "[sinks.changes]\nevery = \"30ms\"\n[sinks.changes.kafka]\nbrokers = [\"{brokers}\"]\n\
             topic = \"changes\"\ntls = true\nca = \"broker-ca.pem\"\n{client}"
        )
    };
    let of = |name: &str| format!("client_cert = \"{name}.pem\"\nclient_key = \"{name}.key\"\n");
    let shown = format!("topic `changes` at `{brokers}`");
    refused(folder.path(), &sink(""), &[&shown]);
    refused(folder.path(), &sink(&of("other")), &[&shown]);
    let node = started(folder.path(), &sink(&of("reports")));
    kafka::check(&server, &node);
}

#[test]
fn tables_are_written_over_tls_with_a_password() {
    let Some(programs) = Programs::find() else { return };
    let Some(mut server) = Postgres::start() else { return };
    let folder = secure_folder(&programs);
    let made = "CREATE ROLE reports LOGIN PASSWORD 'right'; GRANT CREATE ON DATABASE postgres TO reports";
    assert!(server.query(made).is_some());
    let [pem, key] = certificate(folder.path());
    server.stop_at_once();
    server.secure(&pem, &key);
    server.launch();
    let port = server.port;
    let sink = |tls: &str, password: &str| {
        format!(
            "[sinks.reports]\nevery = \"50ms\"\n[sinks.reports.postgres]\n\
             url = \"postgres://reports@127.0.0.1:{port}/postgres\"\npassword = \"{password}\"\n{tls}\n"
        )
    };
    let (own, other) = ("tls = true\nca = \"broker-ca.pem\"", "tls = true\nca = \"other-ca.pem\"");
    let shown = format!("cannot connect to PostgreSQL at 127.0.0.1:{port}: ");
    refused(folder.path(), &sink(own, "file:wrong"), &[&shown, "password authentication failed"]);
    refused(folder.path(), &sink(other, "env:SINK_SECRET"), &[&shown, "UnknownIssuer"]);
    refused(folder.path(), &sink("", "env:SINK_SECRET"), &[&shown, "no encryption"]);
    let node = started(folder.path(), &sink(own, "env:SINK_SECRET"));
    postgres::check(&server, &node);
}

#[test]
fn hashes_are_written_over_tls_with_a_user() {
    let Some(programs) = Programs::find() else { return };
    let Some(mut server) = Redis::start() else { return };
    let folder = secure_folder(&programs);
    let [pem, key] = certificate(folder.path());
    server.kill();
    let port = server.secure(&pem, &key);
    server.launch();
    let user = ["ACL", "SETUSER", "reports", "on", ">right", "~*", "+@all"];
    assert!(server.ask(&[&user]).is_some_and(|answers| answers[0].clone().text() == Some("+OK".into())));
    let sink = |ca: &str, password: &str| {
        format!(
            "[sinks.cache]\nevery = \"30ms\"\n[sinks.cache.redis]\nurl = \"rediss://127.0.0.1:{port}\"\n\
             user = \"reports\"\npassword = \"{password}\"\nca = \"{ca}-ca.pem\"\n"
        )
    };
    let shown = format!("cannot connect to Redis at 127.0.0.1:{port}: ");
    refused(folder.path(), &sink("broker", "file:wrong"), &[&shown, "authentication failed"]);
    refused(folder.path(), &sink("other", "env:SINK_SECRET"), &[&shown, "UnknownIssuer"]);
    let node = started(folder.path(), &sink("broker", "env:SINK_SECRET"));
    redis::check(&server, &node);
}

#[test]
fn requests_are_sent_over_tls() {
    let Some(programs) = Programs::find() else { return };
    let (folder, hook) = (secure_folder(&programs), Hook::start());
    let front = Front::of_web(&programs, &hook.address, (folder.path(), "broker"));
    let sink = |ca: &str| {
        format!(
            "[sinks.hook]\nevery = \"30ms\"\n[sinks.hook.webhook]\nurl = \"https://{}/in?token=wr0ng\"\n\
             authorization = \"env:SINK_SECRET\"\nca = \"{ca}-ca.pem\"\n",
            front.brokers
        )
    };
    refused(folder.path(), &sink("other"), &[&format!("https://{}: ", front.brokers), "UnknownIssuer"]);
    let node = started(folder.path(), &sink("broker"));
    for metric in METRICS {
        node.until_written(metric);
        let (frontier, rows) = hook.rows(metric);
        assert_eq!(rows, node.rows_at(metric, &frontier, normal), "{metric}");
    }
}
