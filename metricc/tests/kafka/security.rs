//! TLS, and each way to log in: the bytes of a plain connection, and errors that say what is wrong.

use std::path::Path;

use krafka::{Compression, Record};

use crate::front::{Front, Login, Programs};
use crate::node::Node;
use crate::server::Server;
use crate::{PACKAGE, fill, metricc, payment, text};

/// Both have what is escaped in one of the mechanisms.
const USER: &str = "reports,1=2";
const PASSWORD: &str = "s3cret=,pä55";

const LOGINS: [(&str, Login); 3] = [
    ("plain", login("PLAIN")),
    ("scram-sha-256", login("SCRAM-SHA-256")),
    ("scram-sha-512", login("SCRAM-SHA-512")),
];

const fn login(mechanism: &'static str) -> Login {
    Login { mechanism, user: USER, password: PASSWORD }
}

/// A folder with the package, the password, and three certificates: `elsewhere` is that of another host.
fn folder(programs: &Programs) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("p.metric", PACKAGE);
    write("password", PASSWORD);
    write("wrong", "wr0ng");
    write("empty.pem", "no certificate");
    programs.certify(folder.path(), "broker", "IP:127.0.0.1");
    programs.certify(folder.path(), "other", "IP:127.0.0.1");
    programs.certify(folder.path(), "elsewhere", "DNS:broker.example");
    folder
}

const TLS: [&str; 3] = ["--kafka-tls", "--kafka-ca", "broker-ca.pem"];

fn logging_in(mechanism: &str) -> [&str; 6] {
    ["--kafka-user", USER, "--kafka-password", "file:password", "--kafka-mechanism", mechanism]
}

#[test]
fn a_topic_is_read_over_tls_and_with_each_login() {
    let Some(programs) = Programs::find() else { return };
    let folder = folder(&programs);
    let log = folder.path().join("log");
    std::fs::create_dir(&log).expect("the folder of the log");
    for server in Server::all() {
        fill(&server, &log);
        let run = |brokers: &str, more: &[&str]| {
            let source = format!("payments=kafka://{brokers}/payments");
            let run = ["run", "p.metric", "--source", &source, "--output", "json"];
            let output = metricc(folder.path(), &[&run[..], more].concat());
            assert!(output.status.success(), "{more:?}: {}", text(&output.stderr));
            text(&output.stdout)
        };
        let wanted = run(&server.brokers, &[]);
        assert!(wanted.len() > 1000);
        let certificate = Some((folder.path(), "broker"));
        let front = Front::start(&programs, &server.brokers, certificate, None);
        assert_eq!(run(&front.brokers, &TLS), wanted);
        for (mechanism, login) in LOGINS {
            let front = Front::start(&programs, &server.brokers, certificate, Some(login));
            assert_eq!(run(&front.brokers, &[&logging_in(mechanism)[..], &TLS].concat()), wanted);
        }
        let (mechanism, login) = LOGINS[1];
        let front = Front::start(&programs, &server.brokers, None, Some(login));
        assert_eq!(run(&front.brokers, &logging_in(mechanism)), wanted, "without TLS");
        if server.fake.is_none() {
            continue;
        }
        // The mechanism without an option, all engines, and the password in a variable.
        let front = Front::start(&programs, &server.brokers, certificate, Some(LOGINS[2].1));
        let source = format!("payments=kafka://{}/payments", front.brokers);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_metricc"));
        command.current_dir(folder.path()).env("BROKER_PASSWORD", PASSWORD);
        command.args(["verify", "p.metric", "--cuts", "2", "--seed", "1", "--source", &source]).args(TLS);
        command.args(["--kafka-user", USER, "--kafka-password", "env:BROKER_PASSWORD"]);
        let output = command.output().expect("metricc runs");
        assert!(text(&output.stderr).contains("0 differences"), "{}", text(&output.stderr));
    }
}

