//! Batch by a cluster: what is flushed is evaluated by jobs that other processes do.
//!
//! The node stays the only one that writes its log and its views. It hands out intervals of flushed files,
//! never of the journal, and merges what comes back as if it had evaluated it itself. Without the cluster,
//! the view stays where it is, and answers go on from the tail.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metricc_compiler::{EngineOptions, Segment, SourcePlan};
use metricc_durable_log::{Disk, DurableError, LogSnapshot};
use metricc_ir::Interval;
use metricc_jobs::{JobError, JobLog, JobOptions, JobStore, Note, PackageText, Run, RunOptions, Submit};
use metricc_log::{Frontier, Log};

/// Positions of a job, about: those of a flushed file.
const JOB_POSITIONS: u64 = 1_000_000;

/// Bytes of files of states that one process merges at a time.
const MERGE_BYTES: u64 = 64 << 20;

/// How long no executor may begin a job before the cluster is taken to be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long results stay in the store.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A cluster that evaluates for a node.
#[derive(Clone)]
pub struct BatchCluster {
    /// What it is called, such as `df://scheduler:50050`.
    pub name: String,
    /// Hands out jobs.
    pub submit: Arc<dyn Submit + Send + Sync>,
    /// Where results are.
    pub store: JobStore,
    /// The package of the node.
    pub package: PackageText,
}

impl fmt::Debug for BatchCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchCluster").field("name", &self.name).field("store", &self.store).finish()
    }
}

/// The cluster of a node, as its status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// What it is called.
    pub name: String,
    /// Why the last batch was not evaluated there, if so.
    pub problem: Option<String>,
}

/// What is evaluated of a log.
pub(crate) struct Flushed<'a> {
    pub(crate) plan: &'a SourcePlan,
    pub(crate) snapshot: &'a LogSnapshot,
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) log: &'a Log,
    pub(crate) interval: &'a Interval,
}

/// Where a batch ends that others evaluate: at the last frontier between two requests of which everything is
/// flushed, unless that is before its start.
pub(crate) fn flushed_end(
    snapshot: &LogSnapshot,
    source: &str,
    start: &Frontier,
) -> Result<Frontier, DurableError> {
    let (end, _) = snapshot.ends_around(source, &snapshot.flushed_to(source))?;
    let is_after = end.0.iter().zip(&start.0).all(|(end, start)| end >= start);
    Ok(if is_after { end } else { start.clone() })
}

impl BatchCluster {
    /// Evaluates an interval that is flushed.
    ///
    /// # Errors
    /// [`JobError`], also when `is_stopping` says so.
    pub(crate) fn evaluate(
        &self,
        flushed: &Flushed<'_>,
        is_stopping: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Segment>, JobError> {
        let Flushed { plan, snapshot, disk, log, interval } = *flushed;
        self.store.remove_older(KEPT)?;
        let job = JobOptions { workers: 1, memory_bytes: EngineOptions::default().memory_bytes };
        let run = Run {
            store: &self.store,
            package: &self.package,
            plan,
            log: &JobLog::Durable { log, snapshot, disk },
            interval,
            options: &RunOptions { job_positions: JOB_POSITIONS, merge_bytes: MERGE_BYTES, job },
        };
        let is_idle = AtomicBool::new(false);
        let note = |note: Note| {
            let (source, cluster) = (&plan.source.name, &self.name);
            match note {
                Note::Idle(time) => is_idle.store(time >= PATIENCE, Ordering::Relaxed),
                Note::Failed(why) => tracing::warn!(source, cluster, why, "a job goes to another executor"),
                Note::Lost { n_left, reason } => {
                    tracing::warn!(source, cluster, n_left, reason, "jobs are submitted again");
                }
            }
        };
        let is_given_up = || is_stopping() || is_idle.load(Ordering::Relaxed);
        match run.evaluate(self.submit.as_ref(), &is_given_up, &|_| (), &note) {
            Ok(done) => Ok(done.evaluation()?.segments),
            Err(JobError::Cancelled) if !is_stopping() => {
                Err(JobError::Protocol("no executor begins its jobs".to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}
