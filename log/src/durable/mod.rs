//! The durable log: events that were acknowledged, in the order of their positions, for ever.
//!
//! - [`DurableLog::append`] takes requests; what it answers with is durable. Many requests are written at once, in one frame
//!   of the journal: whole, or not at all.
//! - [`DurableLog::log`] is the log as it stands now, read by both engines like any other [`Log`](crate::Log).
//! - [`DurableLog::seal`] moves rows from the journal to Parquet files that anybody can read.
//!
//! What becomes of a record (its position, whether it decodes, whether it is a duplicate) is decided once, when it comes in,
//! and written down with it. So it cannot depend on when or by whom the log is read.
//!
//! Invariants:
//! - A frame is written only when the one before it is durable. The journal is cut only behind its last sound frame; anything
//!   else that is not sound is an error that names the place.
//! - A request that failed left nothing behind. After a failed sync nothing is written until the log is opened again.
//! - A position is in one part, the parts of a partition have no holes, and a file goes only when another has its rows.

mod append;
mod declared;
mod disk;
mod entry;
mod error;
mod events;
mod events_columns;
mod exceptions;
mod file_requests;
mod fold;
mod frame;
mod journal;
mod log;
mod part;
mod partition;
mod quarantine;
mod recent;
mod remember;
mod request;
mod seal;
mod stage;

pub use disk::{Disk, DiskFile, LocalDisk};
pub use error::DurableError;
pub use events::{BodyError, BodyForm, BodyLimits, EventDecoder, Events, Rejected};
pub use file_requests::{FILE_RECORDS, FileRequest, FileRequests};
pub use journal::{Cut, JOURNAL_VERSION, LogId};
pub use log::{DurableLog, DurableOptions, SourceOptions};
pub(crate) use part::Part;
pub(crate) use partition::{DurablePartition, DurableReader};
pub use quarantine::{Quarantine, QuarantinedRecord};
pub use recent::Horizon;
pub use request::{Accepted, Exception, Receipt, Request, Verdict};
pub use seal::Seal;

/// Folder of the journal.
pub(crate) const JOURNAL_FOLDER: &str = "journal";

/// Folder of sealed files: one folder for each source.
pub(crate) const SEALED_FOLDER: &str = "events";