#[test]
fn who_is_not_let_in_and_who_is_not_trusted_is_said_with_the_way_out() {
    let Some(programs) = Programs::find() else { return };
    let (folder, server) = (folder(&programs), Server::fake());
    server.create("payments", 1);
    server.produce(Compression::None, vec![Record::new("payments", payment(1)).partition(0)]);
    let certificate = Some((folder.path(), "broker"));
    let said = |brokers: &str, more: &[&str], parts: &[&str]| {
        let source = format!("payments=kafka://{brokers}/payments");
        let output = metricc(folder.path(), &[&["run", "p.metric", "--source", &source][..], more].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {said}");
        for part in parts.iter().chain(&[brokers]) {
            assert!(said.contains(part), "{more:?}: {part}: {said}");
        }
        assert!(!said.contains(PASSWORD) && !said.contains("wr0ng"), "{said}");
    };
    for (mechanism, login) in LOGINS {
        let front = Front::start(&programs, &server.brokers, certificate, Some(login));
        let refused =
            ["do not accept this client", "invalid credentials", "check mechanism, user and password"];
        for (user, password) in [(USER, "file:wrong"), ("nobody", "file:password")] {
            let other = ["--kafka-user", user, "--kafka-password", password, "--kafka-mechanism", mechanism];
            said(&front.brokers, &[&TLS[..], &other].concat(), &refused);
        }
        let other = if mechanism == "plain" { "scram-sha-512" } else { "plain" };
        let refused = ["do not accept this client", login.mechanism, "check mechanism"];
        said(&front.brokers, &[&TLS[..], &logging_in(other)].concat(), &refused);
        said(&front.brokers, &TLS, &["no broker of", "help: ", "whether they want TLS, a login"]);
    }
    let front = Front::start(&programs, &server.brokers, certificate, None);
    let untrusted = ["are not trusted", "UnknownIssuer", "`--kafka-ca`", "`ca`"];
    said(&front.brokers, &["--kafka-tls"], &untrusted);
    said(&front.brokers, &["--kafka-tls", "--kafka-ca", "other-ca.pem"], &untrusted);
    said(&front.brokers, &[], &["no broker of", "help: ", "whether they want TLS, a login"]);
    said(&server.brokers, &TLS, &["no broker of", "help: ", "whether they want TLS, a login"]);
    let elsewhere = Front::start(&programs, &server.brokers, Some((folder.path(), "elsewhere")), None);
    let of_elsewhere = ["--kafka-tls", "--kafka-ca", "elsewhere-ca.pem"];
    said(&elsewhere.brokers, &of_elsewhere, &["are not trusted", "broker.example", "its certificate"]);
    for (file, part) in [("none.pem", "none.pem"), ("empty.pem", "no certificates found in CA")] {
        said(&front.brokers, &["--kafka-tls", "--kafka-ca", file], &["cannot be made", part, file]);
    }
}

fn configure(folder: &Path, brokers: &str, password: &str) {
    let config = format!(
        "package = \"p.metric\"\n[batch]\nevery = \"400ms\"\n[sources.payments.kafka]\nbrokers = [\"{brokers}\"]\n\
         topic = \"payments\"\ntls = true\nca = \"broker-ca.pem\"\nuser = \"{USER}\"\npassword = \"file:{password}\"\n"
    );
    std::fs::write(folder.join("metricc.toml"), config).expect("the configuration");
}

#[test]
fn a_node_logs_in_over_tls_and_says_if_it_is_not_let_in() {
    let Some(programs) = Programs::find() else { return };
    let (folder, server) = (folder(&programs), Server::fake());
    server.create("payments", 2);
    let produce = |from: u32| {
        let records = (from..from + 50).map(|n| Record::new("payments", payment(n)).partition(0));
        server.produce(Compression::None, records.collect());
    };
    produce(0);
    let certificate = Some((folder.path(), "broker"));
    let front = Front::start(&programs, &server.brokers, certificate, Some(LOGINS[2].1));
    configure(folder.path(), &front.brokers, "wrong");
    let node = Node::start(folder.path());
    node.until("it is not let in", |node| {
        let topic = node.topic();
        let problem = topic["problem"].as_str().unwrap_or_default();
        [&*front.brokers, "do not accept this client", "check mechanism, user and password"]
            .iter()
            .all(|part| problem.contains(part))
            && topic["stopped"] == false
    });
    drop(node);
    configure(folder.path(), &front.brokers, "password");
    let node = Node::start(folder.path());
    let has = |node: &Node, n_read: u64| {
        let partitions = node.topic()["partitions"].as_array().cloned().unwrap_or_default();
        partitions.iter().filter_map(|partition| partition["read"].as_u64()).sum::<u64>() == n_read
            && node.topic()["problem"].is_null()
    };
    node.until("it reads", |node| has(node, 50));
    produce(50);
    node.until("it goes on", |node| has(node, 100));
}

#[test]
fn brokers_that_want_a_certificate_are_shown_it() {
    let Some(programs) = Programs::find() else { return };
    let (folder, server) = (folder(&programs), Server::fake());
    server.create("payments", 1);
    server.produce(Compression::None, vec![Record::new("payments", payment(1)).partition(0)]);
    programs.certify(folder.path(), "reports", "DNS:reports.example");
    let front = Front::of_certified(&programs, &server.brokers, (folder.path(), "broker"), "reports");
    let source = format!("payments=kafka://{}/payments", front.brokers);
    let run = |more: &[&str]| {
        let run = ["run", "p.metric", "--source", &source, "--output", "json"];
        metricc(folder.path(), &[&run[..], &TLS, more].concat())
    };
    let certificate =
        |name: &str| [format!("--kafka-client-cert={name}.pem"), format!("--kafka-client-key={name}.key")];
    let of = |name: &str| {
        let [certificate, key] = certificate(name);
        run(&[&certificate, &key])
    };
    let output = of("reports");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let plain = format!("payments=kafka://{}/payments", server.brokers);
    let wanted = metricc(folder.path(), &["run", "p.metric", "--source", &plain, "--output", "json"]);
    assert_eq!(text(&output.stdout), text(&wanted.stdout));
    for output in [run(&[]), of("other")] {
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("client certificate") && said.contains(&front.brokers), "{said}");
    }
    let output = of("none");
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("none.pem"), "{said}");
    let output = run(&["--kafka-client-cert=reports.pem"]);
    assert!(text(&output.stderr).contains("--kafka-client-key"), "{}", text(&output.stderr));
    let config = format!(
        "package = \"p.metric\"\n[sources.payments.kafka]\nbrokers = [\"{}\"]\ntopic = \"payments\"\ntls = true\n\
         ca = \"broker-ca.pem\"\nclient_cert = \"reports.pem\"\nclient_key = \"reports.key\"\n",
        front.brokers
    );
    std::fs::write(folder.path().join("metricc.toml"), config).expect("the configuration");
    let node = Node::start(folder.path());
    node.until("it reads", |node| {
        node.topic()["partitions"][0]["read"] == 1 && node.topic()["problem"].is_null()
    });
}
