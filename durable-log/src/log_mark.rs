//! The mark beside a log: which log was written here last, and in which epoch.
//!
//! The folder of a log may be lost as a whole: a disk that is not mounted, a folder that was moved. A new log
//! would be started in its place, and give out offsets that clients already have. So the mark lies outside of
//! that folder. Invariant: it is durable before the first event of an epoch is written, and names only what
//! the log has, so a log that does not have what the mark names has lost events.
//!
//! `log-mark.json` is `{"format": 1, "checksum": …, "mark": {…}}`, with XXH3-64 of the text of the mark.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_log::Frontier;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::Epoch;

/// The file, in the folder in which the log's folder is.
pub const MARK_FILE: &str = "log-mark.json";

/// Version of the file; no other is read.
const FORMAT: u32 = 1;

/// An epoch of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAndEpoch {
    /// The identity of the log, as views have it.
    pub id: String,
    /// The epoch.
    pub epoch: String,
}

/// What the mark says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMark {
    /// The log, and its last epoch in which events came in.
    pub log: LogAndEpoch,
    /// The end of each source when that epoch began.
    pub from: BTreeMap<String, Frontier>,
    /// Epochs of which events were lost, which was accepted: what was made from them proves no other loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<LogAndEpoch>,
}

/// A mark, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundMark {
    /// There is none: nothing was acknowledged, or by a version that wrote none.
    Nothing,
    /// It is whole.
    Whole(LogMark),
    /// There is one, which is damaged or of another version.
    Unreadable,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkFile<'a> {
    format: u32,
    checksum: u64,
    #[serde(borrow)]
    mark: &'a RawValue,
}

impl LogMark {
    /// Reads the mark of a folder.
    ///
    /// # Errors
    /// [`DurableError::Io`] if the disk fails.
    pub fn read(disk: &Arc<dyn Disk>) -> Result<FoundMark, DurableError> {
        let failed = DurableError::io("reading", disk.shown(MARK_FILE));
        let Some(bytes) = disk.read_whole(MARK_FILE).map_err(failed)? else {
            return Ok(FoundMark::Nothing);
        };
        let file: Option<MarkFile<'_>> = serde_json::from_slice(&bytes).ok();
        let file = file.filter(|file| {
            file.format == FORMAT && XxHash3_64::oneshot(file.mark.get().as_bytes()) == file.checksum
        });
        let mark = file.and_then(|file| serde_json::from_str(file.mark.get()).ok());
        Ok(mark.map_or(FoundMark::Unreadable, FoundMark::Whole))
    }

    /// Writes the mark of a folder.
    ///
    /// # Errors
    /// [`DurableError`] if it could not be written.
    pub fn write(&self, disk: &Arc<dyn Disk>) -> Result<(), DurableError> {
        let mark = RawValue::from_string(serde_json::to_string(self)?)?;
        let checksum = XxHash3_64::oneshot(mark.get().as_bytes());
        let bytes = serde_json::to_vec(&MarkFile { format: FORMAT, checksum, mark: &mark })?;
        let written = disk.write_whole(MARK_FILE, &bytes).and_then(|()| disk.sync_folder(""));
        written.map_err(|cause| DurableError::writing(disk.shown(MARK_FILE), cause))
    }
}

/// The mark of an open log.
#[derive(Debug)]
pub(crate) struct KeptMark {
    disk: Arc<dyn Disk>,
    accepted: Vec<LogAndEpoch>,
    /// Whether it names the epoch of this opening.
    is_written: bool,
}

impl KeptMark {
    pub(crate) fn new(disk: Arc<dyn Disk>, accepted: Vec<LogAndEpoch>) -> Self {
        KeptMark { disk, accepted, is_written: false }
    }

    pub(crate) fn is_written(&self) -> bool {
        self.is_written
    }

    /// Names the last epoch of a log, which has to be durable.
    pub(crate) fn write(&mut self, id: u128, epoch: &Epoch) -> Result<(), DurableError> {
        let log = LogAndEpoch { id: format!("{id:032x}"), epoch: epoch.id.clone() };
        let from = epoch.from.iter().map(|(name, ends)| (name.clone(), Frontier(ends.clone()))).collect();
        LogMark { log, from, accepted: self.accepted.clone() }.write(&self.disk)?;
        self.is_written = true;
        Ok(())
    }
}
