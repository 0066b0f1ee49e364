//! Files that were taken from a watched folder and moved below it, and that somebody still writes to.
//!
//! A writer that the node cannot see may go on after its file was moved. Such a file is put back, and its
//! rest is taken as that of any file that has grown: what is in the log already is not added again. While the
//! node runs, each change is noticed. What was changed while it did not run is found at its start: moving a
//! file changes the time of its inode, so in a file that was not touched since, that is later than the time
//! of its content.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::folder_scan::{Stamp, stamp_of};

/// Files whose changes are noticed: the last ones.
const N_WATCHED: usize = 1000;

/// A file that has not changed for less time than this was never moved; in ns.
const STILL: i128 = 400_000_000;

#[derive(Debug)]
struct MovedFile {
    path: PathBuf,
    /// Its name in the watched folder.
    name: String,
    stamp: Stamp,
}

/// The files that were moved, oldest first.
#[derive(Debug, Default)]
pub(crate) struct MovedFiles(VecDeque<MovedFile>);

impl MovedFiles {
    /// Notes a file that was moved, with the stamp of what was taken.
    pub(crate) fn add(&mut self, path: PathBuf, name: String, stamp: Stamp) {
        self.0.push_back(MovedFile { path, name, stamp });
        if self.0.len() > N_WATCHED {
            self.0.pop_front();
        }
    }

    /// Puts those back that have changed, where there is no new file of their name. Returns their names.
    pub(crate) fn put_back(&mut self, folder: &Path) -> Vec<String> {
        let mut back = Vec::new();
        self.0.retain(|moved| {
            let Ok(now) = std::fs::metadata(&moved.path).and_then(|metadata| stamp_of(&metadata)) else {
                return false;
            };
            let target = folder.join(&moved.name);
            if now == moved.stamp || target.exists() {
                return true;
            }
            let is_back = std::fs::rename(&moved.path, target).is_ok();
            if is_back {
                back.push(moved.name.clone());
            }
            !is_back
        });
        back
    }
}

/// Whether the content of a file was changed after the file was moved.
pub(crate) fn is_changed_since_moved(metadata: &Metadata) -> bool {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let content = nanos(metadata.mtime(), metadata.mtime_nsec());
    let inode = nanos(metadata.ctime(), metadata.ctime_nsec());
    inode - content < STILL
}

/// The names that a file may have had before it was moved: its own, or that after the number which made it
/// free.
pub(crate) fn names_before(name: &str) -> impl Iterator<Item = &str> {
    let numbered =
        name.split_once('-').filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    std::iter::once(name).chain(numbered.map(|(_, rest)| rest).filter(|rest| !rest.is_empty()))
}
