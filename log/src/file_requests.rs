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
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::body_format::BodyFormat;
use crate::files::LogFile;
use crate::known_requests::{self, KnownRequests};
use crate::{FileOptions, Format, LogError, folders};

mod columns;
mod text;

use columns::next_batch;
use text::Text;

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
    /// Whether the file ends within its last line, which may be another record when the file has grown.
    pub is_unfinished: bool,
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
    Text(Box<Text>),
    Parquet { batches: Box<ParquetRecordBatchReader>, cut: VecDeque<RecordBatch> },
}

/// The records of a request.
struct Body {
    body: Vec<u8>,
    /// The line in which each record starts; only for text.
    lines: Vec<u64>,
    n_records: u64,
    is_known: bool,
    is_unfinished: bool,
}

impl FileRequests {
    /// Opens a file, or standard input for the path `-`; options go before what its suffix says. Requests get
    /// at most so many records ([`FILE_RECORDS`], so that who sends a file again sends the same requests)
    /// and, unless a single record is longer, at most about 4 MiB.
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
            Format::Ndjson | Format::Json | Format::Csv => Contents::Text(Box::new(Text::open(&file)?)),
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

    /// Takes note of a request that is in the log, by its key and its number of records. The file is divided
    /// as it was then, as far as it has the same content.
    pub fn know(&mut self, key: &str, n_records: u64) {
        self.known.add(&self.name, key, n_records);
    }

    /// The next request; none at the end of the file. A CSV file without records makes one with its header,
    /// so that whoever takes it sees whether it is one of the source.
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
        let Some(Body { body, lines, n_records, is_known, is_unfinished }) = next else { return Ok(None) };
        self.first += n_records;
        let key = known_requests::key(&self.name, first, &body);
        Ok(Some(FileRequest { format, body, first, n_records, lines, done, key, is_known, is_unfinished }))
    }
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
