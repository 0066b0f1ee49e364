//! Arguments of the commands that run a node or send requests to one.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use metricc_client::HttpServing;
use metricc_ir::plain_file;
use metricc_log::FILE_RECORDS;
use metricc_node::ListenAddress;

use super::{RangeArguments, RowArguments};
use crate::cli::rejections::RejectionArguments;
use crate::cli::terminal::Failure;

/// Format of the log lines of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line of text per entry
    Text,
    /// One JSON object per entry
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc serve payments.metric                 on 127.0.0.1:7171, data in ./metricc-data
  metricc serve                                 with the configuration ./metricc.toml
  metricc serve node.toml --listen 127.0.0.1:0  on any free port

A metricc.toml with the defaults (`package` is required; watch and tokens are examples):
  package = \"payments.metric\"
  data = \"metricc-data\"
  listen = \"127.0.0.1:7171\"
  storage = \"s3://bucket/metricc\"   # not by default: views and flushed events in an object store
  [batch]
  every = \"5m\"            # batch runs after this time,
  events = 1000000        # or after this number of new events
  tables = true           # also write Delta Lake tables, for DuckDB, Polars and others
  [speed]
  refresh = \"200ms\"       # minimum time between two served frontiers
  [ingest]
  max_bytes = 8388608     # maximum size of a request
  max_events = 10000      # maximum number of events in a request
  [sources.payments]
  partitions = 1
  duplicates_within = 1000000   # dedup window in positions; \"24h\" is one in event time
  watch = \"inbox\"         # ingest files that are moved into this folder
  [tokens]                # required if the node listens on other than loopback addresses
  ingest = [\"file:ingest.token\"]
  query = [\"env:QUERY_TOKEN\"]

SIGINT and SIGTERM stop the node. Every acknowledged event is already on disk.

Exit codes:
  0  stopped
  1  the package has errors, or another node uses the data folder
  2  wrong usage, or another failure")]
pub(crate) struct ServeArguments {
    /// Configuration file, or a `.metric` file to serve with the defaults
    #[arg(value_name = "CONFIG", default_value = "metricc.toml")]
    pub(crate) config: PathBuf,
    /// Address or name, and port; overrides the configuration
    #[arg(long, value_name = "ADDRESS", value_parser = metricc_node::listen_address)]
    pub(crate) listen: Option<ListenAddress>,
    /// Folder of the log and the views; overrides the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Start although the log has lost acknowledged events; says which, and rebuilds the views without them
    #[arg(long)]
    pub(crate) accept_loss: bool,
    /// Format of the log lines on stderr
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc restore                          with the configuration ./metricc.toml of the lost node
  metricc restore node.toml --data new/    into another folder
  metricc serve node.toml --data new/      then start the node as before

What a node has flushed lies in its object store (`storage` in metricc.toml). On an empty disk, this \
command restores the log from there, and says which positions are not there: those that were in the \
journal of the lost disk alone, and which sources the package does not read. Sources that are topics \
are read again from where the log then ends.

Exit codes:
  0  restored
  2  wrong usage, the folder has a log, or something is missing or damaged")]
pub(crate) struct RestoreArguments {
    /// Configuration file of the node
    #[arg(value_name = "CONFIG", default_value = "metricc.toml")]
    pub(crate) config: PathBuf,
    /// Folder of the log; overrides the configuration
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// The node to send requests to.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// URL of the node
    #[arg(long, value_name = "URL", env = "METRICC_NODE", default_value = "http://127.0.0.1:7171")]
    pub(crate) node: String,
    /// File that contains the access token [default: the token in the variable METRICC_TOKEN, if set]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// File in PEM of the authority of the node's certificate, for a node at https:// [default: those that this
    /// machine trusts]
    #[arg(long, value_name = "FILE", env = "METRICC_CA_CERT")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// How long the node may take for an answer [default: 30s for reads, 60s for steps and events, else no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<i64>,
}

impl NodeArguments {
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        self.timeout.map(|limit| Duration::from_micros(limit.unsigned_abs()))
    }

    /// The node, to read from.
    pub(crate) fn serving(&self) -> Result<HttpServing, Failure> {
        let mut node = HttpServing::new(&self.node)?;
        if let Some(limit) = self.time_limit() {
            node = node.with_time_limit(limit)?;
        }
        if let Some(pem) = self.authorities()? {
            node = node.with_authorities(&pem)?;
        }
        match self.token()? {
            Some(token) => Ok(node.with_token(&token)?),
            None => Ok(node),
        }
    }

    /// The authorities that are trusted instead of those of this machine.
    pub(crate) fn authorities(&self) -> Result<Option<Vec<u8>>, Failure> {
        let read = |path| plain_file::read_text(path, plain_file::MOST_TEXT);
        let pem = self.ca_cert.as_deref().map(read).transpose();
        pem.map(|pem| pem.map(String::into_bytes))
            .map_err(|error| Failure::Message(format!("the file of `--ca-cert`: {error}")))
    }

    /// The token, from a file or the environment; never from the command line, which other users of the
    /// machine can read.
    pub(crate) fn token(&self) -> Result<Option<String>, Failure> {
        match &self.token_file {
            Some(path) => match plain_file::read_text(path, plain_file::MOST_TEXT) {
                Ok(token) => Ok(Some(token.trim().to_owned())),
                // The token itself may stand in the place of the path.
                Err(error) => Err(Failure::Message(format!("the file of `--token-file`: {error}"))),
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
  metricc ingest --source payments events.ndjson --retry-for 60s   wait for a node that is starting

The command returns when answers of the node include the events, and prints their frontier.

Each request has an idempotency key made of the name of the file, the position in it and the \
records, and the node says which requests of the file it has. So run the same command again after \
an interruption, or when the file has grown: only what is new is sent.

Records that do not decode are rejected: the node keeps them in quarantine, and the command reports \
them.

Exit codes:
  0  sent
  1  all records or more than `--max-rejected` were rejected
  2  the node or a file cannot be read, or wrong usage
  3  the node cannot take them now, or answers do not include them yet: run the same command again")]
pub(crate) struct IngestArguments {
    /// Files of events: `.ndjson`, `.jsonl`, `.json`, `.csv` or `.tsv` with a header, or `.parquet`; they may
    /// be compressed (.gz, .zst, .bz2). `-` reads stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Source of the events
    #[arg(long, value_name = "NAME")]
    pub(crate) source: String,
    /// Format of all files, where their names do not tell it: parquet, ndjson, json, csv or tsv
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Character between the cells of CSV, such as `;`, or `tab` [default: `,`]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<String>,
    #[command(flatten)]
    pub(crate) rejections: RejectionArguments,
    /// Return when the events are durable, without waiting until they are readable
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Wait so long for a node that does not answer yet, such as `60s`
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_time)]
    pub(crate) retry_for: i64,
    /// Events per request
    #[arg(long, value_name = "N", default_value_t = FILE_RECORDS as u32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) events: u32,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc audit          compare the served states with the log
  metricc audit --full   also rebuild the views from the log and compare them
  metricc audit --json   print JSON lines

The node recomputes all states from the start of its log, and compares them with the states that it \
serves, to the byte.

Exit codes:
  0  no differences
  1  differences
  2  the node cannot be reached, or wrong usage
  3  the node cannot answer yet: it is starting, computing or busy")]
pub(crate) struct AuditArguments {
    /// Also rebuild the views from the log, and compare them with the old ones
    #[arg(long)]
    pub(crate) full: bool,
    /// Print one JSON object per metric, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc status          what each metric costs, as a table
  metricc status --json   print JSON lines

Processor time is that of the work for a metric since the node started. Metrics that are computed together \
have equal parts of it. Reading and decoding the log is not in it.

Exit codes:
  0  answered
  2  the node cannot be reached, or wrong usage
  3  the node cannot answer yet: it is starting, computing or busy")]
pub(crate) struct StatusArguments {
    /// Print one JSON object per metric, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Output format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// A table
    Table,
    /// One JSON object per row
    Json,
    /// CSV with a header line
    Csv,
    /// An Arrow IPC stream
    Arrow,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc query                                          list the metrics of the node
  metricc query revenue --key country=IN --from 2026-04-01
  metricc query revenue --grain 24h --output json
  metricc query revenue --output csv > revenue.csv
  metricc query revenue --latest --live                  print the rows again after each change
  metricc query revenue --key country=IN --plot          draw a chart
  metricc query revenue --by country --order -value      rows by country alone, largest value first
  metricc query revenue --key country=IN --key country=DE --having value.from=1000
                                                         two countries, values of 1,000 or more
  metricc query revenue --totals country --share value --compare 1
                                                         totals of all countries, shares of them, and the window before
  metricc query revenue visitors --by country            two metrics of one frontier side by side
  metricc query revenue --key country=IN --explain       show the parts from batch and from the tail
  metricc query revenue --at 120                         the rows as of that frontier
  metricc query revenue --wait 120                       the newest rows, from that frontier on
  metricc query revenue --page 1000 --output json        the first 1,000 rows, and the cursor of the next ones

A node that has just started reads its log first; the command waits up to two minutes for it. \
`metricc ingest` prints the frontier that `--wait` takes.

Exit codes:
  0  answered
  2  the node cannot be reached or rejects the request, a subscription has ended, or wrong usage
  3  the node cannot answer yet: it is starting, computing, busy or shutting down, or the frontier of `--wait` \
was not reached in the time of `--wait-for`")]
pub(crate) struct QueryArguments {
    /// Metric to read, or several, whose rows of one frontier stand side by side; without it, the metrics are
    /// listed
    pub(crate) metric: Vec<String>,
    /// The metric as this version of the package defines it, such as a preview; `metricc versions` lists them
    #[arg(long, value_name = "VERSION", requires = "metric")]
    pub(crate) of_version: Option<u64>,
    #[command(flatten)]
    pub(crate) rows: RowArguments,
    #[command(flatten)]
    pub(crate) range: RangeArguments,
    /// Keep running, and print the rows again after each change
    #[arg(long)]
    pub(crate) live: bool,
    /// Read at this past frontier: one offset per partition of its sources
    #[arg(long, value_name = "OFFSET,…", value_delimiter = ',', conflicts_with = "live")]
    pub(crate) at: Option<Vec<u64>>,
    /// Wait until the answer covers this frontier: one offset per partition of its sources
    #[arg(long, value_name = "OFFSET,…", value_delimiter = ',', conflicts_with = "at")]
    pub(crate) wait: Option<Vec<u64>>,
    /// How long to wait for the frontier of `--wait`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub(crate) wait_for: i64,
    /// The epoch of the log that `--at` and `--wait` are of, from the answer or receipt that named them: an
    /// error if the log has lost events since
    #[arg(long, value_name = "EPOCH")]
    pub(crate) epoch: Option<String>,
    /// Read at most so many rows, and print the cursor of the next ones
    #[arg(long, value_name = "N", value_parser = parse_page, conflicts_with_all = ["live", "explain"])]
    pub(crate) page: Option<u64>,
    /// Read on after the rows of the answer that had this cursor, at its frontier; other arguments as before
    #[arg(long, value_name = "CURSOR", conflicts_with_all = ["live", "explain", "wait"])]
    pub(crate) cursor: Option<String>,
    /// Also show the merged parts of the log, and the end of the log at that time
    #[arg(long)]
    pub(crate) receipt: bool,
    /// Also show the rows that each part of the log gives on its own
    #[arg(long, conflicts_with_all = ["live", "plot", "latest"])]
    pub(crate) explain: bool,
    /// Draw a chart: a line over the windows for each key, or bars if the metric has no windows
    #[arg(long, conflicts_with = "output")]
    pub(crate) plot: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: QueryFormat,
    /// Print hashes in full, not their first twelve digits
    #[arg(long)]
    pub(crate) full_hashes: bool,
    /// Maximum number of rows in a table; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// A time that is written as in the language, in microseconds.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    metricc_ir::text::duration::parse(text).map_err(|problem| problem.to_string())
}

pub(super) fn parse_page(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|rows| *rows > 0)
        .ok_or_else(|| "a page has a whole number of rows, from 1 on".to_owned())
}
