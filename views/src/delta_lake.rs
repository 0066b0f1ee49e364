//! Presented values as Delta Lake tables, for DuckDB, Spark, Trino and Polars.
//!
//! A table (reader version 1, writer version 2) is a folder on an object store: one Parquet file with all its
//! rows, and a log in `_delta_log` that names the file. Each version replaces all rows, since presented
//! values are computed from whole states. It also records the last version of the writing application
//! (`txn`), so writing a version again does nothing, and a reader of the table alone knows which state of the
//! metric it sees.
//!
//! Invariants: a version is a numbered file that is created once and never changed; the writer that creates
//! the next number first has committed, and every other writer starts over. Data is written before the commit
//! that names it. The last commit alone is enough to write the next one, so a commit costs one list and one
//! read, however old the table is; the earlier log is for readers, and a checkpoint replaces its deleted
//! commits. A table is a cache: if any of its files is corrupt ([`Table::compare`]), the folder can be
//! deleted, and the next version rebuilds it.

mod actions;
mod checkpoint;
mod schema;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use metricc_storage::create_if_absent;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use twox_hash::XxHash3_64;

use metricc_compiler::to_parquet;

use crate::error::{ViewError, corrupt};
use actions::{
    Action, Add, Checkpoint, Commit, CommitInfo, MetaData, Protocol, Remove, Snapshot, TableState, Txn,
};
use schema::Columns;
pub use verify::TableContent;

/// The folder of the log, below the root of a table.
const LOG: &str = "_delta_log";

/// Versions before the last one that keep their data, for readers of an older version.
const N_DATA_KEPT: u64 = 8;

/// Versions from one checkpoint to the next.
const N_BETWEEN_CHECKPOINTS: u64 = 10;

/// Versions before the last one that keep their commits.
const N_COMMITS_KEPT: u64 = 20;

/// The table of one metric's presented values.
#[derive(Debug, Clone)]
pub struct Table {
    store: Arc<dyn ObjectStore>,
    root: Path,
}

/// The writer of a version of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStamp {
    /// The application that writes.
    pub app: String,
    /// The application's own number of the version.
    pub version: u64,
    /// More for the history of the table, such as the hash of the metric and the frontier.
    pub info: BTreeMap<String, String>,
}

/// The last commit.
#[derive(Debug, Clone)]
struct Head {
    version: u64,
    state: TableState,
    /// The files of the table: one, or none if it has no rows.
    paths: Vec<String>,
    /// The last checkpoint, if there is one.
    checkpoint: Option<u64>,
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

    /// Replaces all rows in one version of the table, and returns its number. Does nothing if the application
    /// has already written this version or a later one, and returns the number of the last version.
    ///
    /// # Errors
    /// [`ViewError::Lost`] if another writer has committed meanwhile; [`ViewError::Corrupt`] if the rows have
    /// columns that tables cannot have, or the last commit cannot be read: then the folder has to be deleted.
    /// After [`ViewError::Store`] the version may or may not exist; calling again is right in both cases.
    pub async fn replace(&self, rows: &RecordBatch, stamp: &TableStamp) -> Result<u64, ViewError> {
        let head = self.head().await?;
        self.replace_after(head.as_ref(), rows, stamp).await
    }

    /// Writes the version after the head. Another writer may have committed since the head was read.
    async fn replace_after(
        &self,
        head: Option<&Head>,
        rows: &RecordBatch,
        stamp: &TableStamp,
    ) -> Result<u64, ViewError> {
        let app_version = i64::try_from(stamp.version);
        let app_version = app_version.map_err(|error| self.corrupt(error))?;
        if let Some(head) = head
            && head.state.apps.get(&stamp.app).is_some_and(|done| *done >= app_version)
        {
            return Ok(head.version);
        }
        let (version, now) = (head.map_or(0, |head| head.version + 1), now());
        let (schema, bytes) = self.encoded(rows)?;
        let add = self.write(version, bytes, rows.num_rows(), now).await?;

        let (id, created) = match head {
            Some(head) => (head.state.table.clone(), head.state.created),
            None => (actions::table_id(&self.root, now), now),
        };
        let mut apps = head.map(|head| head.state.apps.clone()).unwrap_or_default();
        apps.insert(stamp.app.clone(), app_version);
        let snapshot = Snapshot { meta: MetaData::new(id, schema, created), apps, add };
        let txn = Txn { app_id: stamp.app.clone(), version: app_version, last_updated: Some(now) };
        let actions = changes(head, &snapshot, txn, now);
        let info = stamp.info_text().map_err(|error| self.corrupt(error))?;
        let checkpoint = self.checkpoint_of(version, head, &snapshot)?;
        let stated = checkpoint.as_ref().map(|(stated, _)| stated.clone());
        let state = TableState::of(&snapshot, actions.len() + 1, stated);
        let files = self.commit(version, CommitInfo::replaced(now, info, state), &actions).await?;
        // The version is committed; the next one tidies up whatever this fails to.
        let _ = self.tidy(version, &files, checkpoint).await;
        Ok(version)
    }

