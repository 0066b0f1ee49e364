//! A node's log from its object store: everything that was flushed, on an empty disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use metricc_durable_log::{
    Archive, ArchivedFile, Disk, DurableError, DurableLog, LocalDisk, LogAndEpoch, LogMark,
    restore as restore_log,
};
use metricc_log::Frontier;
use metricc_storage::Storage;
use metricc_views::ViewStore;

use crate::archiver::{list, newest, object_of, place, read};
use crate::config::Config;
use crate::error::NodeError;
use crate::folder_lock;

/// What was restored of a source, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredSource {
    /// Its name.
    pub name: String,
    /// The frontier after the events that are there; without partitions if none are.
    pub frontier: Frontier,
    /// The furthest frontier that is known to have been acknowledged: what lies between is not there.
    pub known_end: Frontier,
}

impl RestoredSource {
    /// The offsets that are known to be missing, by partition: the first one, and the one after the last.
    pub fn missing(&self) -> Vec<(usize, u64, u64)> {
        let restored = self.frontier.0.iter().copied().chain(std::iter::repeat(0));
        let partitions = self.known_end.0.iter().zip(restored).enumerate();
        partitions.filter(|(_, (end, at))| at < end).map(|(number, (end, at))| (number, at, *end)).collect()
    }
}

/// How far restoring has come, in bytes: read so far, and in all.
pub type RestoreProgress<'a> = &'a dyn Fn(u64, u64);

/// Opens the object store of a node, and checks that it does what copies and views rely on.
pub(crate) fn open_storage(config: &Config) -> Result<Option<Storage>, NodeError> {
    let Some(url) = &config.storage else { return Ok(None) };
    let refuse = |error: metricc_storage::StorageError| NodeError::Config(format!("`storage`: {error}"));
    let storage = Storage::open(url.clone()).map_err(refuse)?;
    storage.probe().map_err(refuse)?;
    Ok(Some(storage))
}

/// Writes the log of a node from its object store. Must be called outside of an async runtime.
///
/// # Errors
/// [`NodeError`] if the node has no object store or a log already, or something is missing or damaged. What
/// was downloaded then stays, and is used by the next attempt.
pub fn restore(config: &Config, progress: RestoreProgress<'_>) -> Result<Vec<RestoredSource>, NodeError> {
    let Some(storage) = open_storage(config)? else {
        return Err(NodeError::Config(
            "the configuration has no `storage` to restore from\n  help: set it as the lost node had it, such as \
             `storage = \"s3://bucket/metricc\"`"
                .to_owned(),
        ));
    };
    folder_lock::allow_files();
    folder_lock::keep_files_private();
    let _lock = folder_lock::lock(&config.data, "metricc restore")?;
    let (log, marked) = (config.data.join("log"), LocalDisk::new(&config.data));
    let (disk, marked): (Arc<dyn Disk>, Arc<dyn Disk>) = (Arc::new(LocalDisk::new(log)), Arc::new(marked));
    refuse_log(&disk)?;
    let (storage, views) = (place(&storage), storage.join("views"));
    let archives = archives(&storage)?;
    download(&disk, &storage, &archives, progress)?;
    let mut request_file = |file: &ArchivedFile| fetch(&storage, file);
    restore_log(&disk, &archives, &mut request_file, (rand::random(), rand::random()))?;
    accept(&marked, &archives)?;
    let frontiers = view_frontiers(&views)?;
    Ok(restored(&archives, &frontiers))
}

/// An error if there is a log: nothing of it is replaced.
fn refuse_log(disk: &Arc<dyn Disk>) -> Result<(), NodeError> {
    if !DurableLog::is_there(disk)? {
        return Ok(());
    }
    Err(NodeError::Config(format!(
        "`{}` has a log, which is not replaced\n  help: start the node with it, or set another folder with `data`",
        disk.shown("")
    )))
}

/// The newest manifest of each source.
fn archives(storage: &Storage) -> Result<Vec<Archive>, NodeError> {
    let found = list(storage, "manifests").map_err(|error| NodeError::Config(error.to_string()))?;
    let sources: BTreeSet<String> =
        found.iter().filter_map(|path| Some(path.parts().nth(1)?.as_ref().to_owned())).collect();
    let archives = sources.iter().map(|source| Ok(newest(storage, source)?.map(|(_, archive)| archive)));
    let archives: Vec<Archive> = archives.filter_map(Result::transpose).collect::<Result<_, NodeError>>()?;
    if archives.is_empty() {
        return Err(NodeError::Config(format!(
            "`{}` has no copy of flushed events\n  help: see whether `storage` is that of the lost node, which copies \
             events there once `ingest.seal_events` of them have come",
            storage.url()
        )));
    }
    Ok(archives)
}

