//! The cost of a million events: in batch, in stream, and with hand-written SQL.
//!
//! ```sh
//! cargo run --release -p metricc-bench                          # metricc alone
//! cargo run --release -p metricc-bench --features sql           # compared with DataFusion SQL, on the same file
//! cargo run --release -p metricc-bench -- 20000000 customer     # 20 M events, questions with that word
//! cargo run --release -p metricc-bench --features sql -- 5000000 aggregates   # single aggregates by 1,000 keys
//! ```
//!
//! The number of events is 5,000,000 by default. Figures are CPU-seconds of the whole process per million
//! events, best of five rounds; only figures of the same run are comparable. Memory is the peak of a separate
//! process.

mod clock;
mod events;
mod memory;
#[cfg(feature = "sql")]
mod peer;
mod questions;

use std::path::Path;
use std::sync::Arc;

use clock::{Run, best};
use memory::peak_mebibytes_of;
use metricc::{Bound, Engine, EngineOptions, Package, bind, evaluate_interval};
use metricc_dsl::SourceText;
use metricc_log::{Batch, Binding, Interval};
use metricc_runtime_stream::Stream;
use questions::{AGGREGATES, QUESTIONS, Question, SOURCE};

/// The allocator of the `metricc` command, for everything that is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// First argument of the processes whose memory is measured.
const STREAM: &str = "--stream";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some(STREAM) {
        return stream(args);
    }
    let n_events: usize = first.map_or(Ok(5_000_000), |n| n.parse())?;
    let word = args.next().unwrap_or_default();
    let asked: Vec<&Question> = match word.as_str() {
        "" => QUESTIONS.iter().collect(),
        "aggregates" => AGGREGATES.iter().collect(),
        word => all_questions().filter(|question| question.name.contains(word)).collect(),
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.parquet");
    events::write(&path, n_events)?;
    let millions = n_events as f64 / 1e6;
    memory(&asked, &path, n_events)?;
    out(&format!("\n{n_events} events; CPU-seconds per million events\n"));
    out(
        "| question | SQL | batch | batch ÷ SQL | stream | stream ÷ batch | decoded → stream | M events per CPU-s |",
    );
    out("|---|---|---|---|---|---|---|---|");
    for question in &asked {
        compare(question.name, &[question], &path, millions)?;
    }
    if word.is_empty() {
        compare("all of them at once", &asked, &path, millions)?;
    }
    Ok(())
}

/// One row: the questions in one scan as metrics, one query after the other in SQL.
fn compare(name: &str, questions: &[&Question], path: &Path, millions: f64) -> Result<(), Failure> {
    let bound = bound(questions, path)?;
    let batches = decode(&bound)?;
    let runs: [Run<'_>; 4] = [
        &|| questions.iter().try_for_each(|question| sql(path, question.sql)),
        &|| whole(&bound, Engine::Batch),
        &|| whole(&bound, Engine::Stream),
        &|| feed(&bound, &batches),
    ];
    let [sql, batch, stream, fed] = best(runs)?.map(|seconds| seconds / millions);
    let (sql, of_sql) = if cfg!(feature = "sql") {
        (format!("{sql:.3}"), format!("{:.2}", batch / sql))
    } else {
        Default::default()
    };
    out(&format!(
        "| {name} | {sql} | {batch:.3} | {of_sql} | {stream:.3} | {:.2} | {fed:.3} | {:.1} |",
        stream / batch,
        1.0 / fed,
    ));
    Ok(())
}

/// Peak memory of a process that streams a quarter, a half and all of the file, with one worker.
fn memory(questions: &[&Question], path: &Path, n_events: usize) -> Result<(), Failure> {
    out("| question | MiB, ¼ of the events | ½ | all |");
    out("|---|---|---|---|");
    for question in questions {
        let mut row = format!("| {} |", question.name);
        for part in [4, 2, 1] {
            let mut process = std::process::Command::new(std::env::current_exe()?);
            let n_streamed = (n_events / part).to_string();
            let streamed = process.args([STREAM, question.name, &n_streamed]).arg(path).output()?;
            if !streamed.status.success() {
                return Err(String::from_utf8_lossy(&streamed.stderr).into());
            }
            row.push_str(&format!(" {} |", String::from_utf8(streamed.stdout)?.trim()));
        }
        out(&row);
    }
    Ok(())
}

/// The process that [`memory()`] starts: streams the first events of the file and prints its peak memory.
fn stream(mut args: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (Some(name), Some(n_events), Some(path)) = (args.next(), args.next(), args.next()) else {
        return Err(format!("{STREAM} QUESTION EVENTS FILE").into());
    };
    let asked: Vec<&Question> = all_questions().filter(|question| question.name == name).collect();
    let bound = bound(&asked, Path::new(&path))?;
    let interval = Interval::new(bound.log.start(), bound.log.frontier_at(n_events.parse()?))?;
    let options = EngineOptions { workers: 1, ..EngineOptions::default() };
    evaluate_interval(&bound, Engine::Stream, &interval, &options, &|_| ())?;
    out(&format!("{:.0}", peak_mebibytes_of("self")?));
    Ok(())
}

fn all_questions() -> impl Iterator<Item = &'static Question> {
    QUESTIONS.iter().chain(&AGGREGATES)
}

fn bound(questions: &[&Question], path: &Path) -> Result<Bound, Failure> {
    let mut text = SOURCE.to_owned();
    for (index, question) in questions.iter().enumerate() {
        text.push_str(&format!("metric m{index} = {}\n", question.metric));
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

/// Rows of a micro-batch: the stream's own default.
const BATCH_ROWS: usize = 65_536;

/// All batches of the log, decoded.
fn decode(bound: &Bound) -> Result<Vec<Batch>, Failure> {
    let interval = Interval::new(bound.log.start(), bound.log.end())?;
    let mut batches = Vec::new();
    for slice in bound.log.slices(&interval, 1).iter().flatten() {
        for batch in bound.log.read(slice, &bound.plan.columns, BATCH_ROWS)? {
            batches.push(batch?);
        }
    }
    Ok(batches)
}

/// Feeds one worker from memory until all rows are in the segments.
fn feed(bound: &Bound, batches: &[Batch]) -> Result<(), Failure> {
    let options = EngineOptions { workers: 1, ..EngineOptions::default() };
    let mut stream = Stream::start(&Arc::clone(&bound.plan), bound.log.start(), &options)?;
    for batch in batches {
        stream.feed(batch)?;
    }
    stream.wait()?;
    Ok(())
}

#[cfg(feature = "sql")]
use peer::run as sql;

#[cfg(not(feature = "sql"))]
fn sql(_: &Path, _: &str) -> Result<(), Failure> {
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the tables are what this program is for")]
fn out(line: &str) {
    println!("{line}");
}
