//! A folder that is watched: what is put there is taken into the log, and then moved to `done` below it.
//!
//! A file is taken when it has not changed from one look to the next, so it is best put there under its name when it is
//! whole. Its requests have the keys that the same file always has: a node that is killed in the middle of a file starts
//! over with it and takes nothing twice, and a file that comes again is not taken again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metricc_log::Format;
use metricc_log::durable::{
    BodyLimits, DurableError, EventDecoder, FileRequest, FileRequests, Receipt, Request,
};
use tokio::runtime::Handle;

use crate::source::NodeSource;
use crate::writer::{Ingest, IngestError};

/// Time between two looks at a folder.
const EVERY: Duration = Duration::from_millis(500);

/// How long to wait before a request that the log did not take is sent again.
const PAUSE: Duration = Duration::from_millis(500);

/// Most bytes of a request.
const MAX_BYTES: usize = 4 << 20;

/// Where files go of which everything is in the log, and those that could not be read.
const DONE: &str = "done";
const REFUSED: &str = "refused";

/// A folder whose files are events of a source.
pub(crate) struct Watch {
    pub(crate) folder: PathBuf,
    pub(crate) source: Arc<NodeSource>,
    pub(crate) decoder: EventDecoder,
    pub(crate) ingest: Ingest,
    pub(crate) runtime: Handle,
    /// Most records and bytes of a request.
    pub(crate) limits: BodyLimits,
}

/// Why the rest of a file was not taken.
#[derive(Debug)]
enum Stop {
    /// The node goes down; the file is taken another time.
    Over,
    /// The file is no file of events.
    Refused(String),
}

/// How long a file is, and when it was written.
type Stamp = (u64, SystemTime);

impl Watch {
    /// Makes the folders that files are moved to.
    ///
    /// # Errors
    /// What the system says, if they cannot be made.
    pub(crate) fn prepare(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.folder.join(DONE))?;
        std::fs::create_dir_all(self.folder.join(REFUSED))
    }

    /// Runs until the node goes down.
    pub(crate) fn run(self) {
        let mut seen: BTreeMap<PathBuf, Stamp> = BTreeMap::new();
        while !self.source.is_over() {
            match self.files() {
                Ok(found) => {
                    for (path, stamp) in &found {
                        if seen.get(path) == Some(stamp) {
                            self.take(path);
                        }
                    }
                    seen = found;
                }
                Err(error) => {
                    let folder = self.folder.display();
                    tracing::error!(source = self.source.name(), %folder, %error, "the watched folder is not readable");
                }
            }
            self.wait(EVERY);
        }
    }

    fn wait(&self, time: Duration) {
        let mut left = time;
        while !self.source.is_over() && !left.is_zero() {
            let nap = left.min(Duration::from_millis(50));
            std::thread::sleep(nap);
            left -= nap;
        }
    }

    /// Files of events, by their names. Hidden ones and those with other suffixes are left alone.
    fn files(&self) -> std::io::Result<BTreeMap<PathBuf, Stamp>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            // One that goes away meanwhile is none.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && !is_hidden && Format::from_path(&entry.path()).is_some() {
                found.insert(entry.path(), (metadata.len(), metadata.modified()?));
            }
        }
        Ok(found)
    }

    fn take(&self, path: &Path) {
        let name = self.source.name();
        let shown = path.display();
        let folder = match self.take_all(path) {
            Ok(sums) => {
                let Sums { accepted, duplicates, quarantined, repeated } = sums;
                tracing::info!(
                    source = name, file = %shown, accepted, duplicates, quarantined, repeated,
                    "the file is in the log"
                );
                DONE
            }
            Err(Stop::Over) => return,
            Err(Stop::Refused(problem)) => {
                tracing::error!(source = name, file = %shown, %problem, "the file is not taken on");
                REFUSED
            }
        };
        self.source.counters.file_done(name, folder == DONE);
        if let Err(error) = move_below(path, &self.folder.join(folder)) {
            tracing::error!(source = name, file = %shown, %error, "the file could not be moved to `{folder}`");
            self.wait(PAUSE * 10);
        }
    }

    fn take_all(&self, path: &Path) -> Result<Sums, Stop> {
        let refused = |error: metricc_log::LogError| Stop::Refused(error.to_string());
        let n_records = usize::try_from(self.limits.records).unwrap_or(usize::MAX);
        let mut requests =
            FileRequests::open(path, n_records, MAX_BYTES.min(self.limits.bytes)).map_err(refused)?;
        let mut sums = Sums::default();
        while let Some(request) = requests.next_request().map_err(refused)? {
            sums.add(&self.put(request)?);
        }
        Ok(sums)
    }

    /// Puts a request into the log, however long that takes.
    fn put(&self, request: FileRequest) -> Result<Receipt, Stop> {
        // A single record may be longer than a request is by itself; the decoder has a limit for it.
        let limits = BodyLimits { records: u64::MAX, bytes: self.limits.bytes.max(request.body.len()) };
        let place = request.first;
        let events = self.decoder.decode(request.form, &request.body, &limits);
        let events =
            events.map_err(|error| Stop::Refused(format!("from record {} on: {error}", place + 1)))?;
        let digest = crate::digest(&request.body);
        let request_of_log = Request { events, key: Some(request.key), digest };
        loop {
            let appended = self.ingest.append(request_of_log.clone(), request.body.len());
            match self.runtime.block_on(appended) {
                Ok(receipt) => return Ok(receipt),
                Err(IngestError::Closing) => return Err(Stop::Over),
                Err(IngestError::Log(error)) if matches!(*error, DurableError::Request(_)) => {
                    return Err(Stop::Refused(error.to_string()));
                }
                // Busy, full or stopped: the file waits, like any other client.
                Err(_) if self.source.is_over() => return Err(Stop::Over),
                Err(_) => self.wait(PAUSE),
            }
        }
    }
}

/// What became of the records of a file.
#[derive(Debug, Default)]
struct Sums {
    accepted: u64,
    duplicates: u64,
    quarantined: u64,
    /// Requests that the log had already.
    repeated: u64,
}

impl Sums {
    fn add(&mut self, receipt: &Receipt) {
        self.accepted += receipt.accepted.n_accepted;
        self.duplicates += receipt.accepted.n_duplicates;
        self.quarantined += receipt.accepted.n_quarantined;
        self.repeated += u64::from(receipt.is_repeated);
    }
}

/// Moves a file into a folder, under a name that is free there.
fn move_below(path: &Path, folder: &Path) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut target = folder.join(&name);
    let mut number = 1;
    while target.exists() {
        target = folder.join(format!("{number}-{name}"));
        number += 1;
    }
    std::fs::rename(path, target)
}
