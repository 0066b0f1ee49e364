//! Copying what is flushed of a source to an object store.
//!
//! | object | content |
//! |---|---|
//! | `owner.json` | the identity of the log that the place belongs to |
//! | `log/events/SOURCE/…-CHECKSUM.parquet` and others | a flushed file, under its name and checksum |
//! | `log/requests/CHECKSUM-….json` | requests that the log remembers |
//! | `log/manifests/SOURCE/NUMBER.json` | what a journal would say that ends with these files |
//!
//! Invariants: a manifest is created after the files that it names, and only if it is absent. So a manifest that
//! is there is complete, and two nodes that copy to one place cannot both go on: the second is told so.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::TryStreamExt;
use metricc_durable_log::{Archive, ArchivedFile, Disk, DurableLog, LogSnapshot};
use metricc_log::{Frontier, ReadAt};
use metricc_storage::{Storage, StorageError, create_if_absent};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use crate::error::NodeError;
use crate::source::NodeSource;
use crate::status::family;
use crate::writer::{Ingest, IngestError};

/// The object that says whose log a place belongs to.
const OWNER: &str = "owner.json";

/// Manifests that are kept, the newest one counted.
const KEPT_MANIFESTS: u64 = 3;

/// How far the copy of a source's flushed events is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveStatus {
    /// Where it is.
    pub url: String,
    /// The frontier after the events in it.
    pub frontier: Frontier,
    /// Why nothing is copied at present.
    pub problem: Option<String>,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
enum ArchiveError {
    #[error(transparent)]
    Store(#[from] StorageError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Log(#[from] metricc_durable_log::DurableError),
    #[error("`{path}` is not readable: {cause}")]
    Unreadable { path: String, cause: std::io::Error },
    #[error("`{path}` does not have the checksum that the journal says, so it is not copied")]
    Damaged { path: String },
    #[error(
        "another node copies to this place: `{manifest}` is not of this one; give each node its own `storage`"
    )]
    Taken { manifest: String },
}

/// Copies what is flushed of one source.
#[derive(Debug)]
pub(crate) struct Archiver {
    storage: Storage,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The number of the next manifest.
    next: u64,
    archived: Frontier,
    /// The objects that are there.
    known: HashSet<String>,
}

/// The place of the copies.
pub(crate) fn place(storage: &Storage) -> Storage {
    storage.join("log")
}

/// The folder of the manifests of a source.
pub(crate) fn manifests(source: &str) -> String {
    format!("manifests/{source}")
}

