//! How long a node takes from its start to its first answer, with a view of many groups.
//!
//! ```sh
//! cargo build --release -p metricc
//! cargo run --release -p metricc-bench --bin starts               # 1,000,000 groups
//! cargo run --release -p metricc-bench --bin starts -- GROUPS
//! ```
//!
//! A node takes in one event of each group and a batch run makes a view of all of them. Then the node is
//! stopped and started again, and asked for a row by its key until it answers.

use std::time::{Duration, Instant};

use node::start;
use reqwest::Client;

mod memory;
mod node;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PACKAGE: &str = "
source events { at: timestamp time  user: int  amount: int }
metric by_user = { n: count(), s: sum(amount) } { from events by user every 24h }
";
const PER_REQUEST: u64 = 10_000;

/// Starts of the node, of which the fastest counts.
const ROUNDS: usize = 3;

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn out(line: &str) {
    println!("{line}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let n_groups: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("events.metric"), PACKAGE)?;
    let config =
        "package = \"events.metric\"\nlisten = \"127.0.0.1:0\"\n[batch]\nevery = \"2s\"\nevents = 1\n";
    std::fs::write(home.path().join("metricc.toml"), config)?;
    let client = Client::new();
    let mut node = start(home.path())?;
    for from in (0..n_groups).step_by(PER_REQUEST as usize) {
        let line =
            |user: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"user\":{user},\"amount\":{user}}}\n");
        let body: String = (from..(from + PER_REQUEST).min(n_groups)).map(line).collect();
        let url = format!("http://{}/v1/sources/events/events", node.address);
        let request = client.post(url).header("content-type", "application/x-ndjson").body(body);
        request.send().await?.error_for_status()?;
    }
    let sources = format!("http://{}/v1/sources", node.address);
    loop {
        let sources: serde_json::Value =
            serde_json::from_str(&client.get(&sources).send().await?.text().await?)?;
        if sources["sources"][0]["view"][0].as_u64() == Some(n_groups) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    out(&format!("{n_groups} groups; the node that made the view had {} MiB at most", peak(&node)?));
    for _ in 0..ROUNDS {
        drop(node);
        let begin = Instant::now();
        node = start(home.path())?;
        let listening = begin.elapsed().as_secs_f64();
        let url = format!("http://{}/v1/metrics/by_user?key.user={}", node.address, n_groups / 2);
        while !client.get(&url).send().await?.status().is_success() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let answered = begin.elapsed().as_secs_f64();
        let again = Instant::now();
        client.get(&url).send().await?.error_for_status()?;
        let second = again.elapsed().as_secs_f64() * 1e3;
        out(&format!(
            "listens after {listening:.2} s, answers after {answered:.2} s, the next answer takes {second:.2} ms; \
             {} MiB at most",
            peak(&node)?
        ));
    }
    Ok(())
}

/// Peak memory of the node, in MiB.
fn peak(node: &node::Node) -> Result<String, Failure> {
    Ok(format!("{:.0}", memory::peak_mebibytes_of(&node.process.id().to_string())?))
}
