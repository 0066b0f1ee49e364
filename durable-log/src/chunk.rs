//! A chunk of a partition: contiguous positions in one frame of the journal, or in one flushed file.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use metricc_log::partition::OffsetRange;
use metricc_log::{LogError, ParquetPartition, RecordDecoder, WantedRows, row_schema};
use twox_hash::XxHash3_64;

use crate::checked_file::CheckedFile;
use crate::duplicate_key::DuplicateKey;
use crate::error::DurableError;
use crate::frame_payload::{self, Blob, Entry, QuarantinedEntry, RowsEntry};
use crate::journal::Location;
use crate::rejected::{self, Excluded};
use crate::request_end::RequestEnd;
use crate::request_ends::RequestEnds;

/// Declarations of a source by which an open file is kept.
const MAX_DECLARATIONS: usize = 3;

/// Contiguous positions and the records there.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) range: OffsetRange,
    pub(crate) excluded: Excluded,
    pub(crate) ends: RequestEnds,
    pub(crate) body: Body,
}

/// Where its rows are.
#[derive(Debug)]
pub(crate) enum Body {
    Journal(JournalRows),
    Flushed(Box<FlushedRows>),
}

#[derive(Debug)]
pub(crate) struct JournalRows {
    location: Location,
    source: String,
    partition: u32,
    /// Where the blobs start in the file.
    blobs: u64,
    rows: Option<Blob>,
    checksum: u64,
    /// Of the frame, where it is read for more than its rows.
    sums: Option<FrameSums>,
    /// The same rows, as long as they are in memory.
    recent: Weak<RecordBatch>,
}

/// What the payload of a frame has to be when it is read again: XXH3-64 of its head, and of all of it.
#[derive(Debug, Clone, Copy)]
struct FrameSums {
    head: u64,
    n_bytes: u64,
    all: u64,
}

/// A payload as it was written or read, and where in it the blobs start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) location: &'a Location,
    pub(crate) payload: &'a [u8],
    pub(crate) blobs: u64,
}

impl Written<'_> {
    fn sums(&self) -> FrameSums {
        let head = self.payload.get(..self.blobs as usize).unwrap_or_default();
        let (head, all) = (XxHash3_64::oneshot(head), XxHash3_64::oneshot(self.payload));
        FrameSums { head, n_bytes: self.payload.len() as u64, all }
    }
}

#[derive(Debug)]
pub(crate) struct FlushedRows {
    file: Arc<CheckedFile>,
    exceptions: Option<Arc<CheckedFile>>,
    /// The file, once it was opened, as it was read last by a few declarations of its source. Readers of one
    /// file wait for each other here, since each needs it.
    rows: Mutex<VecDeque<(Arc<RecordDecoder>, Arc<ParquetPartition>)>>,
}

impl Chunk {
    pub(crate) fn of_journal(
        written: Written<'_>,
        entry: &RowsEntry,
        total: u64,
        recent: Weak<RecordBatch>,
    ) -> Self {
        let location = written.location;
        let has_more = !(entry.quarantined.is_empty() && entry.duplicates.is_empty());
        let ends = match &entry.requests[..] {
            [] => Box::from([RequestEnd { offset: entry.to, total }]),
            several => Box::from(several),
        };
        let quarantined = entry.quarantined.iter().map(|record| record.offset).collect();
        Chunk {
            range: OffsetRange { from: entry.from, to: entry.to },
            excluded: Excluded::new(quarantined, entry.duplicates.clone(), entry.conflicts.clone()),
            ends: RequestEnds::Known(ends),
            body: Body::Journal(JournalRows {
                location: location.clone(),
                source: entry.source.clone(),
                partition: entry.partition,
                blobs: location.at + written.blobs,
                rows: entry.rows,
                checksum: entry.checksum,
                sums: has_more.then(|| written.sums()),
                recent,
            }),
        }
    }

    pub(crate) fn of_file(
        range: OffsetRange,
        excluded: Excluded,
        ends: RequestEnds,
        file: Arc<CheckedFile>,
        exceptions: Option<Arc<CheckedFile>>,
    ) -> Self {
        let rows = FlushedRows { file, exceptions, rows: Mutex::default() };
        Chunk { range, excluded, ends, body: Body::Flushed(Box::new(rows)) }
    }

    /// Whether it is flushed, and has no row that is wanted, as the statistics of its file tell.
    pub(crate) fn has_none_of(
        &self,
        decoder: &Arc<RecordDecoder>,
        wanted: &WantedRows,
    ) -> Result<bool, LogError> {
        match &self.body {
            Body::Journal(_) => Ok(false),
            Body::Flushed(rows) => Ok(rows.rows(decoder)?.has_none_of(wanted)),
        }
    }