    /// The last commit, if the table exists.
    async fn head(&self) -> Result<Option<Head>, ViewError> {
        let files = self.files(&self.root.clone().join(LOG)).await?;
        let (commit, checkpoint) = (files.commits.last().copied(), files.checkpoints.last().copied());
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| commit < Some(*checkpoint)) {
            let problem = "the commit of this version and later ones are missing";
            return Err(corrupt(&self.checkpoint_path(checkpoint), problem));
        }
        let Some(version) = commit else { return Ok(None) };
        let path = self.commit_path(version);
        let bytes = self.store.get(&path).await?.bytes().await?;
        match actions::read_commit(&bytes) {
            Ok(Commit { state, paths, .. }) => Ok(Some(Head { version, state, paths, checkpoint })),
            Err(problem) => Err(corrupt(&path, problem)),
        }
    }

    /// The schema of rows as the log of the table has it, and their file. Without rows there is no file.
    fn encoded(&self, rows: &RecordBatch) -> Result<(String, Option<Bytes>), ViewError> {
        let columns = Columns::of(rows.schema_ref()).map_err(|problem| self.corrupt(problem))?;
        let rows = columns.plain(rows).map_err(|error| self.corrupt(error))?;
        let bytes = (rows.num_rows() > 0).then(|| to_parquet(&rows)).transpose();
        Ok((columns.text, bytes.map_err(|problem| self.corrupt(problem))?.map(Bytes::from)))
    }

    /// Writes the data of a version; it becomes visible when a commit names it.
    async fn write(
        &self,
        version: u64,
        bytes: Option<Bytes>,
        n_rows: usize,
        now: i64,
    ) -> Result<Option<Add>, ViewError> {
        let Some(bytes) = bytes else { return Ok(None) };
        let path = format!("part-{version:020}-{:016x}.parquet", XxHash3_64::oneshot(&bytes));
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.store.put(&self.root.clone().join(path.as_str()), PutPayload::from(bytes)).await?;
        Ok(Some(Add {
            path,
            partition_values: BTreeMap::new(),
            size,
            modification_time: now,
            data_change: true,
            stats: format!("{{\"numRecords\":{n_rows}}}"),
        }))
    }

    /// Commits a version atomically. Returns the files that the table then has.
    async fn commit(&self, version: u64, info: CommitInfo, rest: &[Action]) -> Result<Files, ViewError> {
        let path = self.commit_path(version);
        let text = actions::commit_text(&info, rest).map_err(|error| self.corrupt(error))?;
        if !create_if_absent(self.store.as_ref(), &path, PutPayload::from(text)).await? {
            return Err(ViewError::Lost { version });
        }
        let files = self.files(&self.root).await?;
        // A writer that was paused until its number was taken, and deleted with the old commits, has created
        // it again, before the checkpoints, where it is never read. In any case its rows were replaced long
        // ago.
        if files.commits.last().is_some_and(|last| *last > version.saturating_add(N_COMMITS_KEPT)) {
            return Err(ViewError::Lost { version });
        }
        Ok(files)
    }

    /// Keeps the table short, after a commit of it.
    async fn tidy(
        &self,
        version: u64,
        files: &Files,
        checkpoint: Option<(Checkpoint, Bytes)>,
    ) -> Result<(), ViewError> {
        let is_due = checkpoint.is_some();
        if let Some((stated, bytes)) = checkpoint {
            self.store.put(&self.checkpoint_path(version), PutPayload::from(bytes)).await?;
            let hint = checkpoint_hint(version, stated.n_rows);
            self.store.put(&self.log_path("_last_checkpoint"), PutPayload::from(hint)).await?;
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

    /// The log up to a version as one file, if it is time for one.
    fn checkpoint_of(
        &self,
        version: u64,
        head: Option<&Head>,
        snapshot: &Snapshot,
    ) -> Result<Option<(Checkpoint, Bytes)>, ViewError> {
        let last = head.and_then(|head| head.checkpoint).unwrap_or(0);
        if version < last.saturating_add(N_BETWEEN_CHECKPOINTS) {
            return Ok(None);
        }
        let rows = checkpoint::rows(&snapshot.actions()).map_err(|error| self.corrupt(error))?;
        let bytes = Bytes::from(to_parquet(&rows).map_err(|problem| self.corrupt(problem))?);
        let hash = format!("{:016x}", XxHash3_64::oneshot(&bytes));
        Ok(Some((Checkpoint { n_rows: rows.num_rows(), hash }, bytes)))
    }

    /// The table's files in a folder. Files with other names are ignored.
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

    fn corrupt(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ViewError {
        corrupt(&self.root, source)
    }
}

impl TableStamp {
    /// The information as a commit has it.
    fn info_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.info)
    }
}

/// What tells readers that they may start at a checkpoint.
fn checkpoint_hint(version: u64, n_rows: usize) -> String {
    format!("{{\"version\":{version},\"size\":{n_rows}}}")
}

/// The checksum in the name of a data file.
fn data_hash(path: &str) -> &str {
    path.rsplit('-').next().and_then(|rest| rest.strip_suffix(".parquet")).unwrap_or_default()
}

/// The actions of a commit, without its `commitInfo`.
fn changes(head: Option<&Head>, snapshot: &Snapshot, txn: Txn, now: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    let schema = actions::schema_hash(&snapshot.meta.schema_string);
    if head.is_none_or(|head| head.state.schema != schema) {
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
