//! A file of events as requests, for clients that send it and for watched folders.
//!
//! The same file is always split into the same requests, and the key of each is made of the name of the file,
//! the index of its first record and a hash of its content. So sending a file again repeats the same
//! requests, and adds nothing twice.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use twox_hash::XxHash3_64;

use crate::body::BodyFormat;
use crate::records::{Record, Records, Splitter};
use crate::{Format, LogError};

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
    /// Bytes of the file that are in this request or earlier ones; only for text.
    pub n_bytes_done: Option<u64>,
    /// The idempotency key, which is the same wherever the file is sent from.
    pub key: String,
}

/// The requests of a file, in order.
pub struct FileRequests {
    path: PathBuf,
    /// Digest of the file's name.
    name: u64,
    contents: Contents,
    max_records: usize,
    max_bytes: usize,
    first: u64,
}

impl std::fmt::Debug for FileRequests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRequests")
            .field("path", &self.path)
            .field("first", &self.first)
            .finish_non_exhaustive()
    }
}

enum Contents {
    Text(Text),
    Parquet { batches: Box<ParquetRecordBatchReader>, cut: VecDeque<RecordBatch> },
}

struct Text {
    format: BodyFormat,
    records: Records,
    /// The start of each body: the header of CSV.
    head: Vec<u8>,
    /// A record that did not fit into the body before.
    held: Option<Vec<u8>>,
    /// Blank lines of which it is not known yet whether something follows them.
    n_blank: u64,
}

impl FileRequests {
    /// Opens a file whose suffix says how it is written. Requests get at most so many records
    /// ([`FILE_RECORDS`], so that who sends a file again sends the same requests) and, unless a single record
    /// is longer, at most about 4 MiB.
    ///
    /// # Errors
    /// [`LogError`] if the file cannot be read, or is of no known format.
    pub fn open(path: &Path, max_records: usize) -> Result<Self, LogError> {
        FileRequests::open_with(path, max_records, MAX_BYTES)
    }

    fn open_with(path: &Path, max_records: usize, max_bytes: usize) -> Result<Self, LogError> {
        let shown = path.display().to_string();
        let format = Format::from_path(path).ok_or_else(|| LogError::Malformed {
            path: shown.clone(),
            format: "event",
            problem:
                "its format is not known: its name ends in none of `.ndjson`, `.jsonl`, `.csv` and `.parquet`"
                    .to_owned(),
        })?;
        let file = File::open(path).map_err(|cause| LogError::unreadable(&shown, cause))?;
        let contents = match format {
            Format::Ndjson => Contents::Text(Text::open(path, file, Splitter::Lines, BodyFormat::Ndjson)?),
            Format::Csv => Contents::Text(Text::open(path, file, Splitter::csv(), BodyFormat::Csv)?),
            Format::Parquet => {
                let broken = |error: parquet::errors::ParquetError| malformed(path, error.to_string());
                let batches = guarded(path, || {
                    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(broken)?;
                    builder.with_batch_size(max_records).build().map_err(broken)
                })?;
                Contents::Parquet { batches: Box::new(batches), cut: VecDeque::new() }
            }
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = XxHash3_64::oneshot(name.as_bytes());
        Ok(FileRequests { path: path.to_owned(), name, contents, max_records, max_bytes, first: 0 })
    }

    /// The next request; none at the end of the file.
    ///
    /// # Errors
    /// [`LogError`] if the file cannot be read on.
    pub fn next_request(&mut self) -> Result<Option<FileRequest>, LogError> {
        let (format, body, n_records, n_bytes_done) = match &mut self.contents {
            Contents::Text(text) => {
                let Some((body, n_records)) = text.next_body(&self.path, self.max_records, self.max_bytes)?
                else {
                    return Ok(None);
                };
                (text.format, body, n_records, Some(text.records.n_bytes_done()))
            }
            Contents::Parquet { batches, cut } => {
                let (path, max_bytes) = (&self.path, self.max_bytes);
                let Some((body, n_records)) = guarded(path, || next_batch(path, batches, cut, max_bytes))?
                else {
                    return Ok(None);
                };
                (BodyFormat::Arrow, body, n_records, None)
            }
        };
        let first = self.first;
        self.first += n_records;
        let key = format!("{:016x}-{first}-{:016x}", self.name, XxHash3_64::oneshot(&body));
        Ok(Some(FileRequest { format, body, first, n_records, n_bytes_done, key }))
    }
}

impl Text {
    fn open(path: &Path, file: File, splitter: Splitter, format: BodyFormat) -> Result<Self, LogError> {
        let unreadable = |cause| LogError::unreadable(&path.display().to_string(), cause);
        let mut records = Records::new(file, splitter, 0, 1).map_err(unreadable)?;
        let mut head = Vec::new();
        if format == BodyFormat::Csv
            && let Some(record) = records.next().map_err(unreadable)?
        {
            head = line(&records, &record);
        }
        Ok(Text { format, records, head, held: None, n_blank: 0 })
    }