/// The number of a manifest, from its path.
pub(crate) fn number(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// The name of a flushed file's object. Offsets may be given out again after a loss, so its path does not tell
/// it.
pub(crate) fn object_of(file: &ArchivedFile) -> String {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let (stem, suffix) = name.split_once('.').unwrap_or((name, ""));
    format!("{folder}/{stem}-{:016x}.{suffix}", file.checksum)
}

/// The paths below a folder of a store.
pub(crate) fn list(storage: &Storage, folder: &str) -> Result<Vec<Path>, StorageError> {
    let folder = Path::from(folder);
    storage.run(|store| async move {
        let found: Vec<_> = store.list(Some(&folder)).map_ok(|object| object.location).try_collect().await?;
        Ok(found)
    })
}

/// The bytes of an object.
pub(crate) fn read(storage: &Storage, path: &str) -> Result<Bytes, StorageError> {
    let path = Path::from(path);
    storage.run(|store| async move { store.get(&path).await?.bytes().await })
}

/// The newest manifest of a source, and its number.
pub(crate) fn newest(storage: &Storage, source: &str) -> Result<Option<(u64, Archive)>, NodeError> {
    let refuse = |error: StorageError| NodeError::Config(error.to_string());
    let found = list(storage, &manifests(source)).map_err(refuse)?;
    let Some((number, path)) = found.iter().filter_map(|path| Some((number(path)?, path))).max() else {
        return Ok(None);
    };
    let bytes = read(storage, path.as_ref()).map_err(refuse)?;
    let shown = format!("{}/{path}", storage.url());
    let archive = Archive::parse(&bytes, &shown).map_err(|error| {
        NodeError::Config(format!(
            "{error}\n  help: remove this object, and what the manifest before it names is taken; positions after that are \
             then not there"
        ))
    })?;
    if archive.source() != source {
        return Err(NodeError::Config(format!(
            "`{shown}` is of source `{}`, and not of `{source}`",
            archive.source()
        )));
    }
    Ok(Some((number, archive)))
}

/// An error if a place has an owner, and there is no log here: a new one would not be it.
///
/// # Errors
/// [`NodeError::Config`].
pub(crate) fn not_without_log(storage: &Storage, disk: &Arc<dyn Disk>) -> Result<(), NodeError> {
    let refuse = |error: StorageError| NodeError::Config(format!("`storage`: {error}"));
    if DurableLog::is_there(disk)? || !list(storage, "").map_err(refuse)?.contains(&Path::from(OWNER)) {
        return Ok(());
    }
    Err(NodeError::Config(format!(
        "`{}` belongs to a log, and `{}` has none\n  help: if its disk was lost, restore the log: `metricc restore`; \
         otherwise give this node another `storage`",
        storage.url(),
        disk.shown("")
    )))
}

/// Makes a log the owner of a place, unless it is: views and copies of two logs do not belong together.
///
/// # Errors
/// [`NodeError::Config`] if it is that of another log, or the store does not answer.
pub(crate) fn own(storage: &Storage, log: u128) -> Result<(), NodeError> {
    let refuse = |error: StorageError| NodeError::Config(format!("`storage`: {error}"));
    let owner = serde_json::json!({ "log": format!("{log:032x}") }).to_string();
    let (path, payload) = (Path::from(OWNER), PutPayload::from(owner.clone()));
    let created = storage.run(|store| async move { create_if_absent(store.as_ref(), &path, payload).await });
    if created.map_err(refuse)? || read(storage, OWNER).map_err(refuse)? == owner.as_bytes() {
        return Ok(());
    }
    Err(NodeError::Config(format!(
        "`{}` belongs to another log\n  help: give this node another `storage`; if that log is the one that this node has \
         lost with its disk, restore it first: `metricc restore`",
        storage.url()
    )))
}

impl Archiver {
    /// Looks at what is there of a source of a log.
    ///
    /// # Errors
    /// [`NodeError::Config`] if another node has written to the log since, or the store does not answer.
    pub(crate) fn open(storage: &Storage, source: &str, log: &LogSnapshot) -> Result<Self, NodeError> {
        let storage = place(storage);
        let mut state = State { next: 0, archived: Frontier::default(), known: HashSet::new() };
        if let Some((number, archive)) = newest(&storage, source)? {
            let is_known = |epoch: &str| log.epochs(source).iter().any(|(known, _)| known == epoch);
            if archive.epoch().is_some_and(|epoch| !is_known(epoch)) {
                return Err(NodeError::Config(format!(
                    "`{}` has events of source `{source}` that this copy of the log does not know: another node has \
                     written to this log since\n  help: use the log that has them; this one can go on alone, with another `storage`",
                    storage.url()
                )));
            }
            (state.next, state.archived) = (number + 1, archive.flushed_to());
            let files = archive.files().into_iter().chain(archive.request_files());
            state.known.extend(files.map(|file| object_of(&file)));
        }
        Ok(Archiver { storage, state: Mutex::new(state) })
    }

    /// Shows how far it is, and that nothing is wrong.
    pub(crate) fn show(&self, source: &NodeSource) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (url, frontier) = (self.storage.url().to_string(), state.archived.clone());
        source.set_archive(ArchiveStatus { url, frontier, problem: None });
    }

    /// Notes that the store of the views fails, which is the same.
    pub(crate) fn views_failed(&self, source: &NodeSource, problem: &str) {
        let Some(status) = source.archive() else { return };
        source.set_archive(ArchiveStatus { problem: Some(format!("views: {problem}")), ..status });
    }

    /// Copies what was flushed since the last time. What is wrong is said once.
    pub(crate) fn step(&self, source: &NodeSource, disk: &Arc<dyn Disk>, ingest: &Ingest) -> Result<(), ()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let flushed_to = source.log.snapshot().flushed_to(source.name());
        if flushed_to == state.archived || flushed_to.n_positions() == 0 {
            return Ok(());
        }
        let copied = self.copy(&mut state, source.name(), disk, ingest);
        let problem = match &copied {
            Ok(()) => None,
            // The node is shutting down; the next one goes on.
            Err(ArchiveError::Ingest(IngestError::Closing)) => return Err(()),
            Err(error) => Some(error.to_string()),
        };
        let before = source.archive().and_then(|status| status.problem);
        if let Some(problem) = problem.as_ref().filter(|problem| before.as_ref() != Some(problem)) {
            tracing::warn!(source = source.name(), %problem, "flushed events are not copied to the object store");
        }
        if problem.is_none() && before.is_some() {
            tracing::info!(source = source.name(), "flushed events are copied to the object store again");
        }
        let (url, frontier) = (self.storage.url().to_string(), state.archived.clone());
        source.set_archive(ArchiveStatus { url, frontier, problem });
        copied.map_err(|_| ())
    }

    fn copy(
        &self,
        state: &mut State,
        source: &str,
        disk: &Arc<dyn Disk>,
        ingest: &Ingest,
    ) -> Result<(), ArchiveError> {
        match ingest.archive(source)? {
            Some(archive) => self.put(state, &archive, disk),
            None => Ok(()),
        }
    }

    /// Takes over a place that has copies of the log before the node writes anything: the log may have been
    /// restored from there, and a node that still has the old disk finds out.
    ///
    /// # Errors
    /// [`NodeError::Config`] if that could not be done.
    pub(crate) fn take_over(&self, archive: Option<&Archive>, disk: &Arc<dyn Disk>) -> Result<(), NodeError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(archive) = archive.filter(|_| state.next > 0) else { return Ok(()) };
        self.put(&mut state, archive, disk).map_err(|error| NodeError::Config(format!("`storage`: {error}")))
    }

    fn put(&self, state: &mut State, archive: &Archive, disk: &Arc<dyn Disk>) -> Result<(), ArchiveError> {
        for file in archive.files().into_iter().chain(archive.request_files()) {
            let object = object_of(&file);
            if !state.known.contains(&object) {
                // Its name says what it holds, so one that is there already is this one.
                self.create(&object, from_disk(disk, &file)?)?;
                state.known.insert(object);
            }
        }
        let manifests = manifests(archive.source());
        let manifest = format!("{manifests}/{:020}.json", state.next);
        if !self.create(&manifest, archive.to_bytes()?)? {
            return Err(ArchiveError::Taken { manifest: format!("{}/{manifest}", self.storage.url()) });
        }
        if let Some(old) = state.next.checked_sub(KEPT_MANIFESTS) {
            let path = Path::from(format!("{manifests}/{old:020}.json"));
            // A manifest too many does no harm.
            let _ = self.storage.run(|store| async move { store.delete(&path).await });
        }
        state.next += 1;
        state.archived = archive.flushed_to();
        Ok(())
    }

    /// Creates an object. Returns whether it was not there before.
    fn create(&self, path: &str, bytes: Vec<u8>) -> Result<bool, StorageError> {
        let path = Path::from(path);
        self.storage.run(|store| async move {
            create_if_absent(store.as_ref(), &path, PutPayload::from(bytes)).await
        })
    }
}

