//! Folders that are tables of a lake: Delta Lake, Apache Iceberg, Apache Hudi. Their folders keep files that
//! are no longer rows of the table, so reading all files below them counts rows twice. Of Delta tables, the
//! files that the log lists are read; the others are refused.

mod checkpoint;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::LogError;
use crate::folder_keys::{FolderKey, percent_decoded};

/// The folder of a Delta table's log.
const DELTA_LOG: &str = "_delta_log";

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
    pub(crate) path: PathBuf,
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
struct Remove {
    path: String,
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

/// The newest version of a Delta table, as far as it was read.
#[derive(Debug, Default)]
struct Table {
    files: BTreeMap<String, Add>,
    metadata: Metadata,
    protocol: Protocol,
}

/// The files that are the rows of a table now.
///
/// # Errors
/// [`LogError::Table`] if only a program that knows this kind of table can tell its rows.
pub(crate) fn active_files(lake: Lake, folder: &Path) -> Result<Vec<ActiveFile>, LogError> {
    let refuse = |problem: String| LogError::Table {
        path: folder.to_string_lossy().into_owned(),
        table: lake.name(),
        problem,
    };
    if lake != Lake::Delta {
        return Err(refuse("which of its files are rows only its own metadata tells".to_owned()));
    }
    let table = read(&folder.join(DELTA_LOG)).map_err(refuse)?;
    table.check().map_err(refuse)?;
    table.files.into_values().map(|add| add.file(folder)).collect::<Result<_, String>>().map_err(refuse)
}

/// The commits and checkpoints in the folder of a log, by version.
#[derive(Debug, Default)]
struct Versions {
    commits: BTreeMap<u64, PathBuf>,
    /// The parts of a checkpoint that are there, by their number, and how many there should be.
    checkpoints: BTreeMap<u64, BTreeMap<(u64, u64), PathBuf>>,
    /// Checkpoints of the second kind, which name other files.
    newest_other: Option<u64>,
}

impl Versions {
    fn list(log: &Path) -> io::Result<Self> {
        let mut versions = Versions::default();
        for entry in fs::read_dir(log)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let parts: Vec<&str> = name.split('.').collect();
            let number = |text: &str| text.parse::<u64>().ok();
            let Some(version) = number(parts[0]) else { continue };
            match parts[1..] {
                ["json"] => drop(versions.commits.insert(version, path)),
                ["checkpoint", "parquet"] => {
                    versions.checkpoints.entry(version).or_default().insert((1, 1), path);
                }
                ["checkpoint", part, n_parts, "parquet"] => {
                    let key = number(part).zip(number(n_parts));
                    if let Some(key) = key {
                        versions.checkpoints.entry(version).or_default().insert(key, path);
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
        Ok(versions)
    }
}

fn read(log: &Path) -> Result<Table, String> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    let versions = Versions::list(log).map_err(|error| unreadable(log, &error))?;
    let mut table = Table::default();
    let mut next = 0;
    if let Some((version, parts)) = versions.checkpoints.last_key_value() {
        for path in parts.values() {
            checkpoint::read(path, &mut table).map_err(|error| unreadable(path, &error))?;
        }
        next = version + 1;
    }
    for (version, path) in versions.commits.range(next..) {
        if *version != next {
            break;
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            table.apply(serde_json::from_str(line).map_err(|error| unreadable(path, &error))?);
        }
        next += 1;
    }
    let newest = versions.commits.keys().next_back().copied().max(versions.newest_other);
    match newest {
        _ if next == 0 => {
            Err("its log has neither a first commit nor a checkpoint that can be read".to_owned())
        }
        Some(newest) if newest >= next => {
            Err(format!("version {next} of its log is not there, and {newest} is"))
        }
        _ => Ok(table),
    }
}

impl Table {
    fn apply(&mut self, action: Action) {
        if let Some(remove) = action.remove {
            self.files.remove(&remove.path);
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
    fn file(self, folder: &Path) -> Result<ActiveFile, String> {
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
        Ok(ActiveFile { path: folder.join(path), keys, size: self.size })
    }
}

#[cfg(test)]
#[path = "lake_table_tests.rs"]
mod tests;
