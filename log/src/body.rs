//! The body of a request as typed events, by the same decoder as files.

use std::sync::Arc;

use memchr::memchr_iter;
use metricc_ir::Source;

use crate::body_columns;
use crate::body_format::BodyFormat;
use crate::content_kind::{OtherKind, diagnose, json_separation};
use crate::csv_header::{Header, HeaderError};
use crate::decode_value::{Problem, Reject};
use crate::events::{BodyError, BodyLimits, Events, Rejected};
use crate::raw_records::{RawRecord, RecordForm};
use crate::record_decoder::{RecordDecoder, SharedDecoder};
use crate::record_splitter::{HEAD_BYTES, MAX_RECORD_BYTES, Records, Separation};
use crate::row_builder::RowBuilder;
use crate::seen_names::{NameSample, SAMPLED_RECORDS};
use crate::text_batch::{Parser, none_of_its_format, utf8_problem};
use crate::time_slice::yield_if_due;
use crate::wrapped_arrays::WrapSearch;
use crate::{LogError, schema};

/// Records that are decoded between two calls of [`yield_if_due`].
const RECORDS_AT_A_TIME: u64 = 256;

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

    /// A decoder for events as another one decodes records.
    pub fn of_records(decoder: &SharedDecoder) -> Self {
        EventDecoder { decoder: decoder.clone() }
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
        if let Some(kind) = format.of_file().and_then(|format| diagnose(body, format)) {
            return Err(other_kind(format, &kind));
        }
        let events = match format {
            BodyFormat::Ndjson => self.ndjson_up_to(body, limits.records),
            BodyFormat::Json => self.json_up_to(body, limits.records)?,
            BodyFormat::Csv { delimiter } => self.csv_up_to(without_mark(body), delimiter, limits.records)?,
            BodyFormat::Arrow => body_columns::decode(&self.decoder, body, limits)?,
        };
        limits.check_records(events.n_records)?;
        match self.wrap_of(format, body, &events) {
            Some(kind) => Err(other_kind(format, &kind)),
            None => Ok(events),
        }
    }

    /// What the records are in, where none of them decodes for it.
    fn wrap_of(&self, format: BodyFormat, body: &[u8], events: &Events) -> Option<OtherKind> {
        let is_json = matches!(format, BodyFormat::Ndjson | BodyFormat::Json);
        if !is_json || events.rejected.len() as u64 != events.n_records {
            return None;
        }
        let in_array = format == BodyFormat::Json && json_separation(body) == Separation::JsonArray;
        let mut wraps = WrapSearch::new(&self.decoder, in_array);
        let first = events.rejected.iter().take(usize::try_from(SAMPLED_RECORDS).unwrap_or(usize::MAX));
        first.for_each(|record| wraps.look(&record.raw));
        wraps.found()
    }

    /// CSV: a header, then one record a row. Empty lines at the end are no records.
    fn csv_up_to(&self, body: &[u8], delimiter: u8, most: u64) -> Result<Events, BodyError> {
        let mut body = body;
        // Blanks may be the last cell of a record; empty lines are not records.
        while let Some(rest) = body.strip_suffix(b"\n") {
            body = rest.strip_suffix(b"\r").unwrap_or(rest);
        }
        let mut records = BodyRecords::new(body, Separation::Csv(delimiter))?;
        let Some(header) = records.next()? else { return Ok(Building::new(&self.decoder).finish()) };
        let header = Header::parse(&self.decoder, header, delimiter).map_err(HeaderError::in_request)?;
        let mut building = Building::of(&self.decoder, Parser::new(&self.decoder, Some(&header)));
        building.all(&mut records, most)?;
        Ok(building.finish())
    }

    /// Decodes records that came one by one, such as those of a topic. `place_of` says where a record that
    /// does not decode, by its index, stands; that is added to its problem. Tombstones are left out, and have
    /// no index.
    pub fn records<'r>(
        &self,
        form: &RecordForm,
        records: impl IntoIterator<Item = &'r RawRecord<'r>>,
        place_of: impl Fn(u64) -> String,
    ) -> Events {
        let mut building = Building::of(&self.decoder, Parser::new(&self.decoder, form.header()));
        for record in records {
            match form.text_of(record) {
                Some(Ok(text)) => building.record(text),
                Some(Err((problem, bytes))) => {
                    building.end_record(bytes, Err(none_of_its_format(problem, bytes)));
                }
                None => {}
            }
        }
        let mut events = building.finish();
        for rejected in &mut events.rejected {
            rejected.problem = format!("{} ({})", rejected.problem, place_of(rejected.record));
        }
        events
    }

    /// NDJSON: one object a line. Blank lines at the end are no records.
    pub fn ndjson(&self, body: &[u8]) -> Events {
        self.ndjson_up_to(body, u64::MAX)
    }

    /// As [`EventDecoder::ndjson`]; stops one record after the limit.
    fn ndjson_up_to(&self, body: &[u8], most: u64) -> Events {
        let body = without_mark(body).trim_ascii_end();
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

    /// A JSON array of objects, or objects one after the other.
    ///
    /// # Errors
    /// What is wrong with it as a whole: then nothing of it is an event.
    pub fn json(&self, body: &[u8]) -> Result<Events, BodyError> {
        self.json_up_to(body, u64::MAX)
    }

    /// As [`EventDecoder::json`]; stops one record after the limit.
    fn json_up_to(&self, body: &[u8], most: u64) -> Result<Events, BodyError> {
        let separation = json_separation(body);
        if separation == Separation::Lines {
            return Ok(self.ndjson_up_to(body, most));
        }
        let mut building = Building::new(&self.decoder);
        building.all(&mut BodyRecords::new(without_mark(body), separation)?, most)?;
        Ok(building.finish())
    }
}

