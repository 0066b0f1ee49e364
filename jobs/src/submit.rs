//! How jobs get to workers.

use std::time::Duration;

use crate::{Job, JobError};

/// Hands jobs to workers.
pub trait Submit {
    /// Has the jobs of a run done. Returns when all of them were tried, or earlier with the reason: what has
    /// come of them is in the store. Calls `watch` about three times a second, and gives up all jobs once
    /// that is an error.
    ///
    /// # Errors
    /// [`SubmitError`].
    fn submit(&self, run: &str, jobs: &[&Job], watch: Watch<'_>) -> Result<(), SubmitError>;
}

/// Called while jobs run.
pub type Watch<'a> = &'a (dyn Fn() -> Result<(), JobError> + Sync);

/// Why jobs were not tried.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The cluster cannot be reached, or has failed. Jobs may be submitted again.
    #[error("{0}")]
    Cluster(String),
    /// An executor has another store than the run, so that nothing it does or says gets there.
    #[error("executor {executor} has another store: {store}")]
    OtherStore {
        /// The executor.
        executor: String,
        /// Its store.
        store: String,
    },
    /// The run ends.
    #[error(transparent)]
    End(#[from] JobError),
}

/// What whoever started a run is told meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A worker could not do a job; others try it.
    Failed(String),
    /// Nobody has begun a job for so long.
    Idle(Duration),
    /// The cluster failed; jobs without a result are submitted again.
    Lost {
        /// Jobs without a result.
        n_left: usize,
        /// Why.
        reason: String,
    },
}
