//! Files that are on no disk of this machine, as a store lists and reads them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::ReadAt;

/// A store of files, such as a bucket. Paths have `/` between their parts, and none before the first.
pub trait FileStore: fmt::Debug + Send + Sync {
    /// A path in messages.
    fn shown(&self, path: &str) -> String;

    /// All files below a folder, however deep, in the order of the bytes of their paths; or the one file that
    /// has this path.
    ///
    /// # Errors
    /// What is wrong with the store.
    fn list(&self, folder: &str) -> io::Result<Vec<StoredFile>>;

    /// A file to read from. Reading it fails if it is not the one that was listed.
    ///
    /// # Errors
    /// What is wrong with its path.
    fn open(&self, file: &StoredFile) -> io::Result<Arc<dyn ReadAt>>;
}

/// A file of a store, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path.
    pub path: String,
    /// Its length.
    pub n_bytes: u64,
    /// When it was written.
    pub modified: Option<SystemTime>,
    /// What the store calls this version of it.
    pub tag: Option<String>,
}
