//! Writing remembered requests to files, and naming these in the journal.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::REQUESTS_FOLDER;
use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::{Entry, KeptRequests};
use crate::kept_requests::{Group, WrittenRequests, write};
use crate::log::DurableLog;
use crate::snapshot::LogSnapshot;

impl LogSnapshot {
    /// Whether there are requests that [`LogSnapshot::write_requests`] would write.
    pub fn has_requests_to_write(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Writes some of the remembered requests to files, and makes these durable. The log does not use them
    /// before [`DurableLog::commit_requests`]. Only one may do that at a time.
    ///
    /// # Errors
    /// [`DurableError`] if a file could not be written.
    pub fn write_requests(&self, disk: &Arc<dyn Disk>) -> Result<WrittenRequests, DurableError> {
        if self.ready.is_empty() {
            return Ok(WrittenRequests::default());
        }
        disk.create_folder(REQUESTS_FOLDER)
            .map_err(DurableError::io("creating the folder", disk.shown(REQUESTS_FOLDER)))?;
        let file = |group: &Group| Ok((group.clone(), write(disk, group)?));
        let files = self.ready.iter().map(file).collect::<Result<_, DurableError>>()?;
        disk.sync_folder(REQUESTS_FOLDER)
            .map_err(DurableError::io("syncing the folder", disk.shown(REQUESTS_FOLDER)))?;
        Ok(WrittenRequests { files })
    }
}

impl DurableLog {
    /// Leaves requests out of checkpoints from now on that files hold.
    ///
    /// # Errors
    /// [`DurableError`] if that could not be made durable. Nothing is lost then.
    pub fn commit_requests(&mut self, written: &WrittenRequests) -> Result<(), DurableError> {
        let mut payload = self.new_payload();
        let is_first =
            |group: &Group| self.replay.ready.front().is_some_and(|first| Arc::ptr_eq(first, group));
        let n_late = written.files.iter().take_while(|(group, _)| !is_first(group)).count();
        let (late, rest) = written.files.split_at(n_late);
        // What the log has forgotten since it was written is not needed.
        late.iter().for_each(|(_, kept)| self.remove_unnamed(&kept.file.path));
        let pairs = rest.iter().zip(&self.replay.ready);
        let next =
            pairs.take_while(|((group, _), ready)| Arc::ptr_eq(group, ready)).map(|((_, kept), _)| kept);
        let mut n_forgotten = self.replay.n_ready_forgotten as u64;
        let mut n_files = 0;
        for kept in next {
            payload.push(Entry::Kept(KeptRequests { n_forgotten, ..kept.clone() }));
            (n_forgotten, n_files) = (0, n_files + 1);
        }
        if n_files == 0 {
            return Ok(());
        }
        let committed = self.write(payload);
        self.publish();
        committed
    }

    /// Removes a file that the journal has never named; if that fails, the next opening moves it aside.
    fn remove_unnamed(&self, path: &str) {
        let state = &self.replay.state.kept;
        let named = state.iter().map(|kept| &kept.file.path).chain(&self.replay.obsolete);
        let is_named = named.chain(self.obsolete.iter().map(|(_, path)| path)).any(|named| named == path);
        if !is_named {
            let _ = self.disk.remove(path);
        }
    }

    /// Removes files that no checkpoint names any more. `first` is the number of the first frame of the
    /// journal.
    pub(crate) fn drop_requests(&mut self, first: u64) -> Result<(), DurableError> {
        let is_needed = |(since, _): &(u64, String)| *since > first;
        while let Some((_, path)) = self.obsolete.front().filter(|file| !is_needed(file)) {
            match self.disk.remove(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(DurableError::io("removing", self.disk.shown(path))(error));
                }
                _ => self.obsolete.pop_front(),
            };
        }
        Ok(())
    }
}
