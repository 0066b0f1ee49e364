//! From the body of a request to typed events: the same decoder as for files, record by record.

use std::sync::Arc;

use arrow::array::ArrayRef;
use memchr::memchr_iter;
use metricc_dsl::ir::Source;

use crate::decode::{Problem, Reject, Rows, SharedRules};
use crate::format_ndjson::NdjsonDecoder;
use crate::json::{Cursor, Syntax};
use crate::records::MAX_RECORD_BYTES;
use crate::rule::Rules;
use crate::text_reader::utf8_problem;
use crate::{LogError, schema};

/// What a request wrote, decoded: typed rows of all fields, and the records that did not decode.
#[derive(Debug, Clone)]
pub struct Events {
    pub(crate) source: Arc<Source>,
    pub(crate) n_records: u64,
    /// All fields of the accepted records, in order.
    pub(crate) rows: Vec<ArrayRef>,
    pub(crate) rejected: Vec<Rejected>,
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

    /// NDJSON: one object a line. Blank lines at the end are no records.
    pub fn ndjson(&self, body: &[u8]) -> Events {
        let body = body.trim_ascii_end();
        let mut building = Building::new(&self.rules);
        let mut start = 0;
        let ends = memchr_iter(b'\n', body).chain((!body.is_empty()).then_some(body.len()));
        for end in ends {
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

    /// The records that did not decode, in order.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }
}

struct Building {
    rules: SharedRules,
    decoder: NdjsonDecoder,
    rows: Rows,
    n_records: u64,
    rejected: Vec<Rejected>,
}

impl Building {
    fn new(rules: &SharedRules) -> Self {
        Building {
            decoder: NdjsonDecoder::new(rules),
            rows: Rows::new(rules),
            rules: rules.clone(),
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
                field: field.and_then(|index| self.rules.fields.get(index)).map(|field| field.name.clone()),
                problem: problem.text.into_owned(),
                excerpt: problem.excerpt,
                raw: bytes.to_vec(),
            });
        }
        self.n_records += 1;
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        if bytes.len() > MAX_RECORD_BYTES {
            let problem = format!("a record of more than {MAX_RECORD_BYTES} bytes");
            return Err(Problem::new(problem, &String::from_utf8_lossy(&bytes[..512])).in_record());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| utf8_problem(bytes, error).in_record())?;
        self.decoder.decode(text, false, &mut self.rows)
    }

    fn finish(mut self) -> Events {
        let all: Vec<usize> = (0..self.rules.fields.len()).collect();
        let (rows, _) = self.rows.take(&all);
        let source = self.rules.source.clone();
        debug_assert_eq!(rows.len(), schema::schema(&source, &all).fields().len());
        Events { source, n_records: self.n_records, rows, rejected: self.rejected }
    }
}
