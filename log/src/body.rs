//! The body of a request as typed events, by the same decoder as files.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use memchr::memchr_iter;
use metricc_ir::Source;

use crate::body_columns;
use crate::decode::{Problem, Reject, Rows, SharedDecoder};
use crate::format_csv::{CsvParser, Header};
use crate::format_ndjson::NdjsonParser;
use crate::json::{Cursor, Syntax};
use crate::record_decoder::RecordDecoder;
use crate::records::{MAX_RECORD_BYTES, Splitter};
use crate::text_reader::utf8_problem;
use crate::time_slice::yield_if_due;
use crate::{LogError, schema};

/// Records that are decoded between two calls of [`yield_if_due`].
const RECORDS_AT_A_TIME: u64 = 256;

/// The events of a request: typed rows of all fields, and the records that did not decode.
#[derive(Debug, Clone)]
pub struct Events {
    pub(crate) source: Arc<Source>,
    pub(crate) n_records: u64,
    /// All fields of the accepted records, in order.
    pub(crate) rows: Vec<ArrayRef>,
    pub(crate) rejected: Vec<Rejected>,
}

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// One JSON object a line.
    Ndjson,
    /// A JSON array of objects.
    Json,
    /// RFC 4180, with a header row.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The most records.
    pub records: u64,
    /// The most bytes of the values of columns, where some stand for many.
    pub bytes: usize,
}

/// Why a body as a whole was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not of the format that it declares.
    #[error("{0}")]
    Body(String),
    /// Its columns are not those of the source.
    #[error("{0}")]
    Columns(String),
    /// It exceeds a limit.
    #[error("{0}")]
    TooLarge(String),
}

impl BodyFormat {
    /// The media types of the formats, the usual one of each first.
    const TYPES: [(&str, BodyFormat); 7] = [
        ("application/x-ndjson", BodyFormat::Ndjson),
        ("application/json", BodyFormat::Json),
        ("text/csv", BodyFormat::Csv),
        ("application/vnd.apache.arrow.stream", BodyFormat::Arrow),
        ("application/ndjson", BodyFormat::Ndjson),
        ("application/jsonl", BodyFormat::Ndjson),
        ("application/csv", BodyFormat::Csv),
    ];

    /// The format of a media type, whose parameters are ignored.
    pub fn from_media_type(named: &str) -> Option<Self> {
        let named = named.split(';').next().unwrap_or_default().trim();
        let mut types = BodyFormat::TYPES.iter();
        types.find(|(known, _)| known.eq_ignore_ascii_case(named)).map(|(_, format)| *format)
    }

    /// Its usual media type.
    pub fn media_type(self) -> &'static str {
        let mut types = BodyFormat::TYPES.iter();
        types.find(|(_, format)| *format == self).map_or("application/octet-stream", |(name, _)| name)
    }
}

impl BodyLimits {
    pub(crate) fn check_records(&self, n_records: u64) -> Result<(), BodyError> {
        if n_records <= self.records {
            return Ok(());
        }
        let most = self.records;
        let problem = format!("more than {most} events in one request: send several");
        Err(BodyError::TooLarge(problem))
    }

    pub(crate) fn check_bytes(&self, n_bytes: usize) -> Result<(), BodyError> {
        if n_bytes <= self.bytes {
            return Ok(());
        }
        let most = self.bytes;
        Err(BodyError::TooLarge(format!("its values are more than {most} bytes: send several requests")))
    }
}

/// A record that did not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its index in the request, from 0.
    pub record: u64,
    /// The field that did not decode; `None` if it is the record as a whole.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The value (or the record, without a field) as it was read, at most 80 characters.
    pub excerpt: String,
    /// The record as it came.
    pub raw: Vec<u8>,
}

/// Decodes the bodies of requests for one source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventDecoder {
    decoder: SharedDecoder,
}

impl EventDecoder {
    /// A decoder for events of a source.
    ///
    /// # Errors
    /// [`LogError::Declaration`] if the source cannot be read as it is declared.
    pub fn new(source: &Arc<Source>) -> Result<Self, LogError> {
        Ok(EventDecoder { decoder: RecordDecoder::new(source)? })
    }

    /// The source that the events are of.
    pub fn source(&self) -> &Arc<Source> {
        &self.decoder.source
    }

    /// Decodes a body.
    ///
    /// # Errors
    /// [`BodyError`] if the body as a whole is rejected. Single records that do not decode are not an error.
    pub fn decode(&self, format: BodyFormat, body: &[u8], limits: &BodyLimits) -> Result<Events, BodyError> {
        let events = match format {
            BodyFormat::Ndjson => self.ndjson_up_to(body, limits.records),
            BodyFormat::Json => self.json_up_to(body, limits.records).map_err(BodyError::Body)?,
            BodyFormat::Csv => self.csv_up_to(body, limits.records)?,
            BodyFormat::Arrow => body_columns::decode(&self.decoder, body, limits)?,
        };
        limits.check_records(events.n_records)?;
        Ok(events)
    }

