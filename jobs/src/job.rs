//! Jobs and their results, as they are written.

use std::fmt;

use metricc_compiler::SourcePlan;
use metricc_ir::{Frontier, Interval};
use metricc_log::{FilePart, ReadStats};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::package_text::hex;
use crate::{Build, JobError};

/// The states of some metrics over an interval of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalJob {
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
    /// The identity of the log, and its epoch.
    pub log: String,
    /// The number of all partitions of the log.
    pub n_partitions: usize,
    /// The interval, as slices in the order of the log with the files that have them.
    pub parts: Vec<FilePart>,
    /// How it is evaluated. No option changes the result, so its hash leaves them out.
    pub options: JobOptions,
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
    /// The segments, in the order of the job's metrics.
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
}

impl IntervalJob {
    /// The hash of everything but the options.
    pub fn hash(&self) -> JobHash {
        let options = JobOptions { workers: 0, memory_bytes: 0 };
        let bare = IntervalJob { options, ..self.clone() };
        JobHash(hex(&Sha256::digest(serde_json::to_vec(&bare).unwrap_or_default())))
    }

    /// The number of its positions.
    pub fn n_positions(&self) -> u64 {
        self.parts.iter().map(|part| part.slice.n_positions()).sum()
    }

    /// An interval with its slices. Outside of them it is empty.
    ///
    /// # Errors
    /// [`JobError::Form`] if there are no such partitions.
    pub(crate) fn interval(&self) -> Result<Interval, JobError> {
        let mut from = Frontier(vec![0; self.n_partitions]);
        let mut to = from.clone();
        for part in &self.parts {
            let index = part.slice.partition as usize;
            let (Some(start), Some(end)) = (from.0.get_mut(index), to.0.get_mut(index)) else {
                return Err(JobError::Form(format!("there is no partition {index}")));
            };
            (*start, *end) = (part.slice.from, part.slice.to);
        }
        Interval::new(from, to).map_err(|error| JobError::Form(error.to_string()))
    }

    /// Checks that a plan means what the job means.
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
