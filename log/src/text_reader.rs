//! NDJSON, JSON and CSV files as partitions: what opening notes of them, and reading typed rows from them.

use crate::content_kind::{OtherKind, diagnose, json_separation};
use crate::csv_header::Header;
use crate::file_format::Shape;
use crate::file_of_partition::{FileOfPartition, SAMPLE_EVERY, TextPlaces};
use crate::files::LogFile;
use crate::open_file::{HEAD_BYTES, OpenFile, SequentialReader};
use crate::partition::{DecodedBatch, OffsetRange, Partition, PartitionReader, SliceRequest};
use crate::record_decoder::{RecordDecoder, SharedDecoder};
use crate::record_splitter::{MAX_RECORD_BYTES, Record, Records, Separation};
use crate::seen_names::{NameSample, Names, SAMPLED_RECORDS};
use crate::text_batch::{Parser, Place, Text, TextBatch};
use crate::wrapped_arrays::WrapSearch;
use crate::{Format, LogError};

/// The index of a text file: the number of its records, and where some of them start.
#[derive(Debug)]
struct TextIndex {
    separation: Separation,
    places: TextPlaces,
    /// CSV files that are not empty have one.
    header: Option<Header>,
    /// The names in the header, or the keys of the first records; those of the folders.
    names: Names,
}

/// How the records of a text are separated.
///
/// # Errors
/// [`LogError::OtherKind`] if it is not of its format.
pub(crate) fn separation(path: &str, shape: Shape, head: &[u8]) -> Result<Separation, LogError> {
    let format = shape.format;
    if let Some(OtherKind { found, help }) = diagnose(head, format) {
        return Err(LogError::OtherKind { path: path.to_owned(), format: format.name(), found, help });
    }
    Ok(match format {
        Format::Csv => Separation::Csv(shape.delimiter),
        Format::Json => json_separation(head),
        Format::Ndjson | Format::Parquet => Separation::Lines,
    })
}

fn other_kind(file: &LogFile, OtherKind { found, help }: OtherKind) -> LogError {
    LogError::OtherKind { path: file.shown.to_string(), format: file.shape.format.name(), found, help }
}

impl TextIndex {
    /// Counts the records of a file. Blank lines at its very end are not records.
    fn build(
        file: &LogFile,
        decoder: &RecordDecoder,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LogError> {
        let unreadable = |cause| LogError::of_text(&file.shown, file.shape.format, cause);
        let handle = file.open_at()?;
        let head = handle.head(HEAD_BYTES).map_err(unreadable)?;
        let separation = separation(&file.shown, file.shape, &head).map_err(|error| {
            // Objects that go over lines may be something else in truth.
            let mut wraps = WrapSearch::new(decoder, false);
            wraps.look(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head));
            wraps
                .found()
                .filter(|_| file.shape.format == Format::Ndjson)
                .map_or(error, |kind| other_kind(file, kind))
        })?;
        let mut wraps = WrapSearch::new(decoder, separation == Separation::JsonArray);
        let mut records = Records::of_file(&handle, separation, 0, 1).map_err(unreadable)?;
        let mut sample = NameSample::new(&decoder.fields);
        sample.add_columns(file.keys.iter().map(|key| key.name.as_str()));
        let (places, names) = (TextPlaces::default(), Names::default());
        let mut index = TextIndex { separation, places, header: None, names };
        if file.shape.format == Format::Csv {
            match records.next().map_err(unreadable)? {
                Some(record) if record.too_long => {
                    let problem = format!("its header has more than {MAX_RECORD_BYTES} bytes");
                    return Err(LogError::Malformed { path: file.shown.to_string(), format: "CSV", problem });
                }
                Some(record) => index.read_header(file, decoder, records.bytes(&record))?,
                None => return Ok(index),
            }
        }
        let done = index.count(file, records, (&mut sample, &mut wraps), &head, progress)?;
        if let Some(header) = &index.header {
            sample.add_columns(header.names.iter().map(String::as_str));
        }
        index.names = sample.into_names();
        file.check(handle.file())?;
        progress(file.stamp.n_bytes.saturating_sub(done));
        Ok(index)
    }

