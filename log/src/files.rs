//! From a path, a folder or a glob to the files of a log, in the order of their partitions.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::durable::DiskFile;
use crate::{Binding, Format, LogError};

/// How deep folders are followed; deeper ones are a loop of links.
const MAX_DEPTH: usize = 64;

/// A file of a log, as it was when the log was opened.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    place: FilePlace,
    /// The path in messages.
    pub(crate) shown: Arc<str>,
    /// The path below the root of the pattern: what partitions are ordered by.
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone)]
enum FilePlace {
    Path(PathBuf),
    /// One that the log wrote itself, and holds open: it may lose its name while it is read.
    Open(Arc<dyn DiskFile>),
}

/// An open file, read from any place; clones share it.
#[derive(Debug, Clone)]
pub(crate) enum Handle {
    Path(Arc<File>),
    Open(Arc<dyn DiskFile>),
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
    /// A file that the log wrote itself, as Parquet.
    ///
    /// # Errors
    /// If its length is not known.
    pub(crate) fn of_disk(file: Arc<dyn DiskFile>, shown: &str) -> io::Result<Self> {
        let stamp = Stamp { n_bytes: file.n_bytes()?, modified: None };
        let (name, format) = (shown.to_owned(), Format::Parquet);
        Ok(LogFile { place: FilePlace::Open(file), shown: shown.into(), name, format, stamp })
    }

    /// Opens a file that has a path, if it still is what it was.
    pub(crate) fn open(&self) -> Result<File, LogError> {
        let unreadable = |cause| LogError::unreadable(&self.shown, cause);
        let FilePlace::Path(path) = &self.place else {
            return Err(unreadable(io::ErrorKind::Unsupported.into()));
        };
        let file = File::open(path).map_err(unreadable)?;
        self.check(&file)?;
        Ok(file)
    }

    /// Opens the file to be read from any place.
    pub(crate) fn open_handle(&self) -> Result<Handle, LogError> {
        let handle = match &self.place {
            FilePlace::Path(_) => Handle::Path(Arc::new(self.open()?)),
            FilePlace::Open(file) => Handle::Open(file.clone()),
        };
        self.check_handle(&handle)?;
        Ok(handle)
    }

    /// An error if the open file was written since the log was opened. Called after each batch is
    /// read and before it is handed out, so that no answer mixes two states of a file.
    pub(crate) fn check(&self, file: &File) -> Result<(), LogError> {
        let metadata = file.metadata().map_err(|cause| LogError::unreadable(&self.shown, cause))?;
        self.compare(Stamp::of(&metadata))
    }

    /// As [`LogFile::check`].
    pub(crate) fn check_handle(&self, handle: &Handle) -> Result<(), LogError> {
        match handle {
            Handle::Path(file) => self.check(file),
            Handle::Open(file) => {
                let n_bytes = file.n_bytes().map_err(|cause| LogError::unreadable(&self.shown, cause))?;
                self.compare(Stamp { n_bytes, modified: None })
            }
        }
    }

    fn compare(&self, stamp: Stamp) -> Result<(), LogError> {
        if stamp == self.stamp { Ok(()) } else { Err(LogError::Changed { path: self.shown.to_string() }) }
    }
}

impl Handle {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Handle::Path(file) => FileExt::read_at(file.as_ref(), into, at),
            Handle::Open(file) => file.read_at(at, into),
        }
    }

    /// Reads until the bytes are full or the file ends; goes on after short and interrupted reads.
    pub(crate) fn read_up_to(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        read_up_to(&|at, into: &mut [u8]| self.read_at(at, into), at, into)
    }

    fn n_bytes(&self) -> u64 {
        match self {
            Handle::Path(file) => file.metadata().map_or(0, |metadata| metadata.len()),
            Handle::Open(file) => file.n_bytes().unwrap_or(0),
        }
    }
}

/// Reads until the bytes are full or there are no more.
pub(crate) fn read_up_to(
    read: &dyn Fn(u64, &mut [u8]) -> io::Result<usize>,
    at: u64,
    into: &mut [u8],
) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < into.len() {
        match read(at + n_read as u64, &mut into[n_read..]) {
            Ok(0) => break,
            Ok(n_more) => n_read += n_more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

impl Length for Handle {
    fn len(&self) -> u64 {
        self.n_bytes()
    }
}

impl ChunkReader for Handle {
    type T = BufReader<FromPlace>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(FromPlace { handle: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut bytes = vec![0; length];
        if self.read_up_to(start, &mut bytes)? < length {
            return Err(ParquetError::EOF(format!("the file ends before byte {}", start + length as u64)));
        }
        Ok(bytes.into())
    }
}

/// A file, read on from a place.
#[derive(Debug)]
pub(crate) struct FromPlace {
    handle: Handle,
    at: u64,
}

impl Read for FromPlace {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_read = self.handle.read_at(self.at, into)?;
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
    Ok(LogFile { stamp: Stamp::of(&metadata), place: FilePlace::Path(path), shown, name, format })
}

/// All files below a folder, except those whose name starts with `.` or `_`: the marks and
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
