//! Folders that are tables of a lake: Delta Lake, Apache Iceberg, Apache Hudi. Their folders keep files that
//! are no longer rows of the table, so reading all files below them counts rows twice. Of Delta tables, the
//! files that the log lists are read; the others are refused.

mod checkpoint;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::folder_keys::{FolderKey, percent_decoded};
use crate::open_file::OpenFile;
use crate::{FileOptions, LogError};

/// The folder of a Delta table's log.
pub(crate) const DELTA_LOG: &str = "_delta_log";

/// The log of a Delta table: the files in a folder, wherever that lies.
pub(crate) trait TableLog {
    /// The names of the files in it.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Opens one of them.
    fn open(&self, name: &str) -> io::Result<OpenFile>;
    /// The path of one of them in messages; of the folder, if the name is empty.
    fn shown(&self, name: &str) -> String;
}

/// A log in a folder of this machine.
struct LogFolder<'a>(&'a Path);

impl TableLog for LogFolder<'_> {
    fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(self.0)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn open(&self, name: &str) -> io::Result<OpenFile> {
        Ok(OpenFile::new(Arc::new(File::open(self.0.join(name))?)))
    }

    fn shown(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

/// Features of a Delta table that do not change which rows its files have; the others are refused by name. Of
/// the last two, what is refused is their use.
const READABLE_FEATURES: [&str; 6] = [
    "timestampNtz",
    "vacuumProtocolCheck",
    "v2Checkpoint",
    "domainMetadata",
    "deletionVectors",
    "columnMapping",
];

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lake {
    Delta,
    Iceberg,
    Hudi,
}

impl Lake {
    /// The kind of table that a folder is, if it is one.
    pub(crate) fn of_folder(folder: &Path) -> Option<Self> {
        if folder.join(DELTA_LOG).is_dir() {
            return Some(Lake::Delta);
        }
        if folder.join(".hoodie").is_dir() {
            return Some(Lake::Hudi);
        }
        let metadata = fs::read_dir(folder.join("metadata")).ok()?;
        let mut names = metadata.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.any(|name| name.ends_with(".metadata.json")).then_some(Lake::Iceberg)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Lake::Delta => "Delta Lake",
            Lake::Iceberg => "Apache Iceberg",
            Lake::Hudi => "Apache Hudi",
        }
    }
}

/// A file of a table.
#[derive(Debug)]
pub(crate) struct ActiveFile {
    /// Its path below the folder of the table.
    pub(crate) path: String,
    /// The values of the columns by which the table is divided.
    pub(crate) keys: Vec<FolderKey>,
    /// Its length in bytes.
    pub(crate) size: Option<u64>,
}

