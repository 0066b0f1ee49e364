//! The lock of a node's folder: only one process may use it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::NodeError;

/// Locks the folder for this process, until it is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// Raises the limit of open files to what the system allows: each flushed file of the log stays open.
pub(crate) fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::warn!("the limit of open files could not be raised");
    }
}

/// Creates the folder if it is missing, and locks it.
pub(crate) fn lock(folder: &Path, address: &str) -> Result<FolderLock, NodeError> {
    let failed = NodeError::folder(folder);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&failed)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Its holder wrote its name; without one the folder is taken nevertheless.
            let _ = file.read_to_string(&mut holder);
            let holder = if holder.trim().is_empty() {
                "another process".to_owned()
            } else {
                holder.trim().to_owned()
            };
            return Err(NodeError::Taken { path: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(&failed)?;
    writeln!(file, "process {} at {address}", std::process::id()).map_err(&failed)?;
    Ok(FolderLock { _file: file })
}
