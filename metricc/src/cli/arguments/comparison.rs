//! Arguments of the commands that compare: two versions of a file, and a metric with rows of another system.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum};
use metricc_log::Binding;

use super::LogArguments;
use super::engines::file_binding;
use super::node::{NodeArguments, parse_time};
use metricc_comparison::compare::Tolerance;

/// Output format of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// Text
    Text,
    /// One JSON object per metric
    Json,
}

/// How much is shown of rows that differ, and how long their causes are searched.
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// Rows that differ to show of each metric, the largest differences first; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) rows: usize,
    /// Time to search for the causes of each metric, such as `30s`
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub(crate) within: i64,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("events").args(["sources", "live"])))]
#[command(after_help = "\
Examples:
  metricc diff old.metric new.metric
  metricc diff payments.metric --against HEAD     compare with the committed file
  metricc diff payments.metric --against main --output json
  metricc diff payments.metric --against main --source payments=log/
  metricc diff old.metric new.metric --source payments=log/ --metric revenue --causes 3
  metricc diff old.metric new.metric --source payments=log/ --write-tests changes.metric
  metricc diff --live                             the preview of a node with its live version
  metricc diff --live --of-version 4 --metric revenue --output json

Each metric is one of
  same           same meaning; formatting and order in the file do not count
  renamed        same meaning under a new name
  presentation   same states, presented differently; stored states are reused
  changed        different states; they are recomputed from the log
  added          new; computed from the log
  removed        only in the old version

With `--source`, both versions of each metric that differs are computed over the same events, and their rows \
are compared. The causes are events that alone give other rows under the two versions, with the part of the \
definition that decides. With `--live`, a node compares the rows that it serves, of all metrics that are computed.

Exit codes:
  0  all metrics are the same; with `--live`, also if some are only added
  1  some differ
  2  a version or a log cannot be read or has errors, too many records are rejected, or wrong usage
  3  with `--live`: a metric is still being computed, and the others are shown; or the node is starting or busy")]
pub(crate) struct DiffArguments {
    /// The old and the new file; with --against only the new one
    #[arg(required_unless_present_any = ["live", "of_version", "old_version"], num_args = 1..=2, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Compare two versions of a running node, at one frontier: the live one, and the preview beside it
    #[arg(long, conflicts_with_all = ["files", "against", "sources", "write_tests"])]
    pub(crate) live: bool,
    /// With --live: the new version, instead of the one that is on its way
    #[arg(long, value_name = "N")]
    pub(crate) of_version: Option<u64>,
    /// With --live: the old version, instead of the live one
    #[arg(long, value_name = "N")]
    pub(crate) old_version: Option<u64>,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// Compare with the file in this git revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) against: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) output: DiffFormat,
    /// Compare the rows of only this metric; repeatable, but for --live [default: all that differ]
    #[arg(long = "metric", value_name = "METRIC", requires = "events")]
    pub(crate) metrics: Vec<String>,
    /// Events to find for each metric that alone give other rows; 0 searches none
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) causes: usize,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    /// Write a `test` of one event for each way in which rows differ to this new file, which lies in the
    /// folder of the new version
    #[arg(long, value_name = "FILE", requires = "sources")]
    pub(crate) write_tests: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) logs: LogArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc compare payments.metric --metric revenue --source payments=log/ --with warehouse.csv
  metricc compare payments.metric --metric revenue --source payments=log/ --with rows.parquet --tolerance 1e-9
  metricc compare payments.metric --metric revenue --source payments=log/ --with rows.csv --window day --value eur
  metricc compare payments.metric --metric revenue --source payments=log/ --with rows.csv --column country=land
  metricc compare payments.metric --metric revenue --source payments=log/ --with rows.csv --zones Asia/Kolkata

The file has a column for each key and each value of the metric, by their names, and `window_start`: a date \
or a time; `--column` says which are called otherwise. Other columns are ignored. Windows before its first and \
after its last one are not compared: it may be an export of a part of the time.

For rows that differ, causes are tried by computing the metric with them: days of another time zone, \
rounded numbers, duplicates counted, events up to an earlier position, no value as zero, floats instead of \
decimals. A cause is named if it gives the numbers of the file, with how many of the rows it explains, those that \
explain most first. One that explains fewer than 10 % of what better ones leave is not named, nor one with which \
most rows that are equal would differ.

Exit codes:
  0  all rows are equal, within the tolerance
  1  rows differ
  2  the package has errors, a file cannot be read, too many records are rejected, or wrong usage")]
pub(crate) struct CompareArguments {
    /// The `.metric` file
    pub(crate) file: PathBuf,
    /// The metric to compare
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: String,
    /// File with the rows to compare with, as of a source: `.csv`, `.parquet` or another format
    #[arg(long, value_name = "ROWS", value_parser = OsStringValueParser::new().try_map(file_binding))]
    pub(crate) with: Binding,
    /// Column of the file that has a key, a value or `window_start`, if it is called otherwise, such as
    /// `shop=store_name`; repeatable
    #[arg(long = "column", value_name = "NAME=COLUMN", value_parser = named_column)]
    pub(crate) columns: Vec<(String, String)>,
    /// Column of the file that has the start of each window [default: `window_start`]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) window: Option<String>,
    /// Also compare windows before the first and after the last one of the file, which it says nothing of
    #[arg(long)]
    pub(crate) all_windows: bool,
    /// Column of the file that has the value, of a metric with one [default: the name of the value, which is
    /// `value` unless the metric names it]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) value: Option<String>,
    /// By how much numbers may differ: a share of the larger one, such as `1e-9` or `1%`
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = Tolerance::parse_share)]
    tolerance: f64,
    /// By how much numbers may differ whatever their size, such as `0.01`; beside --tolerance, one of both
    /// suffices
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = Tolerance::parse_amount)]
    absolute_tolerance: f64,
    /// Time zones to try as a cause, instead of some common ones
    #[arg(long, value_name = "ZONE,…", value_delimiter = ',')]
    pub(crate) zones: Vec<String>,
    /// Example events to show for each cause
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) examples: usize,
    /// Also say which causes were tried and explain nothing, and which could not be tried
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) output: DiffFormat,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    #[command(flatten)]
    pub(crate) logs: LogArguments,
}

impl CompareArguments {
    /// By how much numbers may differ.
    pub(crate) fn tolerance(&self) -> Tolerance {
        Tolerance { share: self.tolerance, amount: self.absolute_tolerance }
    }
}

/// A name of the metric, and the column that has it.
fn named_column(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, column)) if !name.is_empty() && !column.is_empty() => {
            Ok((name.trim().to_owned(), column.to_owned()))
        }
        _ => Err("not a name and a column such as `shop=store_name`".to_owned()),
    }
}
