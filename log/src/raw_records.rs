//! Records that come one by one as bytes, each with its offset, as those of a topic do.
//!
//! They are decoded as the lines of a file are, by the same code. A record is a JSON object, or a line of CSV
//! without a header: its cells are the fields of the source in their order.

use std::sync::Arc;

use metricc_ir::{Source, Step};

use crate::csv_header::Header;
use crate::csv_splitter::CsvSplitter;
use crate::field_decoder::FieldDecoder;
use crate::partition::{DecodedBatch, SliceRequest};
use crate::record_decoder::RecordDecoder;
use crate::record_splitter::{HEAD_BYTES, MAX_RECORD_BYTES};
use crate::seen_names::{NameSample, Names, SAMPLED_RECORDS};
use crate::text_batch::{Parser, Place, Text, TextBatch};
use crate::{FileOptions, Format, LogError};

/// What is said of records that begin as those of Confluent's wire format do.
const REGISTRY_FORMAT: &str = "no text: it begins with byte 0, as Avro and Protobuf records of a schema \
                               registry do, which are not read";

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

impl RecordForm {
    /// Records of the topic `shown` in the format that the options name; JSON objects if they name none.
    ///
    /// # Errors
    /// [`LogError`] if records of the format cannot have the fields of the source, or there is none.
    pub fn new(decoder: &RecordDecoder, options: &FileOptions, shown: &str) -> Result<Self, LogError> {
        let shape = options.shape(options.format.unwrap_or(Format::Ndjson), None);
        let is_envelope = |step: &Step| matches!(step, Step::Name(name) if name == ENVELOPE);
        let is_beside = |field: &FieldDecoder| match field.path.steps() {
            [first, _, ..] => is_envelope(first),
            _ => false,
        };
        let has_envelope = decoder.fields.iter().any(is_beside);
        match shape.format {
            Format::Ndjson | Format::Json => Ok(RecordForm { header: None, has_envelope }),
            Format::Parquet => {
                let problem =
                    format!("records of {shown} are JSON objects or lines of CSV, and no Parquet files");
                Err(LogError::Request { problem })
            }
            Format::Csv => {
                let line = header_line(decoder, shape.delimiter);
                let header = Header::parse(decoder, line.as_bytes(), shape.delimiter);
                let header = header.map_err(|error| error.in_file(shown, &decoder.source.name))?;
                Ok(RecordForm { header: Some(header), has_envelope: false })
            }
        }
    }

    /// As [`RecordForm::new`], for records of a source.
    ///
    /// # Errors
    /// As [`RecordForm::new`], and as [`RecordDecoder::new`].
    pub fn of_source(source: &Arc<Source>, options: &FileOptions, shown: &str) -> Result<Self, LogError> {
        RecordForm::new(&*RecordDecoder::new(source)?, options, shown)
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

    /// The text that a record is decoded from.
    ///
    /// # Errors
    /// What the record is instead.
    pub(crate) fn text_of<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], &'static str> {
        if bytes.first() == Some(&0) {
            return Err(REGISTRY_FORMAT);
        }
        let bytes = self.without_line_end(bytes);
        if self.is_several(bytes) { Err("more than one line of CSV") } else { Ok(bytes) }
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

/// A header with the columns of all fields, each once.
fn header_line(decoder: &RecordDecoder, delimiter: u8) -> String {
    let mut names: Vec<String> = Vec::new();
    for field in &decoder.fields {
        let name = field.path.header();
        if !names.contains(&name) {
            names.push(name);
        }
    }
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

    /// Adds the record of an offset, or that its record has no value. The offsets since the last one that was
    /// added have no record.
    pub fn push(&mut self, offset: u64, value: Option<&[u8]>) {
        self.batch.step_over(offset);
        let Some(bytes) = value else { return self.batch.step_over_tombstone() };
        let place = Place { path: &self.shown, line: None, has_known_offset: true };
        let bytes = match self.form.text_of(bytes) {
            Ok(bytes) => bytes,
            Err(problem) => return self.batch.reject(offset, problem, bytes, &place),
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
