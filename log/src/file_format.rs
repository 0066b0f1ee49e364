//! What a source is bound to: a path, and the format of its files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::LogError;
use crate::decompress::Compression;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// One JSON object a line.
    Ndjson,
    /// An array of JSON objects, or objects one after the other over any number of lines.
    Json,
    /// RFC 4180, with a header row; cells may be separated by another byte than a comma.
    Csv,
}

/// How the files of a binding are read, where their names do not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileOptions {
    /// The format of all files; without it, each file's suffix tells it.
    pub format: Option<Format>,
    /// The byte between the cells of CSV; a comma, or a tab in `.tsv` files.
    pub delimiter: Option<u8>,
    /// The version of a Delta table; without it, the newest one.
    pub version: Option<u64>,
    /// Whether a Delta table from which rows were removed is read as the rows that it has now.
    pub snapshot: bool,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) format: Format,
    /// Only for CSV.
    pub(crate) delimiter: u8,
}

/// The names of formats: what a suffix or `format=` says, and the byte between cells.
const NAMES: [(&str, Format, u8); 6] = [
    ("parquet", Format::Parquet, b','),
    ("ndjson", Format::Ndjson, b','),
    ("jsonl", Format::Ndjson, b','),
    ("json", Format::Json, b','),
    ("csv", Format::Csv, b','),
    ("tsv", Format::Csv, b'\t'),
];

fn named(name: &str) -> Option<Shape> {
    let found = NAMES.iter().find(|(known, ..)| name.eq_ignore_ascii_case(known));
    found.map(|(_, format, delimiter)| Shape { format: *format, delimiter: *delimiter })
}

impl Format {
    /// The format of a name: `parquet`, `ndjson`, `jsonl`, `json`, `csv` or `tsv`.
    pub fn from_name(name: &str) -> Option<Self> {
        named(name).map(|shape| shape.format)
    }

    /// The format of the suffix of a path, in any case of letters; `.gz`, `.zst` or `.bz2` may follow it.
    pub fn from_path(path: &Path) -> Option<Self> {
        shape_of_path(path).map(|shape| shape.format)
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "Parquet",
            Format::Ndjson => "NDJSON",
            Format::Json => "JSON",
            Format::Csv => "CSV",
        }
    }
}

fn shape_of_path(path: &Path) -> Option<Shape> {
    let suffix = path.extension()?.to_str()?;
    if Compression::SUFFIXES.iter().any(|packed| suffix.eq_ignore_ascii_case(packed)) {
        return named(Path::new(path.file_stem()?).extension()?.to_str()?);
    }
    named(suffix)
}

impl FileOptions {
    /// The names of options.
    pub const NAMES: [&str; 4] = ["format", "delimiter", "version", "snapshot"];

    /// Sets an option by its name, as command lines and configurations have it.
    ///
    /// # Errors
    /// What the option may be.
    pub fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "format" => {
                let shape = named(value).ok_or_else(|| {
                    let names = NAMES.map(|(name, ..)| name).join(", ");
                    let of_topics = match value {
                        "avro" | "protobuf" | "text" => {
                            "; records of topics alone may be Avro, Protobuf or text"
                        }
                        _ => "",
                    };
                    format!("unknown format `{value}`: it is one of {names}{of_topics}")
                })?;
                self.format = Some(shape.format);
                if shape.delimiter != b',' {
                    self.delimiter.get_or_insert(shape.delimiter);
                }
            }
            "delimiter" => self.delimiter = Some(delimiter(value)?),
            "version" => {
                let version = value.parse();
                let problem = |_| format!("`{value}` is not a version of a table: it is a number such as 7");
                self.version = Some(version.map_err(problem)?);
            }
            "snapshot" => {
                let snapshot = value.parse();
                self.snapshot =
                    snapshot.map_err(|_| format!("`snapshot` is `true` or `false`, not `{value}`"))?;
            }
            other => {
                return Err(format!("unknown option `{other}`: it is one of `{}`", Self::NAMES.join("`, `")));
            }
        }
        Ok(())
    }

    /// An error if an option that only Delta tables have is given of something else.
    pub(crate) fn check_table(&self, is_table: bool, shown: &str) -> Result<(), LogError> {
        if !is_table && (self.version.is_some() || self.snapshot) {
            return Err(LogError::NoTable { path: shown.to_owned() });
        }
        Ok(())
    }

    /// How a file of this name is read; `None` if nothing says it.
    pub(crate) fn shape_of(&self, path: &Path) -> Option<Shape> {
        let of_path = shape_of_path(path);
        let format = self.format.or(of_path.map(|shape| shape.format))?;
        Some(self.shape(format, of_path))
    }

    /// How a file of this format is read.
    pub(crate) fn shape(&self, format: Format, of_path: Option<Shape>) -> Shape {
        let delimiter = self.delimiter.or(of_path.map(|shape| shape.delimiter)).unwrap_or(b',');
        Shape { format, delimiter }
    }
}

/// The byte that is named as a delimiter: itself, or `tab`.
///
/// # Errors
/// What a delimiter may be.
pub(crate) fn delimiter(text: &str) -> Result<u8, String> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [byte])
            if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') && !byte.is_ascii_alphanumeric() =>
        {
            Ok(*byte)
        }
        _ => Err(format!("`{text}` is not a delimiter: it is one character such as `;` or `|`, or `tab`")),
    }
}

/// Where the events of a source lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// A file, a folder (with all that is below it), a glob, or `-` for standard input.
    pub path: String,
    /// How its files are read, where their names do not tell it.
    pub options: FileOptions,
    /// Options about records, as names and values, of a source that is not files: the code that opens it
    /// reads them.
    pub record_options: Vec<(String, String)>,
}

impl Binding {
    /// A binding of files whose suffix tells their format.
    pub fn new(path: impl Into<String>) -> Self {
        Binding { path: path.into(), options: FileOptions::default(), record_options: Vec::new() }
    }

    /// The same binding, for files of this format.
    #[must_use]
    pub fn with_format(self, format: Format) -> Self {
        Binding { options: FileOptions { format: Some(format), ..self.options }, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats_whatever_compression_follows() {
        for (name, shape) in [
            ("a.csv", Some((Format::Csv, b','))),
            ("a.TSV.gz", Some((Format::Csv, b'\t'))),
            ("a.ndjson.zst", Some((Format::Ndjson, b','))),
            ("a.jsonl.bz2", Some((Format::Ndjson, b','))),
            ("a.json.GZ", Some((Format::Json, b','))),
            ("a.gz", None),
            ("gz", None),
            ("a.txt", None),
        ] {
            let found = FileOptions::default().shape_of(Path::new(name));
            assert_eq!(found.map(|shape| (shape.format, shape.delimiter)), shape, "{name}");
        }
    }

    #[test]
    fn options_go_before_names() {
        let mut options = FileOptions::default();
        options.set("format", "tsv").unwrap();
        let shape = options.shape_of(Path::new("a.txt")).unwrap();
        assert_eq!((shape.format, shape.delimiter), (Format::Csv, b'\t'));
        options.set("delimiter", ";").unwrap();
        assert_eq!(options.shape_of(Path::new("a.tsv")).unwrap().delimiter, b';');
        for (option, value) in
            [("format", "xml"), ("delimiter", "ab"), ("delimiter", "\""), ("encoding", "x")]
        {
            assert!(options.set(option, value).is_err(), "{option} {value}");
        }
    }
}
