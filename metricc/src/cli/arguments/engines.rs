//! Arguments of the commands that compute metrics over files: `run` and `verify`.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use metricc_client::RangeBound;
use metricc_log::Binding;

use super::{KafkaArguments, RowArguments, RunOnCluster};
use crate::cli::rejections::RejectionArguments;
use crate::cli::stored;
use crate::parse_binding;

/// A binding of a source; its path is text.
fn binding(argument: std::ffi::OsString) -> Result<(String, Binding), String> {
    let argument = argument.into_string().map_err(|argument| {
        let shown = argument.to_string_lossy().into_owned();
        format!("the path in `{shown}` is not UTF-8: rename the file, or give a link to it")
    })?;
    let (name, binding) = parse_binding(&argument)?;
    Ok((name, stored::local(binding)?))
}

/// A file alone, with options such as `,format=csv`.
pub(super) fn file_binding(argument: std::ffi::OsString) -> Result<Binding, String> {
    let mut named = std::ffi::OsString::from("rows=");
    named.push(argument);
    Ok(binding(named)?.1)
}

/// The package, its logs, and the metrics to compute.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// The `.metric` file
    pub(crate) file: PathBuf,
    /// Compute only this metric; repeatable [default: all]
    #[arg(long = "metric", value_name = "METRIC")]
    pub(crate) metrics: Vec<String>,
    #[command(flatten)]
    pub(crate) logs: LogArguments,
}

/// The logs of sources, and how they are read.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Events of a source: a file, folder or glob of .parquet, .ndjson, .jsonl, .json, .csv or .tsv files,
    /// which may be compressed (.gz, .zst, .bz2), or `-` for stdin. For other file names append
    /// `,format=ndjson`, for other separators of CSV `,delimiter=;`. The path may be in an object store
    /// (`s3://BUCKET/PATH`, `gs://…`, `az://…`); of a Delta table, `,version=N` reads an earlier version. A
    /// topic of Kafka is `kafka://HOST:PORT,HOST:PORT/TOPIC`; its records are JSON, or with `,format=…` csv
    /// (lines without a header, perhaps with `,columns=a,b`), text, avro or protobuf (with `--registry`, or
    /// `,schema=FILE` and `,message=NAME`)
    #[arg(long = "source", value_name = "NAME=PATH", value_parser = OsStringValueParser::new().try_map(binding))]
    pub(crate) sources: Vec<(String, Binding)>,
    /// Threads of each engine [default: number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) kafka: KafkaArguments,
    #[command(flatten)]
    pub(crate) rejections: RejectionArguments,
    /// Succeed if a log has no records at all
    #[arg(long)]
    pub(crate) allow_empty: bool,
}

/// The range of windows, and their grain.
#[derive(Debug, Args)]
pub(crate) struct RangeArguments {
    /// Only windows that start at or after this: 2026-04-25, which begins in the zone of the grain's calendar
    /// or else of the metric's (otherwise in UTC), or 2026-04-25T10:00:00+05:30
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<RangeBound>,
    /// Only windows that start before this; so 2026-05-01 ends April
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<RangeBound>,
    /// Roll windows up to coarser ones: `6h`, `month`, `day in Europe/London`, `week in CALENDAR`, or `all`
    /// (one row); windows of which the range has only a part are marked `partial`
    #[arg(long, value_name = "WINDOW")]
    pub(crate) grain: Option<String>,
}

/// The engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// The batch engine (DataFusion)
    Batch,
    /// The stream engine (timely and differential dataflow)
    Stream,
    /// Batch before the cut, stream after it, merged
    Merged,
}

/// A stream in several processes.
#[derive(Debug, Args)]
pub(crate) struct RunInProcesses {
    /// Run the stream engine in this many processes, each with `--workers` threads [default threads: 1]
    #[arg(long, value_name = "N", conflicts_with = "shared", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) processes: Option<u16>,
    /// Run the stream engine in a process on each of these hosts: a file with a line HOST:PORT for each.
    /// Start the same command on all of them, with `--process` 0, 1 and so on
    #[arg(long, value_name = "FILE", group = "shared", requires = "process")]
    pub(crate) hosts: Option<PathBuf>,
    /// Which line of `--hosts` this process is, from 0 on; process 0 writes the rows
    #[arg(long, value_name = "N", requires = "hosts")]
    pub(crate) process: Option<u16>,
    /// Seconds to wait for the processes of the other hosts
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "hosts")]
    pub(crate) wait: u16,
}

