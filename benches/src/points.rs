//! Point reads over HTTP: as many as a node answers. The node is a separate process.
//!
//! ```sh
//! cargo build --release -p metricc
//! cargo run --release -p metricc-bench --bin points                        # 10 s, 50 connections
//! cargo run --release -p metricc-bench --bin points -- SECONDS CONNECTIONS USERS
//! ```
//!
//! Each connection asks for the row of a random user, and asks again when it has the answer; nothing is
//! pipelined. The client, one thread, shares the processors with the node, and its processor time is told.
//! Half of the events are in the view and half in the tail, so that an answer merges two states.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use node::start;
use reqwest::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

mod node;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PACKAGE: &str = "
source events { at: timestamp time  user: int  amount: decimal(12, 2) }
metric by_user = { n: count(), money: sum(amount) } { from events  by user }
";

/// Writes a line of the result.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn out(line: &str) {
    println!("{line}");
}

/// Events, one of each of these users.
fn body(users: Range<u64>) -> String {
    users.fold(String::new(), |mut text, user| {
        let _ =
            writeln!(text, "{{\"at\":\"2026-04-25T10:00:00Z\",\"user\":{user},\"amount\":\"{user}.25\"}}");
        text
    })
}

/// Processor time of a process so far, in clock ticks of 10 ms.
fn ticks(process: u32) -> Result<u64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    Ok(fields.skip(11).take(2).map_while(|ticks| ticks.parse::<u64>().ok()).sum())
}

/// Asks on one connection until the time is over; how long each answer took.
async fn ask(address: String, until: Instant, n_users: u64, seed: u64) -> Result<Vec<Duration>, Failure> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut random, mut received) =
        (Vec::new(), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, Vec::new());
    while Instant::now() < until {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let user = random % n_users;
        let request = format!("GET /v1/metrics/by_user?key.user={user} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        received.clear();
        while !is_complete(&received)? {
            if stream.read_buf(&mut received).await? == 0 {
                return Err("the node has closed a connection".into());
            }
        }
        times.push(asked.elapsed());
        if !String::from_utf8_lossy(&received).contains(&format!("\"key\":{{\"user\":{user}}}")) {
            return Err(
                format!("another answer for user {user}: {}", String::from_utf8_lossy(&received)).into()
            );
        }
    }
    Ok(times)
}

/// Whether bytes are a whole answer with status 200.
fn is_complete(bytes: &[u8]) -> Result<bool, Failure> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(&bytes[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("no answer: {}", String::from_utf8_lossy(bytes)).into());
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(bytes.len() >= end + 4 + length.ok_or("an answer without a length")?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (seconds, n_connections, n_users) = (number(10)?, number(50)?, number(10_000)?.max(1));
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("events.metric"), PACKAGE)?;
    let config =
        "package = \"events.metric\"\nlisten = \"127.0.0.1:0\"\n[batch]\nevery = \"2s\"\nevents = 1\n";
    std::fs::write(home.path().join("metricc.toml"), config)?;
    let node = start(home.path())?;
    let (client, url) = (Client::new(), format!("http://{}/v1/sources/events", node.address));
    // The first body is enough events for batch, the second one is not.
    for users in [0..n_users, 1..n_users] {
        client.post(format!("{url}/events")).body(body(users)).send().await?.error_for_status()?;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let process = node.process.id();
    let (begin, of_node, of_client) = (Instant::now(), ticks(process)?, ticks(std::process::id())?);
    let until = begin + Duration::from_secs(seconds);
    let asking =
        (1..=n_connections).map(|seed| tokio::spawn(ask(node.address.clone(), until, n_users, seed)));
    let mut times = Vec::new();
    for connection in asking.collect::<Vec<_>>() {
        times.extend(connection.await??);
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let micros = |ticks: u64| ticks as f64 * 1e4 / times.len() as f64;
    out(&format!(
        "{:.0} answers a second over {n_connections} connections; p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        times.len() as f64 / took,
        at(0.5),
        at(0.99),
        at(1.0)
    ));
    out(&format!(
        "processor time of an answer: {:.1} µs of the node, {:.1} µs of the client",
        micros(ticks(process)? - of_node),
        micros(ticks(std::process::id())? - of_client)
    ));
    Ok(())
}
