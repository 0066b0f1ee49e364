//! The errors of opening or reading a log. A record that does not decode is not an error: it is
//! quarantined, and reading goes on.

use std::io;

use thiserror::Error;

use crate::{FileOptions, Format};

fn and_more(n: usize) -> String {
    if n == 0 { String::new() } else { format!(" and of {n} more") }
}

/// Why a log could not be opened or read. [`LogError::help`] says what to change.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// No file lies under the path or matches the pattern.
    #[error("no file matches `{pattern}`")]
    NoFiles {
        /// The path as it was given.
        pattern: String,
    },
    /// The glob pattern has a mistake.
    #[error("`{pattern}` is not a glob pattern: {problem}")]
    Pattern {
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The name of the file does not tell its format.
    #[error("the format of `{path}`{} is not known", and_more(*n_more))]
    UnknownFormat {
        /// The file.
        path: String,
        /// The number of other files of which it is not known either.
        n_more: usize,
    },
    /// The data folder of a node, or a folder of its log.
    #[error("`{path}` is a folder of a node, and no log of files")]
    OfNode {
        /// The folder.
        path: String,
        /// The files of it that have events.
        flushed: String,
    },
    /// The file is not the one that is meant, or is damaged.
    #[error("`{path}` does not have the length and the checksum that are expected of it")]
    OtherBytes {
        /// The file.
        path: String,
    },
    /// Events that are in no file, such as those of a pipe.
    #[error("the events of `{name}` are in no file that another process could read")]
    NoFile {
        /// The partition.
        name: String,
    },
    /// The file holds something else than its format says.
    #[error("`{path}` is not read as {format}: it is {found}")]
    OtherKind {
        /// The file.
        path: String,
        /// The name of the format.
        format: &'static str,
        /// What it is.
        found: String,
        /// What to change.
        help: String,
    },
    /// A file of a table is not as long as the log of the table says.
    #[error(
        "`{path}` has {n_bytes} bytes, and the log of its table says {stated}: it is cut off or another file"
    )]
    SizeInTable {
        /// The file.
        path: String,
        /// Its length.
        n_bytes: u64,
        /// The length that the log says.
        stated: u64,
    },
    /// The value that a folder says is none of its field.
    #[error("the folder `{key}={value}` of `{path}` is not a value of field `{key}`: {problem}")]
    FolderKey {
        /// The file.
        path: String,
        /// The field.
        key: String,
        /// The value.
        value: String,
        /// What is wrong.
        problem: String,
    },
    /// The folder is a table whose rows cannot be told here.
    #[error("`{path}` is a table of {table}: {problem}")]
    Table {
        /// The folder.
        path: String,
        /// The kind of table.
        table: &'static str,
        /// Why it is not read.
        problem: String,
    },
    /// An option that only Delta tables have is given of something else.
    #[error("`{path}` is not a Delta table: it has no versions and no snapshots")]
    NoTable {
        /// The path as it was given.
        path: String,
    },
    /// A Delta table cannot be read as it is asked for.
    #[error("`{path}` is a Delta table: {problem}")]
    DeltaTable {
        /// The folder.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// The files are some of a table.
    #[error("the files of `{path}` are part of the {table} table `{folder}`: not all of them are rows of it")]
    PartOfTable {
        /// The folder of the files.
        path: String,
        /// The kind of table.
        table: &'static str,
        /// The folder of the table.
        folder: String,
    },
    /// The operating system could not read the file.
    #[error("`{path}` is not readable: {cause}")]
    Unreadable {
        /// The file or folder.
        path: String,
        /// What the operating system reported.
        #[source]
        cause: io::Error,
    },
    /// The file as a whole is not valid in its format.
    #[error("`{path}` is not a valid {format} file: {problem}")]
    Malformed {
        /// The file.
        path: String,
        /// The name of the format.
        format: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The file has no column for a field that needs one.
    #[error("`{path}` has no column `{column}`, which source `{origin}` needs")]
    MissingColumn {
        /// The file.
        path: Box<str>,
        /// Where the field is read: a column, or a path into one.
        column: Box<str>,
        /// The field as it is declared: `user_id: int`.
        field: Box<str>,
        /// The source.
        origin: Box<str>,
        /// The columns of the file, in its order; of a path, what there is where it ends.
        columns: Vec<String>,
        /// The column that was probably meant.
        suggestion: Option<Box<str>>,
    },
    /// A path into an object, and a file of cells that has no column of this name.
    #[error(
        "`{path}` has no column `{column}`, and CSV has no objects that field `{field}` could be read from"
    )]
    NoObjects {
        /// The file.
        path: Box<str>,
        /// The header that a column would need.
        column: Box<str>,
        /// The field as it is declared: `revenue: decimal(8, 2)`.
        field: Box<str>,
        /// The columns of the file, in its order.
        columns: Vec<String>,
    },
    /// The file has more than one column for a field.
    #[error("`{path}` has more than one column `{column}`")]
    RepeatedColumn {
        /// The file.
        path: String,
        /// The field.
        column: String,
    },
    /// The column holds another type than the field.
    #[error("column `{column}` of `{path}` holds {found}, where source `{origin}` has `{expected}`")]
    ColumnType {
        /// The file.
        path: Box<str>,
        /// The field.
        column: Box<str>,
        /// The source.
        origin: Box<str>,
        /// The type in the file.
        found: Box<str>,
        /// The declared type.
        expected: Box<str>,
        /// What to change.
        help: Box<str>,
    },
    /// The source declares something that this decoder cannot follow.
    #[error("field `{field}` of source `{origin}`: {problem}")]
    Declaration {
        /// The source.
        origin: String,
        /// The field.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// The file was changed after the log was opened.
    #[error("`{path}` was changed after the log was opened")]
    Changed {
        /// The file.
        path: String,
    },
    /// The records of a partition that is not a file of this log could not be read.
    #[error("partition `{name}` is not readable: {cause}")]
    Partition {
        /// The partition.
        name: String,
        /// What its reader reported.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
        /// What to change, if that is known.
        help: Option<String>,
    },
    /// Two frontiers do not bound an interval.
    #[error(transparent)]
    Interval(#[from] metricc_ir::IntervalError),
    /// A request for something that is not in the log.
    #[error("this cannot be read from the log: {problem}")]
    Request {
        /// Why not.
        problem: String,
    },
}

impl LogError {
    /// What to change, if that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            LogError::NoFiles { pattern } if unknown_option(pattern).is_some() => {
                let (name, known) = (unknown_option(pattern).unwrap_or_default(), FileOptions::NAMES.join("`, `"));
                format!("`{name}` is not an option of files, which are `{known}`")
            }
            LogError::NoFiles { .. } => {
                "name a file, a folder that has files in it, or a glob such as `data/*.parquet`".into()
            }
            LogError::UnknownFormat { .. } => {
                "give it one of the suffixes `.parquet`, `.ndjson`, `.jsonl`, `.json`, `.csv` and `.tsv` \
                 (`.gz`, `.zst` or `.bz2` may follow), or say the format, such as `format=csv`; in a folder with \
                 other files, use a glob such as `folder/*.csv`"
                    .into()
            }
            LogError::OfNode { flushed, .. } => format!(
                "the events that the node has flushed are `{flushed}`; its latest ones are in its journal alone, until \
                 there are `seal_events` of them"
            ),
            LogError::MissingColumn { suggestion: Some(name), field, .. } => {
                format!("did you mean `{name}`? write `{field} from {name}`")
            }
            LogError::MissingColumn { field, columns, .. } => {
                let name = field.split(':').next().unwrap_or_default();
                format!(
                    "its columns are {}; say which is meant, such as `{field} from \"…\"`, make `{name}` optional (`?`), \
                     or give it a default",
                    listed(columns)
                )
            }
            LogError::NoObjects { field, columns, .. } => format!(
                "its columns are {}; name one, such as `{field} from \"…\"`, or use NDJSON or Parquet",
                listed(columns)
            ),
            LogError::OtherKind { help, .. } => help.clone(),
            LogError::Partition { help, .. } => return help.clone(),
            LogError::OtherBytes { .. } => {
                "compare it with the file where the run was started: it was changed, copied in part, or is damaged".into()
            }
            LogError::NoFile { .. } => "write them to a file in a folder that all machines share".into(),
            LogError::FolderKey { .. } => "rename the folder, or give the field another name".into(),
            LogError::Table { .. } => {
                "write its rows to files with a program that reads it, such as Spark or DuckDB: \
                 `COPY (FROM delta_scan('TABLE')) TO 'rows.parquet'` (or `iceberg_scan`)"
                    .into()
            }
            LogError::SizeInTable { .. } => {
                "copy the file again from where the table was written, or repair the table there".into()
            }
            LogError::PartOfTable { folder, .. } => format!("name the folder of the table: `{folder}`"),
            LogError::RepeatedColumn { column, .. } => {
                format!("rename or remove all columns `{column}` but one")
            }
            LogError::ColumnType { help, .. } => help.to_string(),
            LogError::Changed { .. } => {
                "files of a log do not change: write new files, and open the log again".into()
            }
            _ => return None,
        })
    }

    /// The error of a text that could not be read on: that of the file, or that the text is not sound.
    pub(crate) fn of_text(path: &str, format: Format, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::InvalidData => {
                LogError::Malformed { path: path.into(), format: format.name(), problem: cause.to_string() }
            }
            _ => LogError::unreadable(path, cause),
        }
    }

    pub(crate) fn unreadable(path: &str, cause: io::Error) -> Self {
        LogError::Unreadable { path: path.into(), cause }
    }
}

/// What a path that leads nowhere may have meant as an option: the word of `,word=value` at its end.
fn unknown_option(path: &str) -> Option<&str> {
    let (name, _) = path.rsplit_once(',')?.1.split_once('=')?;
    let is_word = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphabetic());
    is_word.then_some(name)
}

/// The first of some names.
fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 20 { format!(" and {} more", names.len() - 20) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
