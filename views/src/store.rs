//! The view store: committed segments as Parquet files on an object store, and the versions that name them.
//!
//! A **version** of a view names, for one source and one frontier, the files with the segments of each state
//! that cover the log from its start to that frontier. Versions are numbered files that are created once and
//! never changed. The writer that creates the next number first has committed, for all metrics at once; every
//! other writer starts over from that version. This is also the fence: a batch that was paused and resumes
//! finds its number taken.
//!
//! Each file is named after its content and its checksum, so repeating a batch writes the same files. A
//! version has a checksum of itself and of each file; where one does not match, an older version is used. A
//! view is a cache of the log: if it is lost, only time is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use metricc_compiler::{MetricPlan, Segment};
use metricc_ir::{Frontier, Interval};
use metricc_storage::create_if_absent;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use crate::delta_lake::Table;
use crate::error::{ViewError, corrupt};

/// Version of the file format; no other is read.
const FORMAT: u32 = 1;

/// Folder of the Delta Lake tables, below the source's folder.
const TABLES: &str = "tables";

/// The views of one source on an object store.
#[derive(Debug, Clone)]
pub struct ViewStore {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) source: String,
}

/// A version of the view of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The number of the version.
    pub version: u64,
    /// The log that it is a view of, and the last epoch of that log. The view is only valid for a log that
    /// has both.
    pub log: LogStamp,
    /// The end of its segments.
    pub frontier: Frontier,
    /// For each state hash, the segments from the start to the frontier, in order, without a gap.
    pub segments: BTreeMap<String, Vec<StoredSegment>>,
}

/// The log that a view was built from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogStamp {
    /// The identity of the log.
    pub id: String,
    /// Its last epoch.
    pub epoch: String,
}

/// A segment in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredSegment {
    /// The metric that it was computed for. Other metrics with the same state hash read it too.
    pub metric: String,
    /// The start of its interval.
    pub from: Frontier,
    /// The end of its interval.
    pub to: Frontier,
    /// The file, below the root of the store.
    pub path: String,
    /// Number of groups.
    pub n_rows: u64,
    /// Length of the file.
    pub n_bytes: u64,
    /// XXH3-64 of the file.
    pub checksum: u64,
}

/// The file of a version: the version as JSON, with a checksum of that text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionFile<'a> {
    format: u32,
    checksum: u64,
    #[serde(borrow)]
    view: &'a RawValue,
}

impl ViewStore {
    /// The views of a source, in folders named after it.
    pub fn new(store: Arc<dyn ObjectStore>, source: &str) -> Self {
        ViewStore { store, source: source.to_owned() }
    }

    /// The last version that can be read, if there is one. Its segments are not checked.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store cannot be read.
    pub async fn latest(&self) -> Result<Option<View>, ViewError> {
        for number in self.versions().await?.into_iter().rev() {
            if let Some(view) = self.version(number).await? {
                return Ok(Some(view));
            }
        }
        Ok(None)
    }

    /// All versions that can be read, the last one first. Their segments are not checked.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store cannot be read.
    pub async fn all(&self) -> Result<Vec<View>, ViewError> {
        let mut views = Vec::new();
        for number in self.versions().await?.into_iter().rev() {
            views.extend(self.version(number).await?);
        }
        Ok(views)
    }

    /// The files of the versions after one that are damaged: the last ones, if an older one is used in their
    /// place.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store cannot be read.
    pub async fn damaged_after(&self, version: Option<u64>) -> Result<Vec<String>, ViewError> {
        let numbers = self.versions().await?.into_iter();
        let later = numbers.filter(|number| version.is_none_or(|version| *number > version));
        Ok(later.map(|number| self.version_path(number).to_string()).collect())
    }

