//! How far a log is that is being opened. It may have to read its journal and the identities of its last events,
//! which takes a second for some million events, and whoever waits for it wants to know.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a log reads while it is opened, and how much of it is read. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct OpeningProgress(Arc<Mutex<Reading>>);

#[derive(Debug)]
enum Reading {
    /// So many bytes of the journal, in one of its files.
    Journal { n_bytes: u64, file: usize, n_files: usize },
    /// The keys of the last events of a source.
    Keys { source: String, done: u64, total: u64 },
}

impl Default for Reading {
    fn default() -> Self {
        Reading::Journal { n_bytes: 0, file: 0, n_files: 0 }
    }
}

impl OpeningProgress {
    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of the files of the journal is read next.
    pub(crate) fn begin_file(&self, next: usize, of: usize) {
        if let Reading::Journal { file, n_files, .. } = &mut *self.lock() {
            (*file, *n_files) = (next, of);
        }
    }

    /// The keys of so many events of a source are read next.
    pub(crate) fn begin_keys(&self, source: &str, total: u64) {
        *self.lock() = Reading::Keys { source: source.to_owned(), done: 0, total };
    }

    /// So many more bytes, or events, are read.
    pub(crate) fn add(&self, n: usize) {
        let reading = &mut *self.lock();
        let (Reading::Journal { n_bytes: done, .. } | Reading::Keys { done, .. }) = reading;
        *done = done.saturating_add(n as u64);
    }
}

impl fmt::Display for OpeningProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.lock() {
            Reading::Journal { n_bytes, file, n_files } => {
                write!(f, "{} MiB of the journal, in file {file} of {n_files}", n_bytes >> 20)
            }
            Reading::Keys { source, done, total } => {
                write!(f, "the keys of {done} of the last {total} events of source `{source}`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_text_of_the_part_that_is_read() {
        let progress = OpeningProgress::default();
        let other = progress.clone();
        progress.begin_file(1, 2);
        progress.add(70 << 20);
        progress.begin_file(2, 2);
        progress.add(3 << 20);
        assert_eq!(other.to_string(), "73 MiB of the journal, in file 2 of 2");
        progress.begin_keys("payments", 9);
        progress.add(4);
        assert_eq!(other.to_string(), "the keys of 4 of the last 9 events of source `payments`");
    }
}
