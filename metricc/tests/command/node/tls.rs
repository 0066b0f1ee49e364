//! A node that speaks TLS itself, and commands that ask it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Home, TIMEOUT};

const PACKAGE: &str = "
source events { id: string key  at: timestamp time  n: int }
metric total = sum(n) { from events }
";
const CONFIG: &str = "[tls]\ncert = \"node.pem\"\nkey = \"node.key\"\n";

/// Runs OpenSSL; `None` if this machine has none.
#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
fn openssl(folder: &Path, arguments: &[&str]) -> Option<String> {
    let program = std::env::var_os("METRICC_OPENSSL").unwrap_or_else(|| "openssl".into());
    let command = Command::new(program).current_dir(folder).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = command else {
        eprintln!("skipped: TLS of a node; install `openssl`");
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(text(&output.stdout) + &text(&output.stderr))
}

/// Makes `NAME-ca.pem`, and `NAME.pem` with its key for this machine; `None` without OpenSSL.
fn certify(folder: &Path, name: &str) -> Option<()> {
    let file = |suffix: &str| format!("{name}{suffix}");
    let (ca, ca_key, key, request, extensions) =
        (file("-ca.pem"), file("-ca.key"), file(".key"), file(".csr"), file(".ext"));
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
    let (issuer, subject) = (format!("/CN=issuer of {name}"), format!("/CN={name}"));
    let issue = [&["req", "-x509", "-days", "2", "-subj", &issuer], &new_key[..], &[&ca_key, "-out", &ca]];
    openssl(folder, &issue.concat())?;
    openssl(folder, &[&["req", "-subj", &subject], &new_key[..], &[&key, "-out", &request]].concat())?;
    let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n";
    std::fs::write(folder.join(&extensions), names).expect("a file");
    let sign = ["x509", "-req", "-days", "2", "-set_serial", "1", "-in", &request, "-CA", &ca, "-CAkey"];
    let certificate = file(".pem");
    openssl(folder, &[&sign[..], &[&ca_key, "-extfile", &extensions, "-out", &certificate]].concat())?;
    assert!(folder.join(certificate).exists(), "openssl has made no certificate");
    Some(())
}

/// Runs the command with a node at this URL. Returns its exit code, stdout and stderr.
fn run(folder: &Path, url: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .current_dir(folder)
        .args(arguments)
        .args(["--node", url])
        .env("NO_COLOR", "1")
        .output()
        .expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn commands_speak_tls_with_a_node_whose_authority_they_trust() {
    let home = Home::new(PACKAGE, CONFIG);
    if certify(home.path(), "node").and_then(|()| certify(home.path(), "other")).is_none() {
        return;
    }
    let node = home.start();
    let url = format!("https://{}", node.address);
    let run = |arguments: &[&str]| run(home.path(), &url, arguments);
    let lines = "{\"id\":\"a\",\"at\":\"2026-04-25T10:00:00Z\",\"n\":7}\n";
    std::fs::write(home.path().join("events.ndjson"), lines).expect("events");
    let trusting = ["--ca-cert", "node-ca.pem"];
    let ingest = [&["ingest", "--source", "events", "events.ndjson", "--retry-for", "60s"], &trusting[..]];
    let (code, _, said) = run(&ingest.concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, rows, said) = run(&[&["query", "total", "--output", "json"], &trusting[..]].concat());
    assert!(code == Some(0) && rows.contains("\"value\":7"), "{rows}{said}");
    for command in [&["versions"][..], &["status"], &["audit"], &["deploy", "events.metric", "--plan"]] {
        let (code, _, said) = run(&[command, &trusting[..]].concat());
        assert_eq!(code, Some(0), "{command:?}: {said}");
    }
    for untrusting in [&[][..], &["--ca-cert", "other-ca.pem"]] {
        for command in [&["query", "total"][..], &["status"]] {
            let (code, _, said) = run(&[command, untrusting].concat());
            assert!(code == Some(2) && said.contains("no connection with TLS"), "{code:?}: {said}");
            assert!(said.contains("--ca-cert"), "{said}");
        }
    }
    let (code, _, said) = run(&["query", "total", "--ca-cert", "node.key"]);
    assert!(code == Some(2) && said.contains("no certificate in PEM"), "{said}");
    // One that speaks no TLS is told so, and keeps nobody.
    let (code, _, said) = self::run(home.path(), &format!("http://{}", node.address), &["query", "total"]);
    assert!(code == Some(2) && said.contains("this node speaks TLS"), "{code:?}: {said}");
}

#[test]
fn versions_of_tls_before_1_2_are_refused_and_idle_handshakes_end() {
    let home = Home::new(PACKAGE, CONFIG);
    if certify(home.path(), "node").is_none() {
        return;
    }
    let node = home.start();
    for (version, is_spoken) in [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false)] {
        let connect = ["s_client", "-connect", &node.address, "-CAfile", "node-ca.pem", version];
        let said = openssl(home.path(), &connect).expect("openssl");
        let is_trusted = said.contains("Verify return code: 0 (ok)") && !said.contains("Cipher is (NONE)");
        assert_eq!(is_trusted, is_spoken, "{version}: {said}");
    }
    let since = Instant::now();
    let mut idle: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(&node.address).expect("a connection")).collect();
    for stream in &mut idle {
        stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
        let _ = stream.write_all(&[22]);
    }
    for stream in &mut idle {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
}

#[test]
fn a_new_certificate_is_taken_without_a_restart_and_a_bad_one_is_not() {
    let home = Home::new(PACKAGE, CONFIG);
    if certify(home.path(), "node").and_then(|()| certify(home.path(), "next")).is_none() {
        return;
    }
    let node = home.start();
    let url = format!("https://{}", node.address);
    let is_trusted = |ca: &str| run(home.path(), &url, &["versions", "--ca-cert", ca]).0 == Some(0);
    assert!(is_trusted("node-ca.pem") && !is_trusted("next-ca.pem"));
    std::fs::write(home.path().join("node.pem"), "no certificate").expect("a file");
    std::thread::sleep(Duration::from_secs(7));
    assert!(is_trusted("node-ca.pem"), "the one that could be read stays");
    for (next, now) in [("next.pem", "node.pem"), ("next.key", "node.key")] {
        std::fs::copy(home.path().join(next), home.path().join(now)).expect("a copy");
    }
    let end = Instant::now() + TIMEOUT;
    while !is_trusted("next-ca.pem") {
        assert!(Instant::now() < end, "the new certificate is not used");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn files_that_are_no_certificate_or_key_are_named_at_the_start() {
    let home = Home::new(PACKAGE, CONFIG);
    if certify(home.path(), "node").and_then(|()| certify(home.path(), "other")).is_none() {
        return;
    }
    let refused = |cert: &str, key: &str, expected: &[&str]| {
        let config = format!(
            "package = \"events.metric\"\nlisten = \"127.0.0.1:0\"\n[tls]\ncert = \"{cert}\"\nkey = \"{key}\"\n"
        );
        std::fs::write(home.path().join("metricc.toml"), config).expect("a configuration");
        let output = home.command().output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    };
    refused("nowhere.pem", "node.key", &["`tls.cert`", "nowhere.pem", "cannot be read"]);
    refused("node.pem", "nowhere.key", &["`tls.key`", "nowhere.key", "cannot be read"]);
    refused("node.key", "node.key", &["`tls.cert`", "no section `BEGIN CERTIFICATE`"]);
    refused("node.pem", "node.pem", &["`tls.key`", "no section `BEGIN PRIVATE KEY`"]);
    refused("node.pem", "other.key", &["cannot be used together"]);
}
