//! A folder that is watched: what is put there is taken into the log, and then moved to `done` below it.
//!
//! A file is taken when it has not changed from one look to the next, so it is best put there under its name when it is
//! whole. Its requests have the keys that the same file always has: a node that is killed in the middle of a file starts
//! over with it and takes nothing twice, and a file that comes again is not taken again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metricc_log::durable::{
    BodyLimits, DurableError, EventDecoder, FILE_RECORDS, FileRequest, FileRequests, Receipt, Request,
};
use metricc_log::{Format, LogError};
use tokio::runtime::Handle;

use crate::source::NodeSource;
use crate::writer::{Ingest, IngestError};

/// Time between two looks at a folder.
const EVERY: Duration = Duration::from_millis(500);

/// How long to wait before a request that the log did not take is sent again.
const PAUSE: Duration = Duration::from_millis(500);

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
    /// Most bytes that the values of a request may be.
    pub(crate) max_bytes: usize,
}

/// Why the rest of a file was not taken.
#[derive(Debug)]
enum Stop {
    /// The node goes down; the file is taken another time.
    Over,
    /// The file is no file of events.
    Refused(String),
    /// The system did not let it be read; that may pass.
    Unreadable(String),
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Unreadable { .. } => Stop::Unreadable(error.to_string()),
            _ => Stop::Refused(error.to_string()),
        }
    }
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
        // Files with which all is done but for the move.
        let mut done: BTreeMap<PathBuf, (Stamp, &str)> = BTreeMap::new();
        while !self.source.is_over() {
            match self.files() {
                Ok(found) => {
                    done.retain(|path, (stamp, _)| found.get(path) == Some(stamp));
                    for (path, stamp) in &found {
                        // What was seen first a while ago may have changed since.
                        if seen.get(path) == Some(stamp) && self.is_still(path, stamp) {
                            self.take(path, stamp, &mut done);
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
                found.insert(entry.path(), stamp_of(&metadata)?);
            }
        }
        Ok(found)
    }

    fn is_still(&self, path: &Path, stamp: &Stamp) -> bool {
        std::fs::metadata(path).and_then(|metadata| stamp_of(&metadata)).is_ok_and(|now| now == *stamp)
    }

    fn take(&self, path: &Path, stamp: &Stamp, done: &mut BTreeMap<PathBuf, (Stamp, &'static str)>) {
        let name = self.source.name();
        let shown = path.display();
        let folder = match done.get(path) {
            Some((_, folder)) => *folder,
            None => match self.take_all(path, stamp) {
                Ok(sums) => {
                    let Sums { accepted, duplicates, quarantined, repeated } = sums;
                    tracing::info!(
                        source = name, file = %shown, accepted, duplicates, quarantined, repeated,
                        "the file is in the log"
                    );
                    self.source.counters.file_done(name, true);
                    DONE
                }
                Err(Stop::Over) => return,
                Err(Stop::Unreadable(problem)) => {
                    tracing::warn!(source = name, file = %shown, %problem, "the file is tried again");
                    return self.wait(PAUSE);
                }
                Err(Stop::Refused(problem)) => {
                    tracing::error!(source = name, file = %shown, %problem, "the file is not taken on");
                    self.source.counters.file_done(name, false);
                    REFUSED
                }
            },
        };
        match move_below(path, &self.folder.join(folder)) {
            Ok(()) => drop(done.remove(path)),
            Err(error) => {
                tracing::error!(source = name, file = %shown, %error, "the file could not be moved to `{folder}`");
                done.insert(path.to_owned(), (*stamp, folder));
                self.wait(PAUSE * 10);
            }
        }
    }

    fn take_all(&self, path: &Path, stamp: &Stamp) -> Result<Sums, Stop> {
        let mut requests = FileRequests::open(path, FILE_RECORDS)?;
        let mut sums = Sums::default();
        while let Some(request) = requests.next_request()? {
            sums.add(&self.put(request)?);
        }
        if self.is_still(path, stamp) {
            return Ok(sums);
        }
        let problem = "it was changed while it was read: what it had at first is in the log; put it here whole, by `mv`";
        Err(Stop::Refused(problem.to_owned()))
    }

    /// Puts a request into the log, however long that takes.
    fn put(&self, request: FileRequest) -> Result<Receipt, Stop> {
        // A request of a file may be longer than one over HTTP, if a single record is.
        let limits = BodyLimits { records: u64::MAX, bytes: self.max_bytes.max(request.body.len()) };
        let place = request.first;
        let events = self.decoder.decode(request.form, &request.body, &limits);
        let events =
            events.map_err(|error| Stop::Refused(format!("from record {} on: {error}", place + 1)))?;
        let digest = crate::digest(&request.body);
        let request_of_log = Request { events, key: Some(request.key), digest };
        loop {
            let appended = self.ingest.append(request_of_log.clone());
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

fn stamp_of(metadata: &std::fs::Metadata) -> std::io::Result<Stamp> {
    Ok((metadata.len(), metadata.modified()?))
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
