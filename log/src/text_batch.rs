//! Batches of typed rows that are decoded from texts, record by record: from a file, or from another
//! partition whose records are texts. Whatever a record comes from, one decoder decides whether it is a row,
//! and one place counts it.

use std::borrow::Cow;
use std::str::Utf8Error;
use std::sync::Arc;

use crate::Position;
use crate::csv_header::Header;
use crate::decode_value::{Problem, Reject};
use crate::format_csv::CsvParser;
use crate::format_ndjson::NdjsonParser;
use crate::partition::{DecodedBatch, OffsetRange, SliceRequest};
use crate::read_stats::{FieldStats, ReadStats};
use crate::record_decoder::{RecordDecoder, SharedDecoder};
use crate::record_splitter::{HEAD_BYTES, MAX_RECORD_BYTES};
use crate::rejections::Quarantined;
use crate::row_builder::RowBuilder;

/// A batch is closed when its records have this many bytes, whatever their number. It keeps the
/// offsets of Arrow's texts and lists far below their limit, since a value is no longer than its text.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// Decodes the text of a record.
#[derive(Debug)]
pub(crate) enum Parser {
    Ndjson(Box<NdjsonParser>),
    Csv(CsvParser),
}

impl Parser {
    /// With a header, records are CSV; otherwise they are JSON objects.
    pub(crate) fn new(decoder: &SharedDecoder, header: Option<&Header>) -> Self {
        match header {
            Some(header) => Parser::Csv(CsvParser::new(decoder, header.clone())),
            None => Parser::Ndjson(Box::new(NdjsonParser::new(decoder))),
        }
    }

    /// Whether each field was in a record that was decoded, or in the header.
    pub(crate) fn fields_seen(&self) -> Vec<FieldStats> {
        match self {
            Parser::Ndjson(parser) => parser.fields_seen(),
            Parser::Csv(parser) => parser.fields_seen(),
        }
    }
}

/// The text of a record.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(crate) bytes: &'a [u8],
    /// Whether the file ends before its line does.
    pub(crate) unfinished: bool,
    /// Whether it has more than [`MAX_RECORD_BYTES`].
    pub(crate) too_long: bool,
}

/// Where a record stands, for the report of one that does not decode.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The file, or the partition of a topic.
    pub(crate) path: &'a Arc<str>,
    pub(crate) line: Option<u64>,
    /// See [`Quarantined::has_known_offset`].
    pub(crate) has_known_offset: bool,
}

/// The batch of a partition that is being decoded.
#[derive(Debug)]
pub(crate) struct TextBatch {
    decoder: SharedDecoder,
    parser: Parser,
    rows: RowBuilder,
    request: SliceRequest,
    /// Index of the first duplicate that is not before the next record.
    next_duplicate: usize,
    /// Offset of the first record of the batch.
    from: u64,
    /// Offset of the next record.
    next: u64,
    /// Records of the batch, and their bytes.
    n_records: u64,
    n_bytes: usize,
    stats: ReadStats,
    rejected: Vec<u64>,
    gaps: Vec<OffsetRange>,
}

impl TextBatch {
    /// Starts at the first offset of the request.
    pub(crate) fn new(decoder: &SharedDecoder, parser: Parser, request: SliceRequest) -> Self {
        TextBatch {
            decoder: decoder.clone(),
            parser,
            rows: RowBuilder::new(decoder),
            next_duplicate: request.duplicates.first_from(request.range.from),
            from: request.range.from,
            next: request.range.from,
            n_records: 0,
            n_bytes: 0,
            stats: ReadStats::default(),
            rejected: Vec::new(),
            gaps: Vec::new(),
            request,
        }
    }

    /// The offset of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether the batch is to be taken before more records are added.
    pub(crate) fn is_full(&self) -> bool {
        self.n_records >= self.request.batch_rows || self.n_bytes >= MAX_BATCH_BYTES
    }

    /// Adds the record of an offset; those since the one before have none.
    pub(crate) fn push(&mut self, offset: u64, text: &Text<'_>, place: &Place<'_>) {
        self.add(offset, text.bytes.len(), place, |parser, rows| decode(parser, text, rows));
    }

    /// Adds a record that is none of its format.
    pub(crate) fn reject(
        &mut self,
        offset: u64,
        problem: Cow<'static, str>,
        bytes: &[u8],
        place: &Place<'_>,
    ) {
        self.add(offset, bytes.len(), place, |_, _| Err(none_of_its_format(problem, bytes)));
    }

