//! Records that come one by one as bytes, each with its offset, as those of a topic do.
//!
//! They are decoded as the lines of a file are, by the same code. A record is a JSON object, or a line of CSV
//! without a header. Whoever reads records of another kind makes JSON of them first.

use std::borrow::Cow;
use std::sync::Arc;

use metricc_ir::{Source, Step};

use crate::LogError;
use crate::csv_header::Header;
use crate::csv_splitter::CsvSplitter;
use crate::field_decoder::FieldDecoder;
use crate::partition::{DecodedBatch, SliceRequest};
use crate::record_decoder::RecordDecoder;
use crate::record_splitter::{HEAD_BYTES, MAX_RECORD_BYTES};
use crate::seen_names::{NameSample, Names, SAMPLED_RECORDS};
use crate::text_batch::{Parser, Place, Text, TextBatch};

/// What is said of records that begin as those of Confluent's wire format do.
const REGISTRY_FORMAT: &str = "not text: it begins with byte 0, as records of a schema registry do, whose \
                               `format` is `avro` or `protobuf`";

/// A record that comes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawRecord<'r> {
    /// The text that it is decoded from.
    Text(Cow<'r, [u8]>),
    /// Why it has none, and its bytes. It is rejected.
    Rejected(Cow<'static, str>, &'r [u8]),
    /// A tombstone: it has no value, and is not an event.
    Tombstone,
}

/// What the texts of records are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKind {
    /// JSON objects.
    Json,
    /// Lines of CSV without a header.
    Csv {
        /// The byte between cells.
        delimiter: u8,
        /// The names of the cells, in their order; without it, they are the fields of the source in theirs.
        columns: Option<Vec<String>>,
    },
    /// JSON objects with nothing but an object `kafka`: no other field is in a record.
    EnvelopeAlone,
}

/// What records that come one by one are.
#[derive(Debug, Clone)]
pub struct RecordForm {
    /// Of CSV.
    header: Option<Header>,
    /// Whether fields are read from below [`ENVELOPE`].
    has_envelope: bool,
}

/// What begins the paths to what a record has beside its value.
const ENVELOPE: &str = "kafka";

/// The text that a record is decoded from; or what it is instead, and its bytes.
type TextOrProblem<'b> = Result<&'b [u8], (Cow<'static, str>, &'b [u8])>;

impl RecordForm {
    /// Records of the topic `shown`.
    ///
    /// # Errors
    /// [`LogError`] if such records cannot have the fields of the source.
    pub fn new(decoder: &RecordDecoder, kind: &RecordKind, shown: &str) -> Result<Self, LogError> {
        match kind {
            RecordKind::Json => {
                let has_envelope = decoder.fields.iter().any(is_beside);
                Ok(RecordForm { header: None, has_envelope })
            }
            RecordKind::EnvelopeAlone => {
                let is_missing = |field: &&FieldDecoder| !is_beside(field) && !field.may_be_absent();
                match decoder.fields.iter().find(is_missing) {
                    None => Ok(RecordForm { header: None, has_envelope: true }),
                    Some(field) => Err(LogError::Request {
                        problem: format!(
                            "records of {shown} are raw text and have no field `{}`: read the text `from {ENVELOPE}.value`, and \
                             what stands beside it from `{ENVELOPE}.key`, `{ENVELOPE}.headers` or `{ENVELOPE}.timestamp`",
                            field.name
                        ),
                    }),
                }
            }
            RecordKind::Csv { delimiter, columns } => {
                let own = || fields_in_order(decoder);
                let line = header_line(&columns.clone().unwrap_or_else(own), *delimiter);
                let header = Header::parse(decoder, line.as_bytes(), *delimiter);
                let header = header.map_err(|error| error.in_file(shown, &decoder.source.name))?;
                Ok(RecordForm { header: Some(header), has_envelope: false })
            }
        }
    }

    /// As [`RecordForm::new`], for records of a source.
    ///
    /// # Errors
    /// As [`RecordForm::new`], and as [`RecordDecoder::new`].
    pub fn of_source(source: &Arc<Source>, kind: &RecordKind, shown: &str) -> Result<Self, LogError> {
        RecordForm::new(&*RecordDecoder::new(source)?, kind, shown)
    }

