//! A watched folder: its files are appended to the log, and then moved to its subfolder `done`.
//!
//! A file is read when it has not changed from one scan to the next; so it is best moved there when it is
//! complete. Its requests have the keys that the same file always has: a node that is killed in the middle of
//! a file reads it again and appends nothing twice, and neither does a file that comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metricc_durable_log::{DurableError, Receipt, Request};
use metricc_log::{
    BodyLimits, EventDecoder, FILE_RECORDS, FileOptions, FileRequest, FileRequests, Format, LogError,
    Position, Quarantined, ReadStats,
};
use tokio::runtime::Handle;

use crate::intake::Intake;
use crate::source::NodeSource;
use crate::writer::{Ingest, IngestError};

/// Time between two scans of a folder.
const EVERY: Duration = Duration::from_millis(500);

/// How long to wait before a request that the log did not take is repeated.
const PAUSE: Duration = Duration::from_millis(500);

/// Reasons of rejected records of a file that are logged.
const LOGGED_REASONS: usize = 10;

/// Subfolders of files that are in the log, and of files that could not be read.
const DONE: &str = "done";
const REFUSED: &str = "refused";

/// A folder whose files are events of a source.
pub(crate) struct WatchedFolder {
    pub(crate) folder: PathBuf,
    /// How its files are read, where their names do not tell it.
    pub(crate) options: FileOptions,
    pub(crate) source: Arc<NodeSource>,
    pub(crate) decoder: EventDecoder,
    pub(crate) ingest: Ingest,
    pub(crate) runtime: Handle,
    /// The most bytes of the values of a request.
    pub(crate) max_bytes: usize,
}

/// Why the rest of a file was not taken.
#[derive(Debug)]
enum Stop {
    /// The node is shutting down; the file is read after the next start.
    Closing,
    /// The file is not a file of events.
    Rejected(String),
    /// The file is not readable now.
    Unreadable(String),
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Unreadable { .. } => Stop::Unreadable(error.to_string()),
            _ => Stop::Rejected(match error.help() {
                Some(help) => format!("{error}; {help}"),
                None => error.to_string(),
            }),
        }
    }
}

/// How long a file is, and when it was written.
type Stamp = (u64, SystemTime);

impl WatchedFolder {
    /// Makes the folders that files are moved to.
    ///
    /// # Errors
    /// What the system says, if they cannot be made.
    pub(crate) fn prepare(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(self.folder.join(DONE))?;
        std::fs::create_dir_all(self.folder.join(REFUSED))
    }