    /// Adds a record that `decode` appends to the rows, or rejects.
    #[inline]
    fn add(
        &mut self,
        offset: u64,
        n_bytes: usize,
        place: &Place<'_>,
        decode: impl FnOnce(&mut Parser, &mut RowBuilder) -> Result<(), Reject>,
    ) {
        self.step_over(offset);
        self.next = offset + 1;
        self.n_records += 1;
        if self.request.duplicates.contains(offset, &mut self.next_duplicate) {
            return;
        }
        self.n_bytes += n_bytes + self.decoder.n_default_bytes;
        let result = decode(&mut self.parser, &mut self.rows);
        self.rows.end_record(result.is_ok());
        if let Err(reject) = result {
            self.rejected.push(offset);
            let position = Position { partition: self.request.partition, offset };
            self.stats.quarantine(quarantined(place, &self.decoder, position, reject));
        }
    }

    /// Notes that the offsets from the next one to this one have no record.
    pub(crate) fn step_over(&mut self, to: u64) {
        if to <= self.next {
            return;
        }
        match self.gaps.last_mut().filter(|gap| gap.to == self.next) {
            Some(gap) => gap.to = to,
            None => self.gaps.push(OffsetRange { from: self.next, to }),
        }
        self.next = to;
    }

    /// Notes that the next offset has a record that is no event.
    pub(crate) fn step_over_tombstone(&mut self) {
        self.stats.n_tombstones += 1;
        self.step_over(self.next + 1);
    }

    /// Takes the batch. The next one begins where it ends.
    pub(crate) fn take(&mut self) -> DecodedBatch {
        let range = OffsetRange { from: self.from, to: self.next };
        let mut stats = std::mem::take(&mut self.stats);
        stats.fields = self.parser.fields_seen();
        stats.n_records = std::mem::take(&mut self.n_records);
        (stats.n_duplicates, stats.n_conflicts) = self.request.duplicates.count(range.from, range.to);
        stats.none_values = self.rows.count_none_values(&self.decoder, &self.request.columns);
        let (arrays, n_rows) = self.rows.take(&self.request.columns);
        (self.from, self.n_bytes) = (self.next, 0);
        let (rejected, gaps) = (std::mem::take(&mut self.rejected), std::mem::take(&mut self.gaps));
        DecodedBatch { range, arrays, n_rows, stats, rejected, gaps }
    }
}

fn decode(parser: &mut Parser, text: &Text<'_>, rows: &mut RowBuilder) -> Result<(), Reject> {
    let Text { bytes, unfinished, too_long } = *text;
    if too_long {
        let problem = format!("a record of more than {MAX_RECORD_BYTES} bytes");
        return Err(Problem::new(problem, &String::from_utf8_lossy(bytes)).in_record());
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let problem = utf8_problem(bytes, error);
        let is_cut_off = unfinished && error.error_len().is_none();
        let text = if is_cut_off { "the file ends in the middle of the record".into() } else { problem.text };
        Problem { text, ..problem }.in_record()
    })?;
    match parser {
        Parser::Ndjson(parser) => parser.decode(text, unfinished, rows),
        Parser::Csv(parser) => parser.decode(text, unfinished, rows),
    }
}

/// The rejection of a record that is not of its format.
pub(crate) fn none_of_its_format(problem: Cow<'static, str>, bytes: &[u8]) -> Reject {
    let head = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    Problem::new(problem, &String::from_utf8_lossy(head)).in_record()
}

/// What is wrong with a record that is not UTF-8.
pub(crate) fn utf8_problem(bytes: &[u8], error: Utf8Error) -> Problem {
    let problem = format!("not UTF-8 at byte {}", error.valid_up_to());
    Problem::new(problem, &String::from_utf8_lossy(bytes))
}

/// The report of a record that did not decode.
pub(crate) fn quarantined(
    place: &Place<'_>,
    decoder: &RecordDecoder,
    position: Position,
    reject: Reject,
) -> Quarantined {
    Quarantined {
        position,
        path: Arc::clone(place.path),
        line: place.line,
        has_known_offset: place.has_known_offset,
        field: decoder.field_name(&reject),
        problem: decoder.problem_text(&reject),
        excerpt: reject.problem.excerpt,
    }
}
