//! The view store: the segments that batch has committed, as Parquet files on an object store, and which of them are the view.
//!
//! A **version** of a view says of one source up to which frontier it goes, and in which files the segments of each state
//! lie that cover the log from its start to there. Versions are numbered files that are only ever made, never changed:
//! whoever makes the next number first has committed, for all metrics at once, and anybody else starts over from what is
//! there then. That is also the fence: a batch that was paused and wakes up finds its number taken.
//!
//! Each file is named after what it holds and its checksum, so doing a batch again writes the same files. A version carries
//! a checksum of itself and of each file: what does not fit is not used, an older version is. A view is a cache of the log;
//! nothing is lost with it but time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use metricc_compiler::{MetricPlan, Segment};
use metricc_ir::{Frontier, Interval};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use crate::delta::Table;

/// Version of the form of these files; others are not read.
const FORMAT: u32 = 1;

/// How many versions before the last are kept, with their files.
const N_KEPT: u64 = 8;

/// Folder of the tables for other programs, below that of the source.
const TABLES: &str = "tables";

/// The views of one source on an object store.
#[derive(Debug, Clone)]
pub struct ViewStore {
    store: Arc<dyn ObjectStore>,
    source: String,
}

/// A version of the view of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its number.
    pub version: u64,
    /// The log that it is a view of, and the last epoch of it that was known: without both it says nothing.
    pub log: LogStamp,
    /// Up to where it goes.
    pub frontier: Frontier,
    /// For each state hash, the segments from the start to the frontier, in order, without a gap.
    pub segments: BTreeMap<String, Vec<StoredSegment>>,
}

/// What tells the log that a view was made from.
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
    /// The metric for which it was made; others of the same states read it too.
    pub metric: String,
    /// Its first frontier.
    pub from: Frontier,
    /// The frontier behind it.
    pub to: Frontier,
    /// The file, below the root of the store.
    pub path: String,
    /// Groups in it.
    pub n_rows: u64,
    /// Length of the file.
    pub n_bytes: u64,
    /// XXH3-64 of the file.
    pub checksum: u64,
}

/// Why a view could not be read or committed.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The store did not do what was asked.
    #[error("view store: {0}")]
    Store(#[from] object_store::Error),
    /// A file is not what was committed: it has to be made anew from the log.
    #[error("view file `{path}`: {problem}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody else has committed this version.
    #[error("version {version} of the view was committed by somebody else")]
    Lost {
        /// The version.
        version: u64,
    },
}

/// A version, and the checksum of its text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    format: u32,
    checksum: u64,
    #[serde(borrow)]
    view: &'a RawValue,
}

impl ViewStore {
    /// The views of a source. Its files lie in folders named after it.
    pub fn new(store: Arc<dyn ObjectStore>, source: &str) -> Self {
        ViewStore { store, source: source.to_owned() }
    }

    /// The last version that can be read; none if there is none. Segments are not looked at.
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

