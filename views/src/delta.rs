//! Presented values as tables that other programs read by themselves: DuckDB, Spark, Trino, Polars.
//!
//! A table is a Delta Lake table (reader version 1, writer version 2) on an object store: a folder with one Parquet file of
//! all its rows, and a log in `_delta_log` that says which file that is. Each version replaces all rows, since presented
//! values come from states as a whole. It also says how far the writing application has come (`txn`), so doing a version
//! again does nothing, and a reader can tell from the table alone which state of the metric it sees.
//!
//! Invariants: a version is a numbered file that is only ever made, never changed; whoever makes the next number first
//! has committed, and anybody else starts over. Data is written before the commit that names it. The last commit alone is
//! enough to write the next one, so the state of a table costs a list and a read, however long it lives; the log before
//! it is for readers, who need a checkpoint for what is deleted. A table is a cache: if its log is damaged, the folder can
//! be deleted, and the next version starts it anew.

mod actions;
mod checkpoint;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use twox_hash::XxHash3_64;

use metricc_compiler::to_parquet;

use crate::store::ViewError;
use actions::{Action, Add, CommitInfo, MetaData, Own, Protocol, Remove, Snapshot, Txn};
use schema::Columns;

/// The folder of the log, below the root of a table.
const LOG: &str = "_delta_log";

/// How many versions before the last keep their data, for readers that are still at it.
const N_DATA_KEPT: u64 = 8;

/// How many versions lie between two checkpoints.
const N_BETWEEN_CHECKPOINTS: u64 = 10;

/// How many versions before the last keep their commits.
const N_COMMITS_KEPT: u64 = 20;

/// The table of one metric's presented values.
#[derive(Debug, Clone)]
pub struct Table {
    store: Arc<dyn ObjectStore>,
    root: Path,
}

/// What a version of a table says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStamp {
    /// The application that writes it.
    pub app: String,
    /// How far the application has come with it.
    pub version: u64,
    /// What else readers are shown in the history of the table, such as the hash of the metric and the frontier.
    pub info: BTreeMap<String, String>,
}

/// The last commit.
#[derive(Debug, Clone)]
struct Head {
    version: u64,
    own: Own,
    /// The files of the table: one, or none if it has no rows.
    paths: Vec<String>,
}

/// The files of a table.
#[derive(Debug, Default)]
struct Files {
    commits: BTreeSet<u64>,
    checkpoints: BTreeSet<u64>,
    /// With the version for which it was written, committed or not.
    data: Vec<(u64, Path)>,
}

impl Table {
    /// The table in a folder of a store. Nothing is read or written yet.
    pub fn new(store: Arc<dyn ObjectStore>, root: Path) -> Self {
        Table { store, root }
    }

    /// Replaces all rows by these, in one version of the table, and returns its number. If the application has already
    /// come as far, nothing is done, and the number of the last version is returned.
    ///
    /// # Errors
    /// [`ViewError::Lost`] if somebody else has committed meanwhile; [`ViewError::Broken`] if the rows have columns that
    /// tables do not have, or the last commit cannot be read: then the folder has to be deleted. After
    /// [`ViewError::Store`] the version may or may not be there; doing it again is right in both cases.
    pub async fn replace(&self, rows: &RecordBatch, stamp: &TableStamp) -> Result<u64, ViewError> {
        let head = self.head().await?;
        self.replace_after(head.as_ref(), rows, stamp).await
    }

