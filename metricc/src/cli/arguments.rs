//! The arguments of all commands, and their help texts.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use metricc_log::Format;

use super::terminal::{Failure, MessageFormat};

mod ask;
mod cluster;
mod comparison;
mod deploy;
mod engines;
mod kafka;
mod node;
mod rows;
mod sql;
mod without_effect;

pub(crate) use ask::AskArguments;
pub(crate) use cluster::{ClusterArguments, RunOnCluster};
#[cfg(feature = "cluster")]
pub(crate) use cluster::{ClusterCommand, ExecutorArguments, LocalArguments, SchedulerArguments};
pub(crate) use comparison::{CompareArguments, DiffArguments, DiffFormat};
pub(crate) use deploy::{
    ByArguments, DeployArguments, PromoteArguments, RetireArguments, RollbackArguments, VersionsArguments,
};
pub(crate) use engines::{
    EngineChoice, InputArguments, LogArguments, OutputFormat, RangeArguments, RunArguments, VerifyArguments,
};
pub(crate) use kafka::KafkaArguments;
pub(crate) use node::{
    AuditArguments, IngestArguments, LogFormat, NodeArguments, QueryArguments, QueryFormat, RestoreArguments,
    ServeArguments, StatusArguments,
};
pub(crate) use rows::RowArguments;
pub(crate) use sql::SqlArguments;

/// Define a metric once; a batch and a stream engine compute it, identical to the byte
#[derive(Debug, Parser)]
#[command(name = "metricc", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  metricc demo                                            both engines on real flight data
  metricc new my-metrics                                  create a package to start from
  metricc check payments.metric                           report all errors and warnings
  metricc test payments.metric                            run the `test` blocks in both engines
  metricc run payments.metric --source payments=log/      compute the metrics over files
  metricc verify payments.metric --source payments=log/   check that the engines agree on your data
  metricc diff old.metric new.metric --source payments=log/
                                                          which rows a change makes differ, and why
  metricc serve payments.metric                           run a node: take events, serve metrics
  metricc query revenue --key country=IN                  read a metric from the node
  metricc ask 'count() { from payments  by country }'     compute what no metric declares from its log

`metricc COMMAND --help` shows the options, examples and exit codes of a command.

Exit codes:
  0  success
  1  errors in a `.metric` file, or a difference
  2  wrong usage, or another failure
  3  not now: a node is starting, computing or busy, and the same command may succeed later";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a package with an example: events, metrics, tests and data
    New(NewArguments),
    /// Report all errors and warnings in `.metric` files
    Check(CheckArguments),
    /// Format `.metric` files
    Fmt(FmtArguments),
    /// Show each compiler stage of a metric, or explain an error code
    Explain(ExplainArguments),
    /// Run the `test` blocks of `.metric` files in batch, in stream and merged
    Test(TestArguments),
    /// Compute metrics over files of events
    Run(Box<RunArguments>),
    /// Ask in SQL of metrics and events over files
    Sql(SqlArguments),
    /// Check on your data that batch, stream and their merge agree to the byte
    Verify(VerifyArguments),
    /// Compare the metrics of two versions of a file, and their rows over files of events
    Diff(Box<DiffArguments>),
    /// Compare a metric with rows that another system computed
    Compare(Box<CompareArguments>),
    /// Generate a Rust client crate, an OpenAPI document, JSON schemas and plans
    Compile(CompileArguments),
    /// Run a process of a cluster that computes metrics on several machines
    Cluster(ClusterArguments),
    /// One process of a run with `--processes`, which starts it
    #[command(hide = true)]
    StreamProcess,
    /// Run a node: it stores events and serves metrics over HTTP
    Serve(ServeArguments),
    /// Restore the log of a node from its object store
    Restore(RestoreArguments),
    /// Deploy a version of a package to a node that runs
    Deploy(DeployArguments),
    /// Make a version that was deployed as a preview live
    Promote(PromoteArguments),
    /// Make a version live again that was live before
    Rollback(RollbackArguments),
    /// Give up a version that is not live
    Retire(RetireArguments),
    /// List the versions of a node's package
    Versions(VersionsArguments),
    /// Send files of events to a node
    Ingest(IngestArguments),
    /// Read a metric from a node
    Query(QueryArguments),
    /// Answer a question that no metric declares, by a node or over files of events
    Ask(Box<AskArguments>),
    /// Compare what a node serves with a recomputation from its log
    Audit(AuditArguments),
    /// Show what each metric of a node costs: groups, bytes and processor time
    Status(StatusArguments),
    /// Run real flight data through batch, stream and their merge
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
  metricc new orders      create the folder `orders` with events, metrics, tests and some data
  cd orders
  metricc test metrics.metric

Exit codes:
  0  created
  2  the folder is not empty, or cannot be written")]
