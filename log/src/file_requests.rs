//! A file of events as requests, for clients that send it and for watched folders.
//!
//! The same file is always split into the same requests, and the key of each is made of the name of the file,
//! the index of its first record and a hash of its content. So sending a file again repeats the same
//! requests, and adds nothing twice. A file that has grown goes on where it was, if it is known which of its
//! requests are in the log ([`FileRequests::know`]).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::body_format::BodyFormat;
use crate::contents::HEAD_BYTES;
use crate::file_format::Shape;
use crate::files::{LogFile, SequentialReader};
use crate::known_requests::{self, KnownRequests};
use crate::records::{Record, Records, Separation};
use crate::text_reader::separation;
use crate::{FileOptions, Format, LogError, folders};

/// Records of a request, unless another number is wanted.
pub const FILE_RECORDS: usize = 5000;

/// Most bytes of a request.
const MAX_BYTES: usize = 4 << 20;

/// A part of a file that is sent as one request.
#[derive(Debug, Clone)]
pub struct FileRequest {
    /// The format of the body.
    pub format: BodyFormat,
    /// The events.
    pub body: Vec<u8>,
    /// Index of the first record in the file, from 0.
    pub first: u64,
    /// Records in the body.
    pub n_records: u64,
    /// The line of the file in which each record starts, from 1; only for text.
    pub lines: Vec<u64>,
    /// The share of the file that is in this request or earlier ones, from 0 to 1; only for text.
    pub done: Option<f64>,
    /// The idempotency key, which is the same wherever the file is sent from.
    pub key: String,
    /// Whether the log has it already, so that it need not be sent.
    pub is_known: bool,
}

impl FileRequest {
    /// The line of a record, by its index in the request.
    pub fn line_of(&self, record: u64) -> Option<u64> {
        self.lines.get(usize::try_from(record).ok()?).copied()
    }
}

/// The requests of a file, in order.
pub struct FileRequests {
    shown: String,
    /// The file's name, without its folders.
    name: String,
    known: KnownRequests,
    contents: Contents,
    max_records: usize,
    max_bytes: usize,
    first: u64,
}

impl std::fmt::Debug for FileRequests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRequests")
            .field("path", &self.shown)
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

enum Contents {
    Text(Text),
    Parquet { batches: Box<ParquetRecordBatchReader>, cut: VecDeque<RecordBatch> },
}

struct Text {
    shown: String,
    shape: Shape,
    separation: Separation,
    records: Records<SequentialReader>,
    n_bytes: u64,
    /// What each body starts with: the header of CSV, or the bracket of an array.
    head: Vec<u8>,
    /// Whether no request was made yet.
    is_first: bool,
    /// Records that did not fit into the body before.
    held: VecDeque<HeldRecord>,
}

/// A record that was read, with its line end.
struct HeldRecord {
    /// The lines of the blank ones before it.
    blank: Vec<u64>,
    line: u64,
    bytes: Vec<u8>,
    /// Whether the file ended before its line did: when the file grows, it may be another record.
    is_unfinished: bool,
}

impl HeldRecord {
    fn n_records(&self) -> u64 {
        self.blank.len() as u64 + 1
    }

    fn n_bytes(&self) -> usize {
        self.bytes.len() + self.blank.len()
    }
}

/// The records of a request.
struct Body {
    body: Vec<u8>,
    /// The line in which each record starts; only for text.
    lines: Vec<u64>,
    n_records: u64,
    is_known: bool,
}

impl FileRequests {
    /// Opens a file, or standard input for the path `-`; options go before what its suffix says. Requests get at
    /// most so many records ([`FILE_RECORDS`], so that who sends a file again sends the same requests) and,
    /// unless a single record is longer, at most about 4 MiB.
    ///
    /// # Errors
    /// [`LogError`] if the file cannot be read, is of no known format, or not of its format.
    pub fn open(path: &Path, options: &FileOptions, max_records: usize) -> Result<Self, LogError> {
        FileRequests::open_with(path, options, max_records, MAX_BYTES)
    }

