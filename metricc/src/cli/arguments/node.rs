//! Arguments of the commands that are, or talk to, a node.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use metricc_log::FILE_RECORDS;

use super::RangeArguments;
use crate::cli::terminal::Failure;

/// Form of the logs of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line each
    Text,
    /// One JSON object each
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc serve payments.metric                 all defaults: 127.0.0.1:7171, data in ./metricc-data
  metricc serve                                 as ./metricc.toml says
  metricc serve node.toml --listen 127.0.0.1:0  any free port

A metricc.toml, with the defaults:
  package = \"payments.metric\"
  data = \"metricc-data\"
  listen = \"127.0.0.1:7171\"
  [batch]
  every = \"5m\"            # or after so many events:
  events = 1000000
  tables = true           # views as Delta Lake tables, for DuckDB, Polars and others
  [speed]
  refresh = \"200ms\"       # least time between two frontiers that are served
  [ingest]
  max_bytes = 8388608     # of a request
  max_events = 10000
  [sources.payments]
  partitions = 1
  duplicates_within = 1000000   # positions; or \"24h\", by event time
  watch = \"inbox\"         # a folder whose files are taken; none unless given
  [tokens]                # needed where others can reach the node
  ingest = [\"file:ingest.token\"]
  query = [\"env:QUERY_TOKEN\"]

Exit codes: 0 stopped, 1 the package has errors or another node has the folder, 2 usage or failure.")]
pub(crate) struct ServeArguments {
    /// The configuration, or a `.metric` file to be served with the defaults
    #[arg(value_name = "CONFIG", default_value = "metricc.toml")]
    pub(crate) config: PathBuf,
    /// Address and port, instead of those of the configuration
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Folder of log and views, instead of that of the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Form of the logs on stderr
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// Which node is meant.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// URL of the node
    #[arg(long, value_name = "URL", env = "METRICC_NODE", default_value = "http://127.0.0.1:7171")]
    pub(crate) node: String,
    /// File with the token for it [env: METRICC_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

impl NodeArguments {
    /// The token, from a file or the environment: never from the arguments, which others can see.
    pub(crate) fn token(&self) -> Result<Option<String>, Failure> {
        match &self.token_file {
            Some(path) => match std::fs::read_to_string(path) {
                Ok(token) => Ok(Some(token.trim().to_owned())),
                Err(error) => Err(Failure::Message(format!("{}: {error}", path.display()))),
            },
            None => Ok(std::env::var("METRICC_TOKEN").ok()),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc ingest --source payments log/*.ndjson
  metricc ingest --source payments april.parquet may.csv
  metricc ingest --source payments events.ndjson --node http://127.0.0.1:7171

Requests carry keys made of the name of the file, the place in it and what it says there. So after a break the same
command goes on where it was: what the node has is not taken again.

Exit codes: 0 all are events, 1 some were quarantined, 2 usage or failure.")]
pub(crate) struct IngestArguments {
    /// Files of events: `.ndjson`, `.jsonl`, `.csv` with a header, or `.parquet`
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Source that the events are of
    #[arg(long, value_name = "NAME")]
    pub(crate) source: String,
    /// Events of a request; with another number, requests have other keys
    #[arg(long, value_name = "N", default_value_t = FILE_RECORDS as u32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) events: u32,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc audit          what is served, against the log read anew from its start
  metricc audit --full   the views as well, which are made anew from the log
  metricc audit --json   one JSON object per line

Both sides are states, compared by their bytes.

Exit codes: 0 no difference, 1 differences, 2 usage or failure.")]
pub(crate) struct AuditArguments {
    /// Make the views anew from the start of the log, and compare them with those that were there
    #[arg(long)]
    pub(crate) full: bool,
    /// One JSON object per metric, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// For people
    Table,
    /// One JSON object per row
    Json,
    /// With a header
    Csv,
    /// An Arrow IPC stream
    Arrow,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc query                                          the metrics of the node
  metricc query revenue --key country=IN --from 2026-04-01
  metricc query revenue --grain 24h --output json
  metricc query revenue --output csv > revenue.csv
  metricc query revenue --latest --live                  again whenever it changes
  metricc query revenue --key country=IN --plot          as a chart
  metricc query revenue --key country=IN --explain       what of it is from batch, what from the tail
  metricc query revenue --at 120                         as it was at that frontier, to the byte")]
pub(crate) struct QueryArguments {
    /// The metric; all are listed unless given
    pub(crate) metric: Option<String>,
    /// Only rows with this key; may be given several times
    #[arg(long = "key", value_name = "NAME=VALUE", value_parser = parse_key)]
    pub(crate) keys: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) range: RangeArguments,
    /// Only the latest window
    #[arg(long)]
    pub(crate) latest: bool,
    /// Go on, and show the rows whenever they have changed
    #[arg(long)]
    pub(crate) live: bool,
    /// As it was at this frontier: one offset for each partition of its sources
    #[arg(long, value_name = "OFFSET,…", value_delimiter = ',', conflicts_with = "live")]
    pub(crate) at: Option<Vec<u64>>,
    /// Show what was merged: which parts of the log, and how far it went then
    #[arg(long)]
    pub(crate) receipt: bool,
    /// Show the rows that each part of the log would give by itself
    #[arg(long, conflicts_with_all = ["live", "plot", "latest"])]
    pub(crate) explain: bool,
    /// Draw the rows: a line over the windows of each key, bars where there are none
    #[arg(long, conflicts_with = "output")]
    pub(crate) plot: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: QueryFormat,
    /// Most rows of a table that are shown; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

fn parse_key(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or_else(|| "not of the form NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}
