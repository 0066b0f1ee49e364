//! HTTP by the book: what is judged before a body is read, hosts, framing, and errors of the protocol itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Home, Node, TIMEOUT};

pub(super) const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric total = sum(n) { from events }
metric by_hour = count() { from events  every 1h }
";
pub(super) const LINE: &str = "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":1}\n";
pub(super) const EVENTS: &str = "/v1/sources/events/events";

/// Sends bytes as they are. Returns all that comes back.
pub(super) fn raw(node: &Node, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&node.address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
    // The node may answer before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends the head of a request, with the host of the node and `Connection: close`.
pub(super) fn head(node: &Node, line: &str, headers: &str) -> String {
    let host = &node.address;
    raw(node, format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").as_bytes())
}

/// Status and code of an error, which is in the form of all errors.
pub(super) fn error(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{answer}");
    assert!(head.to_ascii_lowercase().contains("x-content-type-options: nosniff"), "{answer}");
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let code = body["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}")).to_owned();
    assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    (status, code)
}

pub(super) fn is(answer: &str, status: u16, code: &str) {
    assert_eq!(error(answer), (status, code.to_owned()), "{answer}");
}

#[test]
fn the_scheme_of_a_token_has_any_case() {
    let token = "t".repeat(43);
    let home = Home::new(PACKAGE, "[tokens]\nquery = [\"env:Q\"]\ningest = [\"env:I\"]\n");
    let mut command = home.command();
    command.env("Q", &token).env("I", "i".repeat(43));
    let node = home.start_with(command);
    let with =
        |value: &str| node.send("GET", "/v1/metrics", &[("Authorization", value)], b"").expect("an answer");
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        assert_eq!(with(&format!("{scheme} {token}")).status, 200, "{scheme}");
    }
    for value in [format!("Basic {token}"), token.clone(), format!("Bearer{token}"), "Bearer".to_owned()] {
        assert_eq!(with(&value).status, 401, "{value}");
    }
    assert!(with(&format!("Bearer {}", "x".repeat(43))).head.contains("error=\"invalid_token\""));
    let other = with(&format!("Bearer {}", "i".repeat(43)));
    assert_eq!(other.status, 403);
    assert!(other.head.contains("error=\"insufficient_scope\", scope=\"query\""), "{}", other.head);
    let both = format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n");
    is(&head(&node, "GET /v1/metrics", &both), 400, "request");
}

