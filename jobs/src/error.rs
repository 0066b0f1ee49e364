//! Why a job, or a run of jobs, gave no result.

use metricc_compiler::{CompileError, EvaluateError, SegmentFileError};
use metricc_durable_log::DurableError;
use metricc_log::LogError;

use crate::{Build, JobHash};

/// Why a job, or a run of jobs, gave no result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The job is of another build, which may count differently.
    #[error("this executor is {own}, and the job is of {wanted}: use one version everywhere")]
    Build {
        /// The build of the worker.
        own: Box<Build>,
        /// The build that made the job.
        wanted: Box<Build>,
    },
    /// The worker understands the package in another way than whoever made the job.
    #[error("metric `{metric}` means {own} here and {wanted} where the run was started")]
    Meaning {
        /// The metric.
        metric: String,
        /// The hash of its states here.
        own: String,
        /// The hash that the job has.
        wanted: String,
    },
    /// The store does not have what the driver wrote there before.
    #[error(
        "the store {store} has no `{path}`, which the driver wrote: executors and driver need one shared \
         folder"
    )]
    NotShared {
        /// The store.
        store: String,
        /// What it does not have.
        path: String,
    },
    /// The store does not have the package of the run: it is another store than that of the run.
    #[error("the store {store} does not have the package of the run, which has another store")]
    NoPackage {
        /// The store.
        store: String,
    },
    /// Another process of the run has another store.
    #[error("{who} has another store than this process: {theirs} there, {own} here")]
    OtherStore {
        /// The other process.
        who: String,
        /// Its store.
        theirs: String,
        /// The store of this process.
        own: String,
    },
    /// A file of the store does not have its checksum.
    #[error("`{path}` in the store {store} is damaged: it does not have its checksum")]
    Damaged {
        /// The store.
        store: String,
        /// The file.
        path: String,
    },
    /// Two workers gave different segments for one job.
    #[error(
        "job {job} gave {first} at first and {second} when it ran again: these have to be equal to the byte"
    )]
    Unequal {
        /// The job.
        job: JobHash,
        /// The segments of the first result.
        first: String,
        /// Those of the other one.
        second: String,
    },
    /// The package does not check.
    #[error("the package does not check: {0}")]
    Package(String),
    /// The job is not of the form that a driver gives it.
    #[error("this is no job: {0}")]
    Form(String),
    /// The store failed.
    #[error("store {store}")]
    Store {
        /// The store.
        store: String,
        /// Its error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log is not what the job says, or not readable.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The durable log is not what the job says, or not readable.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// The evaluation failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A plan could not be made, or states did not merge.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A segment could not be written or read.
    #[error("segment of `{metric}`")]
    Segment {
        /// The metric.
        metric: String,
        /// The reason.
        source: Box<SegmentFileError>,
    },
    /// Nobody waits for the result any more.
    #[error("the run was given up")]
    Cancelled,
    /// The cluster does not run jobs, and no attempt has changed that.
    #[error("{n_left} of {n_jobs} jobs have no result: {reason}")]
    Unfinished {
        /// Jobs without a result.
        n_left: usize,
        /// All jobs.
        n_jobs: usize,
        /// What failed last.
        reason: String,
    },
    /// What came back is not what was asked for.
    #[error("{0}")]
    Protocol(String),
}

impl JobError {
    /// How to solve the problem, if known.
    pub fn help(&self) -> Option<String> {
        match self {
            JobError::Log(error) => error.help(),
            JobError::NotShared { .. } | JobError::NoPackage { .. } | JobError::OtherStore { .. } => Some(
                "give `--store` one folder that all machines share, in `metricc run` and in each process of the \
                 cluster"
                    .to_owned(),
            ),
            JobError::Store { .. } => {
                Some("`--store` needs a folder that this user can make files in".to_owned())
            }
            _ => None,
        }
    }

    /// The error and its causes in one line.
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            cause = error.source();
        }
        line
    }
}