/// One line of a Delta table's log.
#[derive(Debug, Default, Deserialize)]
struct Action {
    add: Option<Add>,
    remove: Option<Remove>,
    #[serde(rename = "metaData")]
    metadata: Option<Metadata>,
    protocol: Option<Protocol>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Add {
    path: String,
    #[serde(default)]
    partition_values: BTreeMap<String, Option<String>>,
    size: Option<u64>,
    deletion_vector: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove {
    path: String,
    /// Whether its rows are gone; otherwise other files have them.
    #[serde(default = "yes")]
    data_change: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    configuration: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    #[serde(default)]
    min_reader_version: i64,
    reader_features: Option<Vec<String>>,
}

/// A version of a Delta table, as far as it was read.
#[derive(Debug, Default)]
struct Table {
    /// The last version that was read, once one was.
    version: Option<u64>,
    /// A file of which a version has removed the rows.
    removed: Option<String>,
    files: BTreeMap<String, Add>,
    metadata: Metadata,
    protocol: Protocol,
}

/// The files that are the rows of a table in a folder of this machine.
///
/// # Errors
/// [`LogError::Table`] if only a program that knows this kind of table can tell its rows.
pub(crate) fn active_files(
    lake: Lake,
    folder: &Path,
    options: &FileOptions,
) -> Result<Vec<ActiveFile>, LogError> {
    let shown = folder.to_string_lossy();
    files_of_version(lake, &shown, &LogFolder(&folder.join(DELTA_LOG)), options)
}

/// The files that are the rows of a table whose log is given. `shown` is its folder in messages.
///
/// # Errors
/// As [`active_files`].
pub(crate) fn files_of_version(
    lake: Lake,
    shown: &str,
    log: &dyn TableLog,
    options: &FileOptions,
) -> Result<Vec<ActiveFile>, LogError> {
    let refuse = |problem: String| LogError::Table { path: shown.to_owned(), table: lake.name(), problem };
    if lake != Lake::Delta {
        return Err(refuse("which of its files are rows only its own metadata tells".to_owned()));
    }
    let wrong = |problem: String| LogError::DeltaTable { path: shown.to_owned(), problem };
    let table = read(log, options.version).map_err(wrong)?;
    table.check_grown(options.snapshot).map_err(wrong)?;
    table.check().map_err(refuse)?;
    table.files.into_values().map(Add::file).collect::<Result<_, String>>().map_err(refuse)
}

/// The commits and checkpoints in the folder of a log, by version.
#[derive(Debug, Default)]
struct Versions {
    commits: BTreeMap<u64, String>,
    /// The parts of a checkpoint that are there, by their number, and how many there should be.
    checkpoints: BTreeMap<u64, BTreeMap<(u64, u64), String>>,
    /// Checkpoints of the second kind, which name other files.
    newest_other: Option<u64>,
}

impl Versions {
    /// Those up to the last one that is wanted.
    fn list(names: Vec<String>, last: u64) -> Self {
        let mut versions = Versions::default();
        for name in names {
            let parts: Vec<&str> = name.split('.').collect();
            let number = |text: &str| text.parse::<u64>().ok();
            let Some(version) = number(parts[0]).filter(|version| *version <= last) else { continue };
            match parts[1..] {
                ["json"] => drop(versions.commits.insert(version, name)),
                ["checkpoint", "parquet"] => {
                    versions.checkpoints.entry(version).or_default().insert((1, 1), name);
                }
                ["checkpoint", part, n_parts, "parquet"] => {
                    let key = number(part).zip(number(n_parts));
                    if let Some(key) = key {
                        versions.checkpoints.entry(version).or_default().insert(key, name);
                    }
                }
                ["checkpoint", _, "json" | "parquet"] => {
                    versions.newest_other = versions.newest_other.max(Some(version));
                }
                _ => {}
            }
        }
        versions.checkpoints.retain(|_, parts| {
            let n_parts = parts.keys().next().map_or(0, |(_, n_parts)| *n_parts);
            parts.keys().copied().eq((1..=n_parts).map(|part| (part, n_parts)))
        });
        versions
    }
}

/// Reads a version of a table, or the newest one.
fn read(log: &dyn TableLog, wanted: Option<u64>) -> Result<Table, String> {
    let unreadable = |name: &str, error: &dyn fmt::Display| format!("`{}`: {error}", log.shown(name));
    let names = log.names().map_err(|error| unreadable("", &error))?;
    let versions = Versions::list(names, wanted.unwrap_or(u64::MAX));
    let mut table = Table::default();
    let mut next = 0;
    if let Some((version, parts)) = versions.checkpoints.last_key_value() {
        for name in parts.values() {
            let file = log.open(name).map_err(|error| unreadable(name, &error))?;
            checkpoint::read(file, &mut table).map_err(|error| unreadable(name, &error))?;
        }
        next = version + 1;
    }
    for (version, name) in versions.commits.range(next..) {
        if *version != next {
            break;
        }
        let text = log.open(name).and_then(|file| file.text()).map_err(|error| unreadable(name, &error))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            table.apply(serde_json::from_str(line).map_err(|error| unreadable(name, &error))?);
        }
        next += 1;
    }
    table.version = next.checked_sub(1);
    let newest = versions.commits.keys().next_back().copied().max(versions.newest_other);
    match (newest, wanted) {
        _ if next == 0 => {
            Err("its log has neither a first commit nor a checkpoint that can be read".to_owned())
        }
        (Some(newest), _) if newest >= next => {
            Err(format!("version {next} of its log is not there, and {newest} is"))
        }
        (_, Some(wanted)) if wanted >= next => {
            Err(format!("it has no version {wanted}: {} is its last one", next - 1))
        }
        _ => Ok(table),
    }
}

impl Table {
    fn apply(&mut self, action: Action) {
        if let Some(remove) = action.remove {
            self.files.remove(&remove.path);
            if remove.data_change {
                self.removed.get_or_insert(remove.path);
            }
        }
        if let Some(add) = action.add {
            self.files.insert(add.path.clone(), add);
        }
        if let Some(metadata) = action.metadata {
            self.metadata = metadata;
        }
        if let Some(protocol) = action.protocol {
            self.protocol = protocol;
        }
    }

    /// Checks that no row was removed: an earlier answer would have it. A snapshot may have lost rows.
    fn check_grown(&self, is_snapshot: bool) -> Result<(), String> {
        let Some(removed) = self.removed.as_ref().filter(|_| !is_snapshot) else { return Ok(()) };
        let version = self.version.unwrap_or(0);
        Err(format!(
            "rows were removed from it (`{removed}`), so it is not a log, which only grows; `snapshot=true` reads the \
             rows of its version {version} as a log of their own"
        ))
    }

    /// Checks that its rows can be read.
    fn check(&self) -> Result<(), String> {
        let features = self.protocol.reader_features.iter().flatten();
        let unknown: Vec<&str> =
            features.map(String::as_str).filter(|name| !READABLE_FEATURES.contains(name)).collect();
        if !unknown.is_empty() {
            return Err(format!("it uses `{}`, which is not read here", unknown.join("`, `")));
        }
        if self.protocol.min_reader_version > 3 {
            return Err(format!("it is of reader version {}", self.protocol.min_reader_version));
        }
        let mode = self.metadata.configuration.get("delta.columnMapping.mode").and_then(Option::as_deref);
        match mode {
            None | Some("none") => Ok(()),
            Some(mode) => Err(format!("it maps its columns by `{mode}`, which is not read here")),
        }
    }
}

impl Add {
    fn file(self) -> Result<ActiveFile, String> {
        if self.deletion_vector.is_some_and(|vector| !vector.is_null()) {
            let path = self.path;
            return Err(format!("rows of `{path}` are deleted by a deletion vector, which is not read here"));
        }
        let path = percent_decoded(&self.path).ok_or_else(|| format!("`{}` is no path", self.path))?;
        if path.contains("://") || path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(format!("its file `{path}` lies elsewhere"));
        }
        // The log writes none also as an empty text.
        let values = self.partition_values.into_iter();
        let keys = values
            .map(|(name, value)| FolderKey { name, value: value.filter(|value| !value.is_empty()) })
            .collect();
        Ok(ActiveFile { path, keys, size: self.size })
    }
}

#[cfg(test)]
#[path = "lake_table_tests.rs"]
mod tests;
