//! An object as a file that is read from any position.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use metricc_log::ReadAt;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore};

use crate::background::runtime;
use crate::error::problem;
use crate::pieces::{Found, Pieces};

/// How often the bytes of an answer are asked for, beside what the client repeats of a request.
const ATTEMPTS: u32 = 4;

/// An object as it was when it was listed. Reading it after it was replaced is an error.
#[derive(Debug)]
pub(crate) struct ObjectFile {
    shared: Arc<Shared>,
    modified: Option<SystemTime>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn ObjectStore>,
    path: Path,
    shown: String,
    n_bytes: u64,
    /// What the store calls this version of the object.
    tag: Option<String>,
    pieces: Mutex<Pieces>,
    arrived: Condvar,
}

impl ObjectFile {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        path: Path,
        shown: String,
        (n_bytes, tag, modified): (u64, Option<String>, Option<SystemTime>),
    ) -> Self {
        let (pieces, arrived) = (Mutex::new(Pieces::new(n_bytes)), Condvar::new());
        ObjectFile {
            shared: Arc::new(Shared { store, path, shown, n_bytes, tag, pieces, arrived }),
            modified,
        }
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
                if_match: self.tag.clone(),
                ..GetOptions::default()
            };
            let outcome = match self.store.get_opts(&self.path, options).await {
                Ok(answer) => answer.bytes().await,
                Err(error) => Err(error),
            };
            attempt += 1;
            match outcome {
                Ok(bytes) => return Ok(bytes),
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                }
                Err(error) => return Err(problem(&error)),
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
        Ok(self.shared.n_bytes)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let shared = &self.shared;
        if into.is_empty() || at >= shared.n_bytes {
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
                    return Err(io::Error::other(format!("{}: {problem}", shared.shown)));
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