    fn open_with(
        path: &Path,
        options: &FileOptions,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Self, LogError> {
        let shown = path.to_string_lossy().into_owned();
        let file = if folders::is_stdin(&shown) {
            folders::stdin(options)?
        } else {
            let unknown = || LogError::UnknownFormat { path: shown.clone(), n_more: 0 };
            let shape = options.shape_of(path).ok_or_else(unknown)?;
            LogFile::of_path(path.to_owned(), shown.clone(), shape)?.unpacked(&mut |_| {})?
        };
        let contents = match file.shape.format {
            Format::Ndjson | Format::Json | Format::Csv => Contents::Text(Text::open(&file)?),
            Format::Parquet => {
                let broken = |error: parquet::errors::ParquetError| malformed(&shown, error.to_string());
                let handle = file.open_at()?;
                let batches = guarded(&shown, || {
                    let builder = ParquetRecordBatchReaderBuilder::try_new(handle).map_err(broken)?;
                    builder.with_batch_size(max_records).build().map_err(broken)
                })?;
                Contents::Parquet { batches: Box::new(batches), cut: VecDeque::new() }
            }
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = KnownRequests::default();
        Ok(FileRequests { shown, name, known, contents, max_records, max_bytes, first: 0 })
    }

    /// The same file under another name, by which its requests are known.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        FileRequests { name: name.to_owned(), ..self }
    }

    /// What the keys of all requests of this file begin with.
    pub fn key_prefix(&self) -> String {
        known_requests::prefix(&self.name)
    }

    /// Takes note of a request that is in the log, by its key and its number of records. The file is divided as
    /// it was then, as far as it has the same content.
    pub fn know(&mut self, key: &str, n_records: u64) {
        self.known.add(&self.name, key, n_records);
    }

    /// The next request; none at the end of the file. A CSV file without records makes one with its header, so
    /// that whoever takes it sees whether it is one of the source.
    ///
    /// # Errors
    /// [`LogError`] if the file cannot be read on.
    pub fn next_request(&mut self) -> Result<Option<FileRequest>, LogError> {
        let (first, known) = (self.first, &self.known);
        let (format, next, done) = match &mut self.contents {
            Contents::Text(text) => {
                let next = text.next_body((first, known), self.max_records, self.max_bytes)?;
                (BodyFormat::of_text(text.shape), next, Some(text.done()))
            }
            Contents::Parquet { batches, cut } => {
                let (path, max_bytes) = (&self.shown, self.max_bytes);
                let next = guarded(path, || next_batch(path, (first, known), batches, cut, max_bytes))?;
                (BodyFormat::Arrow, next, None)
            }
        };
        let Some(Body { body, lines, n_records, is_known }) = next else { return Ok(None) };
        self.first += n_records;
        let key = known_requests::key(&self.name, first, &body);
        Ok(Some(FileRequest { format, body, first, n_records, lines, done, key, is_known }))
    }
}

impl Text {
    fn open(file: &LogFile) -> Result<Self, LogError> {
        let (shown, shape) = (file.shown.to_string(), file.shape);
        let unreadable = |cause| LogError::of_text(&shown, shape.format, cause);
        let handle = file.open_at()?;
        let separation = separation(&shown, shape, &handle.head(HEAD_BYTES).map_err(unreadable)?)?;
        let mut records = Records::of_file(&handle, separation, 0, 1).map_err(unreadable)?;
        let mut head = Vec::new();
        if shape.format == Format::Csv
            && let Some(record) = records.next().map_err(unreadable)?
        {
            head = line(&records, &record, separation);
        }
        let (n_bytes, held) = (file.stamp.n_bytes, VecDeque::new());
        Ok(Text { shown, shape, separation, records, n_bytes, head, is_first: true, held })
    }

    fn done(&self) -> f64 {
        self.records.n_bytes_done() as f64 / self.n_bytes.max(1) as f64
    }

    /// Whether the records are elements, which a body puts into an array.
    fn is_json(&self) -> bool {
        self.shape.format == Format::Json && self.separation != Separation::Lines
    }

    /// The next record that is not blank: blank lines are records only where something follows them, so a body
    /// never ends with one.
    fn next_record(&mut self) -> Result<Option<HeldRecord>, LogError> {
        let mut blank = Vec::new();
        loop {
            let record = self.records.next();
            let record = record.map_err(|cause| LogError::of_text(&self.shown, self.shape.format, cause))?;
            let Some(record) = record else { return Ok(None) };
            let bytes = line(&self.records, &record, self.separation);
            if !self.is_json() && bytes.trim_ascii().is_empty() {
                blank.push(record.line);
                continue;
            }
            let (line, is_unfinished) = (record.line, record.unfinished);
            return Ok(Some(HeldRecord { blank, line, bytes, is_unfinished }));
        }
    }

    /// Reads on until so many records are held, or more bytes than a request has.
    fn hold(&mut self, max_records: u64, max_bytes: usize) -> Result<(), LogError> {
        let mut n_records: u64 = self.held.iter().map(HeldRecord::n_records).sum();
        let mut n_bytes: usize = self.held.iter().map(HeldRecord::n_bytes).sum();
        while n_records <= max_records && n_bytes <= max_bytes {
            let Some(record) = self.next_record()? else { break };
            n_records += record.n_records();
            n_bytes += record.n_bytes();
            self.held.push_back(record);
        }
        Ok(())
    }

    /// The body of the first of the held records.
    fn body_of(&self, n_held: usize) -> Vec<u8> {
        let (mut body, is_json) = (self.head.clone(), self.is_json());
        for (index, record) in self.held.iter().take(n_held).enumerate() {
            if is_json {
                body.push(if index == 0 { b'[' } else { b',' });
            }
            body.extend(std::iter::repeat_n(b'\n', record.blank.len()));
            body.extend(&record.bytes);
        }
        if is_json && n_held > 0 {
            body.push(b']');
        }
        body
    }

