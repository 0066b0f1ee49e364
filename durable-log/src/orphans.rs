//! Flushed files that the journal does not know.
//!
//! Either a crash came between writing a file and committing it, or the journal is an older copy than the
//! file. A file with positions after the end of the log proves the latter, and the log is not opened. Any
//! other is moved aside, not removed: the journal that knows it may be put back, and finds it there.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use crate::FLUSHED_FOLDER;
use crate::disk::Disk;
use crate::entry::{FlushedEntry, LogState, SourceState};
use crate::error::DurableError;

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

/// Looks at the files of every source that no entry of the journal names.
///
/// # Errors
/// [`DurableError::OlderJournal`] if one of them has positions after the end of the log; nothing is moved
/// then.
pub(crate) fn set_aside(disk: &Arc<dyn Disk>, state: &LogState) -> Result<(), DurableError> {
    let mut orphans = Vec::new();
    for (name, source) in &state.sources {
        let folder = format!("{FLUSHED_FOLDER}/{name}");
        for file in unknown_files(disk, &folder, source)? {
            let (path, end_of) = (format!("{folder}/{file}"), |partition: usize| {
                source.partitions.get(partition).map_or(0, |partition| partition.end)
            });
            match stated_end(&file) {
                Some((partition, to)) if !file.ends_with(".unfinished") && to > end_of(partition) => {
                    let (path, origin, end) = (disk.shown(&path), name.clone(), end_of(partition));
                    return Err(DurableError::OlderJournal { path, origin, partition, to, end });
                }
                _ => orphans.push((name, path, file)),
            }
        }
    }
    for (source, path, file) in orphans {
        if file.ends_with(".unfinished") {
            disk.remove(&path).map_err(DurableError::io("removing", disk.shown(&path)))?;
        } else {
            move_aside(disk, source, &path, &file)?;
        }
    }
    Ok(())
}

/// Moves a file to the others of a source, or of another folder.
pub(crate) fn move_aside(
    disk: &Arc<dyn Disk>,
    source: &str,
    path: &str,
    file: &str,
) -> Result<(), DurableError> {
    let (folder, aside) = (format!("{ASIDE}/{source}"), aside(source, file));
    let moved = disk.create_folder(&folder).and_then(|()| disk.rename(path, &aside));
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
    source: &SourceState,
) -> Result<Vec<String>, DurableError> {
    let flushed = source.partitions.iter().flat_map(|partition| &partition.flushed);
    let known: HashSet<&str> = flushed.flat_map(FlushedEntry::files).map(|file| file.path.as_str()).collect();
    let names = disk.names(folder).map_err(DurableError::io("reading the folder", disk.shown(folder)))?;
    Ok(names.into_iter().filter(|name| !known.contains(format!("{folder}/{name}").as_str())).collect())
}
