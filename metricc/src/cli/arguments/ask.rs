//! Arguments of `ask`.

use std::path::PathBuf;

use clap::Args;

use super::node::parse_page;
use super::{LogArguments, NodeArguments, QueryFormat, RangeArguments, RowArguments};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc ask 'count() { from payments  by country }'
  metricc ask 'distinct(user) { from payments where plan == \"pro\" by device every day in india }' --from 2026-04-01
  metricc ask 'revenue / orders' --grain 24h        of metrics that are served: reads none of the log
  metricc ask 'count() { from payments }' --estimate
                                                   only say what it would read
  metricc ask 'count() { from payments }' --keep payments_seen
                                                   answer it, and deploy it as a metric
  metricc ask 'count() { from payments }' payments.metric --source payments=log/
                                                   over files, without a node

A question is what stands behind `metric NAME =`. It is checked with the package of the node, or with the file, and \
may use all that is declared there: sources, tables, calendars, functions and metrics.

The node computes it from its log, at the frontier at which it answers declared metrics, with what it would take \
said first. Ctrl-C cancels it. What was computed is kept for some minutes: asked again, or kept as a metric, only \
what came in since is read.

Exit codes:
  0  answered; with --keep, live
  1  the question has errors; over files also: too many records are rejected, or a log is empty
  2  the node cannot be reached or refuses it, a log cannot be read, or wrong usage
  3  the node cannot answer yet: it is starting, computing, busy or shutting down")]
pub(crate) struct AskArguments {
    /// The value and the body of a metric without a name
    pub(crate) question: String,
    /// Compute it here, over the files of `--source`: the `.metric` file that declares the sources
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) logs: LogArguments,
    #[command(flatten)]
    pub(crate) rows: RowArguments,
    #[command(flatten)]
    pub(crate) range: RangeArguments,
    /// Only say what it would read, and about how long that takes
    #[arg(long, conflicts_with_all = ["keep", "page", "receipt"])]
    pub(crate) estimate: bool,
    /// Deploy it as a metric of this name, beside the live package; what was computed is not computed again
    #[arg(long, value_name = "NAME")]
    pub(crate) keep: Option<String>,
    /// Do not wait until the metric is live
    #[arg(long, requires = "keep")]
    pub(crate) no_wait: bool,
    /// Who keeps it, for the history of the node; your user name unless it is given
    #[arg(long, value_name = "NAME", requires = "keep")]
    pub(crate) by_whom: Option<String>,
    /// Answer it at this past frontier: one offset per partition of its sources
    #[arg(long, value_name = "OFFSET,…", value_delimiter = ',')]
    pub(crate) at: Option<Vec<u64>>,
    /// Read at most so many rows
    #[arg(long, value_name = "N", value_parser = parse_page)]
    pub(crate) page: Option<u64>,
    /// Also show the parts of the log that were merged, and the end of the log at that time
    #[arg(long)]
    pub(crate) receipt: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: QueryFormat,
    /// As `--output json`; with `--estimate`, print it as one JSON object
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,
    /// Print hashes in full, not their first twelve digits
    #[arg(long)]
    pub(crate) full_hashes: bool,
    /// Maximum number of rows in a table; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

impl AskArguments {
    pub(crate) fn format(&self) -> QueryFormat {
        if self.json { QueryFormat::Json } else { self.output }
    }
}
