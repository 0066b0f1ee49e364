//! The files of a log, as they were when the log was opened.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::LogError;
use crate::content_kind::{Compression, HEAD_BYTES};
use crate::decompress::{self, UnpackError};
use crate::file_format::Shape;
use crate::folder_keys::FolderKey;

/// A file that is read from any position; it may lose its name while it is open.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    fn n_bytes(&self) -> io::Result<u64>;

    /// Reads some bytes from a position on: as many as there are, or fewer. 0 at the end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// When it was written last, if that tells whether it was changed.
    fn modified(&self) -> io::Result<Option<SystemTime>> {
        Ok(None)
    }
}

impl ReadAt for File {
    fn n_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, at)
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        Ok(self.metadata()?.modified().ok())
    }
}

impl dyn ReadAt + '_ {
    /// Reads until the bytes are full or the file ends; goes on after short and interrupted reads.
    ///
    /// # Errors
    /// The error of the file, except for [`io::ErrorKind::Interrupted`].
    pub fn read_up_to(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while n_read < into.len() {
            match self.read_at(at + n_read as u64, &mut into[n_read..]) {
                Ok(0) => break,
                Ok(n_more) => n_read += n_more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }
}

/// A file of a log, as it was when the log was opened.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    location: Location,
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
}

/// An open file for the Parquet library; clones share it.
#[derive(Debug, Clone)]
pub struct OpenFile(Arc<dyn ReadAt>);

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
        let (location, stamp) = (Location::Path(path), Stamp::of(&metadata));
        Ok(LogFile { location, shown, name, shape, keys: Vec::new(), stamp })
    }

    /// A file that is open already.
    ///
    /// # Errors
    /// If its length is not known.
    pub(crate) fn of_open(file: Arc<dyn ReadAt>, shown: &str, shape: Shape) -> io::Result<Self> {
        let stamp = Stamp { n_bytes: file.n_bytes()?, modified: file.modified()? };
        let (name, location) = (shown.to_owned(), Location::Open(file));
        Ok(LogFile { location, shown: shown.into(), name, shape, keys: Vec::new(), stamp })
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
        let LogFile { shown, name, shape, keys, .. } = self;
        let file = LogFile::of_open(unpacked.shared(), &shown, shape);
        let file = file.map_err(|cause| LogError::unreadable(&shown, cause))?;
        Ok(LogFile { name, keys, ..file })
    }

    /// Opens the file to be read from any position.
    pub(crate) fn open_at(&self) -> Result<OpenFile, LogError> {
        let file: Arc<dyn ReadAt> = match &self.location {
            Location::Path(path) => {
                Arc::new(File::open(path).map_err(|cause| LogError::unreadable(&self.shown, cause))?)
            }
            Location::Open(file) => file.clone(),
        };
        self.check(file.as_ref())?;
        Ok(OpenFile(file))
    }

    /// An error if the open file was written since the log was opened. Called after each batch is
    /// read and before it is handed out, so that no answer mixes two states of a file.
    pub(crate) fn check(&self, file: &dyn ReadAt) -> Result<(), LogError> {
        let stamp = || Ok(Stamp { n_bytes: file.n_bytes()?, modified: file.modified()? });
        let stamp = stamp().map_err(|cause| LogError::unreadable(&self.shown, cause))?;
        if stamp == self.stamp { Ok(()) } else { Err(LogError::Changed { path: self.shown.to_string() }) }
    }
}

impl OpenFile {
    /// A file to be read by the Parquet library.
    pub fn new(file: Arc<dyn ReadAt>) -> Self {
        OpenFile(file)
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &dyn ReadAt {
        self.0.as_ref()
    }

    /// The file, to be kept elsewhere.
    pub(crate) fn shared(&self) -> Arc<dyn ReadAt> {
        self.0.clone()
    }

    /// Reads the file from a byte on.
    pub(crate) fn reader(&self, at: u64) -> SequentialReader {
        SequentialReader { file: self.0.clone(), at }
    }

    /// Its first bytes; fewer if it is shorter.
    pub(crate) fn head(&self, n_bytes: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; n_bytes.min(HEAD_BYTES)];
        let n_read = self.0.read_up_to(0, &mut head)?;
        head.truncate(n_read);
        Ok(head)
    }
}

/// The error of a file that could not be unpacked.
pub(crate) fn unpack_error(shown: &str, format: &'static str, error: UnpackError) -> LogError {
    match error {
        UnpackError::Read(cause) => LogError::unreadable(shown, cause),
        error => LogError::Malformed { path: shown.to_owned(), format, problem: error.to_string() },
    }
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        self.0.n_bytes().unwrap_or(0)
    }
}

impl ChunkReader for OpenFile {
    type T = BufReader<SequentialReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        if self.0.read_up_to(start, &mut bytes)? < length {
            return Err(ParquetError::EOF(format!("the file ends before byte {}", start + length as u64)));
        }
        Ok(bytes.into())
    }
}

/// Reads a file from a position on.
#[derive(Debug)]
pub struct SequentialReader {
    file: Arc<dyn ReadAt>,
    at: u64,
}

impl Read for SequentialReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_read = self.file.read_at(self.at, into)?;
        self.at += n_read as u64;
        Ok(n_read)
    }
}
