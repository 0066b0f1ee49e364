//! A partition of a durable log as it stood at one moment, and reading typed rows from it.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use metricc_log::partition::{DecodedBatch, OffsetRange, Partition, PartitionReader, SliceRequest};
use metricc_log::{LogError, Position, Quarantined, ReadStats, RecordDecoder};

use crate::chunk::{Body, Chunk};
use crate::chunk_list::Chunks;

/// Chunks with fewer rows are read together: many small requests must not become many small batches.
const MIN_ROWS: usize = 4096;

/// The positions of a partition from `start` to `end`.
#[derive(Debug, Clone)]
pub(crate) struct DurablePartition {
    /// The source.
    pub(crate) name: Arc<str>,
    pub(crate) decoder: Arc<RecordDecoder>,
    /// The first offset that can be read.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) chunks: Chunks,
}

impl Partition for DurablePartition {
    fn name(&self) -> &str {
        &self.name
    }

    fn end(&self) -> u64 {
        self.end
    }

    /// The start of a chunk.
    fn nearest_start(&self, offset: u64) -> u64 {
        let starts = self.chunks.from(offset.saturating_sub(1)).take(2).map(|chunk| chunk.range.from);
        starts.min_by_key(|start| start.abs_diff(offset)).unwrap_or(offset)
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        let next = request.range.from;
        if next < self.start {
            let problem = format!("offset {next} is before {}, where this log starts", self.start);
            return Err(LogError::Request { problem });
        }
        // A batch joins pieces of several chunks, and its rows tell their offsets: so all are read, also those
        // that nobody wants.
        let request = SliceRequest { wanted: Arc::default(), ..request };
        Ok(Box::new(DurableReader { partition: self.clone(), request, next, open: None }))
    }
}

/// Reads some positions of a partition.
#[derive(Debug)]
struct DurableReader {
    partition: DurablePartition,
    request: SliceRequest,
    next: u64,
    open: Option<Open>,
}

/// The chunk that is being read.
#[derive(Debug)]
struct Open {
    /// Rows that were read and not yet handed out.
    left: Rows,
    /// Reads more of them, if it is a file.
    reader: Option<Box<dyn PartitionReader>>,
}

/// The wanted columns of some rows; perhaps no column, and rows nevertheless.
#[derive(Debug, Default)]
struct Rows {
    arrays: Vec<ArrayRef>,
    n_rows: usize,
}

impl Rows {
    /// Takes at most so many rows from the front.
    fn take(&mut self, n_rows: usize) -> Rows {
        let n_taken = n_rows.min(self.n_rows);
        let n_left = self.n_rows - n_taken;
        let arrays = self.arrays.iter().map(|array| array.slice(0, n_taken)).collect();
        self.arrays.iter_mut().for_each(|array| *array = array.slice(n_taken, n_left));
        self.n_rows = n_left;
        Rows { arrays, n_rows: n_taken }
    }
}

impl PartitionReader for DurableReader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        let from = self.next;
        if from >= self.request.range.to {
            return Ok(None);
        }
        let most = self.request.batch_rows;
        let mut pieces: Vec<Vec<ArrayRef>> = Vec::new();
        let mut n_rows = 0;
        while self.next < self.request.range.to && self.next - from < most && n_rows < MIN_ROWS {
            let to = self.request.range.to.min(from.saturating_add(most));
            let (arrays, n_read) = self.piece(to)?;
            n_rows += n_read;
            if n_read > 0 {
                pieces.push(arrays);
            }
        }
        let range = OffsetRange { from, to: self.next };
        let (stats, rejected) = self.stats(range)?;
        let arrays = self.joined(&pieces)?;
        Ok(Some(DecodedBatch { range, arrays, n_rows, stats, rejected, gaps: Vec::new() }))
    }
}

