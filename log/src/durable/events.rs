//! From the body of a request to typed events: the same decoder as for files, record by record.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use memchr::memchr_iter;
use metricc_ir::Source;

use super::events_columns;
use crate::decode::{Problem, Reject, Rows, SharedRules};
use crate::format_csv::{CsvDecoder, Header};
use crate::format_ndjson::NdjsonDecoder;
use crate::json::{Cursor, Syntax};
use crate::records::{MAX_RECORD_BYTES, Splitter};
use crate::rule::Rules;
use crate::text_reader::utf8_problem;
use crate::turn::give_way;
use crate::{LogError, schema};

/// Records that are decoded before others may have the processor: an answer that is due is not to wait for thousands.
const RECORDS_AT_A_TIME: u64 = 256;

/// What a request wrote, decoded: typed rows of all fields, and the records that did not decode.
#[derive(Debug, Clone)]
pub struct Events {
    pub(crate) source: Arc<Source>,
    pub(crate) n_records: u64,
    /// All fields of the accepted records, in order.
    pub(crate) rows: Vec<ArrayRef>,
    pub(crate) rejected: Vec<Rejected>,
}

/// How the body of a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyForm {
    /// One JSON object a line.
    Ndjson,
    /// A JSON array of objects.
    Json,
    /// RFC 4180, with a header row.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

/// How much a request may say.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The most records.
    pub records: u64,
    /// The most bytes of the values of columns, where some stand for many.
    pub bytes: usize,
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not written as it says.
    #[error("{0}")]
    Body(String),
    /// Its columns are not those of the source.
    #[error("{0}")]
    Columns(String),
    /// It says too much.
    #[error("{0}")]
    TooLarge(String),
}

impl BodyForm {
    /// The media types of the forms, the usual one of each first.
    const TYPES: [(&str, BodyForm); 7] = [
        ("application/x-ndjson", BodyForm::Ndjson),
        ("application/json", BodyForm::Json),
        ("text/csv", BodyForm::Csv),
        ("application/vnd.apache.arrow.stream", BodyForm::Arrow),
        ("application/ndjson", BodyForm::Ndjson),
        ("application/jsonl", BodyForm::Ndjson),
        ("application/csv", BodyForm::Csv),
    ];

    /// The form that a media type names, without its parameters.
    pub fn from_media_type(named: &str) -> Option<Self> {
        let named = named.split(';').next().unwrap_or_default().trim();
        let mut types = BodyForm::TYPES.iter();
        types.find(|(known, _)| known.eq_ignore_ascii_case(named)).map(|(_, form)| *form)
    }

    /// Its usual media type.
    pub fn media_type(self) -> &'static str {
        let mut types = BodyForm::TYPES.iter();
        types.find(|(_, form)| *form == self).map_or("application/octet-stream", |(name, _)| name)
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
    /// Its place in the request, counted from 0.
    pub record: u64,
    /// The field that did not decode; none if the record as a whole does not.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The value (or the record, without a field) as it was read, at most 80 characters.
    pub excerpt: String,
    /// The record as it came.
    pub raw: Vec<u8>,
}

/// Decodes requests for one source. Cheap to clone; each request is decoded by itself.
#[derive(Debug, Clone)]
pub struct EventDecoder {
    rules: SharedRules,
}

impl EventDecoder {
    /// # Errors
    /// [`LogError::Declaration`] if the source cannot be read as it is declared.
    pub fn new(source: &Arc<Source>) -> Result<Self, LogError> {
        Ok(EventDecoder { rules: Rules::new(source)? })
    }

    /// The source that the events are of.
    pub fn source(&self) -> &Arc<Source> {
        &self.rules.source
    }

    /// Decodes a body.
    ///
    /// # Errors
    /// [`BodyError`] if nothing of it can be taken. Single records that do not decode are no error.
    pub fn decode(&self, form: BodyForm, body: &[u8], limits: &BodyLimits) -> Result<Events, BodyError> {
        let events = match form {
            BodyForm::Ndjson => self.ndjson_up_to(body, limits.records),
            BodyForm::Json => self.json_up_to(body, limits.records).map_err(BodyError::Body)?,
            BodyForm::Csv => self.csv_up_to(body, limits.records)?,
            BodyForm::Arrow => events_columns::decode(&self.rules, body, limits)?,
        };
        limits.check_records(events.n_records)?;
        Ok(events)
    }

