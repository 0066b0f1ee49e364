//! What a source is bound to: a path, and the format of its files.

use std::path::Path;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180, with a header row.
    Csv,
}

impl Format {
    /// The format of a name: `parquet`, `ndjson`, `jsonl` or `csv`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "parquet" => Some(Format::Parquet),
            "ndjson" | "jsonl" => Some(Format::Ndjson),
            "csv" => Some(Format::Csv),
            _ => None,
        }
    }

    /// The format of the suffix of a path, in any case of letters.
    pub fn from_path(path: &Path) -> Option<Self> {
        Self::from_name(&path.extension()?.to_str()?.to_ascii_lowercase())
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "Parquet",
            Format::Ndjson => "NDJSON",
            Format::Csv => "CSV",
        }
    }
}

/// Where the events of a source lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// A file, a folder (with all that is below it) or a glob.
    pub path: String,
    /// The format of all its files; without it, each file's suffix tells it.
    pub format: Option<Format>,
}

impl Binding {
    /// A binding of files whose suffix tells their format.
    pub fn new(path: impl Into<String>) -> Self {
        Binding { path: path.into(), format: None }
    }
}
