//! Access control, and limits against slow and oversized requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric total = sum(n) { from events }
";
const LINE: &str = "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":1}\n";

fn token(letter: char) -> String {
    letter.to_string().repeat(43)
}

#[test]
fn a_node_that_others_can_reach_needs_a_token() {
    let home = Home::new(PACKAGE, "");
    let output = home.command().args(["--listen", "0.0.0.0:0"]).output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("which others can reach, and there is no token"), "{said}");
    assert!(!home.path().join("metricc-data").exists(), "nothing was opened");
}

#[test]
fn each_token_has_its_scope() {
    let tokens = "[tokens]\ningest = [\"env:A\", \"env:B\"]\nquery = [\"env:Q\"]\nadmin = [\"env:R\"]\n";
    let home = Home::new(PACKAGE, tokens);
    let output = home.command().output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(2)
            && said.contains("token 1 of `tokens.ingest` is in a variable that is not set"),
        "{said}"
    );
    let mut command = home.command();
    for name in ["A", "B", "Q", "R"] {
        command.env(name, token(name.to_ascii_lowercase().chars().next().unwrap_or('x')));
    }
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    let with = |letter: Option<char>, method: &str, path: &str| {
        let header = letter.map(|letter| format!("Bearer {}", token(letter)));
        let headers: Vec<(&str, &str)> =
            header.iter().map(|header| ("Authorization", header.as_str())).collect();
        node.send(method, path, &headers, LINE.as_bytes()).expect("an answer").status
    };
    let (events, total, quarantine) =
        ("/v1/sources/events/events", "/v1/metrics/total", "/v1/sources/events/quarantine");
    for (letter, expected) in [
        (None, [401, 401, 401]),
        (Some('x'), [401, 401, 401]),
        (Some('a'), [200, 403, 403]),
        (Some('b'), [200, 403, 403]),
        (Some('q'), [403, 200, 403]),
        (Some('r'), [200, 200, 200]),
    ] {
        let found =
            [with(letter, "POST", events), with(letter, "GET", total), with(letter, "GET", quarantine)];
        assert_eq!(found, expected, "{letter:?}");
    }
    assert_eq!(node.get("/healthz").status, 200);
    let (_, _, said) = node.run(&["query", "total"]);
    assert!(
        said.contains("a token with the scope `query`") && said.contains("`--token-file FILE`"),
        "{said}"
    );
    let header = format!("Bearer {}", token('a'));
    let answer = node.send("GET", total, &[("Authorization", &header)], b"").expect("an answer");
    assert!(answer.body.contains("the token does not have the scope `query`"), "{}", answer.body);
}

#[test]
fn token_files_are_relative_to_the_configuration() {
    let home = Home::new(PACKAGE, "[tokens]\nquery = [\"file:query.token\"]\n");
    std::fs::write(home.path().join("query.token"), token('q') + "\n").expect("a token");
    let mut command = home.command();
    command.current_dir("/").arg(home.path().join("metricc.toml"));
    let node = home.start_with(command);
    let header = format!("Bearer {}", token('q'));
    let answer = node.send("GET", "/v1/metrics", &[("Authorization", &header)], b"").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(node.get("/v1/metrics").status, 401);
}

#[test]
fn a_short_token_is_rejected() {
    let home = Home::new(PACKAGE, "[tokens]\nquery = [\"env:Q\"]\n");
    let output = home.command().env("Q", "secret").output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("token 1 of `tokens.query` has 6 characters: it takes at least 43"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn only_requests_for_known_hosts_are_answered_with_security_headers() {
    let home = Home::new(PACKAGE, "hosts = [\"metrics.example\"]\n");
    let node = home.ready();
    for (host, status) in [
        ("localhost", 200),
        ("localhost:80", 200),
        ("127.0.0.1:7171", 200),
        ("[::1]:7171", 200),
        ("Metrics.Example", 200),
        ("evil.example", 421),
        ("", 421),
    ] {
        let answer = node.send("GET", "/v1/metrics", &[("Host", host)], b"").expect("an answer");
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{}", answer.head);
        assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
}

#[test]
fn a_client_that_sends_its_headers_slowly_is_disconnected() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    for sent in ["", "GET /healthz HTTP/1.1\r\nHost: loc"] {
        let mut stream = TcpStream::connect(&node.address).expect("a connection");
        stream.write_all(sent.as_bytes()).expect("written");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let start = Instant::now();
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        assert!(ended.is_ok(), "{sent:?}: the connection stays open: {ended:?}");
        assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    }
}

#[test]
fn a_request_that_decompresses_to_too_many_bytes_is_rejected() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let zeros = vec![b'\n'; 9 << 20];
    let packed = zstd::encode_all(&zeros[..], 3).expect("packed");
    assert!(packed.len() < 10_000);
    let headers = [("Content-Encoding", "zstd")];
    let answer = node.send("POST", "/v1/sources/events/events", &headers, &packed).expect("an answer");
    assert_eq!(answer.status, 413, "{}", answer.body);
    let packed = zstd::encode_all(LINE.as_bytes(), 3).expect("packed");
    let answer = node.send("POST", "/v1/sources/events/events", &headers, &packed).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
}