    /// Blank lines are records only where something follows them, so a body never ends with one.
    fn next_body(
        &mut self,
        path: &Path,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Option<(Vec<u8>, u64)>, LogError> {
        let (mut body, mut n_records) = (self.head.clone(), 0u64);
        loop {
            let record = match self.held.take() {
                Some(held) => Some(held),
                None => {
                    let unreadable = |cause| LogError::unreadable(&path.display().to_string(), cause);
                    let record = self.records.next().map_err(unreadable)?;
                    record.map(|record| line(&self.records, &record))
                }
            };
            let Some(record) = record else { break };
            if record.trim_ascii().is_empty() {
                self.n_blank += 1;
                continue;
            }
            let n_new = self.n_blank + 1;
            let n_bytes = body.len() + record.len() + self.n_blank as usize;
            if n_records > 0 && (n_records + n_new > max_records as u64 || n_bytes > max_bytes) {
                self.held = Some(record);
                break;
            }
            body.extend(std::iter::repeat_n(b'\n', self.n_blank as usize));
            body.extend(record);
            (n_records, self.n_blank) = (n_records + n_new, 0);
        }
        Ok((n_records > 0).then_some((body, n_records)))
    }
}

/// A record with its line end. One that is longer than any may be is cut, and stays too long.
fn line(records: &Records, record: &Record) -> Vec<u8> {
    let mut bytes = records.bytes(record).to_vec();
    if record.too_long {
        // A quote that is opened in its head would not be closed before the next records.
        bytes.iter_mut().filter(|byte| **byte == b'"').for_each(|byte| *byte = b'\'');
        bytes.resize(crate::records::MAX_RECORD_BYTES + 1, b' ');
        // Blanks at the end could be taken for none.
        bytes.extend(b"...");
    }
    bytes.push(b'\n');
    bytes
}

/// The next rows as an Arrow IPC stream, in halves until one is short enough.
fn next_batch(
    path: &Path,
    batches: &mut ParquetRecordBatchReader,
    cut: &mut VecDeque<RecordBatch>,
    max_bytes: usize,
) -> Result<Option<(Vec<u8>, u64)>, LogError> {
    let broken = |error: arrow::error::ArrowError| malformed(path, error.to_string());
    if cut.is_empty()
        && let Some(batch) = batches.next()
    {
        cut.push_back(batch.map_err(broken)?);
    }
    loop {
        let Some(batch) = cut.pop_front() else { return Ok(None) };
        let n_rows = batch.num_rows();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(broken)?;
        writer.write(&batch).map_err(broken)?;
        writer.finish().map_err(broken)?;
        let body = writer.into_inner().map_err(broken)?;
        if body.len() <= max_bytes || n_rows <= 1 {
            return Ok(Some((body, n_rows as u64)));
        }
        cut.push_front(batch.slice(n_rows / 2, n_rows - n_rows / 2));
        cut.push_front(batch.slice(0, n_rows / 2));
    }
}

fn malformed(path: &Path, problem: String) -> LogError {
    LogError::Malformed { path: path.display().to_string(), format: "Parquet", problem }
}

/// Runs a call of the Parquet library, which may panic on a corrupt file.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, LogError>) -> Result<T, LogError> {
    let broke_off = |_| Err(malformed(path, "the Parquet reader broke off on its contents".to_owned()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(broke_off)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(name: &str, text: &str, max_records: usize, max_bytes: usize) -> Vec<(u64, u64, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut requests = FileRequests::open_with(&path, max_records, max_bytes).unwrap();
        std::iter::from_fn(|| requests.next_request().unwrap())
            .map(|request| (request.first, request.n_records, String::from_utf8(request.body).unwrap()))
            .collect()
    }

    #[test]
    fn lines_are_cut_by_number_and_by_bytes_and_none_is_lost() {
        let cut = bodies("a.ndjson", "{}\n{\"a\":1}\n{}", 2, 1000);
        assert_eq!(cut, [(0, 2, "{}\n{\"a\":1}\n".to_owned()), (2, 1, "{}\n".to_owned())]);
        let cut = bodies("a.ndjson", "{}\n{\"a\":1}\n{}", 100, 5);
        assert_eq!(
            cut.iter().map(|(first, n, _)| (*first, *n)).collect::<Vec<_>>(),
            [(0, 1), (1, 1), (2, 1)]
        );
    }

    #[test]
    fn blank_lines_count_only_where_something_follows() {
        let cut = bodies("a.ndjson", "{}\n\n\n{}\n\n\n", 1, 1000);
        assert_eq!(cut, [(0, 1, "{}\n".to_owned()), (1, 3, "\n\n{}\n".to_owned())]);
        assert_eq!(bodies("a.ndjson", "\n\n", 10, 1000), []);
    }

    #[test]
    fn each_part_of_a_csv_file_has_the_header_and_quoted_line_ends_stay() {
        let cut = bodies("a.csv", "a,b\n1,\"x\ny\"\n2,z\n", 1, 1000);
        assert_eq!(cut, [(0, 1, "a,b\n1,\"x\ny\"\n".to_owned()), (1, 1, "a,b\n2,z\n".to_owned())]);
        assert_eq!(bodies("a.csv", "", 1, 1000), []);
    }

    #[test]
    fn a_cell_that_is_too_long_takes_no_other_record_with_it() {
        let text = format!("a,b\n1,\"{}\"\n2,z\n", "x".repeat(2 << 20));
        let cut = bodies("a.csv", &text, 10, 8 << 20);
        assert_eq!(cut.len(), 1);
        assert_eq!((cut[0].0, cut[0].1), (0, 2));
        let lines: Vec<&str> = cut[0].2.lines().collect();
        assert_eq!((lines[0], lines[2], lines[1].contains('"')), ("a,b", "2,z", false));
        assert!(lines[1].len() > crate::records::MAX_RECORD_BYTES);
    }

    #[test]
    fn keys_are_of_the_name_the_place_and_the_content() {
        let key = |name: &str, text: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let mut requests = FileRequests::open_with(&path, 1, 1000).unwrap();
            let all: Vec<String> =
                std::iter::from_fn(|| requests.next_request().unwrap()).map(|request| request.key).collect();
            all
        };
        let first = key("a.ndjson", "{}\n{}\n");
        assert_eq!(first, key("a.ndjson", "{}\n{}\n"));
        assert_ne!(first[0], first[1]);
        assert_ne!(first[0], key("b.ndjson", "{}\n")[0]);
        assert_ne!(first[0], key("a.ndjson", "{ }\n")[0]);
    }

    #[test]
    fn a_name_without_a_form_is_refused_with_the_forms_that_there_are() {
        let error = FileRequests::open(Path::new("events.txt"), 1).unwrap_err().to_string();
        assert!(error.contains("`.ndjson`"), "{error}");
    }
}
