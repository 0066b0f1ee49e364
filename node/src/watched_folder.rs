//! A watched folder: its files are appended to the log, and then moved to its subfolder `done`.
//!
//! A file is read when it has not changed from one scan to the next and no process has it open for writing;
//! one whose last line has no end waits longer. Its requests have the keys that the same file always has: a
//! node that is killed in the middle of a file reads it again and appends nothing twice, and neither does a
//! file that comes again. So a file that grows while it is read, or after it was moved, is read again, and
//! its rest is appended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metricc_durable_log::{DurableError, Receipt, Request};
use metricc_log::{
    BodyLimits, FILE_RECORDS, FileOptions, FileRequest, FileRequests, LogError, Position, Quarantined,
    ReadStats,
};
use tokio::runtime::Handle;

use crate::folder_scan::{self, DONE, FoundFile, REFUSED, Stamp, is_unfinished, stamp_of};
use crate::intake_report::Intake;
use crate::moved_files::{self, MovedFiles};
use crate::open_files::{FileId, open_for_writing};
use crate::source::NodeSource;
use crate::writer::{Ingest, IngestError};

/// Time between two scans of a folder.
const EVERY: Duration = Duration::from_millis(500);

/// How long a file without an end of its last line must not have changed: somebody may be about to write the
/// rest.
const UNFINISHED: Duration = Duration::from_secs(3);

/// How long to wait before a request that the log did not take is repeated.
const PAUSE: Duration = Duration::from_millis(500);

/// Reasons of rejected records of a file that are logged.
const LOGGED_REASONS: usize = 10;

