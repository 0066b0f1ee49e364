//! Settings that cannot work stop the node before anything starts; a server that is away does not.

use crate::node::{Node, configure, events, folder, metricc};
use crate::{free_port, until};

#[test]
fn settings_are_checked_before_anything_starts() {
    let folder = folder("");
    std::fs::write(folder.path().join("empty"), "\n").expect("a file");
    for (sink, part) in [
        (
            "[sinks.a]\nmetrics = [\"nothing\"]\n[sinks.a.webhook]\nurl = \"http://127.0.0.1\"",
            "no metric `nothing`",
        ),
        (
            "[sinks.a.postgres]\nurl = \"mysql://u@h/d\"",
            "`sinks.a.postgres`: `url` is not the address of a PostgreSQL database",
        ),
        ("[sinks.a.redis]\nurl = \"127.0.0.1\"", "`sinks.a.redis`: `url` cannot be understood"),
        (
            "[sinks.a.kafka]\nbrokers = [\"b\"]\ntopic = \"t\"",
            "`sinks.a.kafka`: `b` is not the address of a broker",
        ),
        (
            "[sinks.a.webhook]\nurl = \"ftp://h\"",
            "`sinks.a.webhook`: `url` is not the address of a web server",
        ),
        (
            "[sinks.a.webhook]\nurl = \"http://h\"\nauthorization = \"S3cret\"",
            "`authorization` is not written as `file:PATH` or `env:NAME`",
        ),
        (
            "[sinks.a.postgres]\nurl = \"postgres://u@h/d\"\npassword = \"env:UNSET\"",
            "`sinks.a.postgres`: `password` is in a variable that is not set: set it",
        ),
        (
            "[sinks.a.webhook]\nurl = \"http://h\"\nauthorization = \"file:empty\"",
            "`sinks.a.webhook`: `authorization` is empty",
        ),
        (
            "[sinks.a.redis]\nurl = \"redis://h\"\n[sinks.b.redis]\nurl = \"redis://h:6379/0\"",
            "`sinks.b`: each metric in prefix `metricc` is written by sink `a` as well",
        ),
    ] {
        configure(folder.path(), sink);
        let output = metricc(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{sink}: {said}");
        assert!(said.contains(part) && !said.contains("S3cret"), "{sink}: {said}");
        assert!(!folder.path().join("metricc-data").exists(), "{sink}");
    }
}

#[test]
fn a_sink_that_is_away_does_not_keep_a_node_from_anything() {
    let port = free_port();
    for (kind, settings) in [
        ("postgres", format!("url = \"postgres://u@127.0.0.1:{port}/d\"")),
        ("redis", format!("url = \"redis://127.0.0.1:{port}\"")),
        ("kafka", format!("brokers = [\"127.0.0.1:{port}\"]\ntopic = \"t\"")),
        ("webhook", format!("url = \"http://127.0.0.1:{port}/x?S3cret\"")),
    ] {
        let folder = folder(&format!("[sinks.away]\nevery = \"50ms\"\n[sinks.away.{kind}]\n{settings}\n"));
        let node = Node::start(folder.path());
        assert!(node.send(&events(0..20)), "{kind}");
        until(kind, || node.sink("revenue")["problem"].is_string());
        let sink = node.sink("revenue");
        assert!(sink["lag"] == 20 && sink["frontier"].is_null(), "{sink}");
        assert!(!sink.to_string().contains("S3cret"), "{sink}");
    }
}
