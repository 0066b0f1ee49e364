//! Subscriptions while versions of the package come and go.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::deploy::{events, home, view_has, write};
use super::{Node, TIMEOUT};

/// A subscription, after its first event.
fn subscribe(node: &Node, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(&node.address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", node.address);
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("event: rows") {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the subscription has no event");
    }
    reader
}

/// All that follows, until the connection ends.
fn rest(mut reader: BufReader<TcpStream>) -> String {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A command that follows a metric, and its first row.
fn follow(node: &Node, metric: &str) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["query", metric, "--live", "--output", "json"])
        .env("NO_COLOR", "1")
        .env("METRICC_NODE", format!("http://{}", node.address))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let rows = command.stdout.as_mut().unwrap();
    BufReader::new(rows).read_line(&mut first).unwrap();
    (command, first)
}

/// How a command ends, and what it says then.
fn ended(command: Child) -> (Option<i32>, String) {
    let output = command.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Whoever follows a metric that a deployment removes is told so.
#[test]
fn a_subscription_whose_metric_is_removed_ends_with_the_reason() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    view_has(&node, 100);
    let (command, first) = follow(&node, "gone");
    assert!(first.contains("\"value\":99"), "{first}");
    let metrics = node.get("/v1/metrics").json()["metrics"].as_array().unwrap().clone();
    let seen = metrics.iter().find(|metric| metric["name"] == "seen").unwrap()["hash"].clone();
    let removed = subscribe(&node, "/v1/metrics/gone/live");
    let keyed = subscribe(&node, "/v1/metrics/total/live?key.shop=s1");
    let pinned = subscribe(&node, &format!("/v1/metrics/seen/live?hash={}", seen.as_str().unwrap()));

    let text = "metric seen = count() * 2 { from events  by shop }\nmetric total = sum(n) { from events }\n";
    let (code, _, said) = node.run(&["deploy", &write(&home, "next.metric", text)]);
    assert_eq!(code, Some(0), "{said}");
    let said = rest(removed);
    assert!(said.contains("event: error\ndata: {\"code\":\"ended\""), "{said}");
    let reason = "the subscription to `gone` has ended, since the versions of the package have changed: no metric `gone` \
                  is served; there are `seen`, `total`";
    assert!(said.contains(reason), "{said}");
    let (code, said) = ended(command);
    assert!(code == Some(2) && said.contains(reason), "{said}");
    // Also if the metric is there, and has not what was asked for.
    let said = rest(keyed);
    assert!(said.contains("\"code\":\"ended\"") && said.contains("`shop`"), "{said}");
    // A definition is there as long as a version that has it is kept.
    assert_eq!(node.run(&["retire", "1"]).0, Some(0));
    let said = rest(pinned);
    assert!(said.contains("\"code\":\"ended\"") && said.contains("`seen` is served as"), "{said}");
}

/// A node that shuts down ends subscriptions, and that is no end of the metric.
#[test]
fn a_subscription_to_a_node_that_shuts_down_may_be_begun_again() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    node.catch_up();
    let (command, _) = follow(&node, "gone");
    assert_eq!(node.stop(), Some(0));
    let (code, said) = ended(command);
    assert!(code == Some(3) && said.contains("since it shuts down"), "{said}");
}