    /// The names in some records, which are the first ones.
    pub fn names<'r>(&self, decoder: &RecordDecoder, records: impl Iterator<Item = &'r [u8]>) -> Names {
        let mut sample = NameSample::new(&decoder.fields);
        match &self.header {
            Some(header) => sample.add_columns(header.names.iter().map(String::as_str)),
            None => records.take(SAMPLED_RECORDS as usize).for_each(|record| sample.add_json(record)),
        }
        sample.into_names()
    }

    /// Whether a field is read from what records have beside their values. These have to have it in an object
    /// `kafka` then.
    pub fn has_envelope(&self) -> bool {
        self.has_envelope
    }

    /// The header of records of CSV.
    pub(crate) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The text that a record is decoded from; `None` if it is a tombstone.
    pub(crate) fn text_of<'b>(&self, record: &'b RawRecord<'_>) -> Option<TextOrProblem<'b>> {
        let bytes = match record {
            RawRecord::Tombstone => return None,
            RawRecord::Rejected(problem, bytes) => return Some(Err((problem.clone(), bytes))),
            RawRecord::Text(bytes) => bytes.as_ref(),
        };
        if bytes.first() == Some(&0) {
            return Some(Err((REGISTRY_FORMAT.into(), bytes)));
        }
        let line = self.without_line_end(bytes);
        Some(if self.is_several(line) { Err(("more than one line of CSV".into(), bytes)) } else { Ok(line) })
    }

    /// Producers that send lines of CSV may send their ends as well.
    fn without_line_end<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        if self.header.is_none() {
            return bytes;
        }
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes.strip_suffix(b"\r").unwrap_or(bytes)
    }

    /// Whether some bytes are more than one record, such as two lines of CSV.
    fn is_several(&self, bytes: &[u8]) -> bool {
        let Some(header) = &self.header else { return false };
        let is_line = memchr::memchr(b'\n', bytes).is_none();
        !is_line && CsvSplitter::new(header.delimiter).find_end(bytes, 0).is_some_and(|end| end < bytes.len())
    }
}

/// Whether a field is read from what records have beside their values.
fn is_beside(field: &FieldDecoder) -> bool {
    matches!(field.path.steps(), [Step::Name(name), _, ..] if name == ENVELOPE)
}

/// The columns of all fields, each once.
fn fields_in_order(decoder: &RecordDecoder) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for field in &decoder.fields {
        let name = field.path.header();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn header_line(names: &[String], delimiter: u8) -> String {
    let quoted = names.iter().map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(&char::from(delimiter).to_string())
}

/// The records of a partition on their way into batches.
#[derive(Debug)]
pub struct RawRecords {
    form: RecordForm,
    batch: TextBatch,
    shown: Arc<str>,
}

impl RawRecords {
    /// Records of the partition `shown`, from the first offset of the request on.
    pub fn new(
        decoder: &Arc<RecordDecoder>,
        form: &RecordForm,
        shown: &Arc<str>,
        request: SliceRequest,
    ) -> Self {
        let parser = Parser::new(decoder, form.header.as_ref());
        let batch = TextBatch::new(decoder, parser, request);
        RawRecords { form: form.clone(), batch, shown: shown.clone() }
    }

    /// The offset after the last one that was added.
    pub fn next(&self) -> u64 {
        self.batch.next()
    }

    /// Whether the batch is to be taken before more records are added.
    pub fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Adds the record of an offset. The offsets since the last one that was added have no record.
    pub fn push(&mut self, offset: u64, record: &RawRecord<'_>) {
        self.batch.step_over(offset);
        let place = Place { path: &self.shown, line: None, has_known_offset: true };
        let bytes = match self.form.text_of(record) {
            None => return self.batch.step_over_tombstone(),
            Some(Ok(bytes)) => bytes,
            Some(Err((problem, bytes))) => return self.batch.reject(offset, problem, bytes, &place),
        };
        let too_long = bytes.len() > MAX_RECORD_BYTES;
        let bytes = if too_long { &bytes[..HEAD_BYTES] } else { bytes };
        self.batch.push(offset, &Text { bytes, unfinished: false, too_long }, &place);
    }

    /// Notes that there is no record up to an offset.
    pub fn step_over(&mut self, to: u64) {
        self.batch.step_over(to);
    }

    /// Takes the records that were added as a batch.
    pub fn take(&mut self) -> DecodedBatch {
        self.batch.take()
    }
}