/// The bytes of a flushed file.
fn from_disk(disk: &Arc<dyn Disk>, file: &ArchivedFile) -> Result<Vec<u8>, ArchiveError> {
    let path = disk.shown(&file.path);
    let read = || {
        let opened = disk.open(&file.path)?;
        let mut bytes = vec![0; usize::try_from(file.n_bytes).map_err(std::io::Error::other)?];
        let opened: &dyn ReadAt = &*opened;
        opened.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|cause| ArchiveError::Unreadable { path: path.clone(), cause })?;
    if file.is(&bytes) { Ok(bytes) } else { Err(ArchiveError::Damaged { path }) }
}

/// The copies of sources in the text format of Prometheus, with the end of each source.
pub(crate) fn text(archives: &[(&str, ArchiveStatus, Frontier)]) -> String {
    let mut text = String::new();
    if archives.is_empty() {
        return text;
    }
    let label = |source: &str| format!("{{source=\"{source}\"}}");
    let behind = archives.iter().map(|(source, archive, end)| {
        let behind = end.n_positions().saturating_sub(archive.frontier.n_positions());
        (label(source), behind as f64)
    });
    family(&mut text, "archive_lag", "gauge", "Positions that are on the disk of the node alone.", behind);
    let problems = archives
        .iter()
        .map(|(source, archive, _)| (label(source), f64::from(u8::from(archive.problem.is_some()))));
    family(&mut text, "archive_problem", "gauge", "Whether nothing is copied to the object store.", problems);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_by_their_bytes_as_well() {
        let file = |path: &str| ArchivedFile { path: path.to_owned(), n_bytes: 1, checksum: 0xab };
        assert_eq!(object_of(&file("events/s/0-0-9.parquet")), "events/s/0-0-9-00000000000000ab.parquet");
        let exceptions = object_of(&file("events/s/0-0-9.exceptions.parquet"));
        assert_eq!(exceptions, "events/s/0-0-9-00000000000000ab.exceptions.parquet");
    }
}