impl DurableReader {
    /// Reads on to an offset, at most to the end of a chunk, and steps there.
    fn piece(&mut self, to: u64) -> Result<(Vec<ArrayRef>, usize), LogError> {
        let Some(chunk) = self.partition.chunks.from(self.next).next().cloned() else {
            let problem = format!("there is no offset {} in {}", self.next, self.partition.name);
            return Err(LogError::Request { problem });
        };
        let to = to.min(chunk.range.to);
        let (first, end) = (chunk.row_of(self.next), chunk.row_of(to));
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open(&chunk, first)?,
        };
        let n_rows = usize::try_from(end - first).unwrap_or(usize::MAX);
        if open.left.n_rows == 0
            && n_rows > 0
            && let Some(reader) = &mut open.reader
            && let Some(decoded) = reader.next_batch()?
        {
            open.left = Rows { arrays: decoded.arrays, n_rows: decoded.n_rows };
        }
        let Rows { arrays, n_rows: n_read } = open.left.take(n_rows);
        if n_read == 0 && n_rows > 0 {
            let problem = format!("offsets {} to {to} have fewer rows than were written", self.next);
            let path = self.partition.name.to_string();
            return Err(LogError::Malformed { path, format: "log", problem });
        }
        // Records after the last row of the piece that are not rows belong to it, too.
        self.next = if n_read == n_rows { to } else { chunk.offset_of(first + n_read as u64).min(to) };
        self.open = (self.next < chunk.range.to).then_some(open);
        Ok((arrays, n_read))
    }

    fn open(&self, chunk: &Chunk, first: u64) -> Result<Open, LogError> {
        let decoder = &self.partition.decoder;
        match &chunk.body {
            Body::Journal(journal) => {
                let rows = journal.read(decoder, &self.request.columns)?;
                let mut left = rows.map_or_else(Rows::default, |rows| Rows {
                    arrays: rows.columns().to_vec(),
                    n_rows: rows.num_rows(),
                });
                left.take(usize::try_from(first).unwrap_or(usize::MAX));
                Ok(Open { left, reader: None })
            }
            Body::Flushed(flushed) => {
                let end = chunk.row_of(self.request.range.to.min(chunk.range.to));
                let range = OffsetRange { from: first, to: end };
                let reader = match first < end {
                    true => {
                        Some(flushed.rows(decoder)?.read(SliceRequest { range, ..self.request.clone() })?)
                    }
                    false => None,
                };
                Ok(Open { left: Rows::default(), reader })
            }
        }
    }

    /// Counts of the records of a range, and the offsets of those that are not rows.
    fn stats(&self, range: OffsetRange) -> Result<(ReadStats, Vec<u64>), LogError> {
        let mut stats = ReadStats { n_records: range.to - range.from, ..ReadStats::default() };
        let mut rejected = Vec::new();
        let chunks = self.partition.chunks.from(range.from);
        for chunk in chunks.take_while(|chunk| chunk.range.from < range.to) {
            let [n_quarantined, n_duplicates, n_conflicts] = chunk.excluded.counts(range);
            stats.n_duplicates += n_duplicates;
            stats.n_conflicts += n_conflicts;
            rejected.extend_from_slice(chunk.excluded.within(range));
            if n_quarantined == 0 {
                continue;
            }
            let records = chunk.quarantined(range, false, &Cell::new(usize::MAX));
            let records = records.map_err(|error| LogError::Partition {
                name: self.partition.name.to_string(),
                cause: Box::new(error),
                help: None,
            })?;
            let partition = self.request.partition;
            records.into_iter().for_each(|(record, _)| {
                stats.quarantine(Quarantined {
                    position: Position { partition, offset: record.offset },
                    path: self.partition.name.clone(),
                    line: None,
                    has_known_offset: false,
                    field: record.field,
                    problem: record.problem,
                    excerpt: record.excerpt,
                });
            });
        }
        Ok((stats, rejected))
    }

    fn joined(&self, pieces: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>, LogError> {
        let columns = &self.request.columns;
        match pieces {
            [] => {
                let decoder = &self.partition.decoder;
                Ok(columns.iter().map(|&field| decoder.absent_column(field, 0)).collect())
            }
            [only] => Ok(only.clone()),
            pieces => {
                let column = |index: usize| {
                    let arrays: Vec<&dyn Array> = pieces.iter().map(|piece| piece[index].as_ref()).collect();
                    concat(&arrays).map_err(|error| LogError::Request { problem: error.to_string() })
                };
                (0..columns.len()).map(column).collect()
            }
        }
    }
}
