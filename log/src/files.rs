//! From a path, a folder or a glob to the files of a log, in the order of their partitions.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::{Binding, Format, LogError};

/// How deep folders are followed; deeper ones are a loop of links.
const MAX_DEPTH: usize = 64;

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
    pub(crate) format: Format,
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
    /// A Parquet file that is open already.
    ///
    /// # Errors
    /// If its length is not known.
    pub(crate) fn of_open(file: Arc<dyn ReadAt>, shown: &str) -> io::Result<Self> {
        let stamp = Stamp { n_bytes: file.n_bytes()?, modified: file.modified()? };
        let (name, format) = (shown.to_owned(), Format::Parquet);
        Ok(LogFile { location: Location::Open(file), shown: shown.into(), name, format, stamp })
    }

    /// Opens a file that has a path, if it still is what it was.
    pub(crate) fn open(&self) -> Result<File, LogError> {
        let unreadable = |cause| LogError::unreadable(&self.shown, cause);
        let Location::Path(path) = &self.location else {
            return Err(unreadable(io::ErrorKind::Unsupported.into()));
        };
        let file = File::open(path).map_err(unreadable)?;
        self.check(&file)?;
        Ok(file)
    }

    /// Opens the file to be read from any position.
    pub(crate) fn open_at(&self) -> Result<OpenFile, LogError> {
        let file = match &self.location {
            Location::Path(_) => Arc::new(self.open()?),
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
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        self.0.n_bytes().unwrap_or(0)
    }
}

impl ChunkReader for OpenFile {
    type T = BufReader<SequentialReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(SequentialReader { file: self.0.clone(), at: start }))
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

/// The files of a binding, ordered by the bytes of their paths below its root.
pub(crate) fn resolve(binding: &Binding) -> Result<Vec<LogFile>, LogError> {
    let given = Path::new(&binding.path);
    let mut paths = Vec::new();
    let root = match fs::metadata(given) {
        Ok(metadata) if metadata.is_dir() => {
            walk(given, 0, &mut paths)?;
            given.to_path_buf()
        }
        Ok(_) => {
            paths.push(given.to_path_buf());
            given.parent().map(Path::to_path_buf).unwrap_or_default()
        }
        Err(_) if is_pattern(&binding.path) => {
            expand(&binding.path, &mut paths)?;
            pattern_root(given)
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => PathBuf::new(),
        Err(cause) => return Err(LogError::unreadable(&binding.path, cause)),
    };
    if paths.is_empty() {
        return Err(LogError::NoFiles { pattern: binding.path.clone() });
    }
    let below =
        |path: &PathBuf| path.strip_prefix(&root).unwrap_or(path).as_os_str().as_encoded_bytes().to_vec();
    paths.sort_by_cached_key(below);
    paths.into_iter().map(|path| describe(path, &root, binding.format)).collect()
}

fn describe(path: PathBuf, root: &Path, format: Option<Format>) -> Result<LogFile, LogError> {
    let shown: Arc<str> = path.to_string_lossy().into();
    let metadata = fs::metadata(&path).map_err(|cause| LogError::unreadable(&shown, cause))?;
    if !metadata.is_file() {
        let cause = io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file");
        return Err(LogError::unreadable(&shown, cause));
    }
    let format = format.or_else(|| Format::from_path(&path));
    let format = format.ok_or_else(|| LogError::UnknownFormat { path: shown.to_string() })?;
    let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
    Ok(LogFile { stamp: Stamp::of(&metadata), location: Location::Path(path), shown, name, format })
}

/// All files below a folder, except those whose name starts with `.` or `_`: the markers and
/// unfinished files of other programs.
fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), LogError> {
    let unreadable = |cause| LogError::unreadable(&folder.to_string_lossy(), cause);
    if depth > MAX_DEPTH {
        return Err(unreadable(io::Error::other("its folders are nested too deep, or are a loop of links")));
    }
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_hidden(&path) {
            continue;
        }
        let metadata =
            fs::metadata(&path).map_err(|cause| LogError::unreadable(&path.to_string_lossy(), cause))?;
        if metadata.is_dir() {
            walk(&path, depth + 1, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(['.', '_']))
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The files (not the folders) that match a pattern. A `*` does not match a leading `.`.
fn expand(pattern: &str, paths: &mut Vec<PathBuf>) -> Result<(), LogError> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let matches = glob::glob_with(pattern, options)
        .map_err(|error| LogError::Pattern { pattern: pattern.into(), problem: error.to_string() })?;
    for path in matches {
        let path = path.map_err(|error| {
            let shown = error.path().to_string_lossy().into_owned();
            LogError::Unreadable { path: shown, cause: error.into() }
        })?;
        if !path.is_dir() {
            paths.push(path);
        }
    }
    Ok(())
}

/// The folders of a pattern up to the first part with a wildcard.
fn pattern_root(pattern: &Path) -> PathBuf {
    pattern.components().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path, below: &str) -> Vec<String> {
        let binding = Binding::new(path.join(below).to_string_lossy());
        resolve(&binding).unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn files_are_ordered_by_the_bytes_of_their_path_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["a10.csv", "a2.csv", "B.csv", "b/z.csv", "é.csv", ".hidden.csv", "_SUCCESS"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names(folder.path(), ""), ["B.csv", "a10.csv", "a2.csv", "b/z.csv", "é.csv"]);
        assert_eq!(names(folder.path(), "a*.csv"), ["a10.csv", "a2.csv"]);
        assert_eq!(names(folder.path(), "**/*.csv"), ["B.csv", "a10.csv", "a2.csv", "b/z.csv", "é.csv"]);
        assert_eq!(names(folder.path(), "b/z.csv"), ["z.csv"]);
    }

    #[test]
    fn a_file_whose_name_looks_like_a_pattern_is_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a[1].csv"), "").unwrap();
        assert_eq!(names(folder.path(), "a[1].csv"), ["a[1].csv"]);
    }

    #[test]
    fn what_matches_nothing_or_has_no_format_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |below: &str| Binding::new(folder.path().join(below).to_string_lossy());
        for below in ["", "nothing.csv", "*.csv"] {
            let error = resolve(&at(below)).unwrap_err();
            assert!(matches!(&error, LogError::NoFiles { pattern } if *pattern == at(below).path), "{error}");
        }
        assert!(matches!(resolve(&at("a[.csv")).unwrap_err(), LogError::Pattern { .. }));
        fs::write(folder.path().join("data.ndjson.gz"), "").unwrap();
        let error = resolve(&at("")).unwrap_err();
        assert!(error.to_string().ends_with("data.ndjson.gz` is not known"), "{error}");
        assert!(resolve(&Binding { format: Some(Format::Ndjson), ..at("") }).is_ok());
    }
}
