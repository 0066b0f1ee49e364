//! From a path, a folder or a glob in a store to the files of a log.
//!
//! The rules are those of folders of this machine ([`folders`](crate::folders)): the same files in a store
//! make the same partitions in the same order.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use glob::Pattern;

use crate::file_store::{FileStore, StoredFile};
use crate::files::LogFile;
use crate::folder_keys::{self, FolderKey};
use crate::folders::{MATCHING, is_left_out, is_pattern};
use crate::lake_table::{self, DELTA_LOG, Lake, TableLog};
use crate::open_file::OpenFile;
use crate::{FileOptions, Format, LogError};

/// A file that was found.
struct Found {
    file: StoredFile,
    /// The values that the log of its table says; otherwise its folders say them.
    keys: Option<Vec<FolderKey>>,
}

/// The files of a path in a store, ordered by the bytes of their paths below its root.
pub(crate) fn resolve(
    store: &Arc<dyn FileStore>,
    path: &str,
    options: &FileOptions,
) -> Result<Vec<LogFile>, LogError> {
    let shown = store.shown(path);
    let root = if is_pattern(path) { pattern_root(path) } else { path };
    let listed = store.list(root).map_err(|cause| LogError::unreadable(&shown, cause))?;
    let is_file = listed.len() == 1 && listed[0].path == path;
    let tables = tables(&listed);
    let (root, found) = if is_file {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        (folder, listed.into_iter().map(|file| Found { file, keys: None }).collect())
    } else if is_pattern(path) {
        (root, matching(store, path, listed, &tables)?)
    } else {
        (root, below(store, root, listed, &tables, options)?)
    };
    options.check_table(found.is_empty() || found.iter().any(|found| found.keys.is_some()), &shown)?;
    // A table without rows is a log without events.
    let is_empty_table = tables.get(root.trim_end_matches('/')) == Some(&Lake::Delta);
    if found.is_empty() && !is_empty_table {
        return Err(LogError::NoFiles { pattern: shown });
    }
    describe(store, found, root, options)
}

/// The folders before the first part of a path with a wildcard.
fn pattern_root(path: &str) -> &str {
    let end = path.find(['*', '?', '[']).and_then(|wildcard| path[..wildcard].rfind('/'));
    &path[..end.unwrap_or(0)]
}

/// A path below a folder.
fn relative<'a>(path: &'a str, folder: &str) -> &'a str {
    let below = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    below.unwrap_or(path)
}

/// The folders that are tables of a lake, with the kind of each.
fn tables(listed: &[StoredFile]) -> BTreeMap<String, Lake> {
    let mut tables = BTreeMap::new();
    for StoredFile { path, .. } in listed {
        let parts: Vec<&str> = path.split('/').collect();
        for (index, part) in parts.iter().enumerate().take(parts.len().saturating_sub(1)) {
            let lake = match *part {
                DELTA_LOG => Lake::Delta,
                ".hoodie" => Lake::Hudi,
                "metadata" if index + 2 == parts.len() && path.ends_with(".metadata.json") => Lake::Iceberg,
                _ => continue,
            };
            tables.entry(parts[..index].join("/")).or_insert(lake);
        }
    }
    tables
}

/// The table that a path lies in.
fn table_of<'a>(tables: &'a BTreeMap<String, Lake>, path: &str) -> Option<(&'a str, Lake)> {
    let lies_in = |folder: &str| {
        folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    let found = tables.iter().find(|(folder, _)| lies_in(folder));
    found.map(|(folder, lake)| (folder.as_str(), *lake))
}

/// The files that match a pattern.
fn matching(
    store: &Arc<dyn FileStore>,
    pattern: &str,
    listed: Vec<StoredFile>,
    tables: &BTreeMap<String, Lake>,
) -> Result<Vec<Found>, LogError> {
    let malformed = |error: glob::PatternError| LogError::Pattern {
        pattern: store.shown(pattern),
        problem: error.to_string(),
    };
    let matching = Pattern::new(pattern).map_err(malformed)?;
    let found = listed.into_iter().filter(|file| matching.matches_with(&file.path, MATCHING));
    let found = found.map(|file| match table_of(tables, &file.path) {
        None => Ok(Found { file, keys: None }),
        Some((folder, lake)) => Err(LogError::PartOfTable {
            path: store.shown(&file.path),
            table: lake.name(),
            folder: store.shown(folder),
        }),
    });
    found.collect()
}

/// All files below a folder but those that other programs leave there; of a table, those that its log lists.
fn below(
    store: &Arc<dyn FileStore>,
    root: &str,
    listed: Vec<StoredFile>,
    tables: &BTreeMap<String, Lake>,
    options: &FileOptions,
) -> Result<Vec<Found>, LogError> {
    let (mut found, mut of_tables) = (Vec::new(), BTreeMap::<&str, Vec<StoredFile>>::new());
    for file in listed {
        if let Some((folder, _)) = table_of(tables, &file.path) {
            of_tables.entry(folder).or_default().push(file);
            continue;
        }
        let is_left_out = relative(&file.path, root).split('/').any(|part| is_left_out(Path::new(part)));
        if !is_left_out && !is_folder_marker(&file) {
            found.push(Found { file, keys: None });
        }
    }
    for (folder, files) in of_tables {
        let lake = tables.get(folder).copied().unwrap_or(Lake::Delta);
        found.extend(rows_of_table(store, folder, lake, files, options)?);
    }
    found.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    Ok(found)
}

/// Whether an object stands for a folder: consoles of clouds make empty ones, whose names end in a slash or
/// have no suffix.
fn is_folder_marker(file: &StoredFile) -> bool {
    file.n_bytes == 0 && Format::from_path(Path::new(&file.path)).is_none()
}

/// The files that the log of a table lists.
fn rows_of_table(
    store: &Arc<dyn FileStore>,
    folder: &str,
    lake: Lake,
    files: Vec<StoredFile>,
    options: &FileOptions,
) -> Result<Vec<Found>, LogError> {
    let shown = store.shown(folder);
    let by_path: BTreeMap<String, StoredFile> =
        files.into_iter().map(|file| (relative(&file.path, folder).to_owned(), file)).collect();
    let log = StoredLog { store, files: &by_path, shown: &shown };
    let mut rows = Vec::new();
    for active in lake_table::files_of_version(lake, &shown, &log, options)? {
        let Some(file) = by_path.get(&active.path) else {
            let missing =
                io::Error::new(io::ErrorKind::NotFound, "the log of its table lists it, and it is not there");
            return Err(LogError::unreadable(&format!("{shown}/{}", active.path), missing));
        };
        if let Some(stated) = active.size.filter(|size| *size != file.n_bytes) {
            let path = store.shown(&file.path);
            return Err(LogError::SizeInTable { path, n_bytes: file.n_bytes, stated });
        }
        rows.push(Found { file: file.clone(), keys: Some(active.keys) });
    }
    Ok(rows)
}

/// The log of a Delta table in a store.
struct StoredLog<'a> {
    store: &'a Arc<dyn FileStore>,
    /// The files of the table, by their paths below its folder.
    files: &'a BTreeMap<String, StoredFile>,
    shown: &'a str,
}

