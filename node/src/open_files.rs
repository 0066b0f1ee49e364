//! Which files a process has open for writing.
//!
//! Linux says it of all processes of the node's user, and of every process to root. What cannot be seen, such
//! as a program of another user or on another machine, is not there for this.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and number of a file, which it keeps when it is moved.
pub(crate) type FileId = (u64, u64);

pub(crate) fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Those of some files that a process has open for writing.
pub(crate) fn open_for_writing(files: &BTreeSet<FileId>) -> BTreeSet<FileId> {
    let mut found = BTreeSet::new();
    if files.is_empty() {
        return found;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    for process in processes.flatten().filter(|entry| is_number(&entry.file_name())) {
        let process = process.path();
        let Ok(handles) = std::fs::read_dir(process.join("fd")) else { continue };
        for handle in handles.flatten() {
            // A pipe or socket is no path, and asking a device may take long.
            let is_file = std::fs::read_link(handle.path()).is_ok_and(|path| {
                path.is_absolute() && !path.starts_with("/dev") && !path.starts_with("/proc")
            });
            let id = is_file
                .then(|| std::fs::metadata(handle.path()).ok())
                .flatten()
                .map(|metadata| id_of(&metadata));
            if let Some(id) = id.filter(|id| files.contains(id))
                && is_for_writing(&process.join("fdinfo").join(handle.file_name()))
            {
                found.insert(id);
            }
        }
    }
    found
}

fn is_number(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a file was opened for writing, from its flags: octal, of which the last two bits are 0 for
/// reading.
fn is_for_writing(info: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(info) else { return false };
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 3 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};

    use super::*;

    #[test]
    fn a_file_is_open_for_writing_until_its_last_writer_closes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let writer = File::create(&path).unwrap();
        let second = OpenOptions::new().append(true).open(&path).unwrap();
        let reader = File::open(&path).unwrap();
        let files = BTreeSet::from([id_of(&reader.metadata().unwrap())]);
        assert_eq!(open_for_writing(&files), files);
        std::fs::rename(&path, folder.path().join("b")).unwrap();
        drop(writer);
        assert_eq!(open_for_writing(&files), files);
        drop(second);
        assert_eq!(open_for_writing(&files), BTreeSet::new());
    }
}