    /// CSV: a header, then one record a row. Empty lines at the end are no records.
    fn csv_up_to(&self, body: &[u8], most: u64) -> Result<Events, BodyError> {
        let mut body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        // Blanks may be the last cell of a record; empty lines are not records.
        while let Some(rest) = body.strip_suffix(b"\n") {
            body = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        let mut splitter = Splitter::csv();
        let mut rest = body;
        let mut next = || {
            if rest.is_empty() {
                return None;
            }
            let (record, after) = rest.split_at(splitter.find_end(rest).unwrap_or(rest.len()));
            rest = after;
            splitter.take_n_lines();
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            Some(record.strip_suffix(b"\r").unwrap_or(record))
        };
        let Some(header) = next() else { return Ok(Building::new(&self.decoder).finish()) };
        let header = Header::parse("the request", &self.decoder, header)
            .map_err(|error| BodyError::Columns(error.to_string()))?;
        let mut building = Building::of(&self.decoder, Parser::Csv(CsvParser::new(&self.decoder, header)));
        while let Some(record) = next().filter(|_| building.n_records <= most) {
            building.record(record);
        }
        Ok(building.finish())
    }

    /// NDJSON: one object a line. Blank lines at the end are no records.
    pub fn ndjson(&self, body: &[u8]) -> Events {
        self.ndjson_up_to(body, u64::MAX)
    }

    /// As [`EventDecoder::ndjson`]; stops one record after the limit.
    fn ndjson_up_to(&self, body: &[u8], most: u64) -> Events {
        let body = body.trim_ascii_end();
        let mut building = Building::new(&self.decoder);
        let mut start = 0;
        let ends = memchr_iter(b'\n', body).chain((!body.is_empty()).then_some(body.len()));
        for end in ends {
            if building.n_records > most {
                break;
            }
            let line = &body[start..end];
            building.record(line.strip_suffix(b"\r").unwrap_or(line));
            start = end + 1;
        }
        building.finish()
    }

    /// A JSON array of objects.
    ///
    /// # Errors
    /// What is wrong with the array, if it is not one: then nothing of it is an event.
    pub fn json(&self, body: &[u8]) -> Result<Events, String> {
        self.json_up_to(body, u64::MAX)
    }

    /// As [`EventDecoder::json`]; stops one record after the limit.
    fn json_up_to(&self, body: &[u8], most: u64) -> Result<Events, String> {
        let text = std::str::from_utf8(body).map_err(|error| format!("no UTF-8 text: {error}"))?;
        let mut building = Building::new(&self.decoder);
        let mut cursor = Cursor::new(text);
        let mut walk = || -> Result<(), Syntax> {
            if cursor.peek() != Some(b'[') {
                return Err(cursor.syntax("an array of events is expected"));
            }
            cursor.begin_array(0)?;
            let mut first = true;
            while cursor.next_element(&mut first)? {
                if building.n_records > most {
                    return Ok(());
                }
                cursor.peek();
                let start = cursor.at();
                cursor.skip(0)?;
                building.record(cursor.since(start).as_bytes());
            }
            match cursor.peek() {
                None => Ok(()),
                Some(_) => Err(cursor.syntax("more after the end of the array")),
            }
        };
        walk().map_err(|syntax| format!("no JSON at byte {}: {}", syntax.at, syntax.problem))?;
        Ok(building.finish())
    }
}

impl Events {
    /// Their source.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The number of records, including those that did not decode.
    pub fn n_records(&self) -> u64 {
        self.n_records
    }

    /// About the bytes that they take in memory, and in the log.
    pub fn n_bytes(&self) -> usize {
        let rows = self.rows.iter().map(|column| column.get_array_memory_size());
        let rejected = self.rejected.iter().map(|record| record.raw.len() + record.problem.len() + 200);
        rows.sum::<usize>() + rejected.sum::<usize>()
    }

    /// The columns of all fields, of the records that decoded, in order.
    pub fn rows(&self) -> &[ArrayRef] {
        &self.rows
    }

    /// The records that did not decode, in order.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }
}

enum Parser {
    Ndjson(Box<NdjsonParser>),
    Csv(CsvParser),
}

struct Building {
    decoder: SharedDecoder,
    parser: Parser,
    rows: Rows,
    n_records: u64,
    rejected: Vec<Rejected>,
}

impl Building {
    fn new(decoder: &SharedDecoder) -> Self {
        Building::of(decoder, Parser::Ndjson(Box::new(NdjsonParser::new(decoder))))
    }

    fn of(decoder: &SharedDecoder, parser: Parser) -> Self {
        Building {
            parser,
            rows: Rows::new(decoder),
            decoder: decoder.clone(),
            n_records: 0,
            rejected: Vec::new(),
        }
    }

    fn record(&mut self, bytes: &[u8]) {
        let outcome = self.decode(bytes);
        self.rows.end_record(outcome.is_ok());
        if let Err(Reject { field, problem }) = outcome {
            self.rejected.push(Rejected {
                record: self.n_records,
                field: field.and_then(|index| self.decoder.fields.get(index)).map(|field| field.name.clone()),
                problem: problem.text.into_owned(),
                excerpt: problem.excerpt,
                raw: bytes.to_vec(),
            });
        }
        self.n_records += 1;
        if self.n_records.is_multiple_of(RECORDS_AT_A_TIME) {
            yield_if_due();
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        if bytes.len() > MAX_RECORD_BYTES {
            let problem = format!("a record of more than {MAX_RECORD_BYTES} bytes");
            return Err(Problem::new(problem, &String::from_utf8_lossy(&bytes[..512])).in_record());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| utf8_problem(bytes, error).in_record())?;
        match &mut self.parser {
            Parser::Ndjson(parser) => parser.decode(text, false, &mut self.rows),
            Parser::Csv(parser) => parser.decode(text, false, &mut self.rows),
        }
    }

    fn finish(mut self) -> Events {
        let all: Vec<usize> = (0..self.decoder.fields.len()).collect();
        let (rows, _) = self.rows.take(&all);
        let source = self.decoder.source.clone();
        debug_assert_eq!(rows.len(), schema::row_schema(&source, &all).fields().len());
        Events { source, n_records: self.n_records, rows, rejected: self.rejected }
    }
}