/// Downloads the flushed files that are not there yet.
fn download(
    disk: &Arc<dyn Disk>,
    storage: &Storage,
    archives: &[Archive],
    progress: RestoreProgress<'_>,
) -> Result<(), NodeError> {
    let files: Vec<ArchivedFile> = archives.iter().flat_map(Archive::files).collect();
    let total = files.iter().map(|file| file.n_bytes).sum();
    let mut done = 0;
    let mut folders = BTreeSet::new();
    for file in &files {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let written = |cause: std::io::Error| NodeError::folder(&PathBuf::from(disk.shown(folder)))(cause);
        if folders.insert(folder) {
            disk.create_folder(folder).map_err(written)?;
        }
        if !is_there(disk, file) {
            disk.write_whole(&file.path, &fetch(storage, file)?).map_err(written)?;
        }
        done += file.n_bytes;
        progress(done, total);
    }
    for folder in folders {
        disk.sync_folder(folder).map_err(NodeError::folder(&PathBuf::from(disk.shown(folder))))?;
    }
    Ok(())
}

/// Whether an earlier attempt has downloaded a file.
fn is_there(disk: &Arc<dyn Disk>, file: &ArchivedFile) -> bool {
    let Ok(opened) = disk.open(&file.path) else { return false };
    let mut bytes = vec![0; usize::try_from(file.n_bytes).unwrap_or(0)];
    let opened: &dyn metricc_log::ReadAt = &*opened;
    let is_as_long = opened.n_bytes().is_ok_and(|n_bytes| n_bytes == file.n_bytes);
    is_as_long && opened.read_exact_at(0, &mut bytes).is_ok() && file.is(&bytes)
}

/// The bytes of an archived file, compared with its checksum.
fn fetch(storage: &Storage, file: &ArchivedFile) -> Result<Vec<u8>, DurableError> {
    let object = object_of(file);
    let shown = format!("{}/{object}", storage.url());
    let bytes = read(storage, &object).map_err(|error| DurableError::Request(error.to_string()))?;
    if file.is(&bytes) {
        return Ok(bytes.into());
    }
    Err(DurableError::Request(format!(
        "`{shown}` is damaged: its checksum is not that in the manifest; restore the object from a backup of the store"
    )))
}

/// Whoever restores a log knows that events may be missing: views that were made from them prove no other
/// loss.
fn accept(marked: &Arc<dyn Disk>, archives: &[Archive]) -> Result<(), NodeError> {
    let Some(last) = archives.iter().max_by_key(|archive| archive.n_epochs()) else { return Ok(()) };
    let epoch = |epoch: &str| LogAndEpoch { id: last.log().to_owned(), epoch: epoch.to_owned() };
    let accepted: Vec<LogAndEpoch> = last.epochs().map(epoch).collect();
    let Some(log) = accepted.last().cloned() else { return Ok(()) };
    let from = archives.iter().map(|archive| (archive.source().to_owned(), archive.flushed_to())).collect();
    LogMark { log, from, accepted }.write(marked)?;
    Ok(())
}

/// The frontier of the last view of each source that has one.
fn view_frontiers(views: &Storage) -> Result<BTreeMap<String, Frontier>, NodeError> {
    let found = list(views, "").map_err(|error| NodeError::Config(error.to_string()))?;
    let sources: BTreeSet<String> =
        found.iter().filter_map(|path| Some(path.parts().next()?.as_ref().to_owned())).collect();
    let mut frontiers = BTreeMap::new();
    for source in sources {
        let store = ViewStore::new(views.below(), &source);
        // A view that cannot be read tells nothing.
        let latest = views.run(|_| async move { Ok(store.latest().await.ok().flatten()) });
        if let Ok(Some(view)) = latest {
            frontiers.insert(source, view.frontier);
        }
    }
    Ok(frontiers)
}

fn restored(archives: &[Archive], views: &BTreeMap<String, Frontier>) -> Vec<RestoredSource> {
    let of_archive = archives.iter().map(|archive| {
        let (name, frontier) = (archive.source().to_owned(), archive.flushed_to());
        let known_end = furthest(&archive.journal_end(), views.get(&name));
        RestoredSource { name, frontier, known_end }
    });
    let is_archived = |name: &String| archives.iter().any(|archive| archive.source() == name);
    let of_views = views.iter().filter(|(name, _)| !is_archived(name)).map(|(name, known_end)| {
        RestoredSource { name: name.clone(), frontier: Frontier::default(), known_end: known_end.clone() }
    });
    of_archive.chain(of_views).collect()
}

fn furthest(end: &Frontier, view: Option<&Frontier>) -> Frontier {
    let view = view.map_or(&[][..], |view| &view.0).iter().copied().chain(std::iter::repeat(0));
    Frontier(end.0.iter().zip(view).map(|(end, view)| (*end).max(view)).collect())
}
