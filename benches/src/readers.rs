//! Large answers beside small ones: ten readers fetch a million rows each as JSON, while small answers and
//! probes are timed. The node is a separate process.
//!
//! ```sh
//! cargo build --release -p metricc
//! cargo run --release -p metricc-bench --bin readers                      # 10 readers of 1,000,000 rows
//! cargo run --release -p metricc-bench --bin readers -- READERS ROWS ROUNDS
//! ```
//!
//! Each reader reads the whole answer so many times, and throws its bytes away. A small answer is one row by
//! its key.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use node::start;

mod node;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PACKAGE: &str = "
source events { at: timestamp time  user: int }
metric by_user = count() { from events by user }
";
const PER_REQUEST: u64 = 10_000;

/// Sends a request on a connection of its own; the bytes of the answer, and the first of them.
fn send(address: &str, head: &str, body: &[u8]) -> Result<(u64, Vec<u8>), Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let length = body.len();
    let head = format!(
        "{head} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let (mut n_bytes, mut first, mut buffer) = (0, Vec::new(), vec![0; 1 << 16]);
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        if first.len() < 200 {
            first.extend(&buffer[..n.min(200)]);
        }
        n_bytes += n as u64;
    }
    if !first.starts_with(b"HTTP/1.1 200") {
        return Err(String::from_utf8_lossy(&first).into());
    }
    Ok((n_bytes, first))
}

/// Times a request again and again, every few milliseconds.
fn timed(address: &str, path: &str, is_over: &AtomicBool) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        send(address, &format!("GET {path}"), b"")?;
        times.push(begin.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    Ok(times)
}

/// The resident memory of a process, in MB.
fn memory(process: u32) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024)
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let quantile = |share: f64| {
        let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
        times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    let (p50, p99, most) = (quantile(0.5), quantile(0.99), quantile(1.0));
    out(&format!("{name}: {} answers; p50 {p50:.2} ms, p99 {p99:.2} ms, most {most:.2} ms", times.len()));
}

/// How long each of some large answers took.
fn large(address: &str, n_rounds: u64) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..n_rounds {
        let begin = Instant::now();
        send(address, "GET /v1/metrics/by_user", b"")?;
        times.push(begin.elapsed());
    }
    Ok(times)
}

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (n_readers, n_rows, n_rounds) = (number(10)?, number(1_000_000)?, number(3)?);
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("events.metric"), PACKAGE)?;
    let config = "package = \"events.metric\"\nlisten = \"127.0.0.1:0\"\n[batch]\nevery = \"1h\"\nevents = 100000000\n";
    std::fs::write(home.path().join("metricc.toml"), config)?;
    let node = start(home.path())?;
    let address = node.address.clone();
    for from in (0..n_rows).step_by(PER_REQUEST as usize) {
        let line = |user: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"user\":{user}}}\n");
        let body: String = (from..(from + PER_REQUEST).min(n_rows)).map(line).collect();
        send(&address, "POST /v1/sources/events/events", body.as_bytes())?;
    }
    let end = format!("GET /v1/sources/events/served?min_frontier={n_rows}");
    send(&address, &end, b"")?;
    // The first read by key builds the index.
    send(&address, "GET /v1/metrics/by_user?key.user=7", b"")?;
    let (bytes, _) = send(&address, "GET /v1/metrics/by_user", b"")?;
    thread::sleep(Duration::from_secs(2));
    let idle = memory(node.process.id())?;
    out(&format!("{n_rows} rows, {} MB of JSON; {idle} MB of memory when idle", bytes >> 20));

    let is_over = Arc::new(AtomicBool::new(false));
    let spawn_timed = |path: &'static str| {
        let (address, is_over) = (address.clone(), is_over.clone());
        thread::spawn(move || timed(&address, path, &is_over))
    };
    let (small, probes) = (spawn_timed("/v1/metrics/by_user?key.user=7"), spawn_timed("/healthz"));
    let begin = Instant::now();
    let spawn_reader = |_| {
        let address = address.clone();
        thread::spawn(move || large(&address, n_rounds))
    };
    let readers: Vec<_> = (0..n_readers).map(spawn_reader).collect();
    let mut most = 0;
    while readers.iter().any(|reader| !reader.is_finished()) {
        most = most.max(memory(node.process.id())?);
        thread::sleep(Duration::from_millis(20));
    }
    let took = begin.elapsed().as_secs_f64();
    is_over.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.join().map_err(|_| "a reader died")??);
    }
    report("large answers", times);
    report("small answers", small.join().map_err(|_| "the reader died")??);
    report("/healthz", probes.join().map_err(|_| "the reader died")??);
    let rows = (n_readers * n_rounds * n_rows) as f64 / took;
    out(&format!(
        "{rows:.0} rows a second; {most} MB of memory at most, {} MB above idle",
        most - idle.min(most)
    ));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the report is what this program is for")]
fn out(text: &str) {
    println!("{text}");
}
