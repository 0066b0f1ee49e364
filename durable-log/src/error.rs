//! The errors of a durable log, each with a suggestion where there is one.

use std::io;

use arrow::error::ArrowError;
use metricc_log::LogError;
use parquet::errors::ParquetError;

/// Why a durable log could not be opened, or did not take a request. [`DurableError::help`] suggests what to
/// do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurableError {
    /// The operating system reported an error.
    #[error("{doing} `{path}`: {cause}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// What it reported.
        #[source]
        cause: io::Error,
    },
    /// There is no space left for a request. Nothing of it was kept; what is in the log can be read.
    #[error("there is no space left for events on the disk of `{path}`")]
    Full {
        /// The file that could not grow.
        path: String,
    },
    /// Bytes that were durable are not what was written.
    #[error("`{path}` is corrupt in bytes {from} to {to}: {problem}")]
    Corrupt {
        /// The file.
        path: String,
        /// The first corrupt byte.
        from: u64,
        /// The first valid byte after it, or the end of the file.
        to: u64,
        /// How that is known.
        problem: String,
    },
    /// No file holds some positions of a partition.
    #[error("offsets {from} to {to} of partition {partition} of source `{origin}` are missing: {problem}")]
    Hole {
        /// The source.
        origin: String,
        /// The partition.
        partition: u32,
        /// The first missing offset.
        from: u64,
        /// The first offset that is not missing.
        to: u64,
        /// How that is known.
        problem: String,
    },
    /// A file of another version, or of another log.
    #[error("`{path}` {problem}")]
    Foreign {
        /// The file.
        path: String,
        /// What is wrong with it: the rest of a sentence about the file.
        problem: String,
    },
    /// There are flushed events, and no journal that knows them.
    #[error(
        "`{path}` holds flushed events, but their journal is missing: there is nothing in `{journal}`; it had {lost}"
    )]
    JournalMissing {
        /// The folder of the events.
        path: String,
        /// The folder of the journal.
        journal: String,
        /// The offsets that are in flushed files; those that were in the journal alone are not known.
        lost: String,
    },
    /// Flushed files have positions that the journal does not have: an older copy of the journal was put
    /// back.
    #[error("`{path}` holds events that the journal does not have: it is an older copy, which lacks {lost}")]
    OlderJournal {
        /// The first of the files.
        path: String,
        /// The offsets that the journal lacks, of all partitions.
        lost: String,
    },
    /// A source was declared otherwise when its events came in.
    #[error("source `{origin}` was declared otherwise when its events came in: {problem}")]
    Declaration {
        /// The source.
        origin: String,
        /// What has changed.
        problem: String,
    },
    /// Events were decoded as their source was declared before.
    #[error("source `{origin}` is declared otherwise by now: the events have to be decoded again")]
    Redeclared {
        /// The source.
        origin: String,
    },
    /// An earlier write could not be made durable; what the disk holds now is not known.
    #[error("the log takes no events since a write failed: {problem}")]
    Stopped {
        /// What failed.
        problem: String,
    },
    /// A request that the log rejects.
    #[error("{0}")]
    Request(String),
    /// Rows could not be encoded.
    #[error("encoding rows: {0}")]
    Rows(#[from] ArrowError),
    /// A Parquet file could not be written.
    #[error("writing `{path}`: {cause}")]
    Parquet {
        /// The file.
        path: String,
        /// What the library reported.
        #[source]
        cause: ParquetError,
    },
    /// An entry of the journal could not be encoded.
    #[error("encoding an entry of the journal: {0}")]
    Entry(#[from] serde_json::Error),
    /// Records could not be read or decoded.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl DurableError {
    /// What to do, if that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            DurableError::Full { .. } => "free some space: the log then goes on without a restart".into(),
            DurableError::Corrupt { .. } | DurableError::Hole { .. } => {
                "events that were acknowledged are missing on this disk: restore the file from a backup".into()
            }
            DurableError::Declaration { .. } => {
                "put it back, or declare another source and send the events to it; fields may be added if they are \
                 optional or have a default, and be removed"
                    .into()
            }
            DurableError::JournalMissing { .. } => {
                "restore the journal from a backup; to start a new log without these events: `metricc serve \
                 --accept-loss`, which moves their files aside"
                    .into()
            }
            DurableError::OlderJournal { .. } => {
                "put the newest journal back; to go on from the older one without these events: `metricc serve \
                 --accept-loss`, which moves their files aside"
                    .into()
            }
            DurableError::Stopped { .. } => "check the disk, then restart the node".into(),
            DurableError::Log(error) => return error.help(),
            _ => return None,
        })
    }

    /// The error of a write that left nothing behind.
    pub(crate) fn writing(path: String, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DurableError::Full { path },
            _ => DurableError::Io { doing: "writing", path, cause },
        }
    }

    pub(crate) fn io(doing: &'static str, path: String) -> impl FnOnce(io::Error) -> Self {
        move |cause| DurableError::Io { doing, path, cause }
    }
}