    /// How many of the held records are so many records, blank ones included.
    fn held_of(&self, n_records: u64) -> Option<usize> {
        let mut n_seen = 0;
        let held = self.held.iter().position(|record| {
            n_seen += record.n_records();
            n_seen >= n_records
        })?;
        (n_seen == n_records).then_some(held + 1)
    }

    /// How many of the held records a request takes: one at least, and no unfinished one beside others, since it
    /// may be another one when the file has grown.
    fn cut(&self, max_records: usize, max_bytes: usize) -> usize {
        let (mut n_held, mut n_records, mut n_bytes) = (0, 0, self.head.len());
        for record in &self.held {
            n_records += record.n_records();
            n_bytes += record.n_bytes();
            let is_full = n_records > max_records as u64 || n_bytes > max_bytes || record.is_unfinished;
            if n_held > 0 && is_full {
                break;
            }
            n_held += 1;
        }
        n_held
    }

    /// The body of the next request: one that the log knows, or else as many records as one takes.
    fn next_body(
        &mut self,
        (first, known): (u64, &KnownRequests),
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Option<Body>, LogError> {
        let most = known.most_records(first).unwrap_or_default().max(max_records as u64);
        self.hold(most, max_bytes)?;
        let at_first = known.at(first, |n_records| Some(self.body_of(self.held_of(n_records)?)));
        let (n_held, known_body) = match at_first {
            Some((n_records, body)) => (self.held_of(n_records).unwrap_or_default(), Some(body)),
            None => (self.cut(max_records, max_bytes), None),
        };
        let is_known = known_body.is_some();
        let body = known_body.unwrap_or_else(|| self.body_of(n_held));
        let lines: Vec<u64> = self
            .held
            .drain(..n_held)
            .flat_map(|record| record.blank.into_iter().chain([record.line]))
            .collect();
        let n_records = lines.len() as u64;
        let is_header = self.is_first && !self.head.is_empty();
        self.is_first = false;
        Ok((n_records > 0 || is_header).then_some(Body { body, lines, n_records, is_known }))
    }
}

/// A record with its line end. One that is longer than any may be is cut, and stays too long.
fn line(records: &Records<SequentialReader>, record: &Record, separation: Separation) -> Vec<u8> {
    let mut bytes = records.bytes(record).to_vec();
    let is_json = matches!(separation, Separation::JsonArray | Separation::JsonObjects);
    if record.too_long {
        // Quotes and brackets that are opened in its head would not be closed before the next records.
        let opens = |byte: &u8| matches!(byte, b'"' | b'\\') || (is_json && b"[]{},".contains(byte));
        bytes.iter_mut().filter(|byte| opens(byte)).for_each(|byte| *byte = b'\'');
        bytes.resize(crate::records::MAX_RECORD_BYTES + 1, b' ');
        // Blanks at the end could be taken for none.
        bytes.extend(b"...");
    }
    if !is_json {
        bytes.push(b'\n');
    }
    bytes
}

/// The next rows as an Arrow IPC stream: those that the log knows, or else in halves until they are short enough.
fn next_batch(
    path: &str,
    (first, known): (u64, &KnownRequests),
    batches: &mut ParquetRecordBatchReader,
    cut: &mut VecDeque<RecordBatch>,
    max_bytes: usize,
) -> Result<Option<Body>, LogError> {
    let broken = |error: arrow::error::ArrowError| malformed(path, error.to_string());
    if cut.is_empty()
        && let Some(batch) = batches.next()
    {
        cut.push_back(batch.map_err(broken)?);
    }
    loop {
        let Some(batch) = cut.pop_front() else { return Ok(None) };
        let n_rows = batch.num_rows();
        let n_known = known.at(first, |n_records| {
            let n_known = usize::try_from(n_records).ok().filter(|n| (1..=n_rows).contains(n))?;
            ipc_stream(&batch.slice(0, n_known)).ok()
        });
        if let Some((n_records, body)) = n_known {
            let n_known = n_records as usize;
            if n_known < n_rows {
                cut.push_front(batch.slice(n_known, n_rows - n_known));
            }
            return Ok(Some(Body { body, lines: Vec::new(), n_records, is_known: true }));
        }
        let body = ipc_stream(&batch).map_err(broken)?;
        if body.len() <= max_bytes || n_rows <= 1 {
            return Ok(Some(Body { body, lines: Vec::new(), n_records: n_rows as u64, is_known: false }));
        }
        cut.push_front(batch.slice(n_rows / 2, n_rows - n_rows / 2));
        cut.push_front(batch.slice(0, n_rows / 2));
    }
}

fn ipc_stream(batch: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner()
}

fn malformed(path: &str, problem: String) -> LogError {
    LogError::Malformed { path: path.to_owned(), format: "Parquet", problem }
}

/// Runs a call of the Parquet library, which may panic on a corrupt file.
fn guarded<T>(path: &str, work: impl FnOnce() -> Result<T, LogError>) -> Result<T, LogError> {
    let broke_off = |_| Err(malformed(path, "the Parquet reader broke off on its contents".to_owned()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(broke_off)
}

#[cfg(test)]
#[path = "file_requests_tests.rs"]
mod tests;