    /// The numbers of all versions, ascending.
    async fn versions(&self) -> Result<Vec<u64>, ViewError> {
        let folder = Path::from_iter([&self.source, "versions"]);
        let names: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        let number = |path: &Path| path.filename()?.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(|meta| number(&meta.location)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A version; `None` if it is missing, corrupt or of another format.
    async fn version(&self, number: u64) -> Result<Option<View>, ViewError> {
        let bytes = match self.store.get(&self.version_path(number)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let sealed: Option<VersionFile<'_>> = serde_json::from_slice(&bytes).ok();
        let sealed = sealed.filter(|sealed| {
            sealed.format == FORMAT && XxHash3_64::oneshot(sealed.view.get().as_bytes()) == sealed.checksum
        });
        let view: Option<View> = sealed.and_then(|sealed| serde_json::from_str(sealed.view.get()).ok());
        Ok(view.filter(|view| view.version == number))
    }

    fn version_path(&self, number: u64) -> Path {
        Path::from_iter([self.source.clone(), "versions".to_owned(), format!("{number:020}.json")])
    }

    /// The number of the next version.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store cannot be read.
    pub async fn next_version(&self) -> Result<u64, ViewError> {
        Ok(self.versions().await?.last().map_or(0, |last| last + 1))
    }

    /// Commits a version atomically. Its files must have been written.
    ///
    /// # Errors
    /// [`ViewError::Lost`] if this version exists.
    pub async fn commit(&self, view: &View) -> Result<(), ViewError> {
        let path = self.version_path(view.version);
        let failed = |error: serde_json::Error| corrupt(&path, error);
        let text = serde_json::to_string(view).map_err(failed)?;
        let checksum = XxHash3_64::oneshot(text.as_bytes());
        let view_text = RawValue::from_string(text).map_err(failed)?;
        let sealed = VersionFile { format: FORMAT, checksum, view: &view_text };
        let payload = PutPayload::from(serde_json::to_vec(&sealed).map_err(failed)?);
        let lost = || Err(ViewError::Lost { version: view.version });
        if !create_if_absent(self.store.as_ref(), &path, payload).await? {
            return lost();
        }
        // Old versions are removed, so a writer that was paused for many versions finds its number free
        // again.
        if self.versions().await?.last().is_some_and(|last| *last > view.version) { lost() } else { Ok(()) }
    }

    /// The Delta Lake table of a metric's presented values.
    pub fn table(&self, metric: &str) -> Table {
        Table::new(self.store.clone(), Path::from_iter([&self.source, TABLES, metric]))
    }

    /// Removes the tables of metrics that are not among these.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store fails.
    pub async fn drop_other_tables(&self, metrics: &BTreeSet<String>) -> Result<(), ViewError> {
        let folder = Path::from_iter([&self.source, TABLES]);
        for table in self.store.list_with_delimiter(Some(&folder)).await?.common_prefixes {
            let is_known = table.filename().is_some_and(|name| metrics.contains(name));
            if !is_known {
                self.remove_below(&table).await?;
            }
        }
        Ok(())
    }

    /// Removes the tables of sources that are not among these.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store fails.
    pub async fn drop_tables_of_others(
        store: Arc<dyn ObjectStore>,
        sources: &BTreeSet<String>,
    ) -> Result<(), ViewError> {
        for folder in store.list_with_delimiter(None).await?.common_prefixes {
            let name = folder.filename().unwrap_or_default();
            if !sources.contains(name) {
                ViewStore::new(store.clone(), name).drop_other_tables(&BTreeSet::new()).await?;
            }
        }
        Ok(())
    }

    /// Removes the table of a metric, so that the next version rebuilds it.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store fails.
    pub async fn drop_table(&self, metric: &str) -> Result<(), ViewError> {
        self.remove_below(&Path::from_iter([&self.source, TABLES, metric])).await
    }

    async fn remove_below(&self, folder: &Path) -> Result<(), ViewError> {
        let files: Vec<_> = self.store.list(Some(folder)).try_collect().await?;
        for file in files {
            self.store.delete(&file.location).await?;
        }
        Ok(())
    }

    /// Writes a segment of a plan. It becomes visible when a version names it.
    ///
    /// # Errors
    /// [`ViewError`] if it could not be written.
    pub async fn write(&self, plan: &MetricPlan, segment: &Segment) -> Result<StoredSegment, ViewError> {
        let bytes = segment.to_file(plan).map_err(|error| corrupt(&plan.metric.name, error))?;
        let (n_bytes, checksum) = (bytes.len() as u64, XxHash3_64::oneshot(&bytes));
        let (from, to) = (segment.interval.from().clone(), segment.interval.to().clone());
        let offsets = |frontier: &Frontier| {
            let offsets: Vec<String> = frontier.0.iter().map(u64::to_string).collect();
            offsets.join("_")
        };
        let name = format!("{}-{}-{checksum:016x}.parquet", offsets(&from), offsets(&to));
        let path = Path::from_iter([&self.source, "segments", &plan.metric.name, &name]);
        self.store.put(&path, PutPayload::from(bytes)).await?;
        let (metric, n_rows) = (plan.metric.name.clone(), segment.states.num_rows() as u64);
        Ok(StoredSegment { metric, from, to, path: path.to_string(), n_rows, n_bytes, checksum })
    }

    /// Reads a segment of a plan and checks it against its checksum.
    ///
    /// # Errors
    /// [`ViewError::Corrupt`] if it is missing, or not the segment that was committed.
    pub async fn read(&self, plan: &MetricPlan, stored: &StoredSegment) -> Result<Segment, ViewError> {
        let bytes = match self.store.get(&Path::from(stored.path.as_str())).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(corrupt(&stored.path, "the file is missing"));
            }
            Err(error) => return Err(error.into()),
        };
        if bytes.len() as u64 != stored.n_bytes || XxHash3_64::oneshot(&bytes) != stored.checksum {
            return Err(corrupt(&stored.path, "checksum mismatch"));
        }
        let interval = Interval::new(stored.from.clone(), stored.to.clone());
        let interval = interval.map_err(|error| corrupt(&stored.path, error))?;
        Segment::from_file(bytes, plan, interval).map_err(|error| corrupt(&stored.path, error))
    }

    /// Removes all versions but the last one and a number of those before it, and files that no kept version
    /// names. Only the writer of the last version may call it.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store fails; the next call removes the rest.
    pub async fn prune(&self, n_kept: u64) -> Result<(), ViewError> {
        let versions = self.versions().await?;
        let first_kept = versions.last().map_or(0, |last| last.saturating_sub(n_kept));
        let mut named: BTreeSet<String> = BTreeSet::new();
        for number in versions {
            if number < first_kept {
                self.store.delete(&self.version_path(number)).await?;
            } else if let Some(view) = self.version(number).await? {
                named.extend(view.segments.into_values().flatten().map(|stored| stored.path));
            }
        }
        let folder = Path::from_iter([&self.source, "segments"]);
        let files: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        for file in files.iter().filter(|file| !named.contains(file.location.as_ref())) {
            self.store.delete(&file.location).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    fn view(version: u64, end: u64) -> View {
        let log = LogStamp { id: "1".to_owned(), epoch: "2".to_owned() };
        View { version, log, frontier: Frontier(vec![end]), segments: BTreeMap::new() }
    }

    #[tokio::test]
    async fn f13_of_two_that_commit_one_version_one_has_lost() {
        let store = ViewStore::new(Arc::new(InMemory::new()), "events");
        assert_eq!((store.latest().await.unwrap(), store.next_version().await.unwrap()), (None, 0));
        store.commit(&view(0, 10)).await.unwrap();
        let lost = store.commit(&view(0, 20)).await.unwrap_err();
        assert!(matches!(lost, ViewError::Lost { version: 0 }), "{lost}");
        assert_eq!(store.latest().await.unwrap(), Some(view(0, 10)));
    }

    #[tokio::test]
    async fn f14_one_that_wakes_up_late_has_lost_however_long_it_slept() {
        for n_meanwhile in [1, 8, 13] {
            let store = ViewStore::new(Arc::new(InMemory::new()), "events");
            let slept = store.next_version().await.unwrap();
            for version in 0..n_meanwhile {
                store.commit(&view(version, version + 1)).await.unwrap();
                store.prune(8).await.unwrap();
            }
            let lost = store.commit(&view(slept, 999)).await.unwrap_err();
            assert!(matches!(lost, ViewError::Lost { .. }), "{n_meanwhile}: {lost}");
            let last = view(n_meanwhile - 1, n_meanwhile);
            assert_eq!(store.latest().await.unwrap(), Some(last));
        }
    }

    #[tokio::test]
    async fn f8_a_version_that_is_not_whole_is_not_used() {
        let memory = Arc::new(InMemory::new());
        let store = ViewStore::new(memory.clone(), "events");
        store.commit(&view(0, 10)).await.unwrap();
        store.commit(&view(1, 20)).await.unwrap();
        let path = store.version_path(1);
        let valid = memory.get(&path).await.unwrap().bytes().await.unwrap();
        for index in 0..valid.len() {
            let mut changed = valid.to_vec();
            changed[index] ^= 1;
            memory.put(&path, PutPayload::from(changed)).await.unwrap();
            let latest = store.latest().await.unwrap();
            assert!(latest == Some(view(0, 10)) || latest == Some(view(1, 20)), "byte {index}: {latest:?}");
            memory.put(&path, PutPayload::from(valid.slice(..index))).await.unwrap();
            assert_eq!(store.latest().await.unwrap(), Some(view(0, 10)), "cut at {index}");
        }
    }
}
