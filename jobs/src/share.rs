//! An interval that a stream evaluates in several processes.
//!
//! Each process reads a share of the interval, which is a job as any other: text, hashes and files with
//! checksums. What it keeps in the end is not its share, though, but the groups that the exchange between the
//! processes has given to it. So the results of all shares together are those of the interval, and one alone
//! means nothing.

use metricc_compiler::{EngineOptions, Evaluation, GroupRange, Segment};
use metricc_ir::{Frontier, Interval};
use metricc_log::ReadStats;
use metricc_runtime_stream::{Facts, Peers, RunId, evaluate_share};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::package_text::hex;
use crate::running::Planned;
use crate::{Job, JobError, JobHash, JobResult, JobStore, Parts, Run, Work, Worker};

/// What one process of a stream has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The run: processes whose runs are equal compute the same.
    pub run: RunId,
    /// What these processes have in common, for people.
    pub facts: Facts,
    /// The number of this process.
    pub process: usize,
    /// The beginning of the interval of all processes together.
    pub from: Frontier,
    /// Its end.
    pub to: Frontier,
    /// The part that this process reads.
    pub job: Job,
}

impl Share {
    /// The name of the run in the store.
    fn run_name(&self) -> String {
        hex(&self.run)
    }

    /// Says in a store that a process which others know by a token has it.
    ///
    /// # Errors
    /// [`JobError::Store`].
    pub fn announce(&self, store: &JobStore, token: &str) -> Result<(), JobError> {
        store.announce(&self.run_name(), token)
    }

    /// Whether the process with a token has said in this store that it has it.
    ///
    /// # Errors
    /// [`JobError::Store`].
    pub fn has_announced(&self, store: &JobStore, token: &str) -> Result<bool, JobError> {
        store.has_announced(&self.run_name(), token)
    }

    /// Takes that back, once the others have seen it.
    ///
    /// # Errors
    /// [`JobError::Store`].
    pub fn retract(&self, store: &JobStore, token: &str) -> Result<(), JobError> {
        store.retract(&self.run_name(), token)
    }
}

impl Run<'_> {
    /// The interval as shares of so many processes, some of them empty if there are few events.
    ///
    /// # Errors
    /// [`JobError`] if the log cannot be read by others.
    pub fn shares(&self, n_processes: usize) -> Result<Vec<Share>, JobError> {
        let jobs = self.jobs(&self.meaning()?, n_processes)?;
        let mut jobs: Vec<Job> = jobs.into_iter().map(|Planned { job, .. }| job).collect();
        let Some(first) = jobs.first().cloned() else {
            return Err(JobError::Form("an interval without jobs".to_owned()));
        };
        jobs.resize_with(n_processes, || first.without_parts());
        let mut run = Sha256::new();
        // Groups go to workers by their number.
        run.update((self.options.job.workers as u64).to_le_bytes());
        jobs.iter().for_each(|job| run.update(job.hash().0.as_bytes()));
        let run: RunId = run.finalize().into();
        let (from, to) = (self.interval.from(), self.interval.to());
        let facts = self.facts(&first, n_processes);
        let share = |(process, job)| Share {
            run,
            facts: facts.clone(),
            process,
            from: from.clone(),
            to: to.clone(),
            job,
        };
        Ok(jobs.into_iter().enumerate().map(share).collect())
    }

    /// What the processes of this run have in common.
    fn facts(&self, job: &Job, n_processes: usize) -> Facts {
        let meaning = &job.meaning;
        let log = match &job.work {
            Work::Interval(work) => short(&work.log),
            Work::Merge(_) => String::new(),
        };
        let (n_files, n_events) = (self.log.log().partition_names().len(), self.interval.n_positions());
        let hashes = hex(&Sha256::digest(meaning.state_hashes.concat()));
        [
            ("version", meaning.build.to_string()),
            ("package", format!("hash {}", short(&meaning.package))),
            ("source", meaning.source.clone()),
            ("metrics", format!("{} with hash {}", meaning.metrics.len(), short(&hashes))),
            ("log", format!("{n_files} files with {n_events} events and hash {log}")),
            ("`--workers`", self.options.job.workers.to_string()),
            ("number of processes", n_processes.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// What all shares together have evaluated.
    ///
    /// # Errors
    /// [`JobError`] if one has no result in the store.
    pub fn merged_shares(&self, shares: &[Share]) -> Result<Evaluation, JobError> {
        let mut read_stats = ReadStats::default();
        let mut results = Vec::with_capacity(shares.len());
        for share in shares {
            let result = self.store.result(&share.run_name(), &share_hash(share))?;
            let result = result.ok_or_else(|| {
                JobError::Protocol(format!("process {} has left no result in the store", share.process))
            })?;
            if result.n_positions != share.job.n_positions()
                || result.segments.len() != self.plan.metrics.len()
            {
                return Err(JobError::Protocol(format!(
                    "the result of process {} is not its own",
                    share.process
                )));
            }
            read_stats.merge(result.read_stats.clone());
            results.push(result);
        }
        let mut segments = Vec::with_capacity(self.plan.metrics.len());
        for (index, metric) in self.plan.metrics.iter().enumerate() {
            let files: Vec<_> = results.iter().map(|result| result.segments[index].clone()).collect();
            let states = self.store.merged(&files, &GroupRange::default(), metric, &|| false)?;
            segments.push(Segment { hash: metric.state_hash, interval: self.interval.clone(), states });
        }
        Ok(Evaluation { segments, read_stats })
    }

    /// Whether a share has a result in the store.
    ///
    /// # Errors
    /// [`JobError`] if the store fails.
    pub fn has_result(&self, share: &Share) -> Result<bool, JobError> {
        Ok(self.store.result(&share.run_name(), &share_hash(share))?.is_some())
    }
}

impl Job {
    /// A job about nothing, of the same log.
    fn without_parts(&self) -> Self {
        let mut job = self.clone();
        if let Work::Interval(interval) = &mut job.work {
            interval.parts = Parts::Files(Vec::new());
        }
        job
    }
}

/// A hash for people.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// The name of the result of a share. Empty shares are equal jobs, but for the process.
fn share_hash(share: &Share) -> JobHash {
    JobHash(format!("{}-{}", share.process, share.job.hash().0))
}

impl Worker {
    /// Does the part of a process in a stream. Calls `progress` with the numbers of positions that were fed.
    ///
    /// # Errors
    /// [`JobError`]; there is no result then.
    pub fn run_share(&self, share: &Share, peers: Peers, progress: &dyn Fn(u64)) -> Result<(), JobError> {
        let Work::Interval(work) = &share.job.work else {
            return Err(JobError::Form("a share is an interval".to_owned()));
        };
        self.check_build(&share.job.meaning)?;
        let plan = self.plan(&share.job.meaning)?;
        let log = work.parts.open(&plan.source, work.n_partitions, self.checksums())?;
        let options = EngineOptions { workers: work.options.workers, ..EngineOptions::default() };
        let whole = Interval::new(share.from.clone(), share.to.clone());
        let whole = whole.map_err(|error| JobError::Form(error.to_string()))?;
        let part = work.interval()?;
        let evaluation = evaluate_share(&plan, &log, (&part, &whole), peers, &options, progress)?;
        let result = JobResult {
            job: share_hash(share),
            worker: self.name().to_owned(),
            segments: self.written(&plan, &evaluation)?,
            n_positions: part.n_positions(),
            read_stats: evaluation.read_stats,
            cpu_milliseconds: 0,
        };
        self.commit(&share.run_name(), &result)?;
        Ok(())
    }
}
