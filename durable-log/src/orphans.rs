//! Flushed files that the journal does not know.
//!
//! Either a crash came between writing a file and committing it, or the journal is an older copy than the
//! file. A file with positions after the end of the log proves the latter, and the log is opened only if the
//! loss of these positions is accepted. All of them are moved aside, and none is removed: the journal that
//! knows them may be put back, and finds them there.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::{FlushedEntry, LogState, SourceState};
use crate::options::SourceOptions;
use crate::{FLUSHED_FOLDER, JOURNAL_FOLDER, REQUESTS_FOLDER};

/// Where such files are moved, beside the folder of flushed events.
const ASIDE: &str = "orphans";

/// The partition and the end of the positions in a flushed file, from its name
/// (`0-00000000000000000000-00000000000000000009.parquet`).
fn stated_end(name: &str) -> Option<(usize, u64)> {
    let mut parts = name.split('.').next()?.splitn(3, '-');
    let partition = parts.next()?.parse().ok()?;
    let _from: u64 = parts.next()?.parse().ok()?;
    Some((partition, parts.next()?.parse().ok()?))
}

/// A flushed file with positions after the end of the log.
#[derive(Debug)]
pub(crate) struct LaterFile {
    pub(crate) source: String,
    pub(crate) partition: usize,
    /// The end of the partition in the log, and in the file.
    pub(crate) end: u64,
    pub(crate) to: u64,
    pub(crate) path: String,
    pub(crate) file: String,
    /// The path in messages.
    pub(crate) shown: String,
}

/// The offsets of each partition that only these files have.
pub(crate) fn lost_offsets(files: &[LaterFile]) -> Vec<String> {
    let mut lost: BTreeMap<(&str, usize), (u64, u64)> = BTreeMap::new();
    for LaterFile { source, partition, end, to, .. } in files {
        let known = lost.entry((source, *partition)).or_insert((*end, *to));
        known.1 = known.1.max(*to);
    }
    let shown = |((source, partition), (end, to)): ((&str, usize), (u64, u64))| {
        format!("offsets {end} to {to} of partition {partition} of source `{source}`")
    };
    lost.into_iter().map(shown).collect()
}

/// An error if there are flushed events, or remembered requests, without a journal that knows them: it was
/// lost, and a new one would disown them.
pub(crate) fn none_without_journal(
    disk: &Arc<dyn Disk>,
    sources: &[SourceOptions],
) -> Result<(), DurableError> {
    let folders = sources.iter().map(|source| format!("{FLUSHED_FOLDER}/{}", source.source.name));
    for folder in folders.chain([REQUESTS_FOLDER.to_owned()]) {
        let shown = disk.shown(&folder);
        if !disk.names(&folder).map_err(DurableError::io("reading the folder", shown.clone()))?.is_empty() {
            let (_, later) = unknown(disk, &LogState::default(), sources)?;
            let lost = Some(lost_offsets(&later)).filter(|lost| !lost.is_empty());
            let lost = lost.map_or_else(|| "requests that it remembers".to_owned(), |lost| lost.join(", "));
            let journal = disk.shown(JOURNAL_FOLDER);
            return Err(DurableError::JournalMissing { path: shown, journal, lost });
        }
    }
    Ok(())
}

/// Looks at the files of every source that no entry of the journal names. Returns those with positions after
/// the end of the log. If there are none, the others are moved aside.
///
/// # Errors
/// [`DurableError::Io`] if the disk fails.
pub(crate) fn set_aside(
    disk: &Arc<dyn Disk>,
    state: &LogState,
    sources: &[SourceOptions],
) -> Result<Vec<LaterFile>, DurableError> {
    let (orphans, later) = unknown(disk, state, sources)?;
    move_all(disk, orphans.into_iter().filter(|_| later.is_empty()))?;
    Ok(later)
}

/// Moves the files of a source aside that the journal does not know at all.
///
/// # Errors
/// [`DurableError::OlderJournal`] if they have events; [`DurableError::Io`] if the disk fails.
pub(crate) fn set_aside_of(disk: &Arc<dyn Disk>, source: &str) -> Result<(), DurableError> {
    let (orphans, later) = unknown_of(disk, source, None)?;
    match later.first() {
        Some(first) => {
            let (path, lost) = (first.shown.clone(), lost_offsets(&later).join(", "));
            Err(DurableError::OlderJournal { path, lost })
        }
        None => move_all(disk, orphans.into_iter()),
    }
}