#[test]
fn what_headers_tell_is_judged_before_the_body_is_asked_for() {
    let token = "i".repeat(43);
    let home = Home::new(PACKAGE, "[tokens]\ningest = [\"env:I\"]\n");
    let mut command = home.command();
    command.env("I", &token);
    let node = home.start_with(command);
    let post = |headers: &str| {
        let headers = format!("Authorization: Bearer {token}\r\nExpect: 100-continue\r\n{headers}");
        head(&node, &format!("POST {EVENTS}"), &headers)
    };
    let no_token = head(&node, &format!("POST {EVENTS}"), "Expect: 100-continue\r\nContent-Length: 9\r\n");
    is(&no_token, 401, "unauthorized");
    is(&post("Content-Length: 8388609\r\n"), 413, "too_large");
    is(&post("Content-Length: 18446744073709551000\r\n"), 413, "too_large");
    is(&post("Content-Length: 9\r\nContent-Type: text/html\r\n"), 415, "content_type");
    is(&post("Content-Length: 9\r\nContent-Type: text/csv; charset=latin1\r\n"), 415, "content_type");
    is(&post("Content-Length: 9\r\nContent-Encoding: br\r\n"), 415, "encoding");
    let two = "Content-Type: text/csv\r\nContent-Type: application/json\r\n";
    is(&post(&format!("Content-Length: 9\r\n{two}")), 400, "request");
    is(&post(&format!("Content-Length: 9\r\nIdempotency-Key: {}\r\n", "k".repeat(257))), 400, "key");
    let other = format!("Authorization: Bearer {token}\r\nExpect: cake\r\nContent-Length: 9\r\n");
    is(&head(&node, &format!("POST {EVENTS}"), &other), 417, "expectation");
    // A request that is right so far is told to go on, and then taken.
    let mut stream = TcpStream::connect(&node.address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
    let (host, length) = (&node.address, LINE.len());
    let text = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-ndjson; charset=\"UTF-8\"\r\nExpect: 100-Continue\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).expect("written");
    let mut told = [0; 25];
    stream.read_exact(&mut told).expect("told to go on");
    assert_eq!(String::from_utf8_lossy(&told), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(LINE.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_client_that_sends_on_after_its_answer_still_gets_it() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let mut stream = TcpStream::connect(&node.address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
    let text =
        format!("POST {EVENTS} HTTP/1.1\r\nHost: {}\r\nContent-Length: 67108864\r\n\r\n", node.address);
    stream.write_all(text.as_bytes()).expect("written");
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..64 {
        stream.write_all(&vec![b' '; 1 << 20]).expect("the connection takes the body");
    }
    let started = Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    is(&answer, 413, "too_large");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // One who never stops is cut off.
    let mut stream = TcpStream::connect(&node.address).expect("a connection");
    stream.write_all(text.as_bytes()).expect("written");
    let started = Instant::now();
    while stream.write_all(b" ").is_ok() {
        assert!(started.elapsed() < Duration::from_secs(30), "the connection stays open");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn one_host_is_named_and_it_is_this_one() {
    let home = Home::new(PACKAGE, "hosts = [\"metrics.example\"]\n");
    let node = home.ready();
    let get = |target: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        raw(&node, format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{hosts}\r\n").as_bytes())
    };
    for (target, hosts) in [
        ("/v1/metrics", &["metrics.example"][..]),
        ("http://metrics.example/v1/metrics", &["metrics.example"]),
        ("http://localhost:7171/v1/metrics", &["metrics.example"]),
    ] {
        let answer = get(target, hosts);
        assert!(answer.starts_with("HTTP/1.1 200"), "{target} {hosts:?}: {answer}");
    }
    is(&get("/v1/metrics", &["localhost", "localhost"]), 400, "request");
    is(&get("/v1/metrics", &["localhost", "evil.example"]), 400, "request");
    is(&get("/v1/metrics", &[]), 400, "request");
    is(&get("/v1/metrics", &["local host"]), 400, "request");
    is(&get("/v1/metrics", &["user@localhost"]), 400, "request");
    is(&get("http://evil.example/v1/metrics", &["localhost"]), 421, "host");
    is(&get("http://localhost/v1/metrics", &["evil.example"]), 421, "host");
    is(&raw(&node, b"GET /v1/metrics HTTP/1.0\r\n\r\n"), 421, "host");
}

#[test]
fn pages_of_this_host_may_be_behind_a_proxy_with_tls() {
    let home = Home::new(PACKAGE, "hosts = [\"metrics.example\"]\n");
    let node = home.ready();
    for (origin, status) in [
        ("http://metrics.example", 200),
        ("https://metrics.example", 200),
        ("https://metrics.example.evil", 403),
        ("https://localhost", 403),
        ("null", 403),
        ("metrics.example", 403),
    ] {
        let headers = [("Host", "metrics.example"), ("Origin", origin)];
        let answer = node.send("GET", "/v1/metrics", &headers, b"").expect("an answer");
        assert_eq!(answer.status, status, "{origin}: {}", answer.body);
    }
}

#[test]
fn errors_of_the_protocol_have_a_body_like_all_others() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    is(&head(&node, "GET /nowhere", ""), 404, "unknown_path");
    is(&head(&node, "GET /v1/metrics/none", ""), 404, "unknown_metric");
    is(&head(&node, "POST /v1/sources/none/events", "Content-Length: 0\r\n"), 404, "unknown_source");
    for method in ["DELETE", "PUT", "POST", "TRACE", "OPTIONS", "BREW"] {
        let answer = head(&node, &format!("{method} /v1/metrics"), "");
        is(&answer, 405, "method");
        assert!(answer.to_ascii_lowercase().contains("allow: get,head"), "{answer}");
    }
    let get = head(&node, &format!("GET {EVENTS}"), "");
    is(&get, 405, "method");
    assert!(get.to_ascii_lowercase().contains("allow: post"), "{get}");
    // Of the path and the query, both those that the library reads and those that it does not.
    is(&head(&node, &format!("GET /v1/metrics/total?key.a={}", "a".repeat(9 << 10)), ""), 414, "uri");
    is(&head(&node, &format!("GET /v1/metrics/total?key.a={}", "a".repeat(60 << 10)), ""), 414, "uri");
    is(&head(&node, "GET /v1/metrics", &format!("X-A: {}\r\n", "a".repeat(70 << 10))), 431, "headers");
    let many: String = (0..150).map(|n| format!("X-{n}: a\r\n")).collect();
    is(&head(&node, "GET /v1/metrics", &many), 431, "headers");
    is(&raw(&node, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n"), 400, "request");
    is(&head(&node, &format!("POST {EVENTS}"), "Content-Length: -1\r\n"), 400, "request");
    is(&head(&node, &format!("POST {EVENTS}"), "Content-Length: 3\r\nContent-Length: 4\r\n"), 400, "request");
    // After an answer on the same connection, too.
    let host = &node.address;
    let two = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\nGET / \x01 HTTP/1.1\r\n\r\n");
    let answer = raw(&node, two.as_bytes());
    let second = answer.find("HTTP/1.1 400").unwrap_or_else(|| panic!("{answer}"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    is(&answer[second..], 400, "request");
}

#[test]
fn a_body_that_expands_too_much_is_told_so() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let post = |packed: &[u8], encoding: &str| {
        node.send("POST", EVENTS, &[("Content-Encoding", encoding)], packed).expect("an answer")
    };
    let packed = |n_bytes: usize| zstd::encode_all(&vec![b'\n'; n_bytes][..], 3).expect("packed");
    // By ratio: it is not more than a request may have.
    let answer = post(&packed(1 << 20), "zstd");
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (413, Some("too_large")));
    assert!(answer.body.contains("256 times longer"), "{}", answer.body);
    assert!(!answer.body.contains("send several"), "{}", answer.body);
    // By length.
    let mut text = LINE.repeat(1000).into_bytes();
    let mut noise = 1u64;
    while text.len() < 9 << 20 {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.extend_from_slice(format!("{noise}\n").as_bytes());
    }
    let answer = post(&zstd::encode_all(&text[..], 3).expect("packed"), "zstd");
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("unpacks to more than 8388608 bytes"), "{}", answer.body);
    // Names of encodings have any case.
    let answer = post(&zstd::encode_all(LINE.as_bytes(), 3).expect("packed"), "ZSTD");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(post(LINE.as_bytes(), "Identity").status, 200);
    assert_eq!(post(LINE.as_bytes(), "gzip, zstd").status, 415);
}

#[test]
fn a_client_that_is_done_is_not_waited_for() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let mut stream = TcpStream::connect(&node.address).expect("a connection");
    stream.write_all(b"GET /v1/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("written");
    let started = Instant::now();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200");
    drop(stream);
    assert_eq!(node.stop(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn a_body_has_one_framing() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let chunked = format!("{:x}\r\n{LINE}\r\n0\r\n\r\n", LINE.len());
    let host = &node.address;
    let post = |headers: &str| {
        raw(&node, format!("POST {EVENTS} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n{chunked}").as_bytes())
    };
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "transfer-encoding:chunked\r\ncontent-length:0\r\n",
    ] {
        // The connection is closed: `raw` reads to its end.
        let answer = post(headers);
        is(&answer, 400, "request");
        assert!(answer.contains("both `Content-Length` and `Transfer-Encoding`"), "{answer}");
    }
    for encoding in ["gzip", "gzip, chunked", "identity", "deflate"] {
        is(&post(&format!("Transfer-Encoding: {encoding}\r\n")), 501, "transfer_encoding");
    }
    // After other requests on the same connection as well.
    let before =
        format!("POST {EVENTS} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}");
    let both = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
    );
    let answer = raw(&node, format!("{before}{before}{both}{before}").as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    is(&answer[answer.find("HTTP/1.1 400").expect("the third")..], 400, "request");
    node.catch_up();
    assert_eq!(node.rows("total").0[0]["value"], 2, "nothing of a refused request is taken");
    let two = "Origin: http://localhost\r\nOrigin: http://localhost\r\n";
    is(&head(&node, "GET /v1/metrics", two), 400, "request");
}

#[test]
fn accept_is_weighed() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    for (accept, media_type) in [
        ("Accept: text/csv;q=0.5, application/json;q=0.9\r\n", "application/json"),
        ("Accept: application/json;q=0, */*\r\n", "text/csv"),
        ("Accept: application/json;q=0.1\r\nAccept: text/csv\r\n", "text/csv"),
        (
            "Accept: text/csv;q=0, application/vnd.apache.arrow.stream;q=0.1\r\n",
            "application/vnd.apache.arrow.stream",
        ),
    ] {
        let answer = head(&node, "GET /v1/metrics/total", accept).to_ascii_lowercase();
        assert!(answer.contains(&format!("content-type: {media_type}")), "{accept}: {answer}");
    }
}
