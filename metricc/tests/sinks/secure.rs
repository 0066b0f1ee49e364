//! A topic that is written over TLS, with a login.

use crate::front::{Front, Login, Programs};
use crate::kafka::check;
use crate::node::{Node, configure, events, folder};
use crate::server::Server;
use crate::until;

#[test]
fn a_topic_is_written_over_tls_with_a_login_and_one_that_is_refused_is_said() {
    let Some(programs) = Programs::find() else { return };
    let folder = folder("");
    for name in ["broker", "other"] {
        programs.certify(folder.path(), name, "IP:127.0.0.1");
    }
    std::fs::write(folder.path().join("wrong"), "wr0ng").expect("a file");
    for server in Server::all() {
        server.create("changes", 3);
        let login = Login { mechanism: "SCRAM-SHA-256", user: "reports", password: "right" };
        let front = Front::start(&programs, &server.brokers, Some((folder.path(), "broker")), Some(login));
        let configure = |ca: &str, password: &str| {
            let sink = format!(
                "[sinks.changes]\nevery = \"30ms\"\n[sinks.changes.kafka]\nbrokers = [\"{}\"]\ntopic = \"changes\"\n\
                 tls = true\nca = \"{ca}-ca.pem\"\nuser = \"reports\"\npassword = \"{password}\"\n\
                 mechanism = \"scram-sha-256\"\n",
                front.brokers
            );
            configure(folder.path(), &sink);
        };
        for (ca, password, part) in [
            ("broker", "file:wrong", "; check `user`, `password` and `mechanism`"),
            ("other", "env:SINK_SECRET", "; name the certificate that has issued theirs with `ca`"),
        ] {
            configure(ca, password);
            let node = Node::start(folder.path());
            assert!(node.send(&events(0..40)));
            until(part, || {
                let sink = node.sink("revenue");
                let problem = sink["problem"].as_str().unwrap_or_default();
                problem.contains(&format!("topic `changes` at `{}`", front.brokers)) && problem.contains(part)
            });
            assert!(!node.get("/v1/sources").contains("wr0ng"));
        }
        configure("broker", "env:SINK_SECRET");
        let node = Node::start(folder.path());
        assert!(node.send(&events(40..60)));
        check(&server, &node);
    }
}
