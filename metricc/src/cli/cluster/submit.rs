//! A run whose jobs a cluster does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;
use metricc_cluster::{Address, Cluster};
use metricc_jobs::{Done, JobLog, JobOptions, JobStore, Note, PackageText, Run, RunOptions};
use metricc_log::Interval;
use metricc_node::{BatchCluster, Config};
use tokio::signal::unix::{SignalKind, signal};

use super::store_folder;
use crate::cli::arguments::RunOnCluster;
use crate::cli::terminal::{self, Failure, counted};
use crate::{Bound, EngineOptions, Package};

/// How long results stay in the store: a run that is repeated takes them.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(crate) fn evaluate(
    on: &RunOnCluster,
    package: &Package,
    bound: &Bound,
    options: &EngineOptions,
    bar: &ProgressBar,
) -> Result<Done, Failure> {
    let address: Address = on.cluster.as_deref().unwrap_or_default().parse()?;
    let store = JobStore::in_folder(&store_folder(on.store.as_deref())?)?;
    store.remove_older(KEPT)?;
    let cluster = Cluster::new(address.clone())?;
    let interval = Interval::new(bound.log.start(), bound.log.end())?;
    let options = RunOptions {
        job_positions: on.job_events,
        merge_bytes: on.merge_mib.saturating_mul(1 << 20),
        // Executors run several jobs at a time, so each has one thread.
        job: JobOptions { workers: 1, memory_bytes: options.memory_bytes },
    };
    let run = Run {
        store: &store,
        package: &PackageText::of_checked(&package.text, &package.checked)?,
        plan: &bound.plan,
        log: &JobLog::of_files(&bound.log),
        interval: &interval,
        options: &options,
    };
    // A reason that comes again and again is said once.
    let said = Mutex::new(BTreeSet::new());
    let note = |note: Note| {
        let text = match note {
            Note::Failed(why) => format!("{why}: the job goes to another executor"),
            Note::Idle(_) => format!(
                "no executor of {address} has begun a job so far: the run waits for one\n  help: `metricc cluster executor \
                 --scheduler {address} --store {}` starts one",
                store.name()
            ),
            Note::Lost { n_left, reason } => {
                format!("{reason}: {} submitted again", counted(n_left, "job is", "jobs are"))
            }
        };
        if said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
            bar.suspend(|| terminal::warning(&text));
        }
    };
    let is_cancelled = interrupted()?;
    let is_cancelled = || is_cancelled.load(Ordering::Relaxed);
    let done = run.evaluate(&cluster, &is_cancelled, &|n| bar.set_position(n), &note)?;
    let source = &bound.plan.source.name;
    bar.suspend(|| terminal::note(format!("source `{source}`: {}", summary(&done, store.name()))));
    Ok(done)
}

/// How many jobs a run had, and who has done them: executors now, or an earlier run.
fn summary(done: &Done, store: &str) -> String {
    let jobs = counted(done.n_jobs, "job", "jobs");
    let jobs = match done.n_merges {
        0 => jobs,
        n => format!("{jobs} and {}", counted(n, "merge", "merges")),
    };
    if done.n_found == done.n_jobs + done.n_merges {
        return format!("{jobs}, whose results were in the store {store} already");
    }
    let found = match done.n_found {
        0 => String::new(),
        n => format!(", of which {n} were in the store {store} already, and the others done"),
    };
    let executors = counted(done.workers.len(), "executor", "executors");
    format!("{jobs}{found} by {executors}, {:.1} s of CPU", done.cpu.as_secs_f64())
}

/// How long a node waits for a scheduler that does not answer: its next batch asks again.
const AWAY_OF_NODE: Duration = Duration::from_secs(3);

pub(crate) fn of_node(config: &Config, package: &Package) -> Result<Option<BatchCluster>, Failure> {
    let (Some(address), Some(store)) = (&config.batch.cluster, &config.batch.store) else { return Ok(None) };
    let address: Address = address.parse()?;
    Ok(Some(BatchCluster {
        name: address.to_string(),
        submit: Arc::new(Cluster::new(address)?.waiting(AWAY_OF_NODE)),
        store: JobStore::in_folder(store)?,
        package: PackageText::of_checked(&package.text, &package.checked)?,
    }))
}

/// Set when this process is told to stop. A second time ends it at once.
fn interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let is_cancelled: Arc<AtomicBool> = Arc::default();
    let told = is_cancelled.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("metricc-signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let (Ok(mut interrupted), Ok(mut terminated)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                tokio::select! { _ = interrupted.recv() => {}, _ = terminated.recv() => {} }
                if told.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                terminal::note("giving up the jobs of this run");
            }
        });
    })?;
    Ok(is_cancelled)
}
