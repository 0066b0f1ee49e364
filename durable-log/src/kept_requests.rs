//! Requests that the log remembers, in files of their own.
//!
//! A checkpoint states all that the log remembers, and every file of the journal starts with one. Most of
//! that are requests, of which only the last ones are new. So they are written to files once, in groups, by
//! whoever flushes, while the log goes on; the journal then says which files hold the oldest requests, and
//! its checkpoints the rest.
//!
//! | file | content |
//! |---|---|
//! | `requests/CHECKSUM.json` | a JSON array of requests, as a checkpoint has them; XXH3-64 of its bytes is its name |
//!
//! Invariants: the files that the state names hold the oldest requests, in order, without a gap. A file is
//! durable before the journal names it, and is removed only when the first checkpoint of the journal does not
//! name it any more. Without a file that it names, or with a damaged one, the log is not opened: a repeated
//! request would count again.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::{Entry, FlushedFile, KeptRequests, RequestEntry};
use crate::log::DurableLog;
use crate::orphans;
use crate::snapshot::LogSnapshot;

/// The folder of the files.
pub(crate) const FOLDER: &str = "requests";

/// Most files that are written at once: each is synced, and other writes of the disk wait for that.
pub(crate) const AT_ONCE: usize = 4;

/// Requests that follow one another and go into one file.
pub(crate) type Group = Arc<[RequestEntry]>;

/// Files that were written and are not part of the log yet.
#[derive(Debug, Default)]
pub struct WrittenRequests {
    files: Vec<(Group, KeptRequests)>,
}

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
        disk.create_folder(FOLDER).map_err(DurableError::io("creating the folder", disk.shown(FOLDER)))?;
        let file = |group: &Group| Ok((group.clone(), write(disk, group)?));
        let files = self.ready.iter().map(file).collect::<Result<_, DurableError>>()?;
        disk.sync_folder(FOLDER).map_err(DurableError::io("syncing the folder", disk.shown(FOLDER)))?;
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

fn write(disk: &Arc<dyn Disk>, group: &Group) -> Result<KeptRequests, DurableError> {
    let bytes = serde_json::to_vec(&group[..])?;
    let checksum = XxHash3_64::oneshot(&bytes);
    let path = format!("{FOLDER}/{checksum:016x}.json");
    disk.write_whole(&path, &bytes).map_err(DurableError::io("writing", disk.shown(&path)))?;
    let file = FlushedFile { path, n_bytes: bytes.len() as u64, checksum };
    Ok(KeptRequests { n_requests: group.len() as u64, n_forgotten: 0, file })
}

/// The requests of a file that the journal names.
pub(crate) fn read(disk: &Arc<dyn Disk>, kept: &KeptRequests) -> Result<Vec<RequestEntry>, DurableError> {
    let FlushedFile { path, n_bytes, checksum } = &kept.file;
    let shown = disk.shown(path);
    let opened = disk.open(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            orphans::put_back(disk, FOLDER, path)?;
            disk.open(path)
        }
        _ => Err(error),
    });
    let bytes = opened.and_then(|file| {
        // One byte more than there should be shows a longer file.
        let mut bytes = vec![0; usize::try_from(*n_bytes).unwrap_or(usize::MAX).saturating_add(1)];
        let n_read = file.read_up_to(0, &mut bytes)?;
        bytes.truncate(n_read);
        Ok(bytes)
    });
    let bytes = bytes.map_err(DurableError::io("reading", shown.clone()))?;
    let corrupt = |problem: &str| DurableError::Corrupt {
        path: shown.clone(),
        from: 0,
        to: bytes.len() as u64,
        problem: format!("{problem}, and it says which requests the log has"),
    };
    if bytes.len() as u64 != *n_bytes || XxHash3_64::oneshot(&bytes) != *checksum {
        return Err(corrupt("its checksum is not that in the journal"));
    }
    let requests: Vec<RequestEntry> =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(&error.to_string()))?;
    if requests.len() as u64 != kept.n_requests {
        return Err(corrupt("it has another number of requests than the journal says"));
    }
    Ok(requests)
}

/// Moves files aside that the journal does not name, and removes those that are not whole.
pub(crate) fn set_aside(disk: &Arc<dyn Disk>, known: &HashSet<&str>) -> Result<(), DurableError> {
    let names = disk.names(FOLDER).map_err(DurableError::io("reading the folder", disk.shown(FOLDER)))?;
    for name in names {
        let path = format!("{FOLDER}/{name}");
        if name.ends_with(".unfinished") {
            disk.remove(&path).map_err(DurableError::io("removing", disk.shown(&path)))?;
        } else if !known.contains(path.as_str()) {
            orphans::move_aside(disk, FOLDER, &path, &name)?;
        }
    }
    Ok(())
}
