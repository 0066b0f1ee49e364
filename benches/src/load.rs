//! A node under load: events in, answers out, and a restart. The node is a separate process.
//!
//! ```sh
//! cargo build --release -p metricc
//! cargo run --release -p metricc-bench --bin load                      # 20 s
//! cargo run --release -p metricc-bench --bin load -- SECONDS ANSWERS EVENTS    # a second; 0: as many as possible
//! cargo run --release -p metricc-bench --bin load -- 30 1 0 3600    # seconds between batches (default 7)
//! ```
//!
//! Two connections send events as NDJSON, in requests of 8,000. Meanwhile one thread reads single rows at a
//! fixed rate, and another one sends an event now and then and reads until the event is in the answer. Then
//! the node is killed with all events since its last batch, and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;

use node::{Node, start};

mod node;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PACKAGE: &str = "
source events { at: timestamp time  country: string  user: int  amount: decimal(12, 2)  status: string }
metric revenue = sum(amount) { from events  where status == \"captured\"  by country  every 1h }
metric failure_rate = (count() where status == \"failed\") / count() { from events  by country  every 1h }
metric users = distinct(user, within: 1%) { from events  by country  every 1h }
metric by_user = { n: count(), money: sum(amount) } { from events  by user }
";

/// Number of random users; one more is the probe's.
const N_USERS: u64 = 10_000;
/// Events of a request.
const N_EVENTS: u64 = 8000;
const PROBE: u64 = 1_000_000;

fn body(seed: u64, n: u64) -> String {
    let mut text = String::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..n {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let country = ["IN", "DE", "US", "FR", "BR", "JP", "GB", "NG"][(random % 8) as usize];
        let status = ["captured", "failed", "refunded"][(random >> 8) as usize % 3];
        let (hour, minute) = ((random >> 16) % 24, (random >> 24) % 60);
        text.push_str(&format!(
            "{{\"at\":\"2026-04-25T{hour:02}:{minute:02}:00Z\",\"country\":\"{country}\",\"user\":{},\"amount\":{}.{:02},\"status\":\"{status}\"}}\n",
            (random >> 32) % N_USERS,
            (random >> 40) % 1000,
            (random >> 50) % 100
        ));
    }
    text
}

async fn send(client: &Client, url: &str, body: String) -> Result<bool, Failure> {
    let response = client.post(format!("{url}/v1/sources/events/events")).body(body).send().await?;
    Ok(response.status().is_success())
}

async fn of_user(client: &Client, url: &str, user: u64) -> Result<u64, Failure> {
    let response = client.get(format!("{url}/v1/metrics/by_user?key.user={user}")).send().await?;
    let answer: Value = serde_json::from_str(&response.text().await?)?;
    Ok(answer["rows"][0]["value"]["n"].as_u64().unwrap_or(0))
}

/// A quantile of sorted times, in milliseconds.
fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (seconds, rate, event_rate, every) = (number(20)?, number(1000)?, number(0)?, number(7)?);
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("events.metric"), PACKAGE)?;
    let config = format!(
        "package = \"events.metric\"\nlisten = \"127.0.0.1:0\"\n[batch]\nevery = \"{every}s\"\nevents = 100000000\n"
    );
    std::fs::write(home.path().join("metricc.toml"), config)?;
    let node = start(home.path())?;
    let (n_sent, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let begin = Instant::now();
    let mut writers = Vec::new();
    for writer in 0..2u64 {
        let (url, n_sent, is_over) = (url_of(&node), n_sent.clone(), is_over.clone());
        writers.push(tokio::spawn(async move {
            let client = Client::new();
            let bodies: Vec<String> = (0..8).map(|seed| body(writer * 100 + seed + 1, N_EVENTS)).collect();
            for turn in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                if send(&client, &url, bodies[turn % bodies.len()].clone()).await? {
                    n_sent.fetch_add(N_EVENTS, Ordering::Relaxed);
                }
                if event_rate > 0 {
                    let due = n_sent.load(Ordering::Relaxed) as f64 / event_rate as f64;
                    tokio::time::sleep(Duration::from_secs_f64(
                        (due - begin.elapsed().as_secs_f64()).max(0.0),
                    ))
                    .await;
                }
            }
            Ok::<(), Failure>(())
        }));
    }
    let (url, own) = (url_of(&node), is_over.clone());
    // The writers' work must not be part of the measurement.
    let reader = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(read(url, rate, own))
    });
    let memory = tokio::spawn(memory(node.process.id(), is_over.clone()));
    let probe = tokio::spawn(probe(url_of(&node), is_over.clone()));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await??;
    }
    let took = begin.elapsed().as_secs_f64();
    let reads = reader.join().map_err(|_| "the reader died")??;
    let (shown, memory) = (probe.await??, memory.await??);
    report(took, n_sent.load(Ordering::Relaxed), reads, shown, &memory);
    restart(node, home.path()).await
}

