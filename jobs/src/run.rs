//! A run: an interval as jobs, their results, and the merge of what they wrote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use metricc_compiler::{Evaluation, MetricPlan, SourcePlan};
use metricc_ir::{Frontier, Interval, Slice};
use metricc_log::ReadStats;
use sha2::{Digest, Sha256};

use crate::merge_tree::MergeTree;
use crate::package_text::hex;
use crate::running::{Planned, Running, Totals};
use crate::{
    Build, IntervalWork, Job, JobError, JobLog, JobOptions, JobStore, Meaning, Note, PackageText,
    RangedSegment, Submit, Work,
};

/// How an interval becomes jobs.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Positions of a job, about.
    pub job_positions: u64,
    /// Bytes of files of states that one process merges at a time, about. More of them are merged by jobs, in
    /// ranges of groups.
    pub merge_bytes: u64,
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
    pub log: &'a JobLog<'a>,
    /// The interval.
    pub interval: &'a Interval,
    /// How it becomes jobs.
    pub options: &'a RunOptions,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Done {
    /// The segments of the plan's metrics, in their order.
    pub segments: Vec<RangedSegment>,
    /// Counts of the records that were read, quarantined and left out.
    pub read_stats: ReadStats,
    /// The number of its jobs that read the log.
    pub n_jobs: usize,
    /// The number of its jobs that merge.
    pub n_merges: usize,
    /// The number of all its jobs whose results were in the store before.
    pub n_found: usize,
    /// Who did the others.
    pub workers: BTreeSet<String>,
    /// The CPU time that the others took.
    pub cpu: Duration,
}

impl Done {
    /// The segments as a whole.
    ///
    /// # Errors
    /// [`JobError`] if a file is missing or damaged.
    pub fn evaluation(&self) -> Result<Evaluation, JobError> {
        let segments = self.segments.iter().map(RangedSegment::whole).collect::<Result<_, _>>()?;
        Ok(Evaluation { segments, read_stats: self.read_stats.clone() })
    }
}

impl Run<'_> {
    /// Evaluates the interval. Calls `progress` with the positions whose jobs have a result now, and `note`
    /// with what happens meanwhile. Gives up once `is_cancelled` says so.
    ///
    /// # Errors
    /// [`JobError`].
    pub fn evaluate(
        &self,
        submit: &dyn Submit,
        is_cancelled: &(dyn Fn() -> bool + Sync),
        progress: &(dyn Fn(u64) + Sync),
        note: &(dyn Fn(Note) + Sync),
    ) -> Result<Done, JobError> {
        let meaning = self.meaning()?;
        let n_jobs = self.interval.n_positions().div_ceil(self.options.job_positions.max(1)).max(1);
        let jobs = self.jobs(&meaning, usize::try_from(n_jobs).unwrap_or(usize::MAX))?;
        let mut run = Running::new(self.store, id(&jobs), submit, is_cancelled, note);
        run.forget_failures()?;
        let results = run.results(&jobs, progress)?;
        let mut trees = Vec::with_capacity(self.plan.metrics.len());
        for metric in 0..self.plan.metrics.len() {
            let files = results.iter().map(|result| result.segments.get(metric).cloned());
            let files = files.collect::<Option<Vec<_>>>();
            let files = files.ok_or_else(|| JobError::Protocol("a result lacks a metric".to_owned()))?;
            trees.push(MergeTree::new(metric, files, self.options.merge_bytes));
        }
        let n_merges = merge(&mut run, &meaning, &mut trees)?;
        let segment = |(plan, tree): (&Arc<MetricPlan>, MergeTree)| RangedSegment {
            store: self.store.clone(),
            plan: plan.clone(),
            interval: self.interval.clone(),
            ranges: tree.finish(),
        };
        let segments = self.plan.metrics.iter().zip(trees).map(segment).collect();
        let Totals { read_stats, n_found, workers, cpu } = run.totals;
        Ok(Done { segments, read_stats, n_jobs: jobs.len(), n_merges, n_found, workers, cpu })
    }

    /// What the states of the run mean.
    pub(crate) fn meaning(&self) -> Result<Meaning, JobError> {
        Ok(Meaning {
            build: Build::of_this_process(),
            package: self.store.write_package(self.package)?,
            source: self.plan.source.name.clone(),
            metrics: self.plan.metrics.iter().map(|metric| metric.metric.name.clone()).collect(),
            state_hashes: self.plan.metrics.iter().map(|metric| metric.state_hash.to_string()).collect(),
        })
    }

    /// The interval as at most so many jobs, in order.
    pub(crate) fn jobs(&self, meaning: &Meaning, n_jobs: usize) -> Result<Vec<Planned>, JobError> {
        let (log, id) = (self.log.log(), self.log.id(self.interval)?);
        let splits = log.slices(self.interval, n_jobs);
        let mut from = self.interval.from().clone();
        let mut jobs = Vec::with_capacity(splits.len());
        for slices in splits {
            let to = after(&from, &slices);
            let interval =
                Interval::new(from, to.clone()).map_err(|error| JobError::Form(error.to_string()))?;
            let work = Work::Interval(IntervalWork {
                log: id.clone(),
                n_partitions: log.end().0.len(),
                parts: self.log.parts(&interval)?,
                options: self.options.job.clone(),
            });
            jobs.push(Job { meaning: meaning.clone(), work }.into());
            from = to;
        }
        if from != *self.interval.to() {
            return Err(JobError::Protocol(format!("the jobs end at {from}, not at {}", self.interval.to())));
        }
        Ok(jobs)
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

/// Merges the results of jobs by jobs, level by level; returns the number of these.
fn merge(run: &mut Running<'_>, meaning: &Meaning, trees: &mut [MergeTree]) -> Result<usize, JobError> {
    let mut n_merges = 0;
    loop {
        let works = trees.iter_mut().flat_map(MergeTree::next).map(Work::Merge);
        let jobs: Vec<Planned> = works.map(|work| Job { meaning: meaning.clone(), work }.into()).collect();
        if jobs.is_empty() {
            return Ok(n_merges);
        }
        n_merges += jobs.len();
        let results = run.results(&jobs, &|_| ())?;
        let mut files = results.into_iter().flat_map(|result| result.segments);
        trees.iter_mut().for_each(|tree| tree.take(&mut files));
    }
}

/// The name of the run of some jobs: that of all runs of the same ones, which share their results.
fn id(jobs: &[Planned]) -> String {
    let mut hasher = Sha256::new();
    jobs.iter().for_each(|planned| hasher.update(planned.hash.0.as_bytes()));
    hex(&hasher.finalize()[..16])
}