    /// Bytes of its rows where they lie.
    pub(crate) fn n_bytes(&self) -> u64 {
        match &self.body {
            Body::Journal(rows) => rows.rows.as_ref().map_or(0, |rows| rows.n_bytes),
            Body::Flushed(rows) => rows.file.stated().n_bytes,
        }
    }

    /// The file of the journal that holds its rows, if they are there.
    pub(crate) fn journal_path(&self) -> Option<&Arc<str>> {
        match &self.body {
            Body::Journal(rows) => Some(&rows.location.path),
            Body::Flushed(_) => None,
        }
    }

    /// The index of the row at an offset, or of the next one.
    pub(crate) fn row_of(&self, offset: u64) -> u64 {
        let before = OffsetRange { from: self.range.from, to: offset };
        (offset - self.range.from) - self.excluded.within(before).len() as u64
    }

    /// The offset of a row; after the last one, the end.
    pub(crate) fn offset_of(&self, row: u64) -> u64 {
        let all = &self.excluded.all;
        // Of the excluded ones, the i-th has (offset - from - i) rows before it, which grows with i.
        let mut below = (0, all.len());
        while below.0 < below.1 {
            let middle = (below.0 + below.1) / 2;
            let n_rows = all[middle] - self.range.from - middle as u64;
            if n_rows <= row { below.0 = middle + 1 } else { below.1 = middle }
        }
        (self.range.from + row + below.0 as u64).min(self.range.to)
    }

    /// The quarantined records of a range, at most `left` of them; each with its bytes if they are wanted.
    pub(crate) fn quarantined(
        &self,
        range: OffsetRange,
        with_raw: bool,
        left: &Cell<usize>,
    ) -> Result<Vec<(QuarantinedEntry, Vec<u8>)>, DurableError> {
        if self.excluded.counts(range)[0] == 0 {
            return Ok(Vec::new());
        }
        let is_wanted = |record: &QuarantinedEntry| {
            let is_wanted = (range.from..range.to).contains(&record.offset) && left.get() > 0;
            left.set(left.get() - usize::from(is_wanted));
            is_wanted
        };
        match &self.body {
            Body::Journal(rows) => rows.quarantined(self.range, with_raw, is_wanted),
            Body::Flushed(rows) => match &rows.exceptions {
                Some(file) => rejected::quarantined(file, with_raw, is_wanted),
                None => Ok(Vec::new()),
            },
        }
    }
}

impl Chunk {
    /// What is kept of its duplicates, by their offsets. Those that an older version has written are left
    /// out.
    pub(crate) fn duplicate_keys(&self) -> Result<Vec<(u64, DuplicateKey)>, DurableError> {
        if self.excluded.duplicates.is_empty() {
            return Ok(Vec::new());
        }
        match &self.body {
            Body::Journal(rows) => {
                let (entry, ..) = rows.entry(self.range, false)?;
                let keys = entry.map(|entry| entry.duplicates.into_iter().zip(entry.duplicate_keys));
                Ok(keys.into_iter().flatten().collect())
            }
            Body::Flushed(rows) => match &rows.exceptions {
                Some(file) => rejected::duplicate_keys(file),
                None => Ok(Vec::new()),
            },
        }
    }
}

impl JournalRows {
    /// The rows of the wanted columns: from memory, or read, checked and decoded.
    pub(crate) fn read(
        &self,
        decoder: &RecordDecoder,
        columns: &[usize],
    ) -> Result<Option<RecordBatch>, LogError> {
        let wanted = row_schema(decoder.source(), columns);
        let rows = match self.recent.upgrade() {
            Some(rows) => Some(RecordBatch::clone(&rows)),
            None => self.read_file(&wanted)?,
        };
        rows.map(|rows| complete(decoder, columns, &wanted, &rows)).transpose()
    }

    fn read_file(&self, wanted: &SchemaRef) -> Result<Option<RecordBatch>, LogError> {
        let Some(blob) = self.rows else { return Ok(None) };
        let path = &self.location.path;
        let mut bytes = vec![0; usize::try_from(blob.n_bytes).unwrap_or(usize::MAX)];
        let read = self.location.file.read_exact_at(self.blobs + blob.at, &mut bytes);
        read.map_err(|cause| LogError::Unreadable { path: path.to_string(), cause })?;
        let malformed =
            |problem: String| LogError::Malformed { path: path.to_string(), format: "journal", problem };
        if XxHash3_64::oneshot(&bytes) != self.checksum {
            let (at, n_bytes) = (self.blobs + blob.at, blob.n_bytes);
            return Err(malformed(format!("checksum mismatch in the {n_bytes} bytes at {at}")));
        }
        frame_payload::read_rows(bytes, wanted).map_err(|error| malformed(error.to_string()))
    }