    /// The version behind the head, which may have been overtaken.
    async fn replace_after(
        &self,
        head: Option<&Head>,
        rows: &RecordBatch,
        stamp: &TableStamp,
    ) -> Result<u64, ViewError> {
        let app_version = i64::try_from(stamp.version);
        let app_version = app_version.map_err(|error| self.broken(format!("{}: {error}", stamp.version)))?;
        if let Some(head) = head
            && head.own.apps.get(&stamp.app).is_some_and(|done| *done >= app_version)
        {
            return Ok(head.version);
        }
        let (version, now) = (head.map_or(0, |head| head.version + 1), now());
        let columns = Columns::of(rows.schema_ref()).map_err(|problem| self.broken(problem))?;
        let rows = columns.plain(rows).map_err(|error| self.broken(error.to_string()))?;
        let add = self.write(version, &rows, now).await?;

        let (id, created) = match head {
            Some(head) => (head.own.table.clone(), head.own.created),
            None => (actions::table_id(&self.root, now), now),
        };
        let mut apps = head.map(|head| head.own.apps.clone()).unwrap_or_default();
        apps.insert(stamp.app.clone(), app_version);
        let snapshot = Snapshot { meta: MetaData::new(id, columns.text, created), apps, add };
        let txn = Txn { app_id: stamp.app.clone(), version: app_version, last_updated: Some(now) };
        let actions = changes(head, &snapshot, txn, now);
        let info = serde_json::to_string(&stamp.info).map_err(|error| self.broken(error.to_string()))?;
        let own = Own::of(&snapshot, actions.len() + 1);
        let files = self.commit(version, CommitInfo::replaced(now, info, own), &actions).await?;
        // The version is made, so this cannot fail it. What is left to do is done with the next one.
        let _ = self.tidy(version, &files, &snapshot).await;
        Ok(version)
    }

