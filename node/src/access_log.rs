//! The access log: a JSON line for each read, at every door.
//!
//! Answers never wait for it: a line is put into a queue, which a thread writes to the file. What the queue or
//! the disk does not take is dropped and counted. A line has the name of a reader, and never a token.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use metricc_ir::calendar::instant_text;
use serde::Serialize;

use crate::config::AccessLogConfig;
use crate::error::NodeError;
use crate::status::family;

/// A read, as the log states it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AccessEntry {
    /// `read`, or `open` for a live answer that begins, and is a `read` when it ends.
    pub event: &'static str,
    /// The door: `http`, or that of another protocol.
    pub door: &'static str,
    /// Who reads, as [`Permission::name`](crate::Permission::name) says; `None` without a permission.
    pub reader: Option<String>,
    /// The address of the other end.
    pub address: Option<String>,
    /// What is read: the route, or the kind of a statement.
    pub route: String,
    /// The metrics that are read, and the frontier of each answer.
    pub metrics: Vec<AccessedMetric>,
    /// The parameters of the request, or the text of a statement.
    pub parameters: Vec<(String, String)>,
    /// The status of HTTP, or what is like it.
    pub status: u16,
    /// The rows of the answer, where they are counted.
    pub rows: Option<u64>,
    /// The bytes of the answer.
    pub bytes: u64,
    /// Whether the reader has got all of the answer.
    pub complete: bool,
}

/// A metric that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessedMetric {
    /// Its name.
    pub metric: String,
    /// The frontier of the answer; empty if it has none.
    pub frontier: Vec<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    entry: &'a AccessEntry,
    milliseconds: f64,
}

enum Message {
    Line(Vec<u8>),
    Reopen,
    Close,
}

/// The log; clones share it.
#[derive(Debug, Clone)]
pub struct AccessLog {
    queue: SyncSender<Message>,
    counts: Arc<Counts>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
}

impl AccessLog {
    /// Opens the file.
    ///
    /// # Errors
    /// [`NodeError::Config`] if that is not possible.
    pub(crate) fn start(config: &AccessLogConfig) -> Result<Self, NodeError> {
        let path = config.file.clone();
        let file = open(&path).map_err(|error| {
            NodeError::Config(format!("`access_log.file`: `{}` cannot be written: {error}", path.display()))
        })?;
        let (queue, waiting) = sync_channel(config.max_waiting.max(1));
        let counts = Arc::new(Counts::default());
        let writer = Writer { path, file: Some(file), counts: counts.clone(), is_failing: false };
        let thread = std::thread::Builder::new().name("metricc-access".to_owned());
        let thread = thread.spawn(move || writer.run(&waiting))?;
        Ok(AccessLog { queue, counts, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Writes a line for a read that began at a moment. Never waits.
    pub fn write(&self, entry: &AccessEntry, since: Instant) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = instant_text(i64::try_from(now.as_micros()).unwrap_or(i64::MAX), None);
        let line = Line { time, entry, milliseconds: since.elapsed().as_secs_f64() * 1e3 };
        let line = serde_json::to_vec(&line).map(|mut line| {
            line.push(b'\n');
            line
        });
        if line.map_or(true, |line| self.queue.try_send(Message::Line(line)).is_err()) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file again under its name, which another one may have now.
    pub fn reopen(&self) {
        // A full queue is written to the file that is open, and a renamed one is noticed there as well.
        let _ = self.queue.try_send(Message::Reopen);
    }

    /// Writes what waits.
    pub(crate) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && self.queue.send(Message::Close).is_ok()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the access log had panicked");
        }
    }

    /// The lines that were written, and those that were dropped, as counters.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let count = |counter: &AtomicU64| [(String::new(), counter.load(Ordering::Relaxed) as f64)];
        let (written, dropped) = (count(&self.counts.written), count(&self.counts.dropped));
        family(&mut text, "access_log_lines_total", "counter", "Lines of the access log.", written);
        let help = "Reads that the access log lacks, since its queue was full or its file not writable.";
        family(&mut text, "access_log_dropped_total", "counter", help, dropped);
        text
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    counts: Arc<Counts>,
    is_failing: bool,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Message>) {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut looked = Instant::now();
        while let Ok(message) = waiting.recv() {
            match message {
                Message::Close => return,
                Message::Reopen => self.file = None,
                Message::Line(line) => {
                    if looked.elapsed() > PAUSE {
                        looked = Instant::now();
                        self.leave_renamed();
                    }
                    self.write(&line);
                }
            }
        }
    }

    /// Closes a file that has another name now, or none.
    fn leave_renamed(&mut self) {
        let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = std::fs::metadata(&self.path).ok().map(id);
        let is_named = |file: &File| file.metadata().ok().map(id) == named;
        self.file = self.file.take().filter(is_named);
    }

    fn write(&mut self, line: &[u8]) {
        let written = match &mut self.file {
            Some(file) => file.write_all(line),
            None => open(&self.path).and_then(|file| self.file.insert(file).write_all(line)),
        };
        match written {
            Ok(()) => {
                self.counts.written.fetch_add(1, Ordering::Relaxed);
                self.is_failing = false;
            }
            Err(error) => {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                self.file = None;
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "reads are not written to `{}`", self.path.display());
                }
            }
        }
    }
}
