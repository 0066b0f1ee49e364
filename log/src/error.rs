//! The errors of opening or reading a log. A record that does not decode is not an error: it is
//! quarantined, and reading goes on.

use std::io;

use thiserror::Error;

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
    #[error("the format of `{path}` is not known")]
    UnknownFormat {
        /// The file.
        path: String,
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
        /// The field.
        column: Box<str>,
        /// The source.
        origin: Box<str>,
        /// The columns of the file, in its order.
        columns: Vec<String>,
        /// The column that was probably meant.
        suggestion: Option<Box<str>>,
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
            LogError::NoFiles { .. } => {
                "name a file, a folder that has files in it, or a glob such as `data/*.parquet`".into()
            }
            LogError::UnknownFormat { .. } => {
                "give it the suffix `.parquet`, `.ndjson`, `.jsonl` or `.csv`, or \
                 name the format of the binding; in a folder with other files, use a glob"
                    .into()
            }
            LogError::MissingColumn { suggestion: Some(name), .. } => format!("did you mean `{name}`?"),
            LogError::MissingColumn { column, columns, .. } => {
                let names: Vec<_> = columns.iter().map(|name| format!("`{name}`")).collect();
                format!(
                    "its columns are {}; make `{column}` optional (`?`) or give it a default",
                    names.join(", ")
                )
            }
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

    pub(crate) fn unreadable(path: &str, cause: io::Error) -> Self {
        LogError::Unreadable { path: path.into(), cause }
    }

    pub(crate) fn missing_column(path: &str, origin: &str, column: &str, columns: Vec<String>) -> Self {
        let names = columns.iter().map(String::as_str);
        let suggestion = metricc_ir::suggest::nearest(column, names).map(Into::into);
        LogError::MissingColumn {
            path: path.into(),
            column: column.into(),
            origin: origin.into(),
            columns,
            suggestion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_column_is_answered_with_the_name_that_was_probably_meant() {
        let names = ["Amount", "merchant"].map(String::from).to_vec();
        let error = LogError::missing_column("a.csv", "payments", "amount", names.clone());
        assert_eq!(error.help().as_deref(), Some("did you mean `Amount`?"));
        let error = LogError::missing_column("a.csv", "payments", "mrechant", names.clone());
        assert_eq!(error.help().as_deref(), Some("did you mean `merchant`?"));
        let error = LogError::missing_column("a.csv", "payments", "country", names);
        assert_eq!(
            error.help().as_deref(),
            Some("its columns are `Amount`, `merchant`; make `country` optional (`?`) or give it a default")
        );
    }
}