    /// The last commit; none if there is no table.
    async fn head(&self) -> Result<Option<Head>, ViewError> {
        let files = self.files(&self.root.clone().join(LOG)).await?;
        let (commit, checkpoint) = (files.commits.last().copied(), files.checkpoints.last().copied());
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| commit < Some(*checkpoint)) {
            let problem = "the commit of this version and those behind it are gone".to_owned();
            return Err(ViewError::Broken { path: self.checkpoint_path(checkpoint).to_string(), problem });
        }
        let Some(version) = commit else { return Ok(None) };
        let path = self.commit_path(version);
        let bytes = self.store.get(&path).await?.bytes().await?;
        match actions::read_commit(&bytes) {
            Ok((own, paths)) => Ok(Some(Head { version, own, paths })),
            Err(problem) => Err(ViewError::Broken { path: path.to_string(), problem }),
        }
    }

    /// Writes the data of a version; nobody sees it before a commit names it. No rows are no file.
    async fn write(&self, version: u64, rows: &RecordBatch, now: i64) -> Result<Option<Add>, ViewError> {
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let bytes = to_parquet(rows).map_err(|problem| self.broken(problem))?;
        let path = format!("part-{version:020}-{:016x}.parquet", XxHash3_64::oneshot(&bytes));
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.store.put(&self.root.clone().join(path.as_str()), PutPayload::from(bytes)).await?;
        Ok(Some(Add {
            path,
            partition_values: BTreeMap::new(),
            size,
            modification_time: now,
            data_change: true,
            stats: format!("{{\"numRecords\":{}}}", rows.num_rows()),
        }))
    }

    /// Makes a version: all of it, or nothing. Returns the files that the table has then.
    async fn commit(&self, version: u64, info: CommitInfo, rest: &[Action]) -> Result<Files, ViewError> {
        let path = self.commit_path(version);
        let mut text = String::new();
        for action in [Action::CommitInfo(info)].iter().chain(rest) {
            let line = serde_json::to_string(action).map_err(|error| self.broken(error.to_string()))?;
            text.push_str(&line);
            text.push('\n');
        }
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, PutPayload::from(text), options).await {
            Ok(_) => {}
            Err(object_store::Error::AlreadyExists { .. }) => return Err(ViewError::Lost { version }),
            Err(error) => return Err(error.into()),
        }
        let files = self.files(&self.root).await?;
        // Whoever slept so long that the number was taken, and deleted with the old commits, has made it again, behind
        // the checkpoints, where nobody reads it. Even if not, its rows were replaced long ago.
        if files.commits.last().is_some_and(|last| *last > version.saturating_add(N_COMMITS_KEPT)) {
            return Err(ViewError::Lost { version });
        }
        Ok(files)
    }

    /// Keeps the table short, after a commit of it.
    async fn tidy(&self, version: u64, files: &Files, snapshot: &Snapshot) -> Result<(), ViewError> {
        let checkpoint = files.checkpoints.last().copied().unwrap_or(0);
        let is_due = version >= checkpoint.saturating_add(N_BETWEEN_CHECKPOINTS);
        if is_due {
            self.checkpoint(version, snapshot).await?;
        }
        let first_kept = version.saturating_sub(N_DATA_KEPT);
        for (written_for, path) in &files.data {
            if *written_for < first_kept {
                self.store.delete(path).await?;
            }
        }
        // Readers start at the checkpoint that was just made, or at one of the others that are kept.
        let start = files.checkpoints.range(..=version.saturating_sub(N_COMMITS_KEPT)).next_back().copied();
        if let Some(start) = start.filter(|_| is_due) {
            for old in files.commits.range(..start) {
                self.store.delete(&self.commit_path(*old)).await?;
            }
            for old in files.checkpoints.range(..start) {
                self.store.delete(&self.checkpoint_path(*old)).await?;
            }
        }
        Ok(())
    }

    /// Writes all that the log says up to a version as one file, and that readers may start there.
    async fn checkpoint(&self, version: u64, snapshot: &Snapshot) -> Result<(), ViewError> {
        let rows = checkpoint::rows(&snapshot.actions()).map_err(|error| self.broken(error.to_string()))?;
        let bytes = to_parquet(&rows).map_err(|problem| self.broken(problem))?;
        self.store.put(&self.checkpoint_path(version), PutPayload::from(bytes)).await?;
        let last = format!("{{\"version\":{version},\"size\":{}}}", rows.num_rows());
        self.store.put(&self.log_path("_last_checkpoint"), PutPayload::from(last)).await?;
        Ok(())
    }

    /// What there is in a folder of the table. Files that are none of ours are not looked at.
    async fn files(&self, folder: &Path) -> Result<Files, ViewError> {
        let found: Vec<_> = self.store.list(Some(folder)).try_collect().await?;
        let mut files = Files::default();
        for path in found.into_iter().map(|meta| meta.location) {
            let name = path.filename().unwrap_or_default();
            let digits = name.strip_prefix("part-").unwrap_or(name).get(..20);
            let Some(version) = digits.and_then(|digits| digits.parse::<u64>().ok()) else { continue };
            if path == self.commit_path(version) {
                files.commits.insert(version);
            } else if path == self.checkpoint_path(version) {
                files.checkpoints.insert(version);
            } else if name.starts_with("part-") && path.parent().as_ref() == Some(&self.root) {
                files.data.push((version, path));
            }
        }
        Ok(files)
    }

    fn commit_path(&self, version: u64) -> Path {
        self.log_path(&format!("{version:020}.json"))
    }

    fn checkpoint_path(&self, version: u64) -> Path {
        self.log_path(&format!("{version:020}.checkpoint.parquet"))
    }

    fn log_path(&self, name: &str) -> Path {
        self.root.clone().join(LOG).join(name)
    }

    fn broken(&self, problem: String) -> ViewError {
        ViewError::Broken { path: self.root.to_string(), problem }
    }
}

/// What a commit changes, beside who has made it.
fn changes(head: Option<&Head>, snapshot: &Snapshot, txn: Txn, now: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    let schema = actions::schema_hash(&snapshot.meta.schema_string);
    if head.is_none_or(|head| head.own.schema != schema) {
        actions.extend([Action::Protocol(Protocol::PLAIN), Action::MetaData(snapshot.meta.clone())]);
    }
    actions.push(Action::Txn(txn));
    for path in head.into_iter().flat_map(|head| &head.paths) {
        let remove = Remove { path: path.clone(), deletion_timestamp: now, data_change: true };
        actions.push(Action::Remove(remove));
    }
    actions.extend(snapshot.add.clone().map(Action::Add));
    actions
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