pub(crate) struct NewArguments {
    /// Folder of the new package; it must be empty if it exists
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc check payments.metric
  metricc check metrics/*.metric --message-format short
  metricc check payments.metric --message-format json > diagnostics.ndjson

`metricc explain CODE` explains the code of a diagnostic.

Exit codes:
  0  no errors (warnings are allowed)
  1  errors
  2  a file cannot be read, or wrong usage")]
pub(crate) struct CheckArguments {
    /// Files to check
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How to write diagnostics
    #[arg(long, value_enum, default_value = "full")]
    pub(crate) message_format: MessageFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc fmt payments.metric            format the file in place
  metricc fmt --check metrics/*.metric   for CI: exit code 1 if a file is not formatted
  metricc fmt --diff payments.metric     show the changes
  metricc fmt - < payments.metric        format stdin to stdout

Formatting keeps the meaning of the file and all its comments.

Exit codes:
  0  all files are formatted
  1  a file has syntax errors, or would change (--check, --diff)
  2  a file cannot be read or written, or wrong usage")]
pub(crate) struct FmtArguments {
    /// Files to format; `-` reads stdin and writes stdout
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write nothing; list the files that would change
    #[arg(long)]
    pub(crate) check: bool,
    /// Write nothing; show the changes as a diff
    #[arg(long)]
    pub(crate) diff: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc test payments.metric
  metricc test metrics/*.metric --filter refund
  metricc test payments.metric --watch     run again each time the file is saved

Each test runs in batch, in stream and merged, with its log cut at every position. It then runs \
three times with the log in a random order, cut at a random position. A failure lists expected rows \
after `-` and found rows after `+`.

Exit codes:
  0  all tests passed
  1  a test failed, a file has errors, or no test has the text of --filter in its name
  2  a file cannot be read, or wrong usage")]
pub(crate) struct TestArguments {
    /// Files with `test` blocks
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Run only the tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Run again each time one of the files, or a file it uses, changes
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc compile payments.metric --out generated
  metricc compile payments.metric --out generated --name payments-client --metricc ../metricc

Contents of the output folder:
  rust/           a client crate: typed `get`, `range`, `latest` and `subscribe` for each metric;
                  `src/package.metric` and `src/used` are the texts that it was generated from
  openapi.json    the HTTP API of a node that serves the package, for clients in other languages:
                  reads, ingestion, errors and tokens
  schemas/        JSON schemas of the rows, and descriptions of the stored states
  plans/          the plans that the engines run

Exit codes:
  0  generated
  1  the package has errors
  2  the output cannot be written, or wrong usage")]
pub(crate) struct CompileArguments {
    /// The `.metric` file
    pub(crate) file: PathBuf,
    /// Output folder; created if it does not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Name of the generated crate [default: name of the file with `-metrics`]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Path of the `metricc` crate to depend on [default: this version, from the registry]
    #[arg(long, value_name = "PATH")]
    pub(crate) metricc: Option<String>,
}

/// A stage of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The states and their sizes, and the effect of repeated and deleted events
    Summary,
    /// The syntax tree
    Syntax,
    /// The typed metric: names resolved, types checked, in normal form
    Typed,
    /// The monoids of its states, with their laws and sizes
    Algebra,
    /// The plan of the batch engine
    Batch,
    /// The dataflow of the stream engine
    Stream,
    /// How states are merged and presented
    Serve,
}

/// Output format of an explanation.
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
  metricc explain M0012

Exit codes:
  0  explained
  1  the file has errors
  2  there is no such metric or code, or wrong usage")]
pub(crate) struct ExplainArguments {
    /// A `.metric` file, or an error code such as M0012
    #[arg(value_name = "FILE|CODE")]
    pub(crate) subject: PathBuf,
    /// A metric of the file [default: all]
    pub(crate) metric: Option<String>,
    /// Only this stage [default: all]
    #[arg(long, value_enum)]
    pub(crate) stage: Option<Stage>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ExplainFormat,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  metricc demo                    takes a few seconds
  metricc demo --keep demo        also leaves the data and the metrics in `demo`

Exit codes:
  0  the engines agree
  1  they differ
  2  wrong usage, or another failure")]
pub(crate) struct DemoArguments {
    /// Keep the data and the `.metric` file in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "metricc", &mut script);
    super::terminal::data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// The arguments of the process.
///
/// # Errors
/// What is wrong with them, or a text that was asked for, such as the help.
pub(crate) fn parse() -> Result<Arguments, clap::Error> {
    let command = Arguments::command();
    let given = command.clone().try_get_matches().map_err(with_binding)?;
    without_effect::check(command, &given)?;
    Arguments::from_arg_matches(&given).map_err(|error| error.format(&mut Arguments::command()))
}

/// The error with a hint, if a file of events stands where only options may.
fn with_binding(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return error };
    let is_file =
        error.kind() == ErrorKind::UnknownArgument && Format::from_path(argument.as_ref()).is_some();
    if is_file {
        let hint = format!("events are bound to a source: `--source SOURCE={argument}`");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn paragraphs_are_lines_that_a_terminal_can_wrap() {
        let mut commands = vec![Arguments::command()];
        while let Some(command) = commands.pop() {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for (line, next) in after.lines().zip(after.lines().skip(1)) {
                let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
                let is_cut = is_text(line) && is_text(next);
                assert!(!is_cut, "{}: a paragraph is cut after: {line}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
