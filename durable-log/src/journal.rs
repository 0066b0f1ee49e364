//! The journal: files of [frames](crate::frame), one after the other, of which the last one grows.
//!
//! A file starts with a [preamble](crate::journal_preamble). Its first frame is a checkpoint: the state after
//! all files before it, without rows. A file gets its name, the number of that frame, only when the frame is
//! durable. So files can be removed from the front.
//!
//! A file of an older version is never written to: the next frame comes into a file of its own, so that a
//! file has no frames that readers of its version do not know.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use metricc_log::ReadAt;

use crate::disk::{Disk, DiskFile};
use crate::error::DurableError;
use crate::frame::{self, Found, HEAD_BYTES, MAX_PAYLOAD_BYTES};
use crate::journal_preamble::{self, JOURNAL_VERSION, LogId, PREAMBLE_BYTES};
use crate::open_files::{LogFile, OpenFiles};
use crate::opening::OpeningProgress;

const SUFFIX: &str = ".journal";
const UNFINISHED: &str = ".unfinished";

/// Where the payload of a frame is stored.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) file: Arc<LogFile>,
    pub(crate) path: Arc<str>,
    pub(crate) at: u64,
}

/// The end of a journal that was truncated when it was opened: a torn write that was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruncatedTail {
    /// The file.
    pub path: String,
    /// Its length now.
    pub at: u64,
    /// How many bytes were removed.
    pub n_bytes: u64,
}

#[derive(Debug)]
struct JournalFile {
    first: u64,
    name: String,
    path: Arc<str>,
    file: Arc<LogFile>,
}

#[derive(Debug)]
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    folder: String,
    id: LogId,
    files: VecDeque<JournalFile>,
    open_files: Arc<OpenFiles>,
    /// The last file, as it is written. It stays open, so that nobody takes another one for it.
    last: Option<Arc<dyn DiskFile>>,
    /// The version of the last file.
    version: u8,
    /// Length of the last file, and where its last frame starts.
    end: u64,
    last_frame: u64,
    /// Where the checkpoint of the last file ends.
    checkpoint_end: u64,
    /// Number of the next frame.
    next: u64,
    /// Why nothing is written any more, if so.
    stopped: Option<String>,
}

/// Called for each frame of a journal that is opened: whether it is the first of its file, its location and
/// its payload.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(bool, &Location, &[u8]) -> Result<(), DurableError>;

