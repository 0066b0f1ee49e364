//! The `metricc` command: arguments, terminal, exit codes. Data goes to stdout, everything else to stderr.
//!
//! Exit codes: 0 success; 1 errors in a `.metric` file, or a difference; 2 wrong usage, or another failure; 3 not
//! now.

mod arguments;
mod ask;
mod audit;
mod check;
mod cluster;
mod compare;
mod compare_report;
mod compile;
mod demo;
mod deploy;
mod diff;
mod diff_live;
mod diff_rows;
mod diff_test_text;
mod diff_tests;
mod explain;
mod fmt;
mod ingest;
mod ingest_client;
mod kafka;
mod new;
mod node_client;
mod output;
mod plot;
mod progress;
mod query;
mod rejection_hints;
mod rejections;
mod restore;
mod run;
mod serve;
mod sql;
mod status;
mod stored;
mod stream_process;
mod stream_processes;
mod table;
mod terminal;
mod test;
mod verify;

use std::process::ExitCode;

use metricc_ir::user_defined::Imports;

use arguments::Command;
use terminal::Failure;

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    main_with(&Imports::new())
}

/// Runs the command with user-defined functions and aggregates, which `.metric` files can import:
///
/// ```no_run
/// use metricc::user_defined::Imports;
///
/// fn main() -> std::process::ExitCode {
///     metricc::cli::main_with(&Imports::new())
/// }
/// ```
pub fn main_with(imports: &Imports) -> ExitCode {
    let arguments = arguments::parse().unwrap_or_else(|error| error.exit());
    let done = match arguments.command {
        Command::New(new) => new::run(&new),
        Command::Check(check) => check::run(&check),
        Command::Fmt(fmt) => fmt::run(&fmt),
        Command::Explain(explain) => explain::run(&explain, imports),
        Command::Test(test) => test::run(&test, imports),
        Command::Run(run) => run::run(&run, imports),
        Command::Sql(sql) => sql::run(&sql, imports),
        Command::Verify(verify) => verify::run(&verify, imports),
        Command::Compile(compile) => compile::run(&compile, imports),
        Command::Diff(diff) => diff::run(&diff, imports),
        Command::Compare(compare) => compare::run(&compare, imports),
        Command::Cluster(cluster) => cluster::run(&cluster, imports),
        Command::StreamProcess => stream_process::run(imports),
        Command::Serve(serve) => serve::run(&serve, imports),
        Command::Restore(restore) => restore::run(&restore),
        Command::Deploy(deploy) => deploy::run(&deploy, imports),
        Command::Promote(promote) => deploy::promote(&promote),
        Command::Rollback(rollback) => deploy::rollback(&rollback),
        Command::Retire(retire) => deploy::retire(&retire),
        Command::Versions(versions) => deploy::versions(&versions),
        Command::Ingest(ingest) => ingest::run(&ingest),
        Command::Query(query) => query::run(&query),
        Command::Ask(asked) => ask::run(&asked, imports),
        Command::Audit(audit) => audit::run(&audit),
        Command::Status(status) => status::run(&status),
        Command::Demo(demo) => demo::run(&demo),
        Command::Completions { shell } => arguments::completions(shell),
    };
    match done {
        Ok(code) => code,
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Message(message)) => {
            terminal::error(&message);
            ExitCode::from(2)
        }
        Err(Failure::NotNow(message)) => {
            terminal::error(&message);
            ExitCode::from(terminal::NOT_NOW)
        }
    }
}

/// Waits for requests to a node.
fn blocking<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}
