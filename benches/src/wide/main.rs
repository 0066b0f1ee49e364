//! Seven questions on a wide source, in several kinds of files, compared with other engines.
//!
//! ```sh
//! cargo run --release -p metricc-bench --features sql --bin wide                # 5,000,000 events
//! cargo run --release -p metricc-bench --features sql --bin wide -- 20000000    # more of them
//! cargo run --release -p metricc-bench --bin wide -- 5000000 snappy M1 M6  # some files and questions
//! ```
//!
//! All seven fields of the source are declared, as a team would, whatever a question reads. DataFusion runs
//! in this process (feature `sql`). DuckDB, Polars and chDB run in processes of their own, if `PEERS_PYTHON`
//! (`python3` by default) has the packages `duckdb`, `polars` and `chdb`: see `peers.py`.
//!
//! The engines take turns, and rounds go on until no minimum has fallen by more than two percent in two of
//! them. Figures are CPU-seconds per million events, least of the rounds, with all threads, user and system,
//! from opening the files to rows as Arrow columns; only figures of one run are comparable.

mod data;
#[cfg(feature = "sql")]
mod datafusion_peer;
mod metricc_runs;
mod python_peers;
mod questions;

use std::path::Path;

use cpu_time::ProcessTime;
use data::FileKind;
use metricc::Engine;
use metricc_runs::MetriccRuns;
use python_peers::PythonPeer;
use questions::{QUESTIONS, Question};

/// The allocator of the `metricc` command, for everything in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds at least, and at most.
const ROUNDS: std::ops::RangeInclusive<usize> = 3..=12;

/// Rounds without a lower minimum that end a measurement.
const STABLE_ROUNDS: usize = 2;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1).peekable();
    let n_events = args.next_if(|arg| arg.parse::<usize>().is_ok()).map_or(Ok(5_000_000), |n| n.parse())?;
    let words: Vec<String> = args.collect();
    let is_asked = |name: &str, others: &[&str]| {
        let of_this_kind = || words.iter().filter(|word| others.contains(&word.as_str()));
        of_this_kind().next().is_none() || of_this_kind().any(|word| word == name)
    };
    let question_names: Vec<&str> = QUESTIONS.iter().map(|question| question.name).chain(["all"]).collect();
    let kind_names: Vec<&str> = FileKind::ALL.iter().map(|kind| kind.name()).collect();
    if let Some(word) = words
        .iter()
        .find(|word| !question_names.contains(&word.as_str()) && !kind_names.contains(&word.as_str()))
    {
        return Err(
            format!("`{word}` is none of {}, {}", kind_names.join(", "), question_names.join(", ")).into()
        );
    }
    let folder = tempfile::tempdir()?;
    out(&format!("{n_events} events (texts: a fifth of them); CPU-seconds per million events\n"));
    let mut peers = peers();
    let names = peers.iter().map(|peer| peer.name());
    let header: Vec<&str> = ["file", "question", "batch", "stream"].into_iter().chain(names).collect();
    out(&format!("| {} | best peer | batch ÷ best peer | stream ÷ batch |", header.join(" | ")));
    out(&format!("|{}", "---|".repeat(header.len() + 3)));
    for kind in FileKind::ALL.into_iter().filter(|kind| is_asked(kind.name(), &kind_names)) {
        let n_written = if kind.is_text() { n_events / 5 } else { n_events };
        let files = kind.write(folder.path(), n_written)?;
        let runs = MetriccRuns { kind, files: &files, millions: n_written as f64 / 1e6 };
        for question in QUESTIONS.iter().filter(|question| is_asked(question.name, &question_names)) {
            compare(&runs, question.name, &[question], &mut peers)?;
        }
        if is_asked("all", &question_names) {
            let all: Vec<&Question> = QUESTIONS.iter().collect();
            compare(&runs, "all", &all, &mut peers)?;
        }
        std::fs::remove_dir_all(&files)?;
    }
    Ok(())
}

/// Another engine: runs one question over files, and says the CPU-seconds that it took.
trait Peer {
    fn name(&self) -> &str;
    /// `Ok(None)`: the engine is not installed, or does not run the question over such files.
    fn run(&mut self, question: &Question, kind: FileKind, files: &Path) -> Result<Option<f64>, Failure>;
}

fn peers() -> Vec<Box<dyn Peer>> {
    #[cfg(feature = "sql")]
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(datafusion_peer::DataFusion)];
    #[cfg(not(feature = "sql"))]
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    for name in ["duckdb", "polars", "chdb"] {
        peers.push(Box::new(PythonPeer::start(name)));
    }
    peers
}

/// One row: the questions in one scan as metrics, one query after the other by the peers.
fn compare(
    runs: &MetriccRuns<'_>,
    name: &str,
    questions: &[&Question],
    peers: &mut [Box<dyn Peer>],
) -> Result<(), Failure> {
    let mut least = vec![f64::INFINITY; 2 + peers.len()];
    let mut n_stable = 0;
    for round in 1..=*ROUNDS.end() {
        let mut times = vec![
            measured(|| runs.run(Engine::Batch, questions))?,
            measured(|| runs.run(Engine::Stream, questions))?,
        ];
        for peer in peers.iter_mut() {
            let mut total = 0.0;
            for question in questions {
                total += peer.run(question, runs.kind, runs.files)?.unwrap_or(f64::INFINITY);
            }
            times.push(total);
        }
        let has_fallen = least.iter().zip(&times).any(|(least, time)| *time < 0.98 * least);
        least.iter_mut().zip(times).for_each(|(least, time)| *least = least.min(time));
        n_stable = if has_fallen { 0 } else { n_stable + 1 };
        if round >= *ROUNDS.start() && n_stable >= STABLE_ROUNDS {
            break;
        }
    }
    let figures = least.iter().map(|seconds| match seconds.is_finite() {
        true => format!("{:.3}", seconds / runs.millions),
        false => "–".to_owned(),
    });
    let figures: Vec<String> = figures.collect();
    let best = (2..least.len()).min_by(|left, right| least[*left].total_cmp(&least[*right]));
    let best = best.filter(|best| least[*best].is_finite());
    let compared =
        best.map(|best| (peers[best - 2].name().to_owned(), format!("{:.2}", least[0] / least[best])));
    let (best, ratio) = compared.unwrap_or_default();
    let of_batch = least[1] / least[0];
    out(&format!(
        "| {} | {name} | {} | {best} | {ratio} | {of_batch:.2} |",
        runs.kind.name(),
        figures.join(" | ")
    ));
    Ok(())
}

/// CPU-seconds of this process.
fn measured(run: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = ProcessTime::try_now()?;
    run()?;
    Ok(start.try_elapsed()?.as_secs_f64())
}

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn out(line: &str) {
    println!("{line}");
}
