//! A run: an interval as jobs, their results, and the merge of what they wrote.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metricc_compiler::{Evaluation, MetricPlan, Segment, SourcePlan};
use metricc_ir::{Frontier, Interval, Slice};
use metricc_log::{Checksums, Log, ReadStats};
use sha2::{Digest, Sha256};

use crate::package_text::hex;
use crate::{Build, IntervalJob, JobError, JobHash, JobOptions, JobResult, JobStore, PackageText};

/// Attempts in a row of which no job comes back before a run fails.
const MAX_ATTEMPTS: u32 = 4;

/// How long to wait before another attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// Hands jobs to workers.
pub trait Submit {
    /// Has the jobs of a run done. Returns when all of them were tried, or earlier with the reason: what has
    /// come of them is in the store. Calls `watch` about three times a second, and gives up all jobs once
    /// that is an error.
    ///
    /// # Errors
    /// [`SubmitError`].
    fn submit(&self, run: &str, jobs: &[&IntervalJob], watch: Watch<'_>) -> Result<(), SubmitError>;
}

/// Called while jobs run.
pub type Watch<'a> = &'a (dyn Fn() -> Result<(), JobError> + Sync);

/// Why jobs were not tried.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The cluster cannot be reached, or has failed. Jobs may be submitted again.
    #[error("{0}")]
    Cluster(String),
    /// The run ends.
    #[error(transparent)]
    End(#[from] JobError),
}

/// What whoever started a run is told meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A worker could not do a job; others try it.
    Failed(String),
    /// The cluster failed; jobs without a result are submitted again.
    Lost {
        /// Jobs without a result.
        n_left: usize,
        /// Why.
        reason: String,
    },
}

/// How an interval becomes jobs.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Positions of a job, about.
    pub job_positions: u64,
    /// How a job is evaluated.
    pub job: JobOptions,
}

/// An interval of a log that is evaluated by jobs.
#[derive(Debug)]
pub struct Run<'a> {
    /// Where results are.
    pub store: &'a JobStore,
    /// The package.
    pub package: &'a PackageText,
    /// The plan of its metrics.
    pub plan: &'a SourcePlan,
    /// The log, as this process has opened it.
    pub log: &'a Log,
    /// The interval.
    pub interval: &'a Interval,
    /// How it becomes jobs.
    pub options: &'a RunOptions,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Done {
    /// What it evaluated.
    pub evaluation: Evaluation,
    /// The number of its jobs.
    pub n_jobs: usize,
    /// Who did them.
    pub workers: BTreeSet<String>,
    /// The CPU time that they took.
    pub cpu: Duration,
}

/// A job, and its part of the interval.
pub(crate) struct Planned {
    hash: JobHash,
    pub(crate) job: IntervalJob,
    interval: Interval,
}