impl Journal {
    /// Starts a journal in a folder without one.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        open_files: &Arc<OpenFiles>,
        folder: &str,
        id: LogId,
        checkpoint: &[u8],
    ) -> Result<Self, DurableError> {
        disk.create_folder(folder)
            .and_then(|()| disk.sync_folder(""))
            .map_err(DurableError::io("creating the folder", disk.shown(folder)))?;
        let mut journal = Journal {
            disk: disk.clone(),
            folder: folder.to_owned(),
            id,
            files: VecDeque::new(),
            open_files: open_files.clone(),
            last: None,
            version: JOURNAL_VERSION,
            end: 0,
            last_frame: 0,
            checkpoint_end: 0,
            next: 0,
            stopped: None,
        };
        journal.roll(checkpoint)?;
        Ok(journal)
    }

    /// Opens the journal of a folder, if there is one, and passes every frame to `visit`. A torn write at the
    /// end, which was never acknowledged, is truncated.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        open_files: &Arc<OpenFiles>,
        folder: &str,
        opening: &OpeningProgress,
        visit: Visit<'_>,
    ) -> Result<Option<(Self, Option<TruncatedTail>)>, DurableError> {
        let names = disk.names(folder).map_err(DurableError::io("reading the folder", disk.shown(folder)))?;
        let mut files = VecDeque::new();
        for name in names {
            let path = format!("{folder}/{name}");
            if name.ends_with(UNFINISHED) {
                disk.remove(&path).map_err(DurableError::io("removing", disk.shown(&path)))?;
            } else if let Some(first) = name.strip_suffix(SUFFIX).and_then(|first| first.parse().ok()) {
                let file = Arc::new(LogFile::new(open_files, disk, &path));
                files.push_back(JournalFile { first, name, path: disk.shown(&path).into(), file });
            }
        }
        let (Some(first), Some(last)) = (files.front(), files.back()) else { return Ok(None) };
        let path = format!("{folder}/{}", last.name);
        let writable = disk.open(&path).map_err(DurableError::io("opening", last.path.to_string()))?;
        last.file.hold(writable.clone());
        let ((id, version), next) = (journal_preamble::read(&*first.file, &first.path)?, first.first);
        let (disk, folder) = (disk.clone(), folder.to_owned());
        let mut journal = Journal {
            disk,
            folder,
            id,
            files,
            open_files: open_files.clone(),
            last: Some(writable),
            version,
            end: 0,
            last_frame: 0,
            checkpoint_end: 0,
            next,
            stopped: None,
        };
        let mut truncated = None;
        for number in 0..journal.files.len() {
            opening.begin_file(number + 1, journal.files.len());
            truncated = journal.walk(number, opening, visit)?;
        }
        journal.resync()?;
        Ok(Some((journal, truncated)))
    }

    /// Makes the last frame and the names of files durable. A process that was killed, or whose sync failed,
    /// may have left them visible but not durable, and from here on the log relies on them. The frame is
    /// written again, since a system may consider pages clean after their sync has failed.
    fn resync(&self) -> Result<(), DurableError> {
        let (Some(last), Some(file)) = (self.files.back(), &self.last) else { return Ok(()) };
        let write_again = || {
            let mut frame = vec![0; usize::try_from(self.end - self.last_frame).map_err(io::Error::other)?];
            file.read_exact_at(self.last_frame, &mut frame)?;
            file.write_all_at(self.last_frame, &frame)?;
            file.sync()?;
            self.disk.sync_folder(&self.folder)
        };
        write_again().map_err(DurableError::io("syncing the last frame of", last.path.to_string()))
    }

    /// Passes the frames of one file to `visit`. Only the end of the last file is ever truncated.
    fn walk(
        &mut self,
        number: usize,
        opening: &OpeningProgress,
        visit: Visit<'_>,
    ) -> Result<Option<TruncatedTail>, DurableError> {
        let is_last = number + 1 == self.files.len();
        let JournalFile { first, path, file, .. } = &self.files[number];
        let failed = |cause| DurableError::io("reading", path.to_string())(cause);
        let (id, version) = journal_preamble::read(&**file, path)?;
        self.version = version;
        if id != self.id {
            let problem = "belongs to another log than the files before it".to_owned();
            return Err(DurableError::Foreign { path: path.to_string(), problem });
        }
        // The next checkpoint, which knows the offsets, finds gaps between files.
        self.next = *first;
        let mut at = PREAMBLE_BYTES as u64;
        loop {
            let is_first = self.next == *first;
            match frame::read(&**file, at, self.id.seed, self.next).map_err(failed)? {
                Found::Frame(payload) => {
                    let start = at + HEAD_BYTES as u64;
                    self.last_frame = at;
                    visit(
                        is_first,
                        &Location { file: file.clone(), path: path.clone(), at: start },
                        &payload,
                    )?;
                    opening.add(HEAD_BYTES + payload.len());
                    at = start + payload.len() as u64;
                    if is_first {
                        self.checkpoint_end = at;
                    }
                    self.next += 1;
                }
                Found::End if !is_first => {
                    self.end = at;
                    return Ok(None);
                }
                Found::End | Found::Corrupt => {
                    let to = frame::next_valid(&**file, at, self.id.seed).map_err(failed)?;
                    if is_first || !is_last || to.is_some() {
                        let n_bytes = file.n_bytes().map_err(failed)?;
                        let problem = match to {
                            Some(_) => "valid events follow",
                            None if is_first => "a journal file starts with a checkpoint",
                            None => "another file follows",
                        };
                        let (to, problem) = (to.unwrap_or(n_bytes), problem.to_owned());
                        return Err(DurableError::Corrupt { path: path.to_string(), from: at, to, problem });
                    }
                    let n_bytes = file.n_bytes().map_err(failed)? - at;
                    let last = self.last.as_ref();
                    let cut = last.map_or(Ok(()), |last| last.set_n_bytes(at).and_then(|()| last.sync()));
                    cut.map_err(DurableError::io("truncating", path.to_string()))?;
                    self.end = at;
                    return Ok(Some(TruncatedTail { path: path.to_string(), at, n_bytes }));
                }
            }
        }
    }

    /// The number of the first frame, which is a checkpoint, and that of the next one.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (self.files.front().map_or(self.next, |first| first.first), self.next)
    }

    /// Whether the last file is of an older version, and the next frame has to come into another.
    pub(crate) fn is_older(&self) -> bool {
        self.version < JOURNAL_VERSION
    }

    pub(crate) fn id(&self) -> LogId {
        self.id
    }

    /// Bytes of the last file after the checkpoint with which it starts.
    pub(crate) fn n_bytes_of_frames(&self) -> u64 {
        self.end - self.checkpoint_end
    }

    /// Why nothing is written any more, if so.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Writes nothing any more.
    pub(crate) fn stop(&mut self, problem: String) {
        self.stopped = Some(problem);
    }

    /// Writes a frame, and returns when it is durable. On an error nothing of it is in the journal.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Location, DurableError> {
        if let Some(problem) = &self.stopped {
            return Err(DurableError::Stopped { problem: problem.clone() });
        }
        let (Some(last), Some(file)) = (self.files.back(), self.last.clone()) else {
            return Err(DurableError::Stopped { problem: "there is no journal".to_owned() });
        };
        if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
            return Err(DurableError::Request(format!(
                "{} bytes cannot be written at once: at most {MAX_PAYLOAD_BYTES}",
                payload.len()
            )));
        }
        let (location, path) = (last.file.clone(), last.path.clone());
        self.only_writer(&file, &path)?;
        let bytes = frame::frame(self.id.seed, self.next, payload);
        if let Err(cause) = file.write_all_at(self.end, &bytes) {
            // What was written must not be there when the next frame, or the next file, becomes durable.
            if let Err(error) = file.set_n_bytes(self.end).and_then(|()| file.sync()) {
                self.stopped = Some(format!("truncating a failed write to `{path}`: {error}"));
            }
            return Err(DurableError::writing(path.to_string(), cause));
        }
        if let Err(error) = file.sync() {
            // After a failed sync the system may drop dirty pages: trying again would prove nothing.
            let problem = format!("making a write to `{path}` durable: {error}");
            self.stopped = Some(problem.clone());
            return Err(DurableError::Stopped { problem });
        }
        let at = self.end + HEAD_BYTES as u64;
        self.end += bytes.len() as u64;
        self.next += 1;
        Ok(Location { file: location, path, at })
    }

    /// Stops if the last file is not as this journal left it: if another process writes to it, the frames of
    /// both would destroy each other; if its path leads to another file or to none, the next start would not
    /// find what is acknowledged from here on.
    fn only_writer(&mut self, file: &Arc<dyn DiskFile>, path: &str) -> Result<(), DurableError> {
        let n_bytes = file.n_bytes().map_err(DurableError::io("reading the length of", path.to_owned()))?;
        let problem = if n_bytes != self.end {
            let left = self.end;
            format!(
                "another process has changed `{path}`: it has {n_bytes} bytes, and this one left it with {left}"
            )
        } else if !self.is_at_its_path(file, path) {
            format!(
                "`{path}` is no longer the file that this process writes to: it was moved, replaced or deleted"
            )
        } else {
            return Ok(());
        };
        self.stopped = Some(problem.clone());
        Err(DurableError::Stopped { problem })
    }

    fn is_at_its_path(&self, file: &Arc<dyn DiskFile>, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let there = self.disk.identity(&format!("{}/{name}", self.folder));
        matches!((there, file.identity()), (Ok(there), Ok(open)) if there == open)
    }

    /// Starts the next file. On an error the last one goes on.
    pub(crate) fn roll(&mut self, checkpoint: &[u8]) -> Result<Location, DurableError> {
        if let Some(problem) = &self.stopped {
            return Err(DurableError::Stopped { problem: problem.clone() });
        }
        if checkpoint.len() > MAX_PAYLOAD_BYTES {
            let problem =
                format!("its checkpoint is {} bytes, at most {MAX_PAYLOAD_BYTES}", checkpoint.len());
            return Err(DurableError::Request(format!("the journal cannot start another file: {problem}")));
        }
        let last = self.files.back().map(|last| last.path.clone());
        if let (Some(file), Some(path)) = (self.last.clone(), last) {
            self.only_writer(&file, &path)?;
        }
        let name = format!("{:020}{SUFFIX}", self.next);
        let path = format!("{}/{name}", self.folder);
        let unfinished = format!("{path}{UNFINISHED}");
        let shown = self.disk.shown(&path);
        let mut bytes = journal_preamble::write(self.id);
        bytes.extend(frame::frame(self.id.seed, self.next, checkpoint));
        // An earlier attempt may have left one.
        let _ = self.disk.remove(&unfinished);
        let write = || {
            let file = self.disk.create(&unfinished)?;
            file.write_all_at(0, &bytes)?;
            file.sync()?;
            Ok(file)
        };
        let file = write().map_err(DurableError::io("starting", shown.clone()))?;
        // A rename that failed may have happened.
        let renamed = self.disk.rename(&unfinished, &path);
        if let Err(error) = renamed.and_then(|()| self.disk.sync_folder(&self.folder)) {
            let problem = format!("renaming to `{shown}`: {error}");
            self.stopped = Some(problem.clone());
            return Err(DurableError::Stopped { problem });
        }
        let (next, path): (_, Arc<str>) =
            (Arc::new(LogFile::new(&self.open_files, &self.disk, &path)), shown.into());
        next.hold(file.clone());
        if let Some(before) = self.files.back() {
            before.file.let_go();
        }
        self.last = Some(file);
        let (first, file) = (self.next, next.clone());
        self.files.push_back(JournalFile { first, name, path: path.clone(), file });
        self.end = bytes.len() as u64;
        self.checkpoint_end = self.end;
        self.version = JOURNAL_VERSION;
        self.next += 1;
        Ok(Location { file: next, path, at: (PREAMBLE_BYTES + HEAD_BYTES) as u64 })
    }

    /// Removes files from the front, up to the first that is needed or the last one. Whoever still reads them
    /// from a snapshot can go on.
    pub(crate) fn drop_files(&mut self, is_needed: impl Fn(&str) -> bool) -> Result<(), DurableError> {
        while self.files.len() > 1
            && let Some(first) = self.files.front().filter(|first| !is_needed(&first.path))
        {
            let path = format!("{}/{}", self.folder, first.name);
            if Arc::strong_count(&first.file) > 1 {
                first.file.hold_this().map_err(DurableError::io("opening", first.path.to_string()))?;
            }
            self.disk.remove(&path).map_err(DurableError::io("removing", self.disk.shown(&path)))?;
            self.files.pop_front();
        }
        Ok(())
    }
}
