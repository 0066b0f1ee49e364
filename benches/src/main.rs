//! How many CPU-seconds a million events cost, in batch, in stream, and by hand-written SQL.
//!
//! ```sh
//! cargo run --release -p metricc-bench                     # metricc alone
//! cargo run --release -p metricc-bench --features sql      # beside DataFusion SQL, on the same files
//! ```
//!
//! An argument sets the number of events (default 5,000,000). All figures of one run are comparable with
//! one another and with nothing else; they are CPU time of the whole process, best of three.

mod clock;
mod events;
#[cfg(feature = "sql")]
mod peer;

use std::sync::Arc;

use clock::cpu_seconds;
use metricc::{Bound, Engine, EngineOptions, Package, bind, evaluate_interval};
use metricc_dsl::SourceText;
use metricc_log::{Batch, Binding, Interval};
use metricc_runtime_stream::{Stream, StreamOptions};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 3;
const SOURCE: &str = "\
source events {
  at: timestamp time  country: string  region: int  merchant_id: int  amount: int  status: string
}
calendar india { zone \"Asia/Kolkata\", week monday }
";

/// A question, as a metric and as the best SQL we know for it.
struct Question {
    name: &'static str,
    metric: &'static str,
    sql: &'static str,
}

const QUESTIONS: [Question; 5] = [
    Question {
        name: "count, sum by country × hour, filtered",
        metric: "{ n: count(), total: sum(amount) } { from events  where status == \"captured\" and amount > 0  by country  every 1h }",
        sql: "SELECT country, \"at\" / 3600000000 h, count(*), sum(amount) FROM events WHERE status = 'captured' AND amount > 0 GROUP BY 1, 2",
    },
    Question {
        name: "min, max, mean by region (1k keys)",
        metric: "{ lo: min(amount), hi: max(amount), mean: mean(amount) } { from events  by region }",
        sql: "SELECT region, min(amount), max(amount), avg(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "count, sum by region (1k keys)",
        metric: "{ n: count(), total: sum(amount) } { from events  by region }",
        sql: "SELECT region, count(*), sum(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "sum by merchant × hour (almost unique)",
        metric: "sum(amount) { from events  by merchant_id  every 1h }",
        sql: "SELECT merchant_id, \"at\" / 3600000000 h, sum(amount) FROM events GROUP BY 1, 2",
    },
    Question {
        name: "count by merchant (100k keys)",
        metric: "count() { from events  by merchant_id }",
        sql: "SELECT merchant_id, count(*) FROM events GROUP BY 1",
    },
];

fn main() -> Result<(), Failure> {
    let n_events: usize = std::env::args().nth(1).map_or(Ok(5_000_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.parquet");
    events::write(&path, n_events)?;
    let millions = n_events as f64 / 1e6;
    out("| question | batch | stream | stream, decoded | M events per CPU-s, decoded | SQL |");
    out("|---|---|---|---|---|---|");
    for question in &QUESTIONS {
        let bound = bound(&[question.metric], &path)?;
        let batch = best(|| whole(&bound, Engine::Batch))? / millions;
        let stream = best(|| whole(&bound, Engine::Stream))? / millions;
        let decoded = decode(&bound)?;
        let fed = best(|| feed(&bound, &decoded))? / millions;
        out(&format!(
            "| {} | {batch:.3} | {stream:.3} | {fed:.3} | {:.1} | {} |",
            question.name,
            1.0 / fed,
            sql(&path, question.sql, millions)?
        ));
    }
    let all: Vec<&str> = QUESTIONS.iter().map(|question| question.metric).collect();
    let bound = bound(&all, &path)?;
    let batch = best(|| whole(&bound, Engine::Batch))? / millions;
    let stream = best(|| whole(&bound, Engine::Stream))? / millions;
    out(&format!("| all {} at once | {batch:.3} | {stream:.3} | | | |", all.len()));
    Ok(())
}

fn bound(metrics: &[&str], path: &std::path::Path) -> Result<Bound, Failure> {
    let mut text = SOURCE.to_owned();
    for (index, metric) in metrics.iter().enumerate() {
        text.push_str(&format!("metric m{index} = {metric}\n"));
    }
    let package = Package::from_text(SourceText { name: "bench.metric".to_owned(), bytes: text.into() });
    let binding = ("events".to_owned(), Binding::new(path.to_string_lossy()));
    let metrics = package.metrics(&[])?;
    bind(&package, &metrics, &[binding], &|_, _| ())?.pop().ok_or_else(|| "no plan".into())
}

fn whole(bound: &Bound, engine: Engine) -> Result<(), Failure> {
    let interval = Interval::new(bound.log.start(), bound.log.end())?;
    evaluate_interval(bound, engine, &interval, &EngineOptions::default(), &|_| ())?;
    Ok(())
}

/// All batches of the log, decoded.
fn decode(bound: &Bound) -> Result<Vec<Batch>, Failure> {
    let interval = Interval::new(bound.log.start(), bound.log.end())?;
    let mut batches = Vec::new();
    for slice in bound.log.slices(&interval, 1).iter().flatten() {
        let rows = StreamOptions::default().batch_rows;
        for batch in bound.log.read(slice, &bound.plan.columns, rows)? {
            batches.push(batch?);
        }
    }
    Ok(batches)
}

/// One worker, fed from memory; the result is waited for, and read at the end.
fn feed(bound: &Bound, batches: &[Batch]) -> Result<(), Failure> {
    let options = StreamOptions { workers: 1, ..StreamOptions::default() };
    let mut stream = Stream::start(&Arc::clone(&bound.plan), bound.log.start(), &options)?;
    for batch in batches {
        stream.feed(batch)?;
    }
    stream.wait()?;
    Ok(())
}

fn best(mut run: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = cpu_seconds()?;
        run()?;
        best = best.min(cpu_seconds()? - start);
    }
    Ok(best)
}

#[cfg(feature = "sql")]
fn sql(path: &std::path::Path, query: &str, millions: f64) -> Result<String, Failure> {
    Ok(format!("{:.3}", best(|| peer::run(path, query))? / millions))
}

#[cfg(not(feature = "sql"))]
fn sql(_: &std::path::Path, _: &str, _: f64) -> Result<String, Failure> {
    Ok("(feature `sql`)".to_owned())
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn out(line: &str) {
    println!("{line}");
}
