//! The processes of a cluster: scheduler and executors.

use std::process::ExitCode;
use std::sync::Arc;

use metricc_cluster::{
    Address, ClusterError, Executor, check_executor, check_scheduler, run_executor, run_scheduler,
};
use metricc_ir::user_defined::Imports;
use metricc_jobs::{Build, JobStore, Worker};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::arguments::{ClusterArguments, ClusterCommand, ExecutorArguments, SchedulerArguments};
use crate::cli::cluster::{local, store_folder};
use crate::cli::terminal::{self, Failure};

pub(crate) fn run(arguments: &ClusterArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    tracing_subscriber::fmt()
        .with_writer(|| terminal::LogLines)
        .log_internal_errors(false)
        .with_target(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = match &arguments.command {
        ClusterCommand::Local(arguments) => runtime.block_on(local::run(arguments)),
        ClusterCommand::Scheduler(arguments) => runtime.block_on(scheduler(arguments)),
        ClusterCommand::Executor(arguments) => runtime.block_on(executor(arguments, imports)),
    };
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended.map(|()| ExitCode::SUCCESS)
}

async fn scheduler(arguments: &SchedulerArguments) -> Result<(), Failure> {
    let SchedulerArguments { listen, host, until_closed } = arguments;
    check_scheduler(*listen)?;
    let name = host.clone().unwrap_or_else(|| listen.ip().to_string());
    terminal::note(format!("scheduler at df://{name}:{}", listen.port()));
    until_stopped(run_scheduler(*listen, &name), *until_closed).await
}

async fn executor(arguments: &ExecutorArguments, imports: &Imports) -> Result<(), Failure> {
    let scheduler: Address = arguments.scheduler.parse()?;
    let store = JobStore::in_folder(&store_folder(arguments.store.as_deref())?)?;
    check_executor(arguments.listen)?;
    let slots = arguments
        .slots
        .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let host = arguments.host.clone().unwrap_or_else(|| arguments.listen.ip().to_string());
    let name = format!("{host}:{}", arguments.listen.port());
    terminal::note(format!("executor {name} of {scheduler}: {slots} jobs at a time, store {}", store.name()));
    let worker = Arc::new(Worker::new(&name, Build::of_this_process(), store, imports.clone()));
    let executor = Executor {
        scheduler,
        listen: arguments.listen,
        host: arguments.host.clone(),
        slots,
        wait_seconds: arguments.wait,
    };
    until_stopped(run_executor(&executor, worker), arguments.until_closed).await
}

/// Runs a process of the cluster until it fails, or until this process is told to stop: by a signal, or, if
/// that is `until_closed`, by the end of stdin.
async fn until_stopped(
    process: impl Future<Output = Result<(), ClusterError>>,
    until_closed: bool,
) -> Result<(), Failure> {
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        ended = process => Ok(ended?),
        _ = interrupted.recv() => Ok(()),
        _ = terminated.recv() => Ok(()),
        () = local::stdin_closed(), if until_closed => Ok(()),
    }
}
