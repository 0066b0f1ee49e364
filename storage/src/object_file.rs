//! An object as a file that is read from any position.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use metricc_log::ReadAt;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore};

use crate::address::Kind;
use crate::background::runtime;
use crate::error::problem;
use crate::pieces::{Found, Pieces};
use crate::small_objects::SmallObjects;

/// How often the bytes of an answer are asked for, beside what the client repeats of a request.
const ATTEMPTS: u32 = 4;

/// An object as it was when it was listed.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    pub(crate) kind: Kind,
    /// Its URL in messages.
    pub(crate) shown: String,
    pub(crate) n_bytes: u64,
    /// What the store calls this version of the object.
    pub(crate) tag: Option<String>,
}

/// An object to read from. Reading it after it was replaced is an error.
#[derive(Debug)]
pub(crate) struct ObjectFile {
    shared: Arc<Shared>,
    modified: Option<SystemTime>,
}

#[derive(Debug)]
struct Shared {
    object: Object,
    pieces: Mutex<Pieces>,
    arrived: Condvar,
    small: Arc<SmallObjects>,
}

impl ObjectFile {
    pub(crate) fn new(object: Object, modified: Option<SystemTime>, small: &Arc<SmallObjects>) -> Self {
        let pieces = match small.get(&object) {
            Some(bytes) => Pieces::of_whole(bytes),
            None => Pieces::new(object.n_bytes),
        };
        let (pieces, arrived, small) = (Mutex::new(pieces), Condvar::new(), small.clone());
        ObjectFile { shared: Arc::new(Shared { object, pieces, arrived, small }), modified }
    }
}

impl Shared {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a range, and what there is room for after it.
    fn request(self: &Arc<Self>, pieces: &mut Pieces, first: Option<Range<u64>>) {
        for range in first.into_iter().chain(std::iter::from_fn(|| pieces.next())) {
            let shared = self.clone();
            runtime().spawn(async move {
                let outcome = shared.get(range.clone()).await;
                if let Ok(bytes) = &outcome {
                    shared.small.keep(&shared.object, bytes);
                }
                let mut pieces = shared.pieces();
                pieces.arrived(&range, outcome);
                // What was read ahead makes room as it is read.
                shared.request(&mut pieces, None);
                drop(pieces);
                shared.arrived.notify_all();
            });
        }
    }

    async fn get(&self, range: Range<u64>) -> Result<Bytes, String> {
        let mut attempt = 0;
        loop {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                if_match: self.object.tag.clone(),
                ..GetOptions::default()
            };
            let outcome = match self.object.store.get_opts(&self.object.path, options).await {
                Ok(answer) => answer.bytes().await,
                Err(error) => Err(error),
            };
            attempt += 1;
            match outcome {
                Ok(bytes) => return Ok(bytes),
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                }
                Err(error) => return Err(problem(self.object.kind, &error)),
            }
        }
    }
}

/// Whether an error may be gone when the request is repeated.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Generic { .. } | Error::JoinError { .. })
}

impl ReadAt for ObjectFile {
    fn n_bytes(&self) -> io::Result<u64> {
        Ok(self.shared.object.n_bytes)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let shared = &self.shared;
        if into.is_empty() || at >= shared.object.n_bytes {
            return Ok(0);
        }
        let mut pieces = shared.pieces();
        loop {
            let (found, now) = pieces.find(at, into.len() as u64);
            shared.request(&mut pieces, now);
            match found {
                Found::Bytes(bytes) => {
                    drop(pieces);
                    let n_bytes = bytes.len().min(into.len());
                    into[..n_bytes].copy_from_slice(&bytes[..n_bytes]);
                    return Ok(n_bytes);
                }
                Found::Failed(problem) => {
                    return Err(io::Error::other(format!("{}: {problem}", shared.object.shown)));
                }
                Found::Wait => {
                    pieces = shared.arrived.wait(pieces).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        Ok(self.modified)
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        let mut pieces = self.shared.pieces();
        pieces.want(ranges);
        self.shared.request(&mut pieces, None);
    }
}

#[cfg(test)]
mod tests {
    use metricc_log::FileStore;

    use crate::Storage;

    #[test]
    fn an_object_is_read_as_it_was_listed_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, vec![1; 1 << 20]).unwrap();
        let storage = Storage::open(format!("file://{}", folder.path().display()).parse().unwrap()).unwrap();
        let listed = storage.list(storage.url().path()).unwrap();
        let read = || {
            let (file, mut bytes) = (storage.open(&listed[0]).unwrap(), [0; 10]);
            file.read_at(1_000, &mut bytes).map(|n_bytes| bytes[..n_bytes].to_vec())
        };
        assert_eq!(read().unwrap(), [1; 10]);
        std::fs::write(&path, vec![2; 1 << 20]).unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains("a.bin: it was changed while it was read"), "{error}");
    }
}
