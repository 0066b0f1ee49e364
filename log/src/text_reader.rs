//! NDJSON and CSV files as partitions: what opening notes of them, and reading typed rows from them.

use std::str::Utf8Error;
use std::sync::Arc;

use crate::decode::{Problem, Reject, Rows, SharedDecoder, excerpt};
use crate::files::LogFile;
use crate::format_csv::{CsvParser, Header};
use crate::format_ndjson::NdjsonParser;
use crate::partition::{DecodedBatch, OffsetRange, Partition, PartitionReader, ReadRequest};
use crate::read_stats::{Quarantined, ReadStats};
use crate::record_decoder::RecordDecoder;
use crate::records::{MAX_RECORD_BYTES, Record, Records, Splitter};
use crate::{Format, LogError, Position};

/// Records between two whose position in the file is noted.
const SAMPLE_EVERY: u64 = 1024;
/// A batch is closed when its records have this many bytes, whatever their number. It keeps the
/// offsets of Arrow's texts and lists far below their limit, since a value is no longer than its text.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// The index of a text file: the number of its records, and where some of them start.
#[derive(Debug)]
struct TextIndex {
    n_records: u64,
    /// Byte and line of the records 0, [`SAMPLE_EVERY`], 2 · [`SAMPLE_EVERY`] …
    samples: Vec<(u64, u64)>,
    /// CSV files that are not empty have one.
    header: Option<Header>,
}

fn splitter(format: Format) -> Splitter {
    if format == Format::Csv { Splitter::csv() } else { Splitter::Lines }
}

impl TextIndex {
    /// Counts the records of a file. Blank lines at its very end are not records.
    fn build(
        file: &LogFile,
        decoder: &RecordDecoder,
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
                Some(record) => index.header = Some(Header::read(file, decoder, records.bytes(&record))?),
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
}

/// A text file as a partition.
#[derive(Debug)]
pub(crate) struct TextPartition {
    file: LogFile,
    index: TextIndex,
    decoder: SharedDecoder,
}

impl TextPartition {
    pub(crate) fn open(
        file: LogFile,
        decoder: &SharedDecoder,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LogError> {
        let index = TextIndex::build(&file, decoder, progress)?;
        Ok(TextPartition { file, index, decoder: decoder.clone() })
    }
}

impl Partition for TextPartition {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn end(&self) -> u64 {
        self.index.n_records
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        (offset + SAMPLE_EVERY / 2) / SAMPLE_EVERY * SAMPLE_EVERY
    }

    fn n_bytes(&self) -> u64 {
        self.file.stamp.n_bytes
    }

    fn read(&self, request: ReadRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        let (file, index) = (&self.file, &self.index);
        let sample = usize::try_from(request.range.from / SAMPLE_EVERY).unwrap_or(usize::MAX);
        let start = index.samples.get(sample).or(index.samples.last());
        let (byte, line) = start.copied().unwrap_or((0, 1));
        let unreadable = |cause| LogError::unreadable(&file.shown, cause);
        let records = Records::new(file.open()?, splitter(file.format), byte, line).map_err(unreadable)?;
        let parser = match &index.header {
            Some(header) => Parser::Csv(CsvParser::new(&self.decoder, header.clone())),
            None => Parser::Ndjson(Box::new(NdjsonParser::new(&self.decoder))),
        };
        let mut reader = TextReader {
            file: file.clone(),
            rows: Rows::new(&self.decoder),
            decoder: self.decoder.clone(),
            records,
            parser,
            next: request.range.from,
            next_duplicate: request.duplicates.first_from(request.range.from),
            request,
        };
        for _ in 0..reader.next % SAMPLE_EVERY {
            reader.record()?;
        }
        Ok(Box::new(reader))
    }
}

fn is_blank(record: &[u8], format: Format) -> bool {
    record.is_empty() || (format == Format::Ndjson && record.trim_ascii().is_empty())
}

#[derive(Debug)]
enum Parser {
    Ndjson(Box<NdjsonParser>),
    Csv(CsvParser),
}

/// Reads typed rows from a text file.
#[derive(Debug)]
struct TextReader {
    file: LogFile,
    decoder: SharedDecoder,
    records: Records,
    parser: Parser,
    rows: Rows,
    request: ReadRequest,
    /// Offset of the next record.
    next: u64,
    /// Index of the first duplicate that is not before the next record.
    next_duplicate: usize,
}

impl TextReader {
    /// The next record. There is one: the file had it when it was counted.
    fn record(&mut self) -> Result<Record, LogError> {
        let record = self.records.next().map_err(|cause| LogError::unreadable(&self.file.shown, cause))?;
        record.ok_or_else(|| LogError::Changed { path: self.file.shown.to_string() })
    }
}

impl PartitionReader for TextReader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        let from = self.next;
        let to = self.request.range.to.min(from.saturating_add(self.request.batch_rows));
        if from >= to {
            return Ok(None);
        }
        let (mut stats, mut rejected, mut n_bytes) = (ReadStats::default(), Vec::new(), 0);
        let duplicates = Arc::clone(&self.request.duplicates);
        while self.next < to && n_bytes < MAX_BATCH_BYTES {
            let record = self.record()?;
            let offset = self.next;
            self.next += 1;
            if duplicates.contains(offset, &mut self.next_duplicate) {
                continue;
            }
            let bytes = self.records.bytes(&record);
            n_bytes += bytes.len() + self.decoder.n_default_bytes;
            let result = decode(&mut self.parser, bytes, &record, &mut self.rows);
            self.rows.end_record(result.is_ok());
            if let Err(reject) = result {
                rejected.push(offset);
                stats.quarantine(|| {
                    quarantined(
                        &self.file,
                        &self.decoder,
                        self.request.partition,
                        offset,
                        Some(record.line),
                        reject,
                    )
                });
            }
        }
        self.file.check(self.records.file())?;
        let range = OffsetRange { from, to: self.next };
        stats.n_records = range.to - range.from;
        (stats.n_duplicates, stats.n_conflicts) = duplicates.count(range.from, range.to);
        let (arrays, n_rows) = self.rows.take(&self.request.columns);
        Ok(Some(DecodedBatch { range, arrays, n_rows, stats, rejected }))
    }
}

fn decode(parser: &mut Parser, bytes: &[u8], record: &Record, rows: &mut Rows) -> Result<(), Reject> {
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
    match parser {
        Parser::Ndjson(parser) => parser.decode(text, record.unfinished, rows),
        Parser::Csv(parser) => parser.decode(text, record.unfinished, rows),
    }
}

/// What is wrong with a record that is not UTF-8.
pub(crate) fn utf8_problem(bytes: &[u8], error: Utf8Error) -> Problem {
    let problem = format!("no UTF-8 text at byte {}", error.valid_up_to());
    Problem { text: problem.into(), excerpt: excerpt(&String::from_utf8_lossy(bytes)) }
}

/// The report of a record that did not decode.
pub(crate) fn quarantined(
    file: &LogFile,
    decoder: &RecordDecoder,
    partition: u32,
    offset: u64,
    line: Option<u64>,
    reject: Reject,
) -> Quarantined {
    Quarantined {
        position: Position { partition, offset },
        path: Arc::clone(&file.shown),
        line,
        field: reject.field.and_then(|index| decoder.fields.get(index)).map(|field| field.name.clone()),
        problem: reject.problem.text.into_owned(),
        excerpt: reject.problem.excerpt,
    }
}
