//! The files of a log, as they were when the log was opened.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::LogError;
use crate::decompress::{self, Compression, UnpackError};
use crate::file_format::Shape;
use crate::file_store::{FileStore, StoredFile};
use crate::folder_keys::FolderKey;
use crate::open_file::{OpenFile, ReadAt};

/// A file of a log, as it was when the log was opened.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    location: Location,
    /// The path from which another process can read it too; `None` for what came through a pipe.
    pub(crate) origin: Option<PathBuf>,
    /// The path in messages.
    pub(crate) shown: Arc<str>,
    /// The path below the root of the pattern: what partitions are ordered by.
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// The values that its folders say.
    pub(crate) keys: Vec<FolderKey>,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone)]
enum Location {
    Path(PathBuf),
    Open(Arc<dyn ReadAt>),
    Stored(Arc<dyn FileStore>, Arc<StoredFile>),
}

/// What tells whether a file was changed: its length in bytes and the time it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) n_bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp { n_bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl LogFile {
    /// A file that has a path.
    ///
    /// # Errors
    /// If it is not a plain file.
    pub(crate) fn of_path(path: PathBuf, name: String, shape: Shape) -> Result<Self, LogError> {
        let shown: Arc<str> = path.to_string_lossy().into();
        let metadata = fs::metadata(&path).map_err(|cause| LogError::unreadable(&shown, cause))?;
        if !metadata.is_file() {
            let cause = io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file");
            return Err(LogError::unreadable(&shown, cause));
        }
        let (origin, stamp) = (Some(path.clone()), Stamp::of(&metadata));
        Ok(LogFile { location: Location::Path(path), origin, shown, name, shape, keys: Vec::new(), stamp })
    }

    /// A file of a store. Each reader opens it, so that none reads ahead for another.
    pub(crate) fn of_store(store: &Arc<dyn FileStore>, file: StoredFile, name: String, shape: Shape) -> Self {
        let shown: Arc<str> = store.shown(&file.path).into();
        let stamp = Stamp { n_bytes: file.n_bytes, modified: file.modified };
        let location = Location::Stored(store.clone(), Arc::new(file));
        LogFile { location, origin: None, shown, name, shape, keys: Vec::new(), stamp }
    }

    /// A file that is open already.
    ///
    /// # Errors
    /// If its length is not known.
    pub(crate) fn of_open(file: Arc<dyn ReadAt>, shown: &str, shape: Shape) -> io::Result<Self> {
        let stamp = Stamp { n_bytes: file.n_bytes()?, modified: file.modified()? };
        let (name, location) = (shown.to_owned(), Location::Open(file));
        Ok(LogFile { location, origin: None, shown: shown.into(), name, shape, keys: Vec::new(), stamp })
    }

    /// The file without the compression around it, whatever its name says of that.
    ///
    /// # Errors
    /// If it is not readable, not sound, or becomes too long.
    pub(crate) fn unpacked(self, progress: &mut dyn FnMut(u64)) -> Result<Self, LogError> {
        let file = self.open_at()?;
        let head = file.head(16).map_err(|cause| LogError::unreadable(&self.shown, cause))?;
        let Some(compression) = Compression::of(&head) else { return Ok(self) };
        let unpacked = decompress::unpack(&file, compression, progress);
        let unpacked = unpacked.map_err(|error| unpack_error(&self.shown, compression.name(), error))?;
        self.check(file.file())?;
        let LogFile { origin, shown, name, shape, keys, .. } = self;
        let file = LogFile::of_open(unpacked.shared(), &shown, shape);
        let file = file.map_err(|cause| LogError::unreadable(&shown, cause))?;
        Ok(LogFile { origin, name, keys, ..file })
    }

    /// Opens the file to be read from any position.
    pub(crate) fn open_at(&self) -> Result<OpenFile, LogError> {
        let file: Arc<dyn ReadAt> = match &self.location {
            Location::Path(path) => {
                Arc::new(File::open(path).map_err(|cause| LogError::unreadable(&self.shown, cause))?)
            }
            Location::Open(file) => file.clone(),
            Location::Stored(store, file) => {
                store.open(file).map_err(|cause| LogError::unreadable(&self.shown, cause))?
            }
        };
        self.check(file.as_ref())?;
        Ok(OpenFile::new(file))
    }

    /// An error if the open file was written since the log was opened. Called after each batch is
    /// read and before it is handed out, so that no answer mixes two states of a file.
    pub(crate) fn check(&self, file: &dyn ReadAt) -> Result<(), LogError> {
        let stamp = || Ok(Stamp { n_bytes: file.n_bytes()?, modified: file.modified()? });
        let stamp = stamp().map_err(|cause| LogError::unreadable(&self.shown, cause))?;
        if stamp == self.stamp { Ok(()) } else { Err(LogError::Changed { path: self.shown.to_string() }) }
    }
}

/// The error of a file that could not be unpacked.
pub(crate) fn unpack_error(shown: &str, format: &'static str, error: UnpackError) -> LogError {
    match error {
        UnpackError::Read(cause) => LogError::unreadable(shown, cause),
        error => LogError::Malformed { path: shown.to_owned(), format, problem: error.to_string() },
    }
}