/// Output format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A table
    Table,
    /// One JSON object per row
    Json,
    /// CSV with a header line
    Csv,
    /// An Arrow IPC stream
    Arrow,
    /// Parquet with typed columns; requires --out
    Parquet,
}

impl OutputFormat {
    /// Whether a program finds the columns of such rows by their names alone.
    pub(crate) fn has_columns_alone(self) -> bool {
        matches!(self, OutputFormat::Csv | OutputFormat::Arrow | OutputFormat::Parquet)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc run flights.metric --source flights=flights.parquet
  metricc run flights.metric --source flights='log/*.ndjson' --metric delays --output json
  metricc run flights.metric --source flights=log/ --engine stream --workers 2
  metricc run flights.metric --source flights=log/ --engine stream --processes 4
  metricc run flights.metric --source flights=log/ --metric minutes_lost --grain 24h
  metricc run flights.metric --source flights=log/ --output parquet --out results/
  metricc run flights.metric --source flights=log/ --cluster df://scheduler:50050 --store /shared/jobs

  zcat log.csv.gz | metricc run flights.metric --source flights=-,format=csv
  metricc run flights.metric --source flights=kafka://broker:9092/flights --since 2026-04-25
  metricc run flights.metric --source 'flights=s3://lake/flights/*.parquet'
  metricc run flights.metric --source flights=kafka://broker/flights,format=avro --registry http://registry:8081
  metricc run flights.metric --source flights=kafka://broker/flights,format=protobuf,schema=flights.proto

Records that cannot be decoded are rejected: they are reported on stderr and count in no result.

Exit codes:
  0  computed
  1  the package has errors, too many records are rejected, or a log is empty
  2  a log cannot be read, or wrong usage
  3  with --hosts: the connection to another process broke")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Engine that computes the metrics [default: merged; with --cluster batch]
    #[arg(long, value_enum)]
    pub(crate) engine: Option<EngineChoice>,
    /// Fraction of the log before the cut, from 0 to 1; only for `--engine merged`
    #[arg(long, value_name = "FRACTION", default_value = "0.5", value_parser = parse_fraction)]
    pub(crate) cut: f64,
    #[command(flatten)]
    pub(crate) processes: RunInProcesses,
    #[command(flatten)]
    pub(crate) cluster: RunOnCluster,
    #[command(flatten)]
    pub(crate) rows: RowArguments,
    #[command(flatten)]
    pub(crate) range: RangeArguments,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: OutputFormat,
    /// Write one file per metric to this folder instead of stdout; created if it does not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Maximum number of rows in a table; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) limit: usize,
    /// Most rows that are made of a metric whose windows overlap (`over … step …`), or that is read with
    /// `--fill`, `--totals`, `--share` or `--compare`: few events can have many
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    pub(crate) max_rows: u64,
    /// Memory in MiB that batch aggregation may use before it spills to disk [default: 4096]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) memory: Option<u32>,
}

impl RunArguments {
    /// The engine that computes.
    pub(crate) fn engine(&self) -> EngineChoice {
        match (self.engine, &self.cluster.cluster) {
            (Some(engine), _) => engine,
            (None, Some(_)) => EngineChoice::Batch,
            (None, None) => EngineChoice::Merged,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc verify flights.metric --source flights=flights.parquet
  metricc verify flights.metric --source flights=log/ --cuts 50 --seed 7

For each cut, batch, stream and their merges compute the states of all metrics, with random numbers \
of workers and batch sizes. All states must be identical to the byte. A difference is shrunk to the \
shortest prefix of the log that shows it.

Exit codes:
  0  no differences
  1  the engines differ, the package has errors, too many records are rejected, or a log is empty
  2  a log cannot be read, or wrong usage")]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) input: InputArguments,
    /// Number of random cuts of the log
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) cuts: u32,
    /// Seed of all random choices, to repeat a run [default: from the clock; it is printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

fn parse_fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(fraction) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        _ => Err("not a number from 0 to 1".to_owned()),
    }
}
