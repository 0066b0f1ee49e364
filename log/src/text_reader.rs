//! NDJSON and CSV files as partitions: what opening notes of them, and reading typed rows from them.

use std::str::Utf8Error;
use std::sync::Arc;

use crate::decode::{Problem, Reject, Rows, SharedRules, excerpt};
use crate::files::LogFile;
use crate::findings::{Findings, Quarantined};
use crate::format_csv::{CsvDecoder, Header};
use crate::format_ndjson::NdjsonDecoder;
use crate::partition::{Decoded, Range, ReadRequest};
use crate::records::{MAX_RECORD_BYTES, Record, Records, Splitter};
use crate::rule::Rules;
use crate::{Format, LogError, Position};

/// Every how many records their place in the file is noted.
pub(crate) const SAMPLE_EVERY: u64 = 1024;
/// A batch is closed when its records have this many bytes, whatever their number. It keeps the
/// offsets of Arrow's texts and lists far below their limit, since a value is no longer than its text.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// What is known of a text file: how many records it has, and where some of them start.
#[derive(Debug)]
pub(crate) struct TextIndex {
    pub(crate) n_records: u64,
    /// Byte and line of the records 0, [`SAMPLE_EVERY`], 2 · [`SAMPLE_EVERY`] …
    samples: Vec<(u64, u64)>,
    /// CSV files that are not empty have one.
    header: Option<Header>,
}

fn splitter(format: Format) -> Splitter {
    if format == Format::Csv { Splitter::csv() } else { Splitter::Lines }
}

impl TextIndex {
    /// Counts the records of a file. Blank lines at its very end are none.
    pub(crate) fn build(
        file: &LogFile,
        rules: &Rules,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LogError> {
        let unreadable = |cause| LogError::unreadable(&file.shown, cause);
        let mut records = Records::new(file.open()?, splitter(file.format), 0, 1).map_err(unreadable)?;
        let mut index = TextIndex { n_records: 0, samples: Vec::new(), header: None };
        if file.format == Format::Csv {
            match records.next().map_err(unreadable)? {
                Some(record) if record.too_long => {
                    let problem = format!("its header has more than {MAX_RECORD_BYTES} bytes");
                    return Err(LogError::Malformed { path: file.shown.to_string(), format: "CSV", problem });
                }
                Some(record) => index.header = Some(Header::read(file, rules, records.bytes(&record))?),
                None => return Ok(index),
            }
        }
        let (mut n_seen, mut done) = (0, 0);
        while let Some(record) = records.next().map_err(unreadable)? {
            if n_seen % SAMPLE_EVERY == 0 {
                index.samples.push((record.byte, record.line));
                progress(record.byte - done);
                done = record.byte;
            }
            n_seen += 1;
            if !is_blank(records.bytes(&record), file.format) {
                index.n_records = n_seen;
            }
        }
        file.check(records.file())?;
        progress(file.stamp.n_bytes.saturating_sub(done));
        Ok(index)
    }

    /// A reader of some records. The caller has checked that they are in the file.
    pub(crate) fn read(
        &self,
        file: &LogFile,
        rules: &SharedRules,
        request: ReadRequest,
    ) -> Result<TextReader, LogError> {
        let sample = usize::try_from(request.range.from / SAMPLE_EVERY).unwrap_or(usize::MAX);
        let start = self.samples.get(sample).or(self.samples.last());
        let (byte, line) = start.copied().unwrap_or((0, 1));
        let unreadable = |cause| LogError::unreadable(&file.shown, cause);
        let records = Records::new(file.open()?, splitter(file.format), byte, line).map_err(unreadable)?;
        let decoder = match &self.header {
            Some(header) => Decoder::Csv(CsvDecoder::new(rules, header.clone())),
            None => Decoder::Ndjson(Box::new(NdjsonDecoder::new(rules))),
        };
        let mut reader = TextReader {
            file: file.clone(),
            rows: Rows::new(rules),
            rules: SharedRules::clone(rules),
            records,
            decoder,
            next: request.range.from,
            request,
        };
        for _ in 0..reader.next % SAMPLE_EVERY {
            reader.record()?;
        }
        Ok(reader)
    }
}

fn is_blank(record: &[u8], format: Format) -> bool {
    record.is_empty() || (format == Format::Ndjson && record.trim_ascii().is_empty())
}

#[derive(Debug)]
enum Decoder {
    Ndjson(Box<NdjsonDecoder>),
    Csv(CsvDecoder),
}

/// Reads typed rows from a text file.
#[derive(Debug)]
pub(crate) struct TextReader {
    file: LogFile,
    rules: SharedRules,
    records: Records,
    decoder: Decoder,
    rows: Rows,
    request: ReadRequest,
    /// Offset of the next record.
    next: u64,
}

impl TextReader {
    /// The next rows; none at the end.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Decoded>, LogError> {
        let from = self.next;
        let to = self.request.range.to.min(from.saturating_add(self.request.batch_rows));
        if from >= to {
            return Ok(None);
        }
        let (mut findings, mut rejected, mut n_bytes) = (Findings::default(), Vec::new(), 0);
        let duplicates = Arc::clone(&self.request.duplicates);
        while self.next < to && n_bytes < MAX_BATCH_BYTES {
            let record = self.record()?;
            let offset = self.next;
            self.next += 1;
            if duplicates.contains(offset, &mut self.request.next_duplicate) {
                continue;
            }
            let bytes = self.records.bytes(&record);
            n_bytes += bytes.len() + self.rules.n_default_bytes;
            let result = decode(&mut self.decoder, bytes, &record, &mut self.rows);
            self.rows.end_record(result.is_ok());
            if let Err(reject) = result {
                rejected.push(offset);
                findings.quarantine(|| {
                    quarantined(
                        &self.file,
                        &self.rules,
                        self.request.partition,
                        offset,
                        Some(record.line),
                        reject,
                    )
                });
            }
        }
        self.file.check(self.records.file())?;
        let range = Range { from, to: self.next };
        findings.n_records = range.to - range.from;
        (findings.n_duplicates, findings.n_conflicts) = duplicates.count(range.from, range.to);
        let (arrays, n_rows) = self.rows.take(&self.request.columns);
        Ok(Some(Decoded { range, arrays, n_rows, findings, rejected }))
    }