impl Run<'_> {
    /// Evaluates the interval. Calls `progress` with the positions whose jobs have a result now, and `note`
    /// with what happens meanwhile. Gives up once `is_cancelled` is set.
    ///
    /// # Errors
    /// [`JobError`].
    pub fn evaluate(
        &self,
        submit: &dyn Submit,
        is_cancelled: &Arc<AtomicBool>,
        progress: &(dyn Fn(u64) + Sync),
        note: &(dyn Fn(Note) + Sync),
    ) -> Result<Done, JobError> {
        let n_jobs = self.interval.n_positions().div_ceil(self.options.job_positions.max(1)).max(1);
        let jobs = self.jobs(usize::try_from(n_jobs).unwrap_or(usize::MAX))?;
        let run = self.id(&jobs);
        let watch = || {
            if is_cancelled.load(Ordering::Relaxed) {
                return Err(JobError::Cancelled);
            }
            self.store.take_failures(&run)?.into_iter().for_each(|why| note(Note::Failed(why)));
            let done: HashSet<JobHash> = self.store.done(&run)?.into_iter().collect();
            let n_positions = jobs.iter().filter(|planned| done.contains(&planned.hash));
            progress(n_positions.map(|planned| planned.job.n_positions()).sum());
            Ok(())
        };
        self.complete(&run, &jobs, submit, &watch, note)?;
        let results = jobs.iter().map(|planned| {
            let result = self.store.result(&run, &planned.hash)?;
            result.ok_or_else(|| JobError::Protocol(format!("the result of job {} is gone", planned.hash)))
        });
        let results = results.collect::<Result<Vec<_>, _>>()?;
        self.merged(&jobs, &results)
    }

    /// The interval as at most so many jobs, in order.
    pub(crate) fn jobs(&self, n_jobs: usize) -> Result<Vec<Planned>, JobError> {
        let package = self.store.write_package(self.package)?;
        let checksums = Checksums::default();
        let all = self.log.file_parts(self.interval, &checksums)?;
        let mut log = Sha256::new();
        for part in &all {
            log.update(part.name.as_bytes());
            log.update(part.file.n_bytes.to_le_bytes());
            log.update(part.file.checksum.to_le_bytes());
        }
        let log = hex(&log.finalize());
        let splits = self.log.slices(self.interval, n_jobs);
        let mut from = self.interval.from().clone();
        let mut jobs = Vec::with_capacity(splits.len());
        for slices in splits {
            let to = after(&from, &slices);
            let interval =
                Interval::new(from, to.clone()).map_err(|error| JobError::Form(error.to_string()))?;
            let job = IntervalJob {
                build: Build::of_this_process(),
                package: package.clone(),
                source: self.plan.source.name.clone(),
                metrics: self.plan.metrics.iter().map(|metric| metric.metric.name.clone()).collect(),
                state_hashes: self.plan.metrics.iter().map(|metric| metric.state_hash.to_string()).collect(),
                log: log.clone(),
                n_partitions: self.log.end().0.len(),
                parts: self.log.file_parts(&interval, &checksums)?,
                options: self.options.job.clone(),
            };
            jobs.push(Planned { hash: job.hash(), job, interval });
            from = to;
        }
        Ok(jobs)
    }

    /// The name of the run: that of all runs of the same jobs, which share their results.
    fn id(&self, jobs: &[Planned]) -> String {
        let mut hasher = Sha256::new();
        jobs.iter().for_each(|planned| hasher.update(planned.hash.0.as_bytes()));
        hex(&hasher.finalize()[..16])
    }

    /// Submits the jobs without a result, until there are none.
    fn complete(
        &self,
        run: &str,
        jobs: &[Planned],
        submit: &dyn Submit,
        watch: Watch<'_>,
        note: &(dyn Fn(Note) + Sync),
    ) -> Result<(), JobError> {
        let (mut n_attempts, mut n_left, mut reason) = (0, usize::MAX, String::new());
        loop {
            watch()?;
            let done: HashSet<JobHash> = self.store.done(run)?.into_iter().collect();
            let left: Vec<&IntervalJob> = jobs
                .iter()
                .filter(|planned| !done.contains(&planned.hash))
                .map(|planned| &planned.job)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            n_attempts = if left.len() < n_left { 1 } else { n_attempts + 1 };
            if n_attempts > MAX_ATTEMPTS {
                return Err(JobError::Unfinished { n_left: left.len(), n_jobs: jobs.len(), reason });
            }
            if n_left != usize::MAX {
                std::thread::sleep(PAUSE * n_attempts);
            }
            n_left = left.len();
            // An executor that fails at once is free again first. So what was tried in vain is handed out
            // more than once at a time, that others get it too. Only one result counts.
            match submit.submit(run, &left.repeat(n_attempts as usize), watch) {
                Ok(()) => {}
                Err(SubmitError::End(error)) => return Err(error),
                Err(SubmitError::Cluster(why)) => {
                    let n_left = left.len();
                    note(Note::Lost { n_left, reason: why.clone() });
                    reason = why;
                }
            }
            for why in self.store.take_failures(run)? {
                reason.clone_from(&why);
                note(Note::Failed(why));
            }
        }
    }

    /// The segments of all jobs, merged.
    fn merged(&self, jobs: &[Planned], results: &[JobResult]) -> Result<Done, JobError> {
        let mut read_stats = ReadStats::default();
        let (mut workers, mut cpu) = (BTreeSet::new(), Duration::ZERO);
        for (planned, result) in jobs.iter().zip(results) {
            if result.n_positions != planned.job.n_positions()
                || result.segments.len() != self.plan.metrics.len()
            {
                let problem = format!("the result of job {} is not of its interval", planned.hash);
                return Err(JobError::Protocol(problem));
            }
            read_stats.merge(result.read_stats.clone());
            workers.insert(result.worker.clone());
            cpu += Duration::from_millis(result.cpu_milliseconds);
        }
        let merge =
            |(index, metric): (usize, &Arc<MetricPlan>)| self.merged_metric(index, metric, jobs, results);
        let segments = self.plan.metrics.iter().enumerate().map(merge).collect::<Result<_, _>>()?;
        Ok(Done { evaluation: Evaluation { segments, read_stats }, n_jobs: jobs.len(), workers, cpu })
    }

    fn merged_metric(
        &self,
        index: usize,
        plan: &MetricPlan,
        jobs: &[Planned],
        results: &[JobResult],
    ) -> Result<Segment, JobError> {
        let mut end = self.interval.from().clone();
        let mut states = Vec::with_capacity(jobs.len());
        for (planned, result) in jobs.iter().zip(results) {
            let Some(file) =
                result.segments.get(index).filter(|file| file.state_hash == plan.state_hash.to_string())
            else {
                let problem = format!("the result of job {} has other states", planned.hash);
                return Err(JobError::Protocol(problem));
            };
            let segment = self.store.segment(file, plan, planned.interval.clone())?;
            end = plan.follows(&end, &segment).map_err(|error| JobError::Protocol(error.to_string()))?;
            states.push(segment.states);
        }
        if end != *self.interval.to() {
            return Err(JobError::Protocol(format!("the jobs end at {end}, not at {}", self.interval.to())));
        }
        let states = plan.form.collect(&states)?;
        Ok(Segment { hash: plan.state_hash, interval: self.interval.clone(), states })
    }
}

/// The frontier after some slices, which begin at another one.
fn after(from: &Frontier, slices: &[Slice]) -> Frontier {
    let mut to = from.clone();
    for slice in slices {
        if let Some(offset) = to.0.get_mut(slice.partition as usize) {
            *offset = slice.to;
        }
    }
    to
}