impl TableLog for StoredLog<'_> {
    fn names(&self) -> io::Result<Vec<String>> {
        let names = self.files.keys().filter_map(|path| path.strip_prefix(DELTA_LOG)?.strip_prefix('/'));
        Ok(names.map(str::to_owned).collect())
    }

    fn open(&self, name: &str) -> io::Result<OpenFile> {
        let file = self.files.get(&format!("{DELTA_LOG}/{name}")).ok_or(io::ErrorKind::NotFound)?;
        Ok(OpenFile::new(self.store.open(file)?))
    }

    fn shown(&self, name: &str) -> String {
        format!("{}/{DELTA_LOG}/{name}", self.shown)
    }
}

fn describe(
    store: &Arc<dyn FileStore>,
    found: Vec<Found>,
    root: &str,
    options: &FileOptions,
) -> Result<Vec<LogFile>, LogError> {
    let (mut files, mut unknown) = (Vec::with_capacity(found.len()), Vec::new());
    for Found { file, keys } in found {
        let path = Path::new(&file.path);
        let Some(shape) = options.shape_of(path) else {
            unknown.push(store.shown(&file.path));
            continue;
        };
        let keys = keys.unwrap_or_else(|| folder_keys::of_path(path));
        let name = relative(&file.path, root).to_owned();
        let mut file = LogFile::of_store(store, file, name, shape);
        file.keys = keys;
        files.push(file);
    }
    let n_unknown = unknown.len();
    match unknown.into_iter().next() {
        Some(path) => Err(LogError::UnknownFormat { path, n_more: n_unknown - 1 }),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(paths: &[&str]) -> Vec<StoredFile> {
        let file =
            |path: &&str| StoredFile { path: (*path).to_owned(), n_bytes: 1, modified: None, tag: None };
        paths.iter().map(file).collect()
    }

    #[test]
    fn tables_are_told_by_what_lies_in_their_folders() {
        let files = listed(&[
            "lake/a/_delta_log/00.json",
            "lake/a/x.parquet",
            "lake/b/metadata/v1.metadata.json",
            "lake/c/.hoodie/commit",
            "lake/d/metadata/more/v1.metadata.json",
            "lake/e/x.parquet",
        ]);
        let tables = tables(&files);
        let expected = [("lake/a", Lake::Delta), ("lake/b", Lake::Iceberg), ("lake/c", Lake::Hudi)];
        assert!(tables.iter().map(|(folder, lake)| (folder.as_str(), *lake)).eq(expected));
        assert_eq!(table_of(&tables, "lake/a/x.parquet"), Some(("lake/a", Lake::Delta)));
        assert_eq!(table_of(&tables, "lake/ab/x.parquet"), None);
        let at_the_root = super::tables(&listed(&["_delta_log/00.json", "x.parquet"]));
        assert_eq!(table_of(&at_the_root, "x.parquet"), Some(("", Lake::Delta)));
    }

    #[test]
    fn roots_of_patterns_end_before_the_first_wildcard() {
        for (pattern, root) in
            [("a/b*/c.csv", "a"), ("*.csv", ""), ("a/b/*.csv", "a/b"), ("a/b?c/d", "a"), ("a[12]/b", "")]
        {
            assert_eq!(pattern_root(pattern), root, "{pattern}");
        }
        assert_eq!(relative("a/b/c", "a/b"), "c");
        assert_eq!(relative("a/b", ""), "a/b");
    }
}
