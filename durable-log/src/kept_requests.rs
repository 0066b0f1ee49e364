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

use crate::REQUESTS_FOLDER;
use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::{FlushedFile, KeptRequests, RequestEntry};
use crate::orphans;

/// Most files that are written at once: each is synced, and other writes of the disk wait for that.
pub(crate) const AT_ONCE: usize = 4;

/// Requests that follow one another and go into one file.
pub(crate) type Group = Arc<[RequestEntry]>;

/// Files that were written and are not part of the log yet.
#[derive(Debug, Default)]
pub struct WrittenRequests {
    pub(crate) files: Vec<(Group, KeptRequests)>,
}

pub(crate) fn write(disk: &Arc<dyn Disk>, group: &Group) -> Result<KeptRequests, DurableError> {
    let bytes = serde_json::to_vec(&group[..])?;
    let checksum = XxHash3_64::oneshot(&bytes);
    let path = format!("{REQUESTS_FOLDER}/{checksum:016x}.json");
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
            orphans::put_back(disk, REQUESTS_FOLDER, path)?;
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
    let names = disk
        .names(REQUESTS_FOLDER)
        .map_err(DurableError::io("reading the folder", disk.shown(REQUESTS_FOLDER)))?;
    for name in names {
        let path = format!("{REQUESTS_FOLDER}/{name}");
        if name.ends_with(".unfinished") {
            disk.remove(&path).map_err(DurableError::io("removing", disk.shown(&path)))?;
        } else if !known.contains(path.as_str()) {
            orphans::move_aside(disk, REQUESTS_FOLDER, &path, &name)?;
        }
    }
    Ok(())
}