fn other_kind(format: BodyFormat, OtherKind { found, help }: &OtherKind) -> BodyError {
    BodyError::Body(format!("the body is not {}: it is {found}: {help}", format.name()))
}

/// A text without its byte order mark.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The records of a body, whole, however long.
struct BodyRecords<'a> {
    body: &'a [u8],
    records: Records<&'a [u8]>,
}

impl<'a> BodyRecords<'a> {
    fn new(body: &'a [u8], separation: Separation) -> Result<Self, BodyError> {
        let records = Records::new(body, separation.splitter(), 0, 1);
        Ok(BodyRecords { body, records: records.map_err(undivided)? })
    }

    fn next(&mut self) -> Result<Option<&'a [u8]>, BodyError> {
        let Some(record) = self.records.next().map_err(undivided)? else { return Ok(None) };
        let place = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
        let bytes = &self.body[place(record.byte)..place(self.records.n_bytes_done())];
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Ok(Some(bytes.strip_suffix(b"\r").unwrap_or(bytes)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn undivided(error: std::io::Error) -> BodyError {
    BodyError::Body(format!("the body cannot be divided into events: {error}"))
}

struct Building {
    decoder: SharedDecoder,
    parser: Parser,
    rows: RowBuilder,
    n_records: u64,
    rejected: Vec<Rejected>,
    names: NameSample,
}

impl Building {
    fn new(decoder: &SharedDecoder) -> Self {
        Building::of(decoder, Parser::new(decoder, None))
    }

    fn of(decoder: &SharedDecoder, parser: Parser) -> Self {
        Building {
            parser,
            rows: RowBuilder::new(decoder),
            decoder: decoder.clone(),
            n_records: 0,
            rejected: Vec::new(),
            names: NameSample::new(&decoder.fields),
        }
    }

    /// Takes the records up to one after the limit.
    fn all(&mut self, records: &mut BodyRecords<'_>, most: u64) -> Result<(), BodyError> {
        while self.n_records <= most
            && let Some(record) = records.next()?
        {
            self.record(record);
        }
        Ok(())
    }

    fn record(&mut self, bytes: &[u8]) {
        if self.n_records < SAMPLED_RECORDS && matches!(self.parser, Parser::Ndjson(_)) {
            self.names.add_json(bytes);
        }
        let outcome = self.decode(bytes);
        self.end_record(bytes, outcome);
    }

    fn end_record(&mut self, bytes: &[u8], outcome: Result<(), Reject>) {
        self.rows.end_record(outcome.is_ok());
        if let Err(reject) = outcome {
            self.rejected.push(Rejected {
                record: self.n_records,
                field: self.decoder.field_name(&reject),
                problem: self.decoder.problem_text(&reject),
                excerpt: reject.problem.excerpt,
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
            return Err(Problem::new(problem, &String::from_utf8_lossy(&bytes[..HEAD_BYTES])).in_record());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| utf8_problem(bytes, error).in_record())?;
        match &mut self.parser {
            Parser::Ndjson(parser) => parser.decode(text, false, &mut self.rows),
            Parser::Csv(parser) => parser.decode(text, false, &mut self.rows),
        }
    }

    fn finish(mut self) -> Events {
        let all: Vec<usize> = (0..self.decoder.fields.len()).collect();
        let none_values = self.rows.count_none_values(&self.decoder, &all);
        let (rows, _) = self.rows.take(&all);
        let source = self.decoder.source.clone();
        debug_assert_eq!(rows.len(), schema::row_schema(&source, &all).fields().len());
        if let Parser::Csv(parser) = &self.parser {
            self.names.add_columns(parser.names().iter().map(String::as_str));
        }
        let fields = self.parser.fields_seen();
        let (n_records, rejected, names) = (self.n_records, self.rejected, self.names.into_names());
        Events { source, n_records, rows, rejected, none_values, fields, names }
    }
}
