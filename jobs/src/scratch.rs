//! Temporary folders that outlive no process for long.
//!
//! A process that is killed cannot remove its folder. So each folder has a file that its process keeps
//! locked: whoever makes the next folder removes those whose file is not locked any more.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// The locked file of a folder.
const LOCK: &str = "lock";

/// Its name until it is locked.
const UNLOCKED: &str = "lock.new";

/// A temporary folder, which is removed when this is dropped, or by the next one of its kind.
#[derive(Debug)]
pub struct ScratchFolder {
    folder: TempDir,
    _lock: File,
}

impl ScratchFolder {
    /// A new folder whose name begins with `prefix`. Removes those of processes that have ended.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(prefix: &str) -> io::Result<Self> {
        ScratchFolder::new_in(&std::env::temp_dir(), prefix)
    }

    fn new_in(parent: &Path, prefix: &str) -> io::Result<Self> {
        remove_left(parent, prefix)?;
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
        let lock = File::create(folder.path().join(UNLOCKED))?;
        lock.lock()?;
        // Under this name it is locked from the first moment on.
        std::fs::rename(folder.path().join(UNLOCKED), folder.path().join(LOCK))?;
        Ok(ScratchFolder { folder, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders of processes that have ended. Those of other users, and others, stay.
fn remove_left(parent: &Path, prefix: &str) -> io::Result<()> {
    let is_named = |name: &OsStr| name.as_encoded_bytes().starts_with(prefix.as_bytes());
    for entry in std::fs::read_dir(parent)?.filter_map(Result::ok) {
        if !is_named(&entry.file_name()) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            // Another process may be removing it as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_folder_removes_those_of_ended_processes_alone() {
        let parent = tempfile::tempdir().unwrap();
        let used = ScratchFolder::new_in(parent.path(), "a-").unwrap();
        for (name, lock) in [("a-ended", LOCK), ("a-begins", UNLOCKED), ("b-other", LOCK)] {
            let folder = parent.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join(lock), "").unwrap();
        }
        let next = ScratchFolder::new_in(parent.path(), "a-").unwrap();
        let is_there = |name: &str| parent.path().join(name).exists();
        assert!(used.path().exists() && next.path().exists());
        assert!(is_there("a-begins") && is_there("b-other"));
        assert!(!is_there("a-ended"), "nobody has its lock");
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
