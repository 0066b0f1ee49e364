//! From a path, a folder or a glob to the files of a log, in the order of their partitions.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

use crate::content_kind::guess_format;
use crate::file_format::Shape;
use crate::files::{LogFile, unpack_error};
use crate::folder_keys::{self, FolderKey};
use crate::lake_table::{self, Lake};
use crate::open_file::HEAD_BYTES;
use crate::{Binding, FileOptions, LogError, decompress};

/// How deep folders are followed.
const MAX_DEPTH: usize = 64;

/// The path that names standard input.
const STDIN: &str = "-";
const SHOWN_STDIN: &str = "stdin";

/// A file that was found.
struct Found {
    path: PathBuf,
    /// The values that the log of its table says; otherwise its folders say them.
    keys: Option<Vec<FolderKey>>,
    /// The length that the log of its table says.
    size: Option<u64>,
}

/// The files of a binding, ordered by the bytes of their paths below its root.
pub(crate) fn resolve(binding: &Binding) -> Result<Vec<LogFile>, LogError> {
    if is_stdin(&binding.path) {
        binding.options.check_table(false, &binding.path)?;
        return Ok(vec![stdin(&binding.options)?]);
    }
    let given = Path::new(&binding.path);
    let mut files = Vec::new();
    let root = match fs::metadata(given) {
        Ok(metadata) if metadata.is_dir() => {
            refuse_part_of_lake(given, false)?;
            walk(given, &binding.options, &mut Vec::new(), &mut files)?;
            given.to_path_buf()
        }
        Ok(_) => {
            files.push(Found { path: given.to_path_buf(), keys: None, size: None });
            given.parent().map(Path::to_path_buf).unwrap_or_default()
        }
        Err(_) if is_pattern(&binding.path) => {
            expand(&binding.path, &mut files)?;
            pattern_root(given)
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => PathBuf::new(),
        Err(cause) => return Err(LogError::unreadable(&binding.path, cause)),
    };
    let is_table = files.iter().any(|file| file.keys.is_some());
    binding.options.check_table(is_table || files.is_empty(), &binding.path)?;
    // A table without rows is a log without events.
    let is_empty_table = || Lake::of_folder(given) == Some(Lake::Delta);
    if files.is_empty() && !is_empty_table() {
        return Err(LogError::NoFiles { pattern: binding.path.clone() });
    }
    let below =
        |path: &Path| path.strip_prefix(&root).unwrap_or(path).as_os_str().as_encoded_bytes().to_vec();
    files.sort_by_cached_key(|file| below(&file.path));
    describe(files, &root, &binding.options)
}

/// Whether a path is standard input that is not a plain file: that one is read like any other.
pub(crate) fn is_stdin(path: &str) -> bool {
    let is_pipe = || fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    path == STDIN || (matches!(path, "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") && is_pipe())
}

/// All of standard input, whose contents tell its format if nothing else does.
pub(crate) fn stdin(options: &FileOptions) -> Result<LogFile, LogError> {
    let unreadable = |cause| LogError::unreadable(SHOWN_STDIN, cause);
    let file = decompress::of_pipe(io::stdin().lock());
    let file = file.map_err(|error| unpack_error(SHOWN_STDIN, "text", error))?;
    // What is compressed is unpacked before its format is guessed.
    let guessed = Shape { format: crate::Format::Ndjson, delimiter: b',' };
    let file = LogFile::of_open(file.shared(), SHOWN_STDIN, guessed).map_err(unreadable)?;
    let mut file = file.unpacked(&mut |_| {})?;
    let head = file.open_at()?.head(HEAD_BYTES).map_err(unreadable)?;
    file.shape = options.shape(options.format.unwrap_or_else(|| guess_format(&head)), None);
    Ok(file)
}

fn describe(files: Vec<Found>, root: &Path, options: &FileOptions) -> Result<Vec<LogFile>, LogError> {
    let (mut described, mut unknown) = (Vec::with_capacity(files.len()), Vec::new());
    for Found { path, keys, size } in files {
        let Some(shape) = options.shape_of(&path) else {
            unknown.push(path.to_string_lossy().into_owned());
            continue;
        };
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let keys = keys.unwrap_or_else(|| folder_keys::of_path(&path));
        let mut file = LogFile::of_path(path, name, shape)?;
        file.keys = keys;
        if let Some(stated) = size.filter(|size| *size != file.stamp.n_bytes) {
            let (path, n_bytes) = (file.shown.to_string(), file.stamp.n_bytes);
            return Err(LogError::SizeInTable { path, n_bytes, stated });
        }
        described.push(file);
    }
    let n_unknown = unknown.len();
    match unknown.into_iter().next() {
        Some(path) => Err(LogError::UnknownFormat { path, n_more: n_unknown - 1 }),
        None => Ok(described),
    }
}

/// All files below a folder, except those that other programs leave there for people or for themselves. Of a
/// table, the files that its log lists. A link to a folder that it lies in holds nothing that is not found
/// anyway.
fn walk(
    folder: &Path,
    options: &FileOptions,
    above: &mut Vec<(u64, u64)>,
    files: &mut Vec<Found>,
) -> Result<(), LogError> {
    let unreadable = |cause| LogError::unreadable(&folder.to_string_lossy(), cause);
    let metadata = fs::metadata(folder).map_err(unreadable)?;
    let id = (metadata.dev(), metadata.ino());
    if above.contains(&id) {
        return Ok(());
    }
    if above.len() > MAX_DEPTH {
        return Err(unreadable(io::Error::other("its folders are nested more than 64 deep")));
    }
    if let Some(lake) = Lake::of_folder(folder) {
        let active = lake_table::active_files(lake, folder, options)?;
        files.extend(active.into_iter().map(|file| Found {
            path: folder.join(file.path),
            keys: Some(file.keys),
            size: file.size,
        }));
        return Ok(());
    }
    above.push(id);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_left_out(&path) {
            continue;
        }
        let metadata =
            fs::metadata(&path).map_err(|cause| LogError::unreadable(&path.to_string_lossy(), cause))?;
        if metadata.is_dir() {
            walk(&path, options, above, files)?;
        } else {
            files.push(Found { path, keys: None, size: None });
        }
    }
    above.pop();
    Ok(())
}

