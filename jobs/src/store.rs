//! The store that driver and workers share: packages, segments, and results of jobs.
//!
//! Nothing in it is ever changed. Files are created whole or not at all, so whoever finds one may use it.
//!
//! | file | what |
//! |---|---|
//! | `packages/HASH.json` | a package as text |
//! | `segments/STATES/CHECKSUM-BYTES.parquet` | a segment, named after its content |
//! | `runs/RUN/JOB.json` | the result of a job |
//! | `runs/RUN/JOB.begun` | that a worker has begun it |
//! | `runs/RUN/JOB.WORKER.failed` | why a worker could not do it |
//! | `runs/RUN/TOKEN.here` | that a process of a stream has this store |

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::executor::block_on;
use metricc_compiler::{GroupRange, MetricPlan, SegmentFileError};
use metricc_storage::create_if_absent;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use twox_hash::XxHash3_64;

use crate::{JobError, JobHash, JobResult, PackageText, SegmentFile};

/// Bounds that are noted of a file of states: a range that is chosen among them is wrong in size by a part of
/// this many.
const SAMPLES: usize = 64;

/// The end of the name of a note that a job was begun.
const BEGUN: &str = ".begun";

/// A store of jobs in a folder.
#[derive(Debug, Clone)]
pub struct JobStore {
    store: Arc<dyn ObjectStore>,
    /// Its name in messages.
    name: Arc<str>,
}

