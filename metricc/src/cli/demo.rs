//! `metricc demo`: real flights through batch, stream, merge and `verify`, in a few seconds.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use metricc_compiler::{MetricPlan, Segment};
use metricc_dsl::SourceText;
use metricc_log::{Binding, Interval};
use metricc_runtime_serve::{Presented, RowPieces, merge, present};

use super::arguments::{DemoArguments, OutputFormat};
use super::output;
use super::progress;
use super::run::cut_at;
use super::terminal::{self, Failure};
use super::verify::verify_source;
use crate::verify::VerifyOptions;
use crate::{Bound, Engine, EngineOptions, Evaluation, Package, evaluate_interval};

const METRICS: &str = include_str!("../../../examples/flights/flights.metric");
const FILES: [(&str, &[u8]); 3] = [
    ("2001-03-30.parquet", include_bytes!("../../../examples/flights/log/2001-03-30.parquet")),
    ("2001-04-01.parquet", include_bytes!("../../../examples/flights/log/2001-04-01.parquet")),
    ("2001-04-03.parquet", include_bytes!("../../../examples/flights/log/2001-04-03.parquet")),
];
/// The metrics whose rows are printed.
const SHOWN: [&str; 2] = ["punctuality", "destinations"];
/// Fraction of the log before the cut. It lies in the middle of a day, so that a window has events on both
/// sides.
const CUT: f64 = 0.6;

pub(crate) fn run(arguments: &DemoArguments) -> Result<ExitCode, Failure> {
    let temporary = tempfile::tempdir()?;
    let folder = arguments.keep.as_deref().unwrap_or(temporary.path());
    let bound = &unpack(folder)?[0];
    let log = &bound.log;
    terminal::note(format!(
        "1. The log: {} flights in {} files. flights.metric defines {} metrics; one scan computes all of them.\n",
        log.n_positions(),
        FILES.len(),
        bound.plan.metrics.len()
    ));
    let shown = bound.plan.metrics.iter().find(|plan| plan.metric.name == SHOWN[0]);
    if let Some(plan) = shown {
        terminal::note(format!(
            "2. The dataflow of `{}` (metricc explain --stage stream):\n\n{}",
            SHOWN[0],
            indented(&metricc_runtime_stream::explain(&bound.plan, plan)?.to_text())
        ));
    }
    let cut = cut_at(log, CUT);
    let below = Interval::new(log.start(), cut.clone())?;
    let above = Interval::new(cut.clone(), log.end())?;
    let batch = timed("3. Batch (DataFusion)", bound, Engine::Batch, &below)?;
    let stream = timed("4. Stream (timely/differential)", bound, Engine::Stream, &above)?;
    terminal::note(format!("5. Merged at the frontier {cut}, and presented:\n"));
    let answers = answers(bound, &batch, &stream)?;
    output::write(answers.into_iter().map(RowPieces::from).collect(), OutputFormat::Table, None, 0)?;
    terminal::note(
        "6. The law (metricc verify): the states of batch, stream and merged are equal to the byte at random cuts:\n",
    );
    let options = VerifyOptions { n_cuts: 5, seed: 2001, max_workers: 3 };
    let is_equal = verify_source(bound, &options)?;
    let next = match &arguments.keep {
        Some(folder) => format!(
            "\nNext: metricc run {0}/flights.metric --source flights={0}/log --output json",
            folder.display()
        ),
        None => "\nNext: `metricc demo --keep DIR` keeps the data and the metrics in a folder, for your own experiments.".to_owned(),
    };
    terminal::note(next);
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Writes the files of the demo, and opens its metrics over them.
fn unpack(folder: &Path) -> Result<Vec<Bound>, Failure> {
    let log = folder.join("log");
    std::fs::create_dir_all(&log)?;
    for (name, bytes) in FILES {
        std::fs::write(log.join(name), bytes)?;
    }
    std::fs::write(folder.join("flights.metric"), METRICS)?;
    let package = Package::from_text(SourceText { name: "flights.metric".to_owned(), bytes: METRICS.into() });
    if package.checked.has_errors() {
        terminal::report(&package)?;
        return Err(Failure::Message("the metrics of the demo have errors".to_owned()));
    }
    let binding = Binding::new(log.display().to_string());
    let sources = [("flights".to_owned(), binding)];
    progress::open(&package, &package.metrics(&[])?, &sources, &metricc_log::Log::open_with_progress)
}

fn timed(label: &str, bound: &Bound, engine: Engine, interval: &Interval) -> Result<Evaluation, Failure> {
    let bar = progress::bar(interval.n_positions(), "events", label);
    let start = Instant::now();
    let evaluation = evaluate_interval(bound, engine, interval, &EngineOptions::default(), &|n| bar.inc(n))?;
    bar.finish_and_clear();
    let n_groups: usize = evaluation.segments.iter().map(|segment| segment.states.num_rows()).sum();
    terminal::note(format!(
        "{label}: positions {} to {}, {} events, {n_groups} states, {:.2} s\n",
        interval.from(),
        interval.to(),
        interval.n_positions(),
        start.elapsed().as_secs_f64()
    ));
    Ok(evaluation)
}

fn answers(bound: &Bound, batch: &Evaluation, stream: &Evaluation) -> Result<Vec<Presented>, Failure> {
    let segments = batch.segments.iter().zip(&stream.segments);
    let mut answers = Vec::new();
    for (plan, (below, above)) in bound.plan.metrics.iter().zip(segments) {
        if SHOWN.contains(&plan.metric.name.as_str()) {
            answers.push(answer(plan, below, above)?);
        }
    }
    Ok(answers)
}

fn answer(plan: &MetricPlan, below: &Segment, above: &Segment) -> Result<Presented, Failure> {
    let merged = merge(plan, &[below.clone(), above.clone()])?;
    Ok(present(plan, &merged)?)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
}
