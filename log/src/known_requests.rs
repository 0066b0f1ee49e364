//! Which parts of a file a log has already: the requests that were made of it before.
//!
//! A file that has grown is divided into other requests than before, since the last one was shorter then. So
//! the requests of a file are divided as those that are in the log were, as far as the file still has their
//! content: their keys say where each began and what was in it, and the log how many records it had.

use std::collections::BTreeMap;

use twox_hash::XxHash3_64;

/// The requests of one file that are in a log, by the index of their first record.
#[derive(Debug, Default)]
pub(crate) struct KnownRequests {
    /// Number of records and hash of the body, the longest first.
    by_first: BTreeMap<u64, Vec<(u64, u64)>>,
}

/// The key of a request: the name of the file, the place in it, and the content.
pub(crate) fn key(file: &str, first: u64, body: &[u8]) -> String {
    format!("{}{first}-{:016x}", prefix(file), XxHash3_64::oneshot(body))
}

/// What the keys of all requests of a file begin with.
pub(crate) fn prefix(file: &str) -> String {
    format!("{:016x}-", XxHash3_64::oneshot(file.as_bytes()))
}

impl KnownRequests {
    /// Adds a request by its key and its number of records. Keys of other files or makers are left out.
    pub(crate) fn add(&mut self, file: &str, key: &str, n_records: u64) {
        let Some((first, hash)) = key.strip_prefix(&prefix(file)).and_then(|rest| rest.split_once('-'))
        else {
            return;
        };
        if let (Ok(first), Ok(hash)) = (first.parse(), u64::from_str_radix(hash, 16)) {
            let known = self.by_first.entry(first).or_default();
            known.push((n_records, hash));
            known.sort_unstable_by(|left, right| right.cmp(left));
            known.dedup();
        }
    }

    /// The most records of a known request that begins at a record.
    pub(crate) fn most_records(&self, first: u64) -> Option<u64> {
        self.by_first.get(&first)?.first().map(|(n_records, _)| *n_records)
    }

    /// The longest known request that begins at a record and is what the file has there. `body` gives the
    /// body of a number of records; `None` if so many are not there.
    pub(crate) fn at<B: AsRef<[u8]>>(
        &self,
        first: u64,
        mut body: impl FnMut(u64) -> Option<B>,
    ) -> Option<(u64, B)> {
        self.by_first.get(&first)?.iter().find_map(|(n_records, hash)| {
            let body = body(*n_records)?;
            (XxHash3_64::oneshot(body.as_ref()) == *hash).then_some((*n_records, body))
        })
    }
}
