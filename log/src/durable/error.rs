//! What can go wrong with a durable log, and what to do about it.

use std::io;

use crate::LogError;

/// Why a durable log could not be opened, or did not take a request. [`DurableError::help`] says the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurableError {
    /// The operating system refused.
    #[error("{doing} `{path}`: {cause}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// There is no room left for a request. Nothing of it was kept; what is in the log can be read.
    #[error("there is no room for more events on the disk of `{path}`")]
    Full {
        /// The file that could not grow.
        path: String,
    },
    /// Something that was durable has been changed since.
    #[error("`{path}` is damaged in bytes {from} to {to}: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// The first byte that is not sound.
        from: u64,
        /// The first sound byte behind it, or the end of the file.
        to: u64,
        /// How that is known.
        problem: String,
    },
    /// Positions of a partition are in no file.
    #[error("offsets {from} to {to} of partition {partition} of source `{origin}` are missing: {problem}")]
    Hole {
        /// The source.
        origin: String,
        /// The partition.
        partition: u32,
        /// The first missing offset.
        from: u64,
        /// The first offset that is there again.
        to: u64,
        /// What should have held them.
        problem: String,
    },
    /// A file of another version, or of another log.
    #[error("`{path}` {problem}")]
    Foreign {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A source was declared otherwise when its events came in.
    #[error("source `{origin}` was another one when its events came in: {problem}")]
    Declaration {
        /// The source.
        origin: String,
        /// What has changed.
        problem: String,
    },
    /// A write could not be made durable before; what the disk holds now is not known.
    #[error("the log takes no events since a write failed: {problem}")]
    Stopped {
        /// What failed.
        problem: String,
    },
    /// A request that the log does not take.
    #[error("{0}")]
    Request(String),
    /// Records could not be read or decoded.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl DurableError {
    /// What to do, if that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            DurableError::Full { .. } => "free some room: the log then goes on by itself".into(),
            DurableError::Damaged { .. } | DurableError::Hole { .. } => {
                "events that were acknowledged are lost to this disk: bring the file back from a backup".into()
            }
            DurableError::Declaration { .. } => {
                "fields may be added if they are optional or have a default, and be removed; for anything else \
                 declare another source"
                    .into()
            }
            DurableError::Foreign { problem, .. } if problem.contains("journal is gone") => {
                "bring the journal back from a backup, or move the sealed events elsewhere to start a new log".into()
            }
            DurableError::Stopped { .. } => "see to the disk, then start the node again".into(),
            DurableError::Log(error) => return error.help(),
            _ => return None,
        })
    }

    pub(crate) fn io(doing: &'static str, path: String) -> impl FnOnce(io::Error) -> Self {
        move |cause| DurableError::Io { doing, path, cause }
    }
}