impl JobStore {
    /// A store in a folder, which is created if it is not there.
    ///
    /// # Errors
    /// [`JobError::Store`] if it cannot be created, or no file in it.
    pub fn in_folder(folder: &Path) -> Result<Self, JobError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| JobError::Store {
            store: folder.to_string_lossy().into_owned(),
            source,
        };
        let folder = writable(folder).map_err(|error| failed(error.into()))?;
        let name: Arc<str> = folder.to_string_lossy().into();
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(error.into()))?;
        Ok(JobStore { store: Arc::new(store), name })
    }

    /// A store that is open already; `name` is for messages.
    pub fn new(store: Arc<dyn ObjectStore>, name: &str) -> Self {
        JobStore { store, name: name.into() }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn failed(&self, error: impl std::error::Error + Send + Sync + 'static) -> JobError {
        JobError::Store { store: self.name.to_string(), source: Box::new(error) }
    }

    /// Creates a file, or leaves the one that is there.
    fn create(&self, path: &str, bytes: Vec<u8>) -> Result<(), JobError> {
        let path = StorePath::from(path);
        let created = block_on(create_if_absent(self.store.as_ref(), &path, PutPayload::from(bytes)));
        created.map(drop).map_err(|error| self.failed(error))
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>, JobError> {
        let read = async { self.store.get(&StorePath::from(path)).await?.bytes().await };
        match block_on(read) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, JobError> {
        let listed = self.store.list(Some(&StorePath::from(folder)));
        let found: Vec<_> = block_on(listed.try_collect()).map_err(|error| self.failed(error))?;
        Ok(found.iter().filter_map(|meta| meta.location.filename().map(str::to_owned)).collect())
    }

    /// Writes a package; returns its hash.
    pub(crate) fn write_package(&self, package: &PackageText) -> Result<String, JobError> {
        let hash = package.hash();
        let bytes = serde_json::to_vec(package).map_err(|error| self.failed(error))?;
        self.create(&package_path(&hash), bytes)?;
        Ok(hash)
    }

    /// Reads a package by its hash.
    pub(crate) fn package(&self, hash: &str) -> Result<PackageText, JobError> {
        let path = package_path(hash);
        let Some(bytes) = self.get(&path)? else {
            return Err(JobError::NoPackage { store: self.name.to_string() });
        };
        let package: Option<PackageText> = serde_json::from_slice(&bytes).ok();
        let sound = package.filter(|package| package.hash() == hash);
        sound.ok_or_else(|| JobError::Damaged { store: self.name.to_string(), path })
    }

    /// Writes the states of a segment under the name of their content.
    pub(crate) fn write_states(
        &self,
        states: &RecordBatch,
        plan: &MetricPlan,
    ) -> Result<SegmentFile, JobError> {
        let bytes = plan.states_to_file(states).map_err(|source| segment_error(plan, source))?;
        let (n_bytes, checksum) = (bytes.len() as u64, XxHash3_64::oneshot(&bytes));
        let state_hash = plan.state_hash.to_string();
        let path = format!("segments/{state_hash}/{checksum:016x}-{n_bytes}.parquet");
        self.create(&path, bytes)?;
        let (n_rows, samples) = (states.num_rows() as u64, plan.form.samples(states, SAMPLES)?);
        Ok(SegmentFile { state_hash, path, n_rows, n_bytes, checksum, samples })
    }

    /// The merge of the states of some files, in a range of groups. Holds one of the files at a time, and the
    /// range of all. Gives up between two files once `is_given_up` says so.
    pub(crate) fn merged(
        &self,
        files: &[SegmentFile],
        range: &GroupRange,
        plan: &MetricPlan,
        is_given_up: &dyn Fn() -> bool,
    ) -> Result<RecordBatch, JobError> {
        let mut states = Vec::with_capacity(files.len());
        for file in files {
            if is_given_up() {
                return Err(JobError::Cancelled);
            }
            states.push(self.states(file, range, plan)?);
        }
        match <[RecordBatch; 1]>::try_from(states) {
            Ok([only]) => Ok(only),
            Err(states) => Ok(plan.form.collect(&states)?),
        }
    }

    /// Reads the states of a range of a file.
    fn states(
        &self,
        file: &SegmentFile,
        range: &GroupRange,
        plan: &MetricPlan,
    ) -> Result<RecordBatch, JobError> {
        if file.state_hash != plan.state_hash.to_string() {
            let metric = &plan.metric.name;
            return Err(JobError::Protocol(format!("`{}` has no states of `{metric}`", file.path)));
        }
        let missing = || JobError::NotShared { store: self.name.to_string(), path: file.path.clone() };
        let bytes = self.get(&file.path)?.ok_or_else(missing)?;
        let is_sound = file.n_bytes == bytes.len() as u64 && file.checksum == XxHash3_64::oneshot(&bytes);
        if !is_sound {
            return Err(JobError::Damaged { store: self.name.to_string(), path: file.path.clone() });
        }
        plan.states_from_file(bytes, range).map_err(|source| segment_error(plan, source))
    }

    /// Writes a result if the job has none; returns the one that it has then.
    pub(crate) fn commit(&self, run: &str, result: &JobResult) -> Result<JobResult, JobError> {
        let bytes = serde_json::to_vec(result).map_err(|error| self.failed(error))?;
        self.create(&result_path(run, &result.job), bytes)?;
        let kept = self.result(run, &result.job)?;
        kept.ok_or_else(|| JobError::NotShared {
            store: self.name.to_string(),
            path: result_path(run, &result.job),
        })
    }

    /// The result of a job, if it has one.
    pub(crate) fn result(&self, run: &str, job: &JobHash) -> Result<Option<JobResult>, JobError> {
        let path = result_path(run, job);
        let Some(bytes) = self.get(&path)? else { return Ok(None) };
        let damaged = |_| JobError::Damaged { store: self.name.to_string(), path: path.clone() };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// The jobs of a run that have a result.
    pub(crate) fn done(&self, run: &str) -> Result<Vec<JobHash>, JobError> {
        let names = self.names(&format!("runs/{run}"))?;
        let job = |name: String| name.strip_suffix(".json").map(|job| JobHash(job.to_owned()));
        Ok(names.into_iter().filter_map(job).collect())
    }

    /// Notes why a worker could not do a job.
    pub(crate) fn note_failure(
        &self,
        run: &str,
        job: &JobHash,
        worker: &str,
        why: &str,
    ) -> Result<(), JobError> {
        let worker: String =
            worker.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = StorePath::from(format!("runs/{run}/{}.{worker}.failed", job.0));
        let put = self.store.put(&path, PutPayload::from(why.as_bytes().to_vec()));
        block_on(put).map(|_| ()).map_err(|error| self.failed(error))
    }

    /// Notes that a worker has begun a job.
    pub(crate) fn note_begin(&self, run: &str, job: &JobHash) -> Result<(), JobError> {
        let path = StorePath::from(format!("runs/{run}/{}{BEGUN}", job.0));
        let put = self.store.put(&path, PutPayload::default());
        block_on(put).map(|_| ()).map_err(|error| self.failed(error))
    }

    /// Whether a worker has begun a job of a run since the last call of `forget_begun`.
    pub(crate) fn has_begun(&self, run: &str) -> Result<bool, JobError> {
        Ok(self.names(&format!("runs/{run}"))?.iter().any(|name| name.ends_with(BEGUN)))
    }

    /// Forgets which jobs were begun.
    pub(crate) fn forget_begun(&self, run: &str) -> Result<(), JobError> {
        let folder = format!("runs/{run}");
        let names = self.names(&folder)?;
        names
            .iter()
            .filter(|name| name.ends_with(BEGUN))
            .try_for_each(|name| self.delete(&StorePath::from(format!("{folder}/{name}"))))
    }

    /// Removes a file, if it is there.
    fn delete(&self, path: &StorePath) -> Result<(), JobError> {
        match block_on(self.store.delete(path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Takes what workers have noted as failures: each is returned once.
    pub(crate) fn take_failures(&self, run: &str) -> Result<Vec<String>, JobError> {
        let folder = format!("runs/{run}");
        let mut failures = Vec::new();
        for name in self.names(&folder)?.into_iter().filter(|name| name.ends_with(".failed")) {
            let path = format!("{folder}/{name}");
            if let Some(bytes) = self.get(&path)? {
                failures.push(String::from_utf8_lossy(&bytes).into_owned());
            }
            self.delete(&StorePath::from(path))?;
        }
        Ok(failures)
    }

    /// Says that a process which others know by a token has this store.
    pub(crate) fn announce(&self, run: &str, token: &str) -> Result<(), JobError> {
        self.create(&token_path(run, token), Vec::new())
    }

    /// Whether the process with a token has said that it has this store.
    pub(crate) fn has_announced(&self, run: &str, token: &str) -> Result<bool, JobError> {
        Ok(self.get(&token_path(run, token))?.is_some())
    }

    /// Removes what a process has said of itself.
    pub(crate) fn retract(&self, run: &str, token: &str) -> Result<(), JobError> {
        self.delete(&StorePath::from(token_path(run, token)))
    }

    /// Removes what is older than `age`; returns the number of files.
    ///
    /// # Errors
    /// [`JobError::Store`].
    pub fn remove_older(&self, age: Duration) -> Result<usize, JobError> {
        let found: Vec<_> =
            block_on(self.store.list(None).try_collect()).map_err(|error| self.failed(error))?;
        let now = std::time::SystemTime::now();
        let is_old = |meta: &object_store::ObjectMeta| {
            let modified = std::time::SystemTime::from(meta.last_modified);
            now.duration_since(modified).is_ok_and(|since| since > age)
        };
        let old: Vec<_> = found.into_iter().filter(is_old).collect();
        old.iter().try_for_each(|meta| self.delete(&meta.location))?;
        Ok(old.len())
    }
}

/// A folder by its absolute path, after a look at whether files can be made in it.
fn writable(folder: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder)?;
    folder.canonicalize()
}

fn segment_error(plan: &MetricPlan, source: SegmentFileError) -> JobError {
    JobError::Segment { metric: plan.metric.name.clone(), source: Box::new(source) }
}

fn package_path(hash: &str) -> String {
    format!("packages/{hash}.json")
}

fn token_path(run: &str, token: &str) -> String {
    format!("runs/{run}/{token}.here")
}

fn result_path(run: &str, job: &JobHash) -> String {
    format!("runs/{run}/{}.json", job.0)
}
