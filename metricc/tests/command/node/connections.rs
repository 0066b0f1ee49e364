//! F38: idle connections, and many of one address.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Home, Node, TIMEOUT};

const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric total = sum(n) { from events }
";

fn open(node: &Node) -> TcpStream {
    let stream = TcpStream::connect(&node.address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
    stream
}

/// Asks on a connection that is open, and returns all that comes.
fn ask(node: &Node, stream: &mut TcpStream, path: &str) -> String {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", node.address);
    let _ = stream.write_all(text.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn f38_idle_connections_of_one_address_keep_no_probe_out_and_are_dropped() {
    let home = Home::new(PACKAGE, "[http]\nmax_connections_per_address = 20\n");
    let node = home.ready();
    let since = Instant::now();
    // Some send a part of a request, and never the rest.
    let mut idle: Vec<TcpStream> = (0..300).map(|_| open(&node)).collect();
    for stream in idle.iter_mut().step_by(2) {
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ");
    }
    // Beyond the limit, a place for probes is free again within half a second, long before idle ones are
    // dropped.
    let mut n_tries = 0;
    let is_answered = || node.send("GET", "/healthz", &[], b"").is_ok_and(|answer| answer.status == 200);
    while !is_answered() {
        n_tries += 1;
        std::thread::sleep(Duration::from_millis(50));
        assert!(since.elapsed() < Duration::from_secs(4), "{n_tries} probes had no answer");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(node.get(path).status, 200, "{path}");
    }
    let refused = node.get("/v1/metrics/total");
    assert!(since.elapsed() < Duration::from_secs(5), "the idle connections are still there");
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &"busy".into()));
    assert!(refused.body.contains("`max_connections_per_address` under `[http]`"), "{}", refused.body);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    // After 5 s without a request they are closed, and nothing is left of the limit.
    for stream in &mut idle {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
    }
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
    node.until(|node| node.get("/v1/metrics/total").status == 200);
}

#[test]
fn f38_live_clients_of_one_address_keep_no_probe_out() {
    let home =
        Home::new(PACKAGE, "[http]\nmax_connections_per_address = 20\n[reading]\nmax_live_per_client = 5\n");
    let node = home.ready();
    let mut open: Vec<TcpStream> = (0..200).map(|_| open(&node)).collect();
    for stream in &mut open {
        let text = format!("GET /v1/metrics/total/live HTTP/1.1\r\nHost: {}\r\n\r\n", node.address);
        let _ = stream.write_all(text.as_bytes());
        let _ = stream.read(&mut [0; 12]);
    }
    // Those that are refused take no place, although nobody closes them on the other side.
    assert_eq!(node.get("/healthz").status, 200);
    assert_eq!(node.get("/v1/metrics/total").status, 429);
}

#[test]
fn f38_a_connection_without_a_next_request_is_closed() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let (mut stream, since) = (open(&node), Instant::now());
    let answer = ask(&node, &mut stream, "/healthz");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let waited = since.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&waited), "{waited:?}");
}

#[test]
fn f38_a_thousand_idle_connections_do_not_slow_answers() {
    let home = Home::new(PACKAGE, "[http]\nmax_connections_per_address = 1400\n");
    let node = home.ready();
    let idle: Vec<TcpStream> = (0..1000).map(|_| open(&node)).collect();
    let since = Instant::now();
    for _ in 0..50 {
        assert_eq!(node.get("/v1/metrics/total").status, 200);
    }
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    assert_eq!(idle.len(), 1000);
}