    /// CSV: a header, then one record a row. Empty lines at the end are no records.
    fn csv_up_to(&self, body: &[u8], most: u64) -> Result<Events, BodyError> {
        let mut body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        // Blanks may be the last cell; empty lines are none.
        while let Some(rest) = body.strip_suffix(b"\n") {
            body = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        let mut splitter = Splitter::csv();
        let mut rest = body;
        let mut next = || {
            if rest.is_empty() {
                return None;
            }
            let (record, behind) = rest.split_at(splitter.find_end(rest).unwrap_or(rest.len()));
            rest = behind;
            splitter.take_n_lines();
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            Some(record.strip_suffix(b"\r").unwrap_or(record))
        };
        let Some(header) = next() else { return Ok(Building::new(&self.rules).finish()) };
        let header = Header::parse("the request", &self.rules, header)
            .map_err(|error| BodyError::Columns(error.to_string()))?;
        let mut building = Building::of(&self.rules, Decoder::Csv(CsvDecoder::new(&self.rules, header)));
        while let Some(record) = next().filter(|_| building.n_records <= most) {
            building.record(record);
        }
        Ok(building.finish())
    }

    /// NDJSON: one object a line. Blank lines at the end are no records.
    pub fn ndjson(&self, body: &[u8]) -> Events {
        self.ndjson_up_to(body, u64::MAX)
    }

    /// As [`EventDecoder::ndjson`]; stops behind one record more than so many.
    fn ndjson_up_to(&self, body: &[u8], most: u64) -> Events {
        let body = body.trim_ascii_end();
        let mut building = Building::new(&self.rules);
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
    /// What is wrong with the array, if it is none: then nothing of it is an event.
    pub fn json(&self, body: &[u8]) -> Result<Events, String> {
        self.json_up_to(body, u64::MAX)
    }

    /// As [`EventDecoder::json`]; stops behind one record more than so many.
    fn json_up_to(&self, body: &[u8], most: u64) -> Result<Events, String> {
        let text = std::str::from_utf8(body).map_err(|error| format!("no UTF-8 text: {error}"))?;
        let mut building = Building::new(&self.rules);
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
                Some(_) => Err(cursor.syntax("more behind the end of the array")),
            }
        };
        walk().map_err(|syntax| format!("no JSON at byte {}: {}", syntax.at, syntax.problem))?;
        Ok(building.finish())
    }
}

impl Events {
    /// The source that they are of.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// All records, those that did not decode counted.
    pub fn n_records(&self) -> u64 {
        self.n_records
    }

    /// About how many bytes they take in memory, and in the log.
    pub fn n_bytes(&self) -> usize {
        let rows = self.rows.iter().map(|column| column.get_array_memory_size());
        let rejected = self.rejected.iter().map(|record| record.raw.len() + record.problem.len() + 200);
        rows.sum::<usize>() + rejected.sum::<usize>()
    }

    /// The records that did not decode, in order.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }
}

enum Decoder {
    Ndjson(Box<NdjsonDecoder>),
    Csv(CsvDecoder),
}

struct Building {
    rules: SharedRules,
    decoder: Decoder,
    rows: Rows,
    n_records: u64,
    rejected: Vec<Rejected>,
}

impl Building {
    fn new(rules: &SharedRules) -> Self {
        Building::of(rules, Decoder::Ndjson(Box::new(NdjsonDecoder::new(rules))))
    }

    fn of(rules: &SharedRules, decoder: Decoder) -> Self {
        Building { decoder, rows: Rows::new(rules), rules: rules.clone(), n_records: 0, rejected: Vec::new() }
    }

    fn record(&mut self, bytes: &[u8]) {
        let outcome = self.decode(bytes);
        self.rows.end_record(outcome.is_ok());
        if let Err(Reject { field, problem }) = outcome {
            self.rejected.push(Rejected {
                record: self.n_records,
                field: field.and_then(|index| self.rules.fields.get(index)).map(|field| field.name.clone()),
                problem: problem.text.into_owned(),
                excerpt: problem.excerpt,
                raw: bytes.to_vec(),
            });
        }
        self.n_records += 1;
        if self.n_records.is_multiple_of(RECORDS_AT_A_TIME) {
            give_way();
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        if bytes.len() > MAX_RECORD_BYTES {
            let problem = format!("a record of more than {MAX_RECORD_BYTES} bytes");
            return Err(Problem::new(problem, &String::from_utf8_lossy(&bytes[..512])).in_record());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| utf8_problem(bytes, error).in_record())?;
        match &mut self.decoder {
            Decoder::Ndjson(decoder) => decoder.decode(text, false, &mut self.rows),
            Decoder::Csv(decoder) => decoder.decode(text, false, &mut self.rows),
        }
    }

    fn finish(mut self) -> Events {
        let all: Vec<usize> = (0..self.rules.fields.len()).collect();
        let (rows, _) = self.rows.take(&all);
        let source = self.rules.source.clone();
        debug_assert_eq!(rows.len(), schema::schema(&source, &all).fields().len());
        Events { source, n_records: self.n_records, rows, rejected: self.rejected }
    }
}
