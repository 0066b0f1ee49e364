//! How CPU and memory grow with events, groups, metrics and workers, in batch and in the stream.
//!
//! ```sh
//! cargo run --release -p metricc-bench --bin curves                 # all curves
//! cargo run --release -p metricc-bench --bin curves -- groups       # one of events, groups, metrics, workers
//! cargo run --release -p metricc-bench --bin curves -- events 1000000000   # a further point of a curve
//! ```
//!
//! Events are generated when they are read: 30 days in order of time, a key and an amount, both drawn at
//! random. Each point is a process of its own, which evaluates the log once: CPU-seconds of all threads, user
//! and system, generating included; time on the clock; and peak memory.

mod generated;
#[path = "../memory.rs"]
mod memory;

use std::sync::Arc;
use std::time::Instant;

use cpu_time::ProcessTime;
use generated::{Generated, SOURCE};
use metricc::{Bound, Engine, EngineOptions, Package, evaluate_interval};
use metricc_compiler::SourcePlan;
use metricc_dsl::SourceText;
use metricc_log::{Interval, Log, RecordDecoder};

/// The allocator of the `metricc` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// What varies along a curve, and its points.
const CURVES: [(&str, &[u64]); 4] = [
    ("events", &[1_000_000, 10_000_000, 100_000_000]),
    ("groups", &[100, 10_000, 1_000_000, 10_000_000]),
    ("metrics", &[1, 10, 50, 200]),
    ("workers", &[1, 2]),
];

/// A point of a curve.
#[derive(Debug, Clone, Copy)]
struct Point {
    n_events: u64,
    n_keys: u64,
    n_metrics: u64,
    workers: u64,
}

/// The point that the curves have in common.
const COMMON: Point = Point { n_events: 10_000_000, n_keys: 1_000, n_metrics: 1, workers: 2 };

impl Point {
    /// The common point, but for one thing. Where keys outnumber events, there are more events.
    fn along(curve: &str, value: u64) -> Self {
        match curve {
            "events" => Point { n_events: value, ..COMMON },
            "groups" => Point { n_keys: value, n_events: COMMON.n_events.max(2 * value), ..COMMON },
            "metrics" => Point { n_metrics: value, n_events: COMMON.n_events / 10, ..COMMON },
            _ => Point { workers: value, ..COMMON },
        }
    }

    fn bound(&self) -> Result<Bound, Failure> {
        let mut text = SOURCE.to_owned();
        for n in 0..self.n_metrics {
            let rows = format!("from events where amount >= {n} by key");
            text.push_str(&format!("metric m{n} = {{ n: count(), s: sum(amount) }} {{ {rows} }}\n"));
        }
        let package = Package::from_text(SourceText { name: "curves.metric".to_owned(), bytes: text.into() });
        let mut plans = SourcePlan::of_package(&package.metrics(&[])?, &package.imports)?;
        let plan = plans.pop().ok_or("no plan")?;
        let generated = Generated { n_events: self.n_events, n_keys: self.n_keys };
        let log = Log::of_partitions(&RecordDecoder::new(&plan.source)?, vec![Arc::new(generated)]);
        Ok(Bound { plan: Arc::new(plan), log })
    }
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["--point", engine, curve, value] => measure(engine, Point::along(curve, value.parse()?)),
        [] => CURVES.iter().try_for_each(|(curve, values)| table(curve, values)),
        [curve] => {
            let known = CURVES.iter().find(|(name, _)| *name == curve).ok_or("no such curve")?;
            table(curve, known.1)
        }
        [curve, value] => table(curve, &[value.parse()?]),
        _ => Err("curves [events|groups|metrics|workers [VALUE]]".into()),
    }
}

/// The table of a curve, a process for each figure.
fn table(curve: &str, values: &[u64]) -> Result<(), Failure> {
    let columns = "CPU-s per million events | seconds | MiB";
    out(&format!("| {curve} | events | batch: {columns} | stream: {columns} |"));
    out(&format!("|{}", "---|".repeat(8)));
    for value in values {
        let n_events = Point::along(curve, *value).n_events;
        let mut row = format!("| {value} | {n_events} |");
        for engine in ["batch", "stream"] {
            let mut process = std::process::Command::new(std::env::current_exe()?);
            let measured = process.args(["--point", engine, curve, &value.to_string()]).output()?;
            if !measured.status.success() {
                return Err(String::from_utf8_lossy(&measured.stderr).into());
            }
            row.push_str(&format!(" {} |", String::from_utf8(measured.stdout)?.trim()));
        }
        out(&row);
    }
    out("");
    Ok(())
}

/// Evaluates the log of a point once and prints what it took.
fn measure(engine: &str, point: Point) -> Result<(), Failure> {
    let engine = if engine == "batch" { Engine::Batch } else { Engine::Stream };
    let bound = point.bound()?;
    let interval = Interval::new(bound.log.start(), bound.log.end())?;
    let options = EngineOptions { workers: usize::try_from(point.workers)?, ..EngineOptions::default() };
    let (cpu, clock) = (ProcessTime::try_now()?, Instant::now());
    let evaluation = evaluate_interval(&bound, engine, &interval, &options, &|_| ())?;
    let (cpu, clock) = (cpu.try_elapsed()?.as_secs_f64(), clock.elapsed().as_secs_f64());
    if evaluation.read_stats.n_records != point.n_events {
        return Err("not all events were read".into());
    }
    let per_million = cpu / (point.n_events as f64 / 1e6);
    out(&format!("{per_million:.3} | {clock:.2} | {:.0}", memory::peak_mebibytes_of("self")?));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the tables are what this program is for")]
fn out(line: &str) {
    println!("{line}");
}
