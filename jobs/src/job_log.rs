//! Logs of which other processes can read parts.

use std::sync::Arc;

use metricc_durable_log::{Disk, FlushedPart, LogSnapshot, open_flushed};
use metricc_ir::{Interval, Slice, Source};
use metricc_log::{Checksums, FilePart, Log};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::JobError;
use crate::package_text::hex;

/// An interval, as slices in the order of the log with the files that have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parts {
    /// Of a log of files.
    Files(Vec<FilePart>),
    /// Of a durable log.
    Flushed(Vec<FlushedPart>),
}

impl Parts {
    /// The slices.
    pub(crate) fn slices(&self) -> Vec<Slice> {
        match self {
            Parts::Files(parts) => parts.iter().map(|part| part.slice).collect(),
            Parts::Flushed(parts) => parts.iter().map(|part| part.slice).collect(),
        }
    }

    /// The log of these parts, with as many partitions as the one that they are of.
    pub(crate) fn open(
        &self,
        source: &Arc<Source>,
        n_partitions: usize,
        checksums: &Checksums,
    ) -> Result<Log, JobError> {
        match self {
            Parts::Files(parts) => Ok(Log::open_parts(source, n_partitions, parts, checksums)?),
            Parts::Flushed(parts) => Ok(open_flushed(source, n_partitions, parts)?),
        }
    }
}

/// A log that is evaluated by jobs, as the process has opened it that hands them out.
#[derive(Debug)]
pub enum JobLog<'a> {
    /// A log of files.
    Files {
        /// The log.
        log: &'a Log,
        /// Checksums of its files.
        checksums: Checksums,
    },
    /// The flushed files of a durable log. The journal stays where it is.
    Durable {
        /// A source of the snapshot.
        log: &'a Log,
        /// The durable log.
        snapshot: &'a LogSnapshot,
        /// Where it is.
        disk: &'a Arc<dyn Disk>,
    },
}

impl<'a> JobLog<'a> {
    /// A log of files.
    pub fn of_files(log: &'a Log) -> Self {
        JobLog::Files { log, checksums: Checksums::default() }
    }

    pub(crate) fn log(&self) -> &Log {
        match self {
            JobLog::Files { log, .. } | JobLog::Durable { log, .. } => log,
        }
    }

    /// What tells the log from others, and from itself after a change.
    pub(crate) fn id(&self, interval: &Interval) -> Result<String, JobError> {
        match self {
            JobLog::Files { log, checksums } => {
                let mut hasher = Sha256::new();
                for part in log.file_parts(interval, checksums)? {
                    hasher.update(part.name.as_bytes());
                    hasher.update(part.file.n_bytes.to_le_bytes());
                    hasher.update(part.file.checksum.to_le_bytes());
                }
                Ok(hex(&hasher.finalize()))
            }
            JobLog::Durable { snapshot, .. } => {
                Ok(format!("{:032x}-{}", snapshot.id(), snapshot.epoch_of_positions()))
            }
        }
    }

    pub(crate) fn parts(&self, interval: &Interval) -> Result<Parts, JobError> {
        match self {
            JobLog::Files { log, checksums } => Ok(Parts::Files(log.file_parts(interval, checksums)?)),
            JobLog::Durable { log, snapshot, disk } => {
                Ok(Parts::Flushed(snapshot.flushed_parts(disk, &log.source().name, interval)?))
            }
        }
    }
}
