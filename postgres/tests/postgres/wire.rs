//! The protocol as bytes: what no client sends, what a log says, and statements that are cancelled.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use metricc_postgres::ReadStatement;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::door::Server;

/// Random sessions. METRICC_WIRE_ROUNDS tries more, from METRICC_WIRE_SEED on.
const ROUNDS: u64 = 400;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// A message of a kind; the first one has none.
fn message(kind: Option<u8>, body: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = kind.into_iter().collect();
    bytes.extend(u32::try_from(body.len() + 4).expect("a short message").to_be_bytes());
    bytes.extend(body);
    bytes
}

fn startup() -> Vec<u8> {
    message(None, b"\0\x03\0\0user\0analyst\0database\0metricc\0\0")
}

fn query(text: &str) -> Vec<u8> {
    message(Some(b'Q'), format!("{text}\0").as_bytes())
}

/// A connection whose reads and writes end.
fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Reads until the server is ready for a statement; all that it has said.
fn until_ready(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let mut part = [0; 4096];
    while !read.ends_with(b"Z\0\0\0\x05I") {
        let n = stream.read(&mut part).expect("an answer");
        assert_ne!(n, 0, "the connection was closed: {:?}", String::from_utf8_lossy(&read));
        read.extend(&part[..n]);
    }
    read
}

pub(crate) fn ready(server: &Server) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(&startup()).expect("it reads");
    until_ready(&mut stream);
    stream
}

/// Messages that clients send, with bodies that fit.
fn messages(random: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let all = [
        query("SELECT country, MEASURE(n) FROM orders GROUP BY country"),
        query("SELECT 1; SELECT 2"),
        query("COPY (SELECT * FROM revenue) TO STDOUT"),
        query("BEGIN"),
        query("DECLARE c CURSOR FOR SELECT * FROM payments"),
        query("FETCH 3 FROM c"),
        query("ROLLBACK"),
        message(Some(b'P'), b"s\0SELECT n FROM orders WHERE country = $1\0\0\0"),
        message(Some(b'B'), b"\0s\0\0\0\0\x01\0\0\0\x02IN\0\0"),
        message(Some(b'D'), b"Ss\0"),
        message(Some(b'D'), b"P\0"),
        message(Some(b'E'), b"\0\0\0\0\x02"),
        message(Some(b'C'), b"Ss\0"),
        message(Some(b'H'), b""),
        message(Some(b'S'), b""),
        message(Some(b'd'), b"rows"),
        message(Some(b'c'), b""),
        message(Some(b'f'), b"no\0"),
        message(Some(b'p'), b"password\0"),
        message(Some(b'F'), b"\0\0\0\x01\0\0\0\0\0\0"),
    ];
    (0..random.random_range(1..8)).map(|_| all[random.random_range(0..all.len())].clone()).collect()
}

/// Breaks bytes as a faulty client, or a hostile one, would.
fn broken(random: &mut ChaCha8Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes.truncate(at + 1),
            2 => {
                let garbage: Vec<u8> = (0..random.random_range(1..40)).map(|_| random.random()).collect();
                bytes.splice(at..at, garbage);
            }
            // A length, or a count.
            3 => {
                let lengths = [0_u32, 1, 3, 4, 5, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x3fff_fffe];
                let length = lengths[random.random_range(0..lengths.len())].to_be_bytes();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&length[..end - at]);
            }
            4 => drop(bytes.drain(at..(at + 5).min(bytes.len() - 1).max(at))),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

#[test]
fn what_no_client_sends_ends_one_connection_at_most() {
    let server = Server::start(false);
    let mut others = ready(&server);
    let from = number("METRICC_WIRE_SEED", 1);
    for seed in from..from + number("METRICC_WIRE_ROUNDS", ROUNDS) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = match random.random_range(0..8) {
            0 => message(None, b"\x04\xd2\x16\x2f"),
            1 => message(None, b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"),
            2 => Vec::new(),
            _ => startup(),
        };
        messages(&mut random).iter().for_each(|message| bytes.extend(message));
        let bytes = broken(&mut random, bytes);
        let mut stream = connect(&server);
        // The server may have closed the connection by now.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let begun = Instant::now();
        let _ = stream.read_to_end(&mut said);
        assert!(begun.elapsed() < Duration::from_secs(15), "seed {seed} hangs");
        if seed % 20 == 0 {
            others.write_all(&query("SELECT MEASURE(n) FROM orders")).expect("it reads");
            let answer = String::from_utf8_lossy(&until_ready(&mut others)).into_owned();
            assert!(answer.contains("60"), "seed {seed}: {answer}");
        }
    }
    // Nothing is left open: all places of connections are free.
    drop(others);
    let all: Vec<TcpStream> = (0..20).map(|_| ready(&server)).collect();
    assert_eq!(all.len(), 20);
}

#[test]
fn each_statement_that_reads_has_an_entry_of_the_log() {
    let server = Server::with_limits(false, 50);
    let mut stream = ready(&server);
    for text in [
        "SELECT country, MEASURE(n) FROM orders GROUP BY country",
        "SELECT relname FROM pg_catalog.pg_class LIMIT 1",
        "SELECT * FROM payments",
        "SELECT nothing FROM revenue",
        "DROP TABLE revenue",
        "COPY (SELECT r.value FROM revenue r JOIN orders o ON r.country = o.country WHERE false) TO STDOUT",
        "SET statement_timeout = 1000",
    ] {
        stream.write_all(&query(text)).expect("it reads");
        until_ready(&mut stream);
    }
    let log = server.log.lock().expect("no panic").clone();
    let entry = |entry: &ReadStatement| {
        let kind = entry.text.split(' ').next().unwrap_or_default();
        let code = entry.code.as_deref().unwrap_or("-");
        format!("{kind} {} {} {code} {}", entry.tables.join(","), entry.n_rows, entry.is_complete)
    };
    assert_eq!(
        log.iter().map(entry).collect::<Vec<_>>(),
        [
            "SELECT orders 3 - true",
            "SELECT payments 0 54000 false",
            "SELECT  0 42703 false",
            "DROP  0 25006 false",
            "COPY revenue,orders 0 - true",
        ]
    );
    assert!(log[0].n_bytes > 0);
}

#[test]
fn rows_that_are_on_their_way_are_cancelled() {
    let server = Server::with_limits(false, u64::MAX);
    let mut stream = connect(&server);
    stream.write_all(&startup()).expect("it reads");
    let said = until_ready(&mut stream);
    // `BackendKeyData`, a message of twelve bytes, is what a request to cancel repeats.
    let at = said.windows(5).position(|window| window == b"K\0\0\0\x0c").expect("a key") + 5;
    let key = said[at..at + 8].to_vec();
    let many = "SELECT a._offset FROM payments a, payments b, payments c, payments d, payments e";
    stream.write_all(&query(many)).expect("it reads");
    let mut part = [0; 1024];
    assert_ne!(stream.read(&mut part).expect("rows"), 0);
    let request = [b"\x04\xd2\x16\x2e".as_slice(), &key].concat();
    connect(&server).write_all(&message(None, &request)).expect("it reads");
    let said = until_ready(&mut stream);
    assert!(String::from_utf8_lossy(&said).contains("57014"), "{} bytes", said.len());
    stream.write_all(&query("SELECT 1")).expect("it reads");
    until_ready(&mut stream);
}
