//! What can be typed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use metricc_log::Binding;

use super::terminal::Failure;
use crate::parse_binding;

mod node;
pub(crate) use node::{
    AuditArguments, IngestArguments, LogFormat, QueryArguments, QueryFormat, ServeArguments,
};

/// Metrics written once, computed by a batch and a stream engine that agree to the byte.
#[derive(Debug, Parser)]
#[command(name = "metricc", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  metricc demo                                            the whole path on real flights
  metricc check payments.metric                           all findings at once
  metricc test payments.metric                            its `test` blocks, in both engines
  metricc run payments.metric --source payments=log/      both engines, merged at a cut
  metricc verify payments.metric --source payments=log/   the law, on your data
  metricc serve payments.metric                           a node that takes events and answers
  metricc audit                                           what it serves, against its log

Exit codes: 0 clean, 1 findings, 2 usage or failure.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a package that checks, tests and runs at once
    New(NewArguments),
    /// Report everything that is wrong with `.metric` files
    Check(CheckArguments),
    /// Lay `.metric` files out in the one layout
    Fmt(FmtArguments),
    /// Show what the compiler makes of a metric, stage by stage, or what an error code means
    Explain(ExplainArguments),
    /// Run the `test` blocks of `.metric` files through batch, stream and their merge
    Test(TestArguments),
    /// Compute metrics over data
    Run(RunArguments),
    /// Check on your data that batch, stream and their merge agree to the byte
    Verify(VerifyArguments),
    /// Say what changed between two versions of a file, and what has to be computed anew
    Diff(DiffArguments),
    /// Write a serving stub in Rust, an OpenAPI document, schemas and plans
    Compile(CompileArguments),
    /// Run the node: take events, keep them, and answer with metrics that are fresh and right
    Serve(ServeArguments),
    /// Send events to a node
    Ingest(IngestArguments),
    /// Ask a node
    Query(QueryArguments),
    /// Let a node recompute from its log what it serves, and compare
    Audit(AuditArguments),
    /// Real flight data through batch, stream, and the merge of both
    Demo(DemoArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc new orders      a folder with events, metrics, tests and some data
  cd orders
  metricc test metrics.metric")]
pub(crate) struct NewArguments {
    /// Folder of the package; it may be there already if it is empty
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// With source lines, for people
    Full,
    /// One line each
    Short,
    /// One JSON object each, on stdout
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc check payments.metric
  metricc check --message-format short metrics/*.metric")]
pub(crate) struct CheckArguments {
    /// Files to check
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How to write findings
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) message_format: MessageFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc fmt payments.metric            the file is changed
  metricc fmt --check metrics/*.metric   for CI: exit code 1 if one would change
  metricc fmt --diff payments.metric     what would change
  metricc fmt - < payments.metric        from stdin to stdout")]
pub(crate) struct FmtArguments {
    /// Files to lay out; `-` is stdin, and its layout goes to stdout
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Change nothing; name the files that would change
    #[arg(long)]
    pub(crate) check: bool,
    /// Change nothing; show what would change
    #[arg(long)]
    pub(crate) diff: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc test payments.metric
  metricc test metrics/*.metric --filter refund
  metricc test payments.metric --watch     again whenever the file is saved

Each test runs in batch, in the stream and merged, at every cut of its log, and at a random cut of three
shuffled orders. A failure shows expected rows behind `-` and those that came out behind `+`.

Exit codes: 0 all passed, 1 some failed or a file has errors, 2 usage or failure.")]
pub(crate) struct TestArguments {
    /// Files with `test` blocks
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Only tests with this text in their names
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Run again whenever one of the files is changed
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc compile payments.metric --out generated
  metricc compile payments.metric --out generated --name payments-client --metricc ../metricc

The output folder then has
  rust/           a crate with typed `get`, `range`, `latest` and `subscribe` per metric
  openapi.json    the same for other languages
  schemas/        JSON schemas of rows, and what states are made of
  plans/          what the engines run")]
pub(crate) struct CompileArguments {
    /// The `.metric` file
    pub(crate) file: PathBuf,
    /// Folder for the output; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Name of the stub's crate; that of the file with `-metrics` unless given
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Folder of the crate `metricc` that the stub depends on; this version of it unless given
    #[arg(long, value_name = "PATH")]
    pub(crate) metricc: Option<String>,
}

/// Form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For people
    Text,
    /// One JSON object per metric
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc diff old.metric new.metric
  metricc diff payments.metric --against HEAD     the file, and as it was committed
  metricc diff payments.metric --against main --output json

Of each metric:
  same           the same meaning, whatever the text looks like
  renamed        the same meaning under another name
  presentation   the same states, presented otherwise: nothing is computed anew
  changed        other states: they are computed from the log
  added, removed

Exit codes: 0 all metrics are the same, 1 some are not, 2 there is nothing to compare.")]
pub(crate) struct DiffArguments {
    /// The old file and the new one; with --against the new one alone
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Compare with the file as it is in this revision of git
    #[arg(long, value_name = "REVISION")]
    pub(crate) against: Option<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) output: DiffFormat,
}

/// A stage of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// What is kept, how large, and what repeated and deleted events do to it
    Summary,
    /// As it was parsed
    Syntax,
    /// Names resolved, types checked, in normal form
    Typed,
    /// Monoids, their laws and sizes
    Algebra,
    /// What the batch engine runs
    Batch,
    /// What the stream engine runs
    Stream,
    /// How states become answers
    Serve,
}

/// Form of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// An indented tree
    Text,
    /// One JSON object
    Json,
    /// A Graphviz digraph
    Dot,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc explain payments.metric revenue --stage summary
  metricc explain payments.metric revenue --stage stream
  metricc explain payments.metric revenue --stage batch --format dot | dot -Tsvg > batch.svg
  metricc explain M0012")]
pub(crate) struct ExplainArguments {
    /// A `.metric` file, or an error code
    #[arg(value_name = "FILE|CODE")]
    pub(crate) subject: String,
    /// Metric of the file; all of them unless given
    pub(crate) metric: Option<String>,
    /// One stage; all of them unless given
    #[arg(long, value_enum)]
    pub(crate) stage: Option<Stage>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ExplainFormat,
}

/// Where the events of sources are, and which metrics are wanted.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// The `.metric` file
    pub(crate) file: PathBuf,
    /// Events of a source: a file, folder or glob of .parquet, .ndjson, .jsonl or .csv
    /// (other names: add `,format=ndjson`)
    #[arg(long = "source", value_name = "NAME=PATH", value_parser = parse_binding)]
    pub(crate) sources: Vec<(String, Binding)>,
    /// Only this metric; may be given several times
    #[arg(long = "metric", value_name = "METRIC")]
    pub(crate) metrics: Vec<String>,
    /// Threads of either engine [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
}

/// Which windows are wanted, and how coarsely.
#[derive(Debug, Args)]
pub(crate) struct RangeArguments {
    /// Only windows that start at this instant or later: 2026-04-25 (00:00 UTC) or 2026-04-25T10:00:00+05:30
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    pub(crate) from: Option<i64>,
    /// Only windows that start before this instant
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    pub(crate) to: Option<i64>,
    /// Put windows together to coarser ones: `6h`, `month`, `day in Europe/London`, or `all` for one row of the range
    #[arg(long, value_name = "WINDOW")]
    pub(crate) grain: Option<String>,
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// DataFusion alone
    Batch,
    /// Timely and differential alone
    Stream,
    /// Batch below the cut, stream above it, merged
    Merged,
}

/// Form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Table,
    /// One JSON object per row
    Json,
    /// With a header line
    Csv,
    /// Typed columns; needs --out
    Parquet,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc run flights.metric --source flights=flights.parquet
  metricc run flights.metric --source flights='log/*.ndjson' --metric delays --output json
  metricc run flights.metric --source flights=log/ --engine stream --workers 2
  metricc run flights.metric --source flights=log/ --metric minutes_lost --from 2001-04-01 --grain 24h
  metricc run flights.metric --source flights=log/ --output parquet --out results/")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Who computes
    #[arg(long, value_enum, default_value = "merged")]
    pub(crate) engine: EngineChoice,
    /// Share of the log below the cut of `merged`, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = parse_share)]
    pub(crate) cut: f64,
    #[command(flatten)]
    pub(crate) range: RangeArguments,
    /// Form of the results
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: OutputFormat,
    /// Folder for one file per metric, instead of stdout
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Most rows of a table that are shown; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) limit: usize,
    /// Memory that batch aggregation may hold before it spills to disk, in MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) memory: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc verify flights.metric --source flights=flights.parquet
  metricc verify flights.metric --source flights=log/ --cuts 50 --seed 7")]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Number of random cuts
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) cuts: u32,
    /// Seed of all random choices [default: taken from the clock, and printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Keep the data and the metric file in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

/// µs of an RFC 3339 instant, or of a date's midnight in UTC.
fn parse_instant(text: &str) -> Result<i64, String> {
    let instant = text.parse::<metricc_client::jiff::Timestamp>().ok().or_else(|| {
        let date = text.parse::<metricc_client::jiff::civil::Date>().ok()?;
        date.to_zoned(metricc_client::jiff::tz::TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
    });
    instant
        .map(metricc_client::jiff::Timestamp::as_microsecond)
        .ok_or_else(|| "no instant, such as 2026-04-25T00:00:00Z".to_owned())
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 1".to_owned()),
    }
}

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "metricc", &mut script);
    super::terminal::data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
