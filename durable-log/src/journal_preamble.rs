//! The start of a file of the journal.
//!
//! | bytes | what |
//! |---|---|
//! | 7 + 1 | `metricc`, and the version of the format |
//! | 16 | the identity of the log |
//! | 8 | the seed of its checksums |
//! | 8 | XXH3-64 of the bytes before |
//!
//! Since version 2, frames note the ends of requests, the keys of duplicates, what tells events apart, epochs
//! after a loss, and files of requests. Since version 3, they note which fields a source does not declare.

use metricc_log::ReadAt;
use twox_hash::XxHash3_64;

use crate::error::DurableError;

const MAGIC: &[u8; 7] = b"metricc";

/// Version of the files that a journal is written in. Older ones are read; a newer one is not.
pub const JOURNAL_VERSION: u8 = 3;

pub(crate) const PREAMBLE_BYTES: usize = 40;

/// The identity of a log. Random: no two logs may have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogId {
    /// Its name in views and receipts.
    pub id: u128,
    /// The seed of its checksums, which never leaves the log.
    pub seed: u64,
}

/// The preamble of a file in the version that is written.
pub(crate) fn write(id: LogId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PREAMBLE_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.push(JOURNAL_VERSION);
    bytes.extend_from_slice(&id.id.to_le_bytes());
    bytes.extend_from_slice(&id.seed.to_le_bytes());
    bytes.extend_from_slice(&XxHash3_64::oneshot(&bytes).to_le_bytes());
    bytes
}

/// The log that a file belongs to, and the version that it is written in.
pub(crate) fn read(file: &dyn ReadAt, path: &str) -> Result<(LogId, u8), DurableError> {
    let (mut bytes, path) = ([0; PREAMBLE_BYTES], path.to_owned());
    let n_read = file.read_up_to(0, &mut bytes).map_err(DurableError::io("reading", path.clone()))?;
    if !bytes.starts_with(MAGIC) {
        return Err(DurableError::Foreign { path, problem: "is not a journal of metricc".to_owned() });
    }
    let version = bytes[7];
    if !(1..=JOURNAL_VERSION).contains(&version) {
        let problem = format!(
            "is a journal of version {version}, and this metricc reads versions up to {JOURNAL_VERSION}"
        );
        return Err(DurableError::Foreign { path, problem });
    }
    let (content, checksum) = bytes.split_at(PREAMBLE_BYTES - 8);
    if n_read < PREAMBLE_BYTES || XxHash3_64::oneshot(content).to_le_bytes() != checksum {
        let problem = "checksum mismatch in the start of the journal".to_owned();
        return Err(DurableError::Corrupt { path, from: 0, to: PREAMBLE_BYTES as u64, problem });
    }
    let (mut id, mut seed) = ([0; 16], [0; 8]);
    id.copy_from_slice(&content[8..24]);
    seed.copy_from_slice(&content[24..]);
    Ok((LogId { id: u128::from_le_bytes(id), seed: u64::from_le_bytes(seed) }, version))
}