    fn quarantined(
        &self,
        range: OffsetRange,
        with_raw: bool,
        is_wanted: impl Fn(&QuarantinedEntry) -> bool,
    ) -> Result<Vec<(QuarantinedEntry, Vec<u8>)>, DurableError> {
        let (entry, blobs, payload) = self.entry(range, with_raw)?;
        let records = entry.into_iter().flat_map(|entry| entry.quarantined).filter(is_wanted);
        let with_bytes = |record: QuarantinedEntry| {
            let at = (blobs + record.raw.at) as usize;
            let raw = at..at + record.raw.n_bytes as usize;
            let raw = payload.get(raw).filter(|_| with_raw).unwrap_or_default().to_vec();
            (record, raw)
        };
        Ok(records.map(with_bytes).collect())
    }

    /// The entry of the rows as it stands in the frame, where in the payload the blobs start, and the
    /// payload, with its blobs if they are wanted.
    fn entry(
        &self,
        range: OffsetRange,
        with_blobs: bool,
    ) -> Result<(Option<RowsEntry>, u64, Vec<u8>), DurableError> {
        let payload = self.read_frame(with_blobs)?;
        let (entries, blobs) = frame_payload::parse(&self.location, &payload)?;
        // One frame has at most one entry of a partition; another partition may have the same offsets.
        let this = entries.into_iter().find_map(|entry| match entry {
            Entry::Rows(rows) => {
                let is_this = rows.source == self.source
                    && rows.partition == self.partition
                    && (rows.from, rows.to) == (range.from, range.to);
                is_this.then_some(rows)
            }
            _ => None,
        });
        Ok((this, blobs, payload))
    }

    /// The payload of the frame, or its head alone, as it was written.
    fn read_frame(&self, is_whole: bool) -> Result<Vec<u8>, DurableError> {
        let Location { file, path, at } = &self.location;
        let n_head = self.blobs - at;
        let (n_bytes, checksum) = match &self.sums {
            Some(sums) if is_whole => (sums.n_bytes, Some(sums.all)),
            sums => (n_head, sums.map(|sums| sums.head)),
        };
        let mut payload = vec![0; usize::try_from(n_bytes).unwrap_or(usize::MAX)];
        file.read_exact_at(*at, &mut payload).map_err(DurableError::io("reading", path.to_string()))?;
        if checksum == Some(XxHash3_64::oneshot(&payload)) {
            return Ok(payload);
        }
        let (path, problem) = (path.to_string(), "checksum mismatch".to_owned());
        Err(DurableError::Corrupt { path, from: *at, to: at + n_bytes, problem })
    }
}

/// The wanted columns in their order; fields that the rows, or records in them, do not have are absent, as
/// in any other record.
fn complete(
    decoder: &RecordDecoder,
    columns: &[usize],
    wanted: &SchemaRef,
    rows: &RecordBatch,
) -> Result<RecordBatch, LogError> {
    let array = |&field: &usize| -> Result<ArrayRef, ArrowError> {
        match rows.column_by_name(&decoder.source().fields[field].name) {
            Some(found) => decoder.completed_column(field, found),
            None => Ok(decoder.absent_column(field, rows.num_rows())),
        }
    };
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let arrays = columns.iter().map(array).collect::<Result<_, _>>();
    arrays
        .and_then(|arrays| RecordBatch::try_new_with_options(wanted.clone(), arrays, &options))
        .map_err(|error| LogError::Request { problem: error.to_string() })
}

impl FlushedRows {
    /// The file of the rows, and that of the records that are not rows.
    pub(crate) fn files(&self) -> (&CheckedFile, Option<&CheckedFile>) {
        (&self.file, self.exceptions.as_deref())
    }

    /// The rows, as a source declares them. The first call opens the file.
    pub(crate) fn rows(&self, decoder: &Arc<RecordDecoder>) -> Result<Arc<ParquetPartition>, LogError> {
        let mut known = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |(other, _): &&(Arc<RecordDecoder>, _)| {
            Arc::ptr_eq(other, decoder) || other.source() == decoder.source()
        };
        if let Some((_, rows)) = known.iter().find(is_same) {
            return Ok(rows.clone());
        }
        self.file.check()?;
        let rows = ParquetPartition::of_typed_rows(self.file.clone(), &self.file.shown, decoder)?;
        let rows = Arc::new(rows);
        known.push_front((decoder.clone(), rows.clone()));
        known.truncate(MAX_DECLARATIONS);
        Ok(rows)
    }
}
