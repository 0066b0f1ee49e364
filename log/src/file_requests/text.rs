//! Text as the bodies of requests. Where a body ends depends on the file, and on the requests of it that are
//! known.

use std::collections::VecDeque;

use super::Body;
use crate::content_kind::OtherKind;
use crate::file_format::Shape;
use crate::files::LogFile;
use crate::known_requests::KnownRequests;
use crate::open_file::{HEAD_BYTES, SequentialReader};
use crate::record_splitter::{Record, Records, Separation};
use crate::text_reader::separation;
use crate::wrapped_arrays::WrapSearch;
use crate::{Format, LogError};

/// A file of text, as far as it was read.
pub(super) struct Text {
    shown: String,
    pub(super) shape: Shape,
    separation: Separation,
    records: Records<SequentialReader>,
    n_bytes: u64,
    /// What each body starts with: the header of CSV, or the bracket of an array.
    head: Vec<u8>,
    /// Whether no request was made yet.
    is_first: bool,
    /// What the text is if its first record is too long.
    if_long: Option<OtherKind>,
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

impl Text {
    pub(super) fn open(file: &LogFile) -> Result<Self, LogError> {
        let (shown, shape) = (file.shown.to_string(), file.shape);
        let unreadable = |cause| LogError::of_text(&shown, shape.format, cause);
        let handle = file.open_at()?;
        let start = handle.head(HEAD_BYTES).map_err(unreadable)?;
        let separation = separation(&shown, shape, &start)?;
        let if_long = match shape.format {
            Format::Csv | Format::Parquet => None,
            _ => WrapSearch::of_long(&start, false),
        };
        let mut records = Records::of_file(&handle, separation, 0, 1).map_err(unreadable)?;
        let mut head = Vec::new();
        if shape.format == Format::Csv
            && let Some(record) = records.next().map_err(unreadable)?
        {
            head = line(&records, &record, separation);
        }
        let (n_bytes, held) = (file.stamp.n_bytes, VecDeque::new());
        Ok(Text { shown, shape, separation, records, n_bytes, head, is_first: true, if_long, held })
    }

    pub(super) fn done(&self) -> f64 {
        self.records.n_bytes_done() as f64 / self.n_bytes.max(1) as f64
    }

    /// Whether the records are elements, which a body puts into an array.
    fn is_json(&self) -> bool {
        self.shape.format == Format::Json && self.separation != Separation::Lines
    }

    /// The next record that is not blank: blank lines are records only where something follows them, so a
    /// body never ends with one.
    fn next_record(&mut self) -> Result<Option<HeldRecord>, LogError> {
        let mut blank = Vec::new();
        loop {
            let record = self.records.next();
            let record = record.map_err(|cause| LogError::of_text(&self.shown, self.shape.format, cause))?;
            let Some(record) = record else { return Ok(None) };
            if let Some(OtherKind { found, help }) = self.if_long.take().filter(|_| record.too_long) {
                let (path, format) = (self.shown.clone(), self.shape.format.name());
                return Err(LogError::OtherKind { path, format, found, help });
            }
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

    /// How many of the held records a request takes: one at least, and no unfinished one beside others, since
    /// it may be another one when the file has grown.
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
    pub(super) fn next_body(
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
        let is_unfinished = self.held.iter().take(n_held).any(|record| record.is_unfinished);
        let lines: Vec<u64> = self
            .held
            .drain(..n_held)
            .flat_map(|record| record.blank.into_iter().chain([record.line]))
            .collect();
        let n_records = lines.len() as u64;
        let is_header = self.is_first && !self.head.is_empty();
        self.is_first = false;
        Ok((n_records > 0 || is_header).then_some(Body { body, lines, n_records, is_known, is_unfinished }))
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
        bytes.resize(crate::record_splitter::MAX_RECORD_BYTES + 1, b' ');
        // Blanks at the end could be taken for none.
        bytes.extend(b"...");
    }
    if !is_json {
        bytes.push(b'\n');
    }
    bytes
}