    /// Counts the records after the header, and looks at the first of them. Returns how many bytes the
    /// progress has been told of.
    fn count(
        &mut self,
        file: &LogFile,
        mut records: Records<SequentialReader>,
        (sample, wraps): (&mut NameSample, &mut WrapSearch),
        head: &[u8],
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, LogError> {
        let unreadable = |cause| LogError::of_text(&file.shown, file.shape.format, cause);
        let (mut n_seen, mut done) = (0, 0);
        loop {
            // Nothing but their number is wanted of nearly all records.
            if n_seen >= SAMPLED_RECORDS && n_seen % SAMPLE_EVERY != 0 {
                let most = SAMPLE_EVERY - n_seen % SAMPLE_EVERY;
                let (n_lines, n_said) = records.step_over_lines(most, self.separation);
                if n_said > 0 {
                    self.places.n_records = n_seen + n_said;
                }
                n_seen += n_lines;
                if n_lines > 0 {
                    continue;
                }
            }
            let Some(record) = records.next().map_err(unreadable)? else { break };
            if n_seen % SAMPLE_EVERY == 0 {
                self.places.samples.push((record.byte, record.line));
                progress(record.byte - done);
                done = record.byte;
            }
            if n_seen < SAMPLED_RECORDS && self.header.is_none() {
                sample.add_json(records.bytes(&record));
                let start = usize::try_from(record.byte).ok().filter(|_| record.too_long);
                wraps.look(start.and_then(|start| head.get(start..)).unwrap_or(records.bytes(&record)));
            }
            n_seen += 1;
            if n_seen == SAMPLED_RECORDS
                && let Some(kind) = wraps.found()
            {
                return Err(other_kind(file, kind));
            }
            if !self.separation.is_blank(records.bytes(&record)) {
                self.places.n_records = n_seen;
            }
        }
        if let Some(kind) = wraps.found() {
            return Err(other_kind(file, kind));
        }
        Ok(done)
    }

    /// The index of a file whose records are counted already: only its start is read.
    fn of_places(file: &LogFile, decoder: &RecordDecoder, places: &TextPlaces) -> Result<Self, LogError> {
        let unreadable = |cause| LogError::of_text(&file.shown, file.shape.format, cause);
        let handle = file.open_at()?;
        let separation = separation(&file.shown, file.shape, &handle.head(HEAD_BYTES).map_err(unreadable)?)?;
        let places = places.clone();
        let mut index = TextIndex { separation, places, header: None, names: Names::default() };
        if file.shape.format == Format::Csv {
            let mut records = Records::of_file(&handle, separation, 0, 1).map_err(unreadable)?;
            if let Some(record) = records.next().map_err(unreadable)? {
                index.read_header(file, decoder, records.bytes(&record))?;
            }
        }
        file.check(handle.file())?;
        Ok(index)
    }

    fn read_header(
        &mut self,
        file: &LogFile,
        decoder: &RecordDecoder,
        record: &[u8],
    ) -> Result<(), LogError> {
        let header = Header::parse(decoder, record, file.shape.delimiter);
        let header = header.map_err(|error| error.in_file(&file.shown, &decoder.source.name))?;
        self.header = Some(header);
        Ok(())
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
        places: Option<&TextPlaces>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, LogError> {
        let index = match places {
            Some(places) => TextIndex::of_places(&file, decoder, places)?,
            None => TextIndex::build(&file, decoder, progress)?,
        };
        Ok(TextPartition { file, index, decoder: decoder.clone() })
    }
}

impl Partition for TextPartition {
    fn name(&self) -> &str {
        &self.file.name
    }

    fn end(&self) -> u64 {
        self.index.places.n_records
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        (offset + SAMPLE_EVERY / 2) / SAMPLE_EVERY * SAMPLE_EVERY
    }

    fn column_names(&self) -> Option<&Names> {
        Some(&self.index.names)
    }

    fn n_bytes(&self) -> u64 {
        self.file.stamp.n_bytes
    }

    fn file(&self, range: OffsetRange) -> Option<FileOfPartition> {
        Some(FileOfPartition {
            file: self.file.clone(),
            places: Some(self.index.places.within(range.from, range.to)),
        })
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        let (file, index) = (&self.file, &self.index);
        let (byte, line) = index.places.start(request.range.from);
        let handle = file.open_at()?;
        let records = Records::of_file(&handle, index.separation, byte, line);
        let records = records.map_err(|cause| LogError::of_text(&file.shown, file.shape.format, cause))?;
        let parser = Parser::new(&self.decoder, index.header.as_ref());
        let (from, to) = (request.range.from, request.range.to);
        let batch = TextBatch::new(&self.decoder, parser, request);
        let mut reader = TextReader { file: file.clone(), handle, records, batch, to };
        for _ in 0..from % SAMPLE_EVERY {
            reader.record()?;
        }
        Ok(Box::new(reader))
    }
}

/// Reads typed rows from a text file.
#[derive(Debug)]
struct TextReader {
    file: LogFile,
    handle: OpenFile,
    records: Records<SequentialReader>,
    batch: TextBatch,
    /// The offset after the last record to read.
    to: u64,
}

impl TextReader {
    /// The next record. There is one: the file had it when it was counted.
    fn record(&mut self) -> Result<Record, LogError> {
        let LogFile { shown, shape, .. } = &self.file;
        let record = self.records.next().map_err(|cause| LogError::of_text(shown, shape.format, cause))?;
        record.ok_or_else(|| LogError::Changed { path: self.file.shown.to_string() })
    }
}

impl PartitionReader for TextReader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        if self.batch.next() >= self.to {
            return Ok(None);
        }
        while self.batch.next() < self.to && !self.batch.is_full() {
            let record = self.record()?;
            let place = Place { path: &self.file.shown, line: Some(record.line), has_known_offset: false };
            let (unfinished, too_long) = (record.unfinished, record.too_long);
            let text = Text { bytes: self.records.bytes(&record), unfinished, too_long };
            self.batch.push(self.batch.next(), &text, &place);
        }
        self.file.check(self.handle.file())?;
        Ok(Some(self.batch.take()))
    }
}
