//! The lock of a node's folder: only one process may use it.
//!
//! Two things are locked: the file `lock`, which names its holder, and the folder itself, whose lock nobody
//! can delete by removing a file that looks stale. A file system that cannot lock folders leaves the file,
//! and the journal, which stops when another process has written to it.

use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::NodeError;

/// Locks the folder for this process, until it is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    path: PathBuf,
    file: File,
    _folder: Option<File>,
    is_noticed: AtomicBool,
}

impl FolderLock {
    /// Says once, in the log of the node, that somebody has deleted or replaced the lock file. Nothing is at
    /// risk while the folder itself is locked, and the journal stops if another process writes to it.
    pub(crate) fn notice_replacement(&self) {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let held = self.file.metadata().map(identity).ok();
        let there = std::fs::metadata(&self.path).map(identity).ok();
        if held != there && !self.is_noticed.swap(true, Ordering::Relaxed) {
            let path = self.path.display();
            tracing::warn!(
                "`{path}` was deleted or replaced while this node runs: only one node may use a folder"
            );
        }
    }
}

/// Raises the limit of open files to what the system allows: each flushed file of the log stays open.
pub(crate) fn allow_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::warn!("the limit of open files could not be raised");
    }
}

/// Bits of a mode that are of others than the owner, and the bit of folders in which everybody keeps files.
const OF_OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// Lets this process create files and folders for their owner alone, whoever of its libraries creates them.
pub(crate) fn keep_files_private() {
    rustix::process::umask(Mode::from_raw_mode(OF_OTHERS));
}

/// Creates the folder if it is missing. One that others may look into is narrowed: no file in it is meant for
/// them, and some may be copies that a backup has made readable. One in which everybody keeps files is not
/// the node's.
fn create_private(folder: &Path) -> Result<(), NodeError> {
    let failed = NodeError::folder(folder);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&failed)?;
    let mode = std::fs::metadata(folder).map_err(&failed)?.mode() & 0o7777;
    if mode & STICKY != 0 {
        return Err(NodeError::Shared { path: folder.to_owned(), mode });
    }
    if mode & OF_OTHERS != 0 {
        let narrowed = Permissions::from_mode(mode & 0o700);
        std::fs::set_permissions(folder, narrowed).map_err(NodeError::folder(folder))?;
        let path = folder.display();
        tracing::warn!(
            "`{path}` was open to others (mode {mode:o}); now it is its owner's alone (mode {:o})",
            mode & 0o700
        );
    }
    Ok(())
}

/// Creates the folder if it is missing, and locks it.
pub(crate) fn lock(folder: &Path, address: &str) -> Result<FolderLock, NodeError> {
    let failed = NodeError::folder(folder);
    create_private(folder)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // Its contents are replaced, and a link could lead to any file.
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(folder.join("lock"))
        .map_err(|error| match error.raw_os_error() {
            Some(code) if code == Errno::LOOP.raw_os_error() => {
                failed(std::io::Error::other("`lock` in it is a link"))
            }
            _ => failed(error),
        })?;
    let taken = |holder: String| NodeError::Taken { path: folder.to_owned(), holder };
    let locked_folder = match File::open(folder).map(|opened| (opened.try_lock(), opened)) {
        Ok((Ok(()), opened)) => Some(opened),
        Ok((Err(TryLockError::WouldBlock), _)) => return Err(taken(holder(&mut file))),
        Ok((Err(TryLockError::Error(error)), _)) | Err(error) => {
            tracing::warn!(%error, "the file system cannot lock folders; only the file `lock` protects this one");
            None
        }
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(taken(holder(&mut file))),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(&failed)?;
    writeln!(file, "process {} at {address}", std::process::id()).map_err(&failed)?;
    Ok(FolderLock {
        path: folder.join("lock"),
        file,
        _folder: locked_folder,
        is_noticed: AtomicBool::new(false),
    })
}

/// What the holder of the lock wrote about itself.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // The folder is taken whether or not this can be read.
    let _ = file.read_to_string(&mut text);
    match text.trim() {
        "" => "another process".to_owned(),
        holder => holder.to_owned(),
    }
}