    /// The next record. There is one: the file had it when it was counted.
    fn record(&mut self) -> Result<Record, LogError> {
        let record = self.records.next().map_err(|cause| LogError::unreadable(&self.file.shown, cause))?;
        record.ok_or_else(|| LogError::Changed { path: self.file.shown.to_string() })
    }
}

fn decode(decoder: &mut Decoder, bytes: &[u8], record: &Record, rows: &mut Rows) -> Result<(), Reject> {
    if record.too_long {
        let problem = format!("a record of more than {MAX_RECORD_BYTES} bytes");
        return Err(Problem::new(problem, &String::from_utf8_lossy(bytes)).in_record());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let problem = utf8_problem(bytes, error);
        let is_cut_off = record.unfinished && error.error_len().is_none();
        let text = if is_cut_off { "the file ends in the middle of the record".into() } else { problem.text };
        Problem { text, excerpt: problem.excerpt }.in_record()
    })?;
    match decoder {
        Decoder::Ndjson(decoder) => decoder.decode(text, record.unfinished, rows),
        Decoder::Csv(decoder) => decoder.decode(text, record.unfinished, rows),
    }
}

/// What is wrong with a record that is no text.
pub(crate) fn utf8_problem(bytes: &[u8], error: Utf8Error) -> Problem {
    let problem = format!("no UTF-8 text at byte {}", error.valid_up_to());
    Problem { text: problem.into(), excerpt: excerpt(&String::from_utf8_lossy(bytes)) }
}

/// The report of a record that did not decode.
pub(crate) fn quarantined(
    file: &LogFile,
    rules: &Rules,
    partition: u32,
    offset: u64,
    line: Option<u64>,
    reject: Reject,
) -> Quarantined {
    Quarantined {
        position: Position { partition, offset },
        path: Arc::clone(&file.shown),
        line,
        field: reject.field.and_then(|index| rules.fields.get(index)).map(|field| field.name.clone()),
        problem: reject.problem.text.into_owned(),
        excerpt: reject.problem.excerpt,
    }
}
