//! What is in a watched folder: the files that are events, and what is known of each before it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use metricc_log::{FileOptions, Format};

use crate::open_files::{FileId, id_of};

/// Subfolders of files that are in the log, and of files that could not be read.
pub(crate) const DONE: &str = "done";
pub(crate) const REFUSED: &str = "refused";

/// How long a file is, and when it was written.
pub(crate) type Stamp = (u64, SystemTime);

/// A file of the folder, as it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundFile {
    pub(crate) stamp: Stamp,
    pub(crate) id: FileId,
    /// Since when it has been so.
    pub(crate) since: Instant,
}

/// Files of events, by their names. Hidden ones are left alone; so is what is not a file of events, which is
/// said once.
pub(crate) fn files(
    folder: &Path,
    options: &FileOptions,
    source: &str,
    left: &mut BTreeSet<PathBuf>,
) -> std::io::Result<BTreeMap<PathBuf, FoundFile>> {
    let (mut found, mut others) = (BTreeMap::new(), BTreeSet::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // It may have been removed meanwhile.
        let Ok(metadata) = entry.metadata() else { continue };
        if name.starts_with('.') || (metadata.is_dir() && [DONE, REFUSED].contains(&name.as_str())) {
            continue;
        }
        match why_left(&entry.path(), &metadata, options) {
            None => {
                let (stamp, id) = (stamp_of(&metadata)?, id_of(&metadata));
                found.insert(entry.path(), FoundFile { stamp, id, since: Instant::now() });
            }
            Some(why) => {
                if !left.contains(&entry.path()) {
                    let file = entry.path().display().to_string();
                    tracing::warn!(source, %file, "left alone: it is {why}");
                }
                others.insert(entry.path());
            }
        }
    }
    *left = others;
    Ok(found)
}

/// Why something in the folder is not taken; `None` if it is.
fn why_left(path: &Path, metadata: &Metadata, options: &FileOptions) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_symlink() => Some("a symbolic link: move the file itself here"),
        () if kind.is_dir() => Some("a folder: move its files here"),
        () if !kind.is_file() => Some("not a plain file"),
        () if options.format.is_none() && Format::from_path(path).is_none() => {
            Some("of no known format: its suffix tells none, and `format` of the source is not set")
        }
        () => None,
    }
}

/// Whether a file of lines ends in the middle of one.
pub(crate) fn is_unfinished(path: &Path, options: &FileOptions) -> bool {
    let format = options.format.or_else(|| Format::from_path(path));
    if !matches!(format, Some(Format::Ndjson | Format::Csv)) {
        return false;
    }
    let last_byte = || {
        let mut file = std::fs::File::open(path)?;
        let mut byte = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut byte)?;
        }
        std::io::Result::Ok(byte[0])
    };
    last_byte().is_ok_and(|byte| byte != b'\n')
}

pub(crate) fn stamp_of(metadata: &Metadata) -> std::io::Result<Stamp> {
    Ok((metadata.len(), metadata.modified()?))
}
