//! Interval jobs: the batch layer's work as text, hashes and an interval, for whoever is to do it.
//!
//! A job says which metrics it is about, as text with the hashes of their states, and which part of a log it
//! is about, as files with checksums and an interval. A [`Worker`] in any process plans for itself, compares
//! the hashes, evaluates and writes segments into a store that all share; then it writes what it has done, as
//! a [`JobResult`] under the hash of the job. That file is created if absent, and it alone is the result:
//! what a worker remembers or a scheduler reports is not. So a job may run twice or stop anywhere without
//! harm, and since states are canonical, any cut of the work gives the same bytes.
//!
//! A [`Run`] cuts an interval into jobs, hands those without a result to a [`Submit`], and merges what they
//! wrote. How jobs get to workers is the business of `Submit`. A [`Share`] is what one of several processes
//! of a stream has to do.

mod build;
mod error;
mod job;
mod job_log;
mod merge_tree;
mod package_text;
mod ranged_segment;
mod run;
mod running;
mod scratch;
mod share;
mod store;
mod submit;
mod worker;

pub use build::Build;
pub use error::JobError;
pub use job::{IntervalWork, Job, JobHash, JobOptions, JobResult, Meaning, MergeWork, SegmentFile, Work};
pub use job_log::{JobLog, Parts};
pub use package_text::PackageText;
pub use ranged_segment::RangedSegment;
pub use run::{Done, Run, RunOptions};
pub use scratch::ScratchFolder;
pub use share::Share;
pub use store::JobStore;
pub use submit::{Note, Submit, SubmitError, Watch};
pub use worker::Worker;