fn report(took: f64, n_sent: u64, mut reads: Vec<Duration>, mut shown: Vec<Duration>, memory: &[u64]) {
    out(&format!("events acknowledged a second: {:.0}", n_sent as f64 / took));
    out(&format!(
        "answers a second: {:.0}; p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        reads.len() as f64 / took,
        quantile(&mut reads, 0.5),
        quantile(&mut reads, 0.99),
        quantile(&mut reads, 1.0)
    ));
    out(&format!(
        "an event shows after: p50 {:.0} ms, p99 {:.0} ms, most {:.0} ms ({} events)",
        quantile(&mut shown, 0.5),
        quantile(&mut shown, 0.99),
        quantile(&mut shown, 1.0),
        shown.len()
    ));
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len().max(1) as f64 / 1024.0;
    let fifth = (memory.len() / 5).max(1);
    out(&format!(
        "memory: {:.0} MB in the second fifth of the time, {:.0} MB in the last one, {:.0} MB at most",
        mean(memory.get(fifth..2 * fifth).unwrap_or_default()),
        mean(&memory[memory.len() - fifth.min(memory.len())..]),
        memory.iter().max().copied().unwrap_or(0) as f64 / 1024.0
    ));
}

/// The resident memory of a process, in kB, twice a second.
async fn memory(process: u32, is_over: Arc<AtomicBool>) -> Result<Vec<u64>, Failure> {
    let mut all = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
        all.push(line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(all)
}

/// Reads single rows at a rate. Each read starts on time, whether or not the previous one is answered.
async fn read(url: String, rate: u64, is_over: Arc<AtomicBool>) -> Result<Vec<Duration>, Failure> {
    let client = Client::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let (mut asked, mut user) = (tokio::task::JoinSet::new(), 0u64);
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        for _ in 0..(rate / 1000).max(1) {
            user = (user + 7919) % N_USERS;
            let (client, url) = (client.clone(), url.clone());
            asked.spawn(async move {
                let start = Instant::now();
                of_user(&client, &url, user).await.map(|_| start.elapsed())
            });
        }
        while let Some(done) = asked.try_join_next() {
            times.push(done??);
        }
    }
    while let Some(done) = asked.join_next().await {
        times.push(done??);
    }
    Ok(times)
}

/// Sends an event and reads until it is in the answer; the time since it was acknowledged.
async fn probe(url: String, is_over: Arc<AtomicBool>) -> Result<Vec<Duration>, Failure> {
    let client = Client::new();
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let event = format!(
            "{{\"at\":\"2026-04-25T10:00:00Z\",\"country\":\"IN\",\"user\":{PROBE},\"amount\":1.00,\"status\":\"captured\"}}\n"
        );
        if !send(&client, &url, event).await? {
            continue;
        }
        let start = Instant::now();
        while of_user(&client, &url, PROBE).await? <= times.len() as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(times)
}

async fn restart(mut node: Node, home: &std::path::Path) -> Result<(), Failure> {
    let client = Client::new();
    let status = client.get(format!("{}/v1/sources", url_of(&node))).send().await?.text().await?;
    let status: Value = serde_json::from_str(&status)?;
    let source = &status["sources"][0];
    let offset = |name: &str| source[name][0].as_u64().unwrap_or(0);
    let rss = std::fs::read_to_string(format!("/proc/{}/status", node.process.id()))?;
    let rss = rss.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    out(&format!(
        "the log has {} events, {} of them beyond the view; {}",
        offset("end"),
        offset("end") - offset("view"),
        rss.split_whitespace().collect::<Vec<_>>().join(" ")
    ));
    node.process.kill()?;
    node.process.wait()?;
    let begin = Instant::now();
    let node = start(home)?;
    loop {
        let ready = client.get(format!("{}/readyz", url_of(&node))).send().await;
        if ready.is_ok_and(|response| response.status().is_success()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    out(&format!("killed and answering again after {:.1} s", begin.elapsed().as_secs_f64()));
    Ok(())
}

fn url_of(node: &Node) -> String {
    format!("http://{}", node.address)
}

#[allow(clippy::print_stdout, reason = "the report is what this program is for")]
fn out(text: &str) {
    println!("{text}");
}
