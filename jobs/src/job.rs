//! Jobs and their results, as they are written.

use std::fmt;

use metricc_compiler::{GroupBound, GroupRange, SourcePlan};
use metricc_ir::{Frontier, Interval, Slice};
use metricc_log::ReadStats;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::package_text::hex;
use crate::{Build, JobError, Parts};

/// States of some metrics: what they mean, and where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What they mean.
    pub meaning: Meaning,
    /// What is to be done.
    pub work: Work,
}

/// Which states a job is about, and what a worker compares before it does it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// Who may do it.
    pub build: Build,
    /// The hash of the package, whose text is in the store.
    pub package: String,
    /// The source.
    pub source: String,
    /// The base metrics, in the order of the plan.
    pub metrics: Vec<String>,
    /// The hashes of their states.
    pub state_hashes: Vec<String>,
}

/// What is done in a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The states of all metrics over an interval of a log.
    Interval(IntervalWork),
    /// The merge of states of one metric that are there already.
    Merge(MergeWork),
}

/// An interval of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalWork {
    /// The identity of the log, and its epoch.
    pub log: String,
    /// The number of all partitions of the log.
    pub n_partitions: usize,
    /// The interval, as slices in the order of the log with the files that have them.
    pub parts: Parts,
    /// How it is evaluated. No option changes the result, so its hash leaves them out.
    pub options: JobOptions,
}

/// A merge: names in, names out. Which intervals the states are of is known to whoever asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeWork {
    /// The index of the metric among those of the job.
    pub metric: usize,
    /// What is merged: files of neighbouring intervals, in their order.
    pub inputs: Vec<SegmentFile>,
    /// The groups that are wanted of them.
    pub range: GroupRange,
}

/// How a job is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOptions {
    /// Threads of the worker.
    pub workers: usize,
    /// Bytes that aggregation may hold before it spills to disk.
    pub memory_bytes: usize,
}

/// SHA-256 of a job, in hexadecimal digits: equal jobs have equal results.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobHash(pub String);

impl fmt::Display for JobHash {
    /// Its first 12 digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

/// What a worker has done, as it is written under the hash of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResult {
    /// The job.
    pub job: JobHash,
    /// Who did it.
    pub worker: String,
    /// Of an interval, a segment for each of the job's metrics, in their order; of a merge, one.
    pub segments: Vec<SegmentFile>,
    /// The number of positions that were read.
    pub n_positions: u64,
    /// Counts of the records that were read, quarantined and left out.
    pub read_stats: ReadStats,
    /// Milliseconds of CPU that it took.
    pub cpu_milliseconds: u64,
}

/// A file of a segment in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFile {
    /// The hash of its states.
    pub state_hash: String,
    /// Where it is, below the root of the store.
    pub path: String,
    /// The number of its groups.
    pub n_rows: u64,
    /// Its length.
    pub n_bytes: u64,
    /// XXH3-64 of its bytes.
    pub checksum: u64,
    /// Bounds at equal distances among its groups, the first one before all of them.
    pub samples: Vec<GroupBound>,
}

impl Job {
    /// The hash of everything but the options.
    pub fn hash(&self) -> JobHash {
        let mut bare = self.clone();
        if let Work::Interval(interval) = &mut bare.work {
            interval.options = JobOptions { workers: 0, memory_bytes: 0 };
        }
        JobHash(hex(&Sha256::digest(serde_json::to_vec(&bare).unwrap_or_default())))
    }

    /// The number of positions that it reads.
    pub fn n_positions(&self) -> u64 {
        match &self.work {
            Work::Interval(interval) => interval.parts.slices().iter().map(Slice::n_positions).sum(),
            Work::Merge(_) => 0,
        }
    }
}

impl Meaning {
    /// Checks that a plan means this.
    ///
    /// # Errors
    /// [`JobError::Meaning`].
    pub(crate) fn check(&self, plan: &SourcePlan) -> Result<(), JobError> {
        for (metric, wanted) in plan.metrics.iter().zip(&self.state_hashes) {
            let own = metric.state_hash.to_string();
            if own != *wanted {
                return Err(JobError::Meaning {
                    metric: metric.metric.name.clone(),
                    own,
                    wanted: wanted.clone(),
                });
            }
        }
        if plan.metrics.len() == self.state_hashes.len() {
            return Ok(());
        }
        Err(JobError::Form(format!("{} hashes for {} metrics", self.state_hashes.len(), plan.metrics.len())))
    }
}

impl IntervalWork {
    /// An interval with its slices. Outside of them it is empty.
    ///
    /// # Errors
    /// [`JobError::Form`] if there are no such partitions.
    pub(crate) fn interval(&self) -> Result<Interval, JobError> {
        let mut from = Frontier(vec![0; self.n_partitions]);
        let mut to = from.clone();
        for slice in self.parts.slices() {
            let index = slice.partition as usize;
            let (Some(start), Some(end)) = (from.0.get_mut(index), to.0.get_mut(index)) else {
                return Err(JobError::Form(format!("there is no partition {index}")));
            };
            (*start, *end) = (slice.from, slice.to);
        }
        Interval::new(from, to).map_err(|error| JobError::Form(error.to_string()))
    }
}
