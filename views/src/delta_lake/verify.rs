//! Whether a table is what was written, and what it is to hold.
//!
//! A reader of the table reads its last checkpoint, all commits after it, and the data that they name. Each
//! commit has a checksum of itself and of the checkpoint that follows it, and the names of data files have
//! theirs, so damage to any of them is found; the table is then rebuilt.

use arrow::array::RecordBatch;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use twox_hash::XxHash3_64;

use super::actions::{self, Commit};
use super::{Files, Head, Table, TableStamp, checkpoint_hint, data_hash};
use crate::error::{ViewError, corrupt};

/// How a table compares with rows that it is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableContent {
    /// It holds them, as they were stamped.
    Same,
    /// It holds an earlier version, or nothing.
    Behind,
    /// It holds something else, stamped with this version or a later one: versions were lost or put back.
    Other,
}

impl Table {
    /// Reads and checks all files that a reader of the last version needs, and compares the table with rows.
    ///
    /// # Errors
    /// [`ViewError::Corrupt`] if one of the files is missing, or not what was written.
    pub async fn compare(&self, rows: &RecordBatch, stamp: &TableStamp) -> Result<TableContent, ViewError> {
        let Some((head, info)) = self.verified_head().await? else { return Ok(TableContent::Behind) };
        let (schema, bytes) = self.encoded(rows)?;
        let stated: Vec<&str> = head.paths.iter().map(|path| data_hash(path)).collect();
        let hash = bytes.map(|bytes| format!("{:016x}", XxHash3_64::oneshot(&bytes)));
        let is_same = stated == hash.iter().map(String::as_str).collect::<Vec<_>>()
            && head.state.schema == actions::schema_hash(&schema)
            && info == stamp.info_text().map_err(|error| self.corrupt(error))?;
        let last = head.state.apps.get(&stamp.app).copied().unwrap_or(-1);
        Ok(match is_same {
            true => TableContent::Same,
            false if last < i64::try_from(stamp.version).unwrap_or(i64::MAX) => TableContent::Behind,
            false => TableContent::Other,
        })
    }

    /// The last commit and its information, after all that leads to it was checked.
    async fn verified_head(&self) -> Result<Option<(Head, String)>, ViewError> {
        let Some(head) = self.head().await? else { return Ok(None) };
        let files = self.files(&self.root).await?;
        let first = files.commits.first().copied().unwrap_or(0);
        let has_start = first == 0 || files.checkpoints.iter().any(|version| *version >= first);
        if !has_start || files.commits.len() as u64 != head.version + 1 - first {
            return Err(corrupt(&self.root, "commits are missing"));
        }
        let mut info = String::new();
        for version in &files.commits {
            let path = self.commit_path(*version);
            let commit = actions::read_commit(&self.bytes(&path).await?);
            let commit = commit.map_err(|problem| corrupt(&path, problem))?;
            self.verify_checkpoint(*version, &commit, &files).await?;
            info = commit.info;
        }
        self.verify_hint(&files).await?;
        for path in &head.paths {
            let path = self.root.clone().join(path.as_str());
            let hash = format!("{:016x}", XxHash3_64::oneshot(&self.bytes(&path).await?));
            if data_hash(path.as_ref()) != hash {
                return Err(corrupt(&path, "checksum mismatch"));
            }
        }
        Ok(Some((head, info)))
    }

    async fn verify_checkpoint(&self, version: u64, commit: &Commit, files: &Files) -> Result<(), ViewError> {
        if !files.checkpoints.contains(&version) {
            return Ok(());
        }
        let path = self.checkpoint_path(version);
        let hash = format!("{:016x}", XxHash3_64::oneshot(&self.bytes(&path).await?));
        let is_it = commit.state.checkpoint.as_ref().is_some_and(|stated| stated.hash == hash);
        if is_it { Ok(()) } else { Err(corrupt(&path, "checksum mismatch")) }
    }

    /// The hint where readers may start names a checkpoint, as long as there is one.
    async fn verify_hint(&self, files: &Files) -> Result<(), ViewError> {
        let path = self.log_path("_last_checkpoint");
        let hint = match self.store.get(&path).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for version in &files.checkpoints {
            let commit = actions::read_commit(&self.bytes(&self.commit_path(*version)).await?);
            let stated = commit.ok().and_then(|commit| commit.state.checkpoint);
            if stated.is_some_and(|stated| hint == checkpoint_hint(*version, stated.n_rows)) {
                return Ok(());
            }
        }
        Err(corrupt(&path, "it names no checkpoint that there is"))
    }

    async fn bytes(&self, path: &Path) -> Result<Bytes, ViewError> {
        match self.store.get(path).await {
            Ok(found) => Ok(found.bytes().await?),
            Err(object_store::Error::NotFound { .. }) => Err(corrupt(path, "the file is missing")),
            Err(error) => Err(error.into()),
        }
    }
}