fn move_all(disk: &Arc<dyn Disk>, orphans: impl Iterator<Item = Orphan>) -> Result<(), DurableError> {
    for (source, path, file) in orphans {
        if file.ends_with(".unfinished") {
            disk.remove(&path).map_err(DurableError::io("removing", disk.shown(&path)))?;
        } else {
            move_aside(disk, &source, &path, &file)?;
        }
    }
    Ok(())
}

/// The source, path and name of a file.
type Orphan = (String, String, String);

/// The files that no entry of the journal names: those without positions after the end of the log, and those
/// with some.
fn unknown(
    disk: &Arc<dyn Disk>,
    state: &LogState,
    sources: &[SourceOptions],
) -> Result<(Vec<Orphan>, Vec<LaterFile>), DurableError> {
    let (mut orphans, mut later) = (Vec::new(), Vec::new());
    let declared = sources.iter().map(|source| source.source.name.as_str());
    let names: BTreeSet<&str> = state.sources.keys().map(String::as_str).chain(declared).collect();
    for name in names {
        let (of_source, later_of_source) = unknown_of(disk, name, state.sources.get(name))?;
        orphans.extend(of_source);
        later.extend(later_of_source);
    }
    Ok((orphans, later))
}

/// Those of one source.
fn unknown_of(
    disk: &Arc<dyn Disk>,
    name: &str,
    source: Option<&SourceState>,
) -> Result<(Vec<Orphan>, Vec<LaterFile>), DurableError> {
    let (mut orphans, mut later) = (Vec::new(), Vec::new());
    let folder = format!("{FLUSHED_FOLDER}/{name}");
    for file in unknown_files(disk, &folder, source)? {
        let path = format!("{folder}/{file}");
        let end_of = |partition: usize| {
            source.and_then(|known| known.partitions.get(partition)).map_or(0, |known| known.end)
        };
        match stated_end(&file) {
            Some((partition, to)) if !file.ends_with(".unfinished") && to > end_of(partition) => {
                let (source, shown, end) = (name.to_owned(), disk.shown(&path), end_of(partition));
                later.push(LaterFile { source, partition, end, to, path, file, shown });
            }
            _ => orphans.push((name.to_owned(), path, file)),
        }
    }
    Ok((orphans, later))
}

/// Moves a file to the others of a source, or of another folder.
pub(crate) fn move_aside(
    disk: &Arc<dyn Disk>,
    source: &str,
    path: &str,
    file: &str,
) -> Result<(), DurableError> {
    let folder = format!("{ASIDE}/{source}");
    let moved = disk.create_folder(&folder).and_then(|()| {
        // One of the same name stays, too: it is of another journal.
        let there = disk.names(&folder)?;
        let numbered = (1u64..).map(|number| format!("{file}.{number}"));
        let mut free = std::iter::once(file.to_owned()).chain(numbered).filter(|name| !there.contains(name));
        disk.rename(path, &aside(source, &free.next().unwrap_or_default()))
    });
    moved.map_err(DurableError::io("moving aside", disk.shown(path)))
}

/// Puts a file back that the journal knows, if it was moved aside. The caller checks its length.
pub(crate) fn put_back(disk: &Arc<dyn Disk>, source: &str, path: &str) -> io::Result<()> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let folder = format!("{ASIDE}/{source}");
    if disk.names(&folder)?.iter().any(|name| name == file) {
        disk.rename(&aside(source, file), path)?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        disk.sync_folder(folder)?;
    }
    Ok(())
}

fn aside(source: &str, file: &str) -> String {
    format!("{ASIDE}/{source}/{file}")
}

fn unknown_files(
    disk: &Arc<dyn Disk>,
    folder: &str,
    source: Option<&SourceState>,
) -> Result<Vec<String>, DurableError> {
    let flushed =
        source.into_iter().flat_map(|source| &source.partitions).flat_map(|partition| &partition.flushed);
    let known: HashSet<&str> = flushed.flat_map(FlushedEntry::files).map(|file| file.path.as_str()).collect();
    let names = disk.names(folder).map_err(DurableError::io("reading the folder", disk.shown(folder)))?;
    Ok(names.into_iter().filter(|name| !known.contains(format!("{folder}/{name}").as_str())).collect())
}
