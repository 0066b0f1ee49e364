//! The durable log: acknowledged events, in the order of their positions, kept for ever.
//!
//! One [`DurableLog`] owns the files and writes them; everybody else reads through a [`LogReader`].
//!
//! - [`DurableLog::append`] takes requests and returns when they are durable. It writes many requests at
//!   once, in one frame of the journal: the whole frame is there after a crash, or none of it.
//! - [`LogReader::snapshot`] is the log as of the last write, an immutable [`LogSnapshot`]. Taking and
//!   reading it never waits for a write, an fsync or a flush, whatever the writer is doing.
//! - [`LogSnapshot::log`] is a source as a [`Log`](metricc_log::Log), which both engines read like a log of
//!   files.
//! - [`LogSnapshot::flushed_parts`] says where another process finds flushed positions, and [`open_flushed`] is
//!   how that one reads them.
//! - [`LogSnapshot::write_flush`] copies rows from the journal to Parquet files that other programs read, and
//!   [`DurableLog::commit_flush`] makes them part of the log and removes the journal files that are not
//!   needed any more.
//!
//! The position of a record, whether it decodes and whether it is a duplicate are decided once, when it
//! arrives, and written with it. So the answer cannot depend on when or by whom the log is read.
//!
//! Invariants:
//! - A frame is written only after the one before it is durable. Only a torn write after the last valid frame
//!   is truncated; any other corruption is an error that names file and bytes.
//! - A request that failed left nothing behind. After a failed fsync nothing is written until the log is
//!   opened again.
//! - Each position is in one chunk, the chunks of a partition have no gaps, and a file is removed only after
//!   another one holds its rows.

mod append;
mod archive;
mod checked_file;
mod chunk;
mod chunk_list;
mod commit_requests;
mod declared_sources;
mod dedup_index;
mod dedup_rebuild;
mod disk;
mod duplicate_audit;
mod duplicate_key;
mod ends_around;
mod error;
#[cfg(feature = "simulation")]
pub mod faulty_disk;
mod flush;
mod flushed_inputs;
mod flushed_part;
mod frame;
mod frame_payload;
mod journal;
mod journal_preamble;
mod kept_requests;
mod log;
mod log_mark;
mod loss;
mod open_files;
mod opening;
mod options;
mod orphans;
mod partition;
mod quarantine;
mod recent_rows;
mod rejected;
mod replay;
mod request;
mod request_end;
mod request_ends;
mod schema_check;
mod snapshot;
mod staging;
mod type_text;

pub use archive::{Archive, ArchivedFile, restore};
pub use dedup_index::DedupWindow;
pub use disk::{Disk, DiskFile, FileIdentity, LocalDisk};
pub use duplicate_audit::DerivedVerdicts;
pub use error::DurableError;
pub use flush::Flush;
pub use flushed_part::{FlushedFiles, FlushedPart, open_flushed};
pub use journal::TruncatedTail;
pub use journal_preamble::{JOURNAL_VERSION, LogId};
pub use kept_requests::WrittenRequests;
pub use log::DurableLog;
pub use log_mark::{FoundMark, LogAndEpoch, LogMark, MARK_FILE};
pub use opening::OpeningProgress;
pub use options::{DurableOptions, SourceOptions};
pub use quarantine::{Quarantine, QuarantinedRecord};
pub use request::{Accepted, Exception, InputRead, KnownRequest, Receipt, Request, Verdict};
pub use snapshot::{LogEpoch, LogReader, LogSnapshot};

/// Folder of the requests that are remembered.
pub(crate) const REQUESTS_FOLDER: &str = "requests";

/// Folder of the journal.
pub(crate) const JOURNAL_FOLDER: &str = "journal";

/// Folder of flushed files: one folder for each source.
pub(crate) const FLUSHED_FOLDER: &str = "events";