/// A folder whose files are events of a source.
pub(crate) struct WatchedFolder {
    pub(crate) folder: PathBuf,
    /// How its files are read, where their names do not tell it.
    pub(crate) options: FileOptions,
    pub(crate) source: Arc<NodeSource>,
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
    /// The file has changed since it was found to be still.
    Changed,
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
        let mut seen: BTreeMap<PathBuf, FoundFile> = BTreeMap::new();
        let mut state = State::default();
        self.find_changed(&mut state.moved);
        while !self.source.is_stopping() {
            for name in state.moved.put_back(&self.folder) {
                let source = self.source.name();
                tracing::info!(
                    source,
                    file = name,
                    "the file was changed after it was moved, and is read again"
                );
            }
            match folder_scan::files(&self.folder, &self.options, self.source.name(), &mut state.left) {
                Ok(mut found) => {
                    for (path, file) in &mut found {
                        if let Some(known) = seen.get(path).filter(|known| known.stamp == file.stamp) {
                            file.since = known.since;
                        }
                    }
                    state
                        .done
                        .retain(|path, (stamp, _)| found.get(path).is_some_and(|file| file.stamp == *stamp));
                    self.take_ready(&found, &mut state);
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

    /// Takes the files that have been still for long enough, and that nobody writes to.
    fn take_ready(&self, found: &BTreeMap<PathBuf, FoundFile>, state: &mut State) {
        let is_ready = |(path, file): &(&PathBuf, &FoundFile)| {
            let still = file.since.elapsed();
            still >= EVERY && (still >= UNFINISHED || !is_unfinished(path, &self.options))
        };
        let ready: Vec<(&PathBuf, &FoundFile)> = found.iter().filter(is_ready).collect();
        let ids: BTreeSet<FileId> = ready.iter().map(|(_, file)| file.id).collect();
        let written = open_for_writing(&ids);
        for id in written.difference(&state.written) {
            let file =
                ready.iter().find(|(_, file)| file.id == *id).map(|(path, _)| path.display().to_string());
            tracing::info!(
                source = self.source.name(),
                file,
                "a process has the file open for writing: it is read when it is closed"
            );
        }
        for (path, file) in ready {
            // It may have changed since the scan.
            if !written.contains(&file.id) && self.is_still(path, &file.stamp) {
                self.take(path, &file.stamp, state);
            }
        }
        state.written = written;
    }

    /// Finds files whose content was changed after they were moved, while the node did not run. The log has
    /// to have their beginning: of a file that it has forgotten, it would take everything again.
    fn find_changed(&self, moved: &mut MovedFiles) {
        let Ok(entries) = std::fs::read_dir(self.folder.join(DONE)) else { return };
        for entry in entries.flatten() {
            let is_changed = entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_file() && moved_files::is_changed_since_moved(&metadata));
            if !is_changed {
                continue;
            }
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let before = moved_files::names_before(&name).find(|name| self.has_rest(&path, name));
            if let Some(before) = before {
                // No file is so: it counts as changed.
                moved.add(path.clone(), before.to_owned(), (0, SystemTime::UNIX_EPOCH));
            }
        }
    }

    /// Whether the log has the beginning of a file that had a name, and not all of it.
    fn has_rest(&self, path: &Path, name: &str) -> bool {
        let Ok(requests) = FileRequests::open(path, &self.options, FILE_RECORDS) else { return false };
        let Ok(mut requests) = self.known(requests.named(name)) else { return false };
        let mut is_known = false;
        while let Ok(Some(request)) = requests.next_request() {
            if !request.is_known {
                return is_known;
            }
            is_known = true;
        }
        false
    }

    fn wait(&self, time: Duration) {
        let mut left = time;
        while !self.source.is_stopping() && !left.is_zero() {
            let nap = left.min(Duration::from_millis(50));
            std::thread::sleep(nap);
            left -= nap;
        }
    }

    fn is_still(&self, path: &Path, stamp: &Stamp) -> bool {
        std::fs::metadata(path).and_then(|metadata| stamp_of(&metadata)).is_ok_and(|now| now == *stamp)
    }

    fn take(&self, path: &Path, stamp: &Stamp, state: &mut State) {
        let name = self.source.name();
        let shown = path.display();
        let folder = match state.done.get(path) {
            Some((_, folder)) => *folder,
            None => match self.take_all(path, stamp) {
                Ok(sums) => {
                    let Sums { accepted, duplicates, conflicts, quarantined, repeated, stats } = sums;
                    if conflicts > 0 {
                        tracing::warn!(
                            source = name, file = %shown, conflicts,
                            "records have the key of an event in the log, and other values: the log keeps the first event"
                        );
                    }
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
                Err(Stop::Changed) => {
                    tracing::info!(source = name, file = %shown, "the file has changed while it was read, and is read again");
                    return;
                }
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
            Ok(target) => {
                state.done.remove(path);
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                state.moved.add(target, name, *stamp);
            }
            Err(error) => {
                tracing::error!(source = name, file = %shown, %error, "the file could not be moved to `{folder}`");
                state.done.insert(path.to_owned(), (*stamp, folder));
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

    /// Takes what the log does not have of a file. What is wrong with one that has changed meanwhile may be
    /// that it is not complete.
    fn take_all(&self, path: &Path, stamp: &Stamp) -> Result<Sums, Stop> {
        match (self.take_requests(path), self.is_still(path, stamp)) {
            (Err(Stop::Closing), _) => Err(Stop::Closing),
            (_, false) => Err(Stop::Changed),
            (taken, true) => taken,
        }
    }

    fn take_requests(&self, path: &Path) -> Result<Sums, Stop> {
        let mut requests = self.known(FileRequests::open(path, &self.options, FILE_RECORDS)?)?;
        let mut sums = Sums::default();
        let shown: Arc<str> = path.to_string_lossy().into();
        while let Some(request) = requests.next_request()? {
            match request.is_known {
                true => sums.repeated += 1,
                false => sums.add(self.put(&request, &shown)?),
            }
        }
        Ok(sums)
    }

    /// A file, divided as it was when the requests of it that the log has were made.
    fn known(&self, mut requests: FileRequests) -> Result<FileRequests, Stop> {
        let prefix = requests.key_prefix();
        let known = self.ingest.known_requests(self.source.name(), &prefix);
        for known in self.runtime.block_on(known).map_err(|_| Stop::Closing)? {
            requests.know(&known.key, known.n_records());
        }
        Ok(requests)
    }

    /// Appends a request to the log, however long that takes. It is decoded as its source is declared then.
    fn put(&self, request: &FileRequest, shown: &Arc<str>) -> Result<(Receipt, ReadStats), Stop> {
        loop {
            if let Some(taken) = self.put_decoded(request, shown)? {
                return Ok(taken);
            }
        }
    }

    /// As [`WatchedFolder::put`]; `None` if the source is declared otherwise by now.
    fn put_decoded(
        &self,
        request: &FileRequest,
        shown: &Arc<str>,
    ) -> Result<Option<(Receipt, ReadStats)>, Stop> {
        let decoder = self.source.decoder().ok_or(Stop::Closing)?;
        // A request of a file may be longer than one over HTTP, if a single record is.
        let limits = BodyLimits { records: u64::MAX, bytes: self.max_bytes.max(request.body.len()) };
        let events = decoder.decode(request.format, &request.body, &limits);
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
        let request_of_log = Request { events, key: Some(request.key.clone()), digest, read: None };
        loop {
            let appended = self.ingest.append(request_of_log.clone());
            match self.runtime.block_on(appended) {
                Ok(receipt) => {
                    if !receipt.is_repeated {
                        self.source.take_in(&intake);
                    }
                    return Ok(Some((receipt, stats)));
                }
                Err(IngestError::Closing) => return Err(Stop::Closing),
                Err(IngestError::Log(error)) if matches!(*error, DurableError::Redeclared { .. }) => {
                    return Ok(None);
                }
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
    /// Of the duplicates, those with other values than the first event.
    conflicts: u64,
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
        self.conflicts += receipt.accepted.n_conflicts;
        self.quarantined += receipt.accepted.n_quarantined;
        self.repeated += u64::from(receipt.is_repeated);
    }
}

/// What a watched folder keeps from one scan to the next.
#[derive(Debug, Default)]
struct State {
    /// Files that only have to be moved.
    done: BTreeMap<PathBuf, (Stamp, &'static str)>,
    /// What is left alone.
    left: BTreeSet<PathBuf>,
    /// Files that were open for writing.
    written: BTreeSet<FileId>,
    moved: MovedFiles,
}

/// Moves a file into a folder, under a name that is free there. Returns where it is then.
fn move_below(path: &Path, folder: &Path) -> std::io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut target = folder.join(&name);
    let mut number = 1;
    while target.exists() {
        target = folder.join(format!("{number}-{name}"));
        number += 1;
    }
    std::fs::rename(path, &target)?;
    Ok(target)
}