    /// Runs until the node is shutting down.
    pub(crate) fn run(self) {
        let mut seen: BTreeMap<PathBuf, Stamp> = BTreeMap::new();
        // Files that only have to be moved.
        let mut done: BTreeMap<PathBuf, (Stamp, &str)> = BTreeMap::new();
        let mut left = BTreeSet::new();
        while !self.source.is_stopping() {
            match self.files(&mut left) {
                Ok(found) => {
                    done.retain(|path, (stamp, _)| found.get(path) == Some(stamp));
                    for (path, stamp) in &found {
                        // It may have changed since the scan.
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
        while !self.source.is_stopping() && !left.is_zero() {
            let nap = left.min(Duration::from_millis(50));
            std::thread::sleep(nap);
            left -= nap;
        }
    }

    /// Files of events, by their names. Hidden ones are left alone; so is what is not a file of events, which is
    /// said once.
    fn files(&self, left: &mut BTreeSet<PathBuf>) -> std::io::Result<BTreeMap<PathBuf, Stamp>> {
        let (mut found, mut others) = (BTreeMap::new(), BTreeSet::new());
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // It may have been removed meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            if name.starts_with('.') || (metadata.is_dir() && [DONE, REFUSED].contains(&name.as_str())) {
                continue;
            }
            match self.why_left(&entry.path(), &metadata) {
                None => drop(found.insert(entry.path(), stamp_of(&metadata)?)),
                Some(why) => {
                    if !left.contains(&entry.path()) {
                        let (source, file) = (self.source.name(), entry.path().display().to_string());
                        tracing::warn!(source, %file, "left alone: it is {why}");
                    }
                    others.insert(entry.path());
                }
            }
        }
        *left = others;
        Ok(found)
    }

    /// Why something in the folder is not taken; `None` if it is.
    fn why_left(&self, path: &Path, metadata: &std::fs::Metadata) -> Option<&'static str> {
        let kind = metadata.file_type();
        match () {
            () if kind.is_symlink() => Some("a symbolic link: move the file itself here"),
            () if kind.is_dir() => Some("a folder: move its files here"),
            () if !kind.is_file() => Some("not a plain file"),
            () if self.options.format.is_none() && Format::from_path(path).is_none() => {
                Some("of no known format: its suffix tells none, and `format` of the source is not set")
            }
            () => None,
        }
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
                    let Sums { accepted, duplicates, quarantined, repeated, stats } = sums;
                    self.log_rejections(&shown.to_string(), &stats);
                    if stats.n_records == 0 && repeated == 0 {
                        tracing::warn!(source = name, file = %shown, "there is no record in the file");
                    }
                    tracing::info!(
                        source = name, file = %shown, accepted, duplicates, quarantined, repeated,
                        "the file is in the log"
                    );
                    self.source.counters.file_done(name, true);
                    DONE
                }
                Err(Stop::Closing) => return,
                Err(Stop::Unreadable(problem)) => {
                    tracing::warn!(source = name, file = %shown, %problem, "the file is tried again");
                    return self.wait(PAUSE);
                }
                Err(Stop::Rejected(problem)) => {
                    tracing::error!(source = name, file = %shown, %problem, "the file is rejected");
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

    /// Logs why records of a file were rejected: each reason with its number and the line of the first.
    fn log_rejections(&self, file: &str, stats: &ReadStats) {
        let groups = stats.rejections.groups();
        for group in groups.iter().take(LOGGED_REASONS) {
            let (source, records, first) = (self.source.name(), group.n_records, &group.first);
            let (line, record) = (first.line, first.position.offset + 1);
            let (field, problem, value) = (first.field.as_deref(), &first.problem, &first.excerpt);
            tracing::warn!(
                source,
                file,
                records,
                line,
                record,
                field,
                problem,
                value,
                "records are rejected"
            );
        }
        if groups.len() > LOGGED_REASONS {
            let (source, reasons) = (self.source.name(), groups.len() - LOGGED_REASONS);
            tracing::warn!(source, file, reasons, "records are rejected for more reasons");
        }
    }

    fn take_all(&self, path: &Path, stamp: &Stamp) -> Result<Sums, Stop> {
        let mut requests = FileRequests::open(path, &self.options, FILE_RECORDS)?;
        let prefix = requests.key_prefix();
        let known = self.ingest.known_requests(self.source.name(), &prefix);
        for known in self.runtime.block_on(known).map_err(|_| Stop::Closing)? {
            requests.know(&known.key, known.n_records());
        }
        let mut sums = Sums::default();
        let shown: Arc<str> = path.to_string_lossy().into();
        while let Some(request) = requests.next_request()? {
            match request.is_known {
                true => sums.repeated += 1,
                false => sums.add(self.put(request, &shown)?),
            }
        }
        if self.is_still(path, stamp) {
            return Ok(sums);
        }
        let problem = "it was changed while it was read: the events read so far are in the log; move complete files here, by `mv`";
        Err(Stop::Rejected(problem.to_owned()))
    }

    /// Appends a request to the log, however long that takes.
    fn put(&self, request: FileRequest, shown: &Arc<str>) -> Result<(Receipt, ReadStats), Stop> {
        // A request of a file may be longer than one over HTTP, if a single record is.
        let limits = BodyLimits { records: u64::MAX, bytes: self.max_bytes.max(request.body.len()) };
        let events = self.decoder.decode(request.format, &request.body, &limits);
        let events = events.map_err(|error| {
            let place = match request.line_of(0) {
                Some(line) if request.first > 0 => format!("from line {line} on: "),
                None if request.first > 0 => format!("from record {} on: ", request.first + 1),
                _ => String::new(),
            };
            Stop::Rejected(format!("{place}{error}"))
        })?;
        let intake = Intake::of(&events, shown, |record| request.line_of(record));
        let stats = in_file(&intake, request.first);
        let digest = crate::digest(&request.body);
        let request_of_log = Request { events, key: Some(request.key), digest };
        loop {
            let appended = self.ingest.append(request_of_log.clone());
            match self.runtime.block_on(appended) {
                Ok(receipt) => {
                    if !receipt.is_repeated {
                        self.source.take_in(&intake);
                    }
                    return Ok((receipt, stats));
                }
                Err(IngestError::Closing) => return Err(Stop::Closing),
                Err(IngestError::Log(error)) if matches!(*error, DurableError::Request(_)) => {
                    return Err(Stop::Rejected(error.to_string()));
                }
                // Busy, full or stopped: the file waits like any other client.
                Err(_) if self.source.is_stopping() => return Err(Stop::Closing),
                Err(_) => self.wait(PAUSE),
            }
        }
    }
}

/// The statistics of a request by the places in its file.
fn in_file(intake: &Intake, first: u64) -> ReadStats {
    let mut stats = ReadStats { n_records: intake.stats.n_records, ..ReadStats::default() };
    for record in &intake.rejected {
        let position = Position { offset: first + record.position.offset, ..record.position };
        stats.quarantine(Quarantined { position, ..record.clone() });
    }
    stats
}

/// What became of the records of a file.
#[derive(Debug, Default)]
struct Sums {
    accepted: u64,
    duplicates: u64,
    quarantined: u64,
    /// Requests that the log had already.
    repeated: u64,
    /// Why records did not decode.
    stats: ReadStats,
}

impl Sums {
    fn add(&mut self, (receipt, stats): (Receipt, ReadStats)) {
        self.stats.merge(stats);
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