    /// The numbers of all versions, ascending.
    async fn versions(&self) -> Result<Vec<u64>, ViewError> {
        let folder = Path::from_iter([&self.source, "versions"]);
        let names: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        let number = |path: &Path| path.filename()?.strip_suffix(".json")?.parse().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(|meta| number(&meta.location)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A version; none if it is gone, damaged or of another form.
    async fn version(&self, number: u64) -> Result<Option<View>, ViewError> {
        let bytes = match self.store.get(&self.version_path(number)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let sealed: Option<Sealed<'_>> = serde_json::from_slice(&bytes).ok();
        let sealed = sealed.filter(|sealed| {
            sealed.format == FORMAT && XxHash3_64::oneshot(sealed.view.get().as_bytes()) == sealed.checksum
        });
        let view: Option<View> = sealed.and_then(|sealed| serde_json::from_str(sealed.view.get()).ok());
        Ok(view.filter(|view| view.version == number))
    }

    fn version_path(&self, number: u64) -> Path {
        Path::from_iter([self.source.clone(), "versions".to_owned(), format!("{number:020}.json")])
    }

    /// The number that the next version has to have.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store cannot be read.
    pub async fn next_version(&self) -> Result<u64, ViewError> {
        Ok(self.versions().await?.last().map_or(0, |last| last + 1))
    }

    /// Makes a version: all of it, or nothing. Its files have to be written.
    ///
    /// # Errors
    /// [`ViewError::Lost`] if there is such a version.
    pub async fn commit(&self, view: &View) -> Result<(), ViewError> {
        let path = self.version_path(view.version);
        let broken = |error: serde_json::Error| ViewError::Broken {
            path: path.to_string(),
            problem: error.to_string(),
        };
        let text = serde_json::to_string(view).map_err(broken)?;
        let checksum = XxHash3_64::oneshot(text.as_bytes());
        let view_text = RawValue::from_string(text).map_err(broken)?;
        let sealed = Sealed { format: FORMAT, checksum, view: &view_text };
        let payload = PutPayload::from(serde_json::to_vec(&sealed).map_err(broken)?);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let lost = || Err(ViewError::Lost { version: view.version });
        match self.store.put_opts(&path, payload, options).await {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => return lost(),
            Err(error) => return Err(error.into()),
        }
        // Who has slept through many versions finds its number free again, since old ones are removed.
        if self.versions().await?.last().is_some_and(|last| *last > view.version) { lost() } else { Ok(()) }
    }

    /// The table of the presented values of a metric, for other programs.
    pub fn table(&self, metric: &str) -> Table {
        Table::new(self.store.clone(), Path::from_iter([&self.source, TABLES, metric]))
    }

    /// Removes the tables of metrics that are not among these.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store refuses.
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

    /// Removes the table of a metric, so that it is made anew.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store refuses.
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

    /// Writes a segment of a plan; nobody sees it before a version names it.
    ///
    /// # Errors
    /// [`ViewError`] if it could not be written.
    pub async fn write(&self, plan: &MetricPlan, segment: &Segment) -> Result<StoredSegment, ViewError> {
        let bytes = segment
            .to_file()
            .map_err(|problem| ViewError::Broken { path: plan.metric.name.clone(), problem })?;
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

    /// Reads a segment of a plan, and makes sure that it is what was committed.
    ///
    /// # Errors
    /// [`ViewError::Broken`] if it is not.
    pub async fn read(&self, plan: &MetricPlan, stored: &StoredSegment) -> Result<Segment, ViewError> {
        let broken = |problem: String| ViewError::Broken { path: stored.path.clone(), problem };
        let bytes = match self.store.get(&Path::from(stored.path.as_str())).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Err(broken("it is gone".to_owned())),
            Err(error) => return Err(error.into()),
        };
        if bytes.len() as u64 != stored.n_bytes || XxHash3_64::oneshot(&bytes) != stored.checksum {
            return Err(broken("its bytes are not those that were committed".to_owned()));
        }
        let interval = Interval::new(stored.from.clone(), stored.to.clone());
        let interval = interval.map_err(|error| broken(error.to_string()))?;
        Segment::from_file(bytes, plan, interval).map_err(broken)
    }

    /// Removes old versions, and the files that none of the others names. To be called by who has committed the last one.
    ///
    /// # Errors
    /// [`ViewError::Store`] if the store refuses; what is left goes the next time.
    pub async fn prune(&self) -> Result<(), ViewError> {
        let versions = self.versions().await?;
        let first_kept = versions.last().map_or(0, |last| last.saturating_sub(N_KEPT));
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
        for n_meanwhile in [1, N_KEPT, N_KEPT + 5] {
            let store = ViewStore::new(Arc::new(InMemory::new()), "events");
            let slept = store.next_version().await.unwrap();
            for version in 0..n_meanwhile {
                store.commit(&view(version, version + 1)).await.unwrap();
                store.prune().await.unwrap();
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
        let sound = memory.get(&path).await.unwrap().bytes().await.unwrap();
        for place in 0..sound.len() {
            let mut changed = sound.to_vec();
            changed[place] ^= 1;
            memory.put(&path, PutPayload::from(changed)).await.unwrap();
            let latest = store.latest().await.unwrap();
            assert!(latest == Some(view(0, 10)) || latest == Some(view(1, 20)), "byte {place}: {latest:?}");
            memory.put(&path, PutPayload::from(sound.slice(..place))).await.unwrap();
            assert_eq!(store.latest().await.unwrap(), Some(view(0, 10)), "cut at {place}");
        }
    }
}