/// Markers and unfinished files of other programs, whose names start with `.` or `_`, and texts for people.
pub(crate) fn is_left_out(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let is_folder_key = name.contains('=');
    name.starts_with('.')
        || (name.starts_with('_') && !is_folder_key)
        || name.starts_with("README")
        || name.ends_with(".md")
}

pub(crate) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// How patterns match: a `*` matches no `/` and no leading `.`.
pub(crate) const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files (not the folders) that match a pattern.
fn expand(pattern: &str, files: &mut Vec<Found>) -> Result<(), LogError> {
    let malformed =
        |error: PatternError| LogError::Pattern { pattern: pattern.into(), problem: error.to_string() };
    let mut folders = Folders::default();
    let mut take = |path: PathBuf| -> Result<(), LogError> {
        if !folders.is_loop(&path)? && !path.is_dir() {
            files.push(Found { path, keys: None, size: None });
        }
        Ok(())
    };
    if pattern.contains("**") {
        let whole: PathBuf = Path::new(pattern).components().collect();
        let matching = Pattern::new(&whole.to_string_lossy()).map_err(malformed)?;
        // Following each link of a loop of links over and over takes for ever.
        return below(&pattern_root(&whole), &mut Vec::new(), &mut |path| {
            if matching.matches_path_with(&path, MATCHING) { take(path) } else { Ok(()) }
        });
    }
    for path in glob::glob_with(pattern, MATCHING).map_err(malformed)? {
        take(path.map_err(|error| {
            let shown = error.path().to_string_lossy().into_owned();
            LogError::Unreadable { path: shown, cause: error.into() }
        })?)?;
    }
    Ok(())
}

/// All files below a folder; of a folder that is reached through a link to a folder above it, none.
fn below(
    folder: &Path,
    above: &mut Vec<(u64, u64)>,
    take: &mut dyn FnMut(PathBuf) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let unreadable = |cause| LogError::unreadable(&folder.to_string_lossy(), cause);
    let read = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let metadata = match fs::metadata(read) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.map_err(unreadable)?,
    };
    let id = (metadata.dev(), metadata.ino());
    if above.contains(&id) || !metadata.is_dir() {
        return Ok(());
    }
    above.push(id);
    for entry in fs::read_dir(read).map_err(unreadable)? {
        let path = folder.join(entry.map_err(unreadable)?.file_name());
        if path.is_dir() {
            below(&path, above, take)?;
        } else {
            take(path)?;
        }
    }
    above.pop();
    Ok(())
}

/// What is known of the folders of a pattern's matches.
#[derive(Default)]
struct Folders {
    /// Whether one goes through a link to a folder that the link lies in.
    loops: HashMap<PathBuf, bool>,
}

impl Folders {
    /// Whether a path goes through a link to a folder that the link lies in. An error if it goes through a
    /// table.
    fn is_loop(&mut self, path: &Path) -> Result<bool, LogError> {
        let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
            return Ok(false);
        };
        if let Some(known) = self.loops.get(folder) {
            return Ok(*known);
        }
        refuse_part_of_lake(folder, true)?;
        let is_link = folder.is_symlink();
        let target = || Some((folder.canonicalize().ok()?, folder.parent()?.canonicalize().ok()?));
        let goes_up = is_link && target().is_some_and(|(target, lies_in)| lies_in.starts_with(target));
        let is_loop = goes_up || self.is_loop(folder)?;
        self.loops.insert(folder.to_path_buf(), is_loop);
        Ok(is_loop)
    }
}

/// The folders of a pattern up to the first part with a wildcard.
pub(crate) fn pattern_root(pattern: &Path) -> PathBuf {
    pattern.components().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy())).collect()
}

/// An error if a folder lies in the folder of a table, or is one itself, where that counts: which of its
/// files are rows only the table's log tells.
fn refuse_part_of_lake(folder: &Path, counts_itself: bool) -> Result<(), LogError> {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    for above in whole.ancestors().skip(usize::from(!counts_itself)) {
        if let Some(lake) = Lake::of_folder(above) {
            return Err(LogError::PartOfTable {
                path: folder.to_string_lossy().into_owned(),
                table: lake.name(),
                folder: above.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "folders_tests.rs"]
mod tests;
