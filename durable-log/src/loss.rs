//! A log that has lost events: what is lost, and how it goes on once that is accepted.
//!
//! Invariant: what proves a loss stays where it is until the epoch that begins without the lost events is
//! durable, so a node that is killed in between says it again.

use std::sync::Arc;

use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::Entry;
use crate::log::DurableLog;
use crate::log_mark::{KeptMark, LogAndEpoch};
use crate::orphans::{self, LaterFile, lost_offsets};

impl DurableLog {
    /// What the log has lost and [`DurableOptions::accept_loss`](crate::DurableOptions) accepts: of each
    /// partition, the offsets that only flushed files have which the journal does not know. They are moved
    /// aside by [`DurableLog::begin_after_loss`], which has to be called where there are any.
    pub fn losses(&self) -> Vec<String> {
        lost_offsets(&self.lost_files)
    }

    /// Marks the log in a folder outside of its own, from the next event on. `accepted` are the epochs of
    /// which events were lost before.
    pub fn keep_mark(&mut self, disk: Arc<dyn Disk>, accepted: Vec<LogAndEpoch>) {
        self.mark = Some(KeptMark::new(disk, accepted));
    }

    /// Begins the epoch that this opening is as one after a loss: events that readers have seen are not in
    /// the log any more, and their offsets are given out again. Returns when that is durable, so that no
    /// reader can take positions of before for those of now.
    ///
    /// # Errors
    /// [`DurableError`] if it could not be written.
    pub fn begin_after_loss(&mut self) -> Result<(), DurableError> {
        for entry in &mut self.pending {
            if let Entry::Epoch(epoch) = entry {
                epoch.is_after_loss = true;
            }
        }
        let begun = self.write(self.new_payload()).and_then(|()| self.write_mark());
        self.publish();
        begun?;
        for LaterFile { source, path, file, .. } in std::mem::take(&mut self.lost_files) {
            orphans::move_aside(&self.disk, &source, &path, &file)?;
        }
        Ok(())
    }

    /// Begins the epoch of this opening and marks it, unless that was done: then a log without what follows
    /// is known to have lost it.
    pub(crate) fn begin_marked(&mut self) -> Result<(), DurableError> {
        if self.mark.as_ref().is_none_or(KeptMark::is_written) {
            return Ok(());
        }
        if self.pending.iter().any(|entry| matches!(entry, Entry::Epoch(_))) {
            self.write(self.new_payload())?;
        }
        self.write_mark()
    }

    fn write_mark(&mut self) -> Result<(), DurableError> {
        match (&mut self.mark, self.replay.state.epochs.last()) {
            (Some(mark), Some(epoch)) => mark.write(self.journal.id().id, epoch),
            _ => Ok(()),
        }
    }
}
