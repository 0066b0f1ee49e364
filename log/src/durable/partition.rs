//! A partition of a durable log as it stood at one moment, and reading typed rows from it.

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;

use super::part::{Body, Part};
use crate::decode::SharedRules;
use crate::findings::{Findings, MAX_QUARANTINED_KEPT, Quarantined};
use crate::format_parquet::{ParquetReader, convert};
use crate::partition::{Decoded, Range, ReadRequest};
use crate::{LogError, Position};

/// Parts with fewer rows are read together: many small requests must not become many small batches.
const MIN_ROWS: usize = 4096;

/// Contiguous parts, from the one that holds `start` on.
#[derive(Debug)]
pub(crate) struct DurablePartition {
    /// The first offset that can be read.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) parts: Vec<Arc<Part>>,
    /// The source, in messages.
    pub(crate) shown: Arc<str>,
}

impl DurablePartition {
    /// The start or end of a part that is nearest to an offset.
    pub(crate) fn nearest_start(&self, offset: u64) -> u64 {
        let above = self.parts.partition_point(|part| part.range.from < offset);
        let starts = [above.checked_sub(1), Some(above)].into_iter().flatten();
        let starts = starts.filter_map(|place| self.parts.get(place)).map(|part| part.range.from);
        starts.min_by_key(|start| start.abs_diff(offset)).unwrap_or(offset)
    }

    fn place_of(&self, offset: u64) -> usize {
        self.parts.partition_point(|part| part.range.to <= offset)
    }
}

/// Reads some positions of a partition.
#[derive(Debug)]
pub(crate) struct DurableReader {
    partition: Arc<DurablePartition>,
    rules: SharedRules,
    request: ReadRequest,
    next: u64,
    open: Option<Open>,
}

/// The part that is being read.
#[derive(Debug)]
struct Open {
    /// Rows that were read and not yet handed out.
    left: Rows,
    /// Where there are more, if it is a file.
    reader: Option<Box<ParquetReader>>,
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

impl DurableReader {
    pub(crate) fn new(
        partition: &Arc<DurablePartition>,
        rules: &SharedRules,
        request: ReadRequest,
    ) -> Result<Self, LogError> {
        let next = request.range.from;
        if next < partition.start {
            let problem =
                format!("offset {next} is before those that were asked for, from {}", partition.start);
            return Err(LogError::Request { problem });
        }
        Ok(DurableReader { partition: partition.clone(), rules: rules.clone(), request, next, open: None })
    }

    /// The next rows; none at the end.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Decoded>, LogError> {
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
        let range = Range { from, to: self.next };
        let (findings, rejected) = self.findings(range)?;
        let arrays = self.joined(&pieces)?;
        Ok(Some(Decoded { range, arrays, n_rows, findings, rejected }))
    }

    /// Reads on to an offset, at most to the end of a part, and steps there.
    fn piece(&mut self, to: u64) -> Result<(Vec<ArrayRef>, usize), LogError> {
        let partition = self.partition.clone();
        let Some(part) = partition.parts.get(partition.place_of(self.next)) else {
            let problem = format!("there is no offset {} in {}", self.next, partition.shown);
            return Err(LogError::Request { problem });
        };
        let to = to.min(part.range.to);
        let (first, end) = (part.row_of(self.next), part.row_of(to));
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open(part, first)?,
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
            let problem = format!("offsets {} to {to} have not as many rows as they had", self.next);
            return Err(LogError::Malformed { path: partition.shown.to_string(), format: "log", problem });
        }
        // Behind the last row of the piece, what is no row belongs to it too.
        self.next = if n_read == n_rows { to } else { part.offset_of(first + n_read as u64).min(to) };
        self.open = (self.next < part.range.to).then_some(open);
        Ok((arrays, n_read))
    }

    fn open(&self, part: &Part, first: u64) -> Result<Open, LogError> {
        match &part.body {
            Body::Journal(journal) => {
                let rows = journal.read(&self.rules, &self.request.columns)?;
                let mut left = rows.map_or_else(Rows::default, |rows| Rows {
                    arrays: rows.columns().to_vec(),
                    n_rows: rows.num_rows(),
                });
                left.take(usize::try_from(first).unwrap_or(usize::MAX));
                Ok(Open { left, reader: None })
            }
            Body::Sealed(sealed) => {
                let end = part.row_of(self.request.range.to.min(part.range.to));
                let request = ReadRequest { range: Range { from: first, to: end }, ..self.request.clone() };
                let reader = sealed.index(&self.rules)?.read(&sealed.file, &self.rules, request)?;
                Ok(Open { left: Rows::default(), reader: Some(Box::new(reader)) })
            }
        }
    }

    fn findings(&self, range: Range) -> Result<(Findings, Vec<u64>), LogError> {
        let mut findings = Findings { n_records: range.to - range.from, ..Findings::default() };
        let mut rejected = Vec::new();
        let parts = &self.partition.parts[self.partition.place_of(range.from)..];
        for part in parts.iter().take_while(|part| part.range.from < range.to) {
            let [n_quarantined, n_duplicates, n_conflicts] = part.excluded.counts(range);
            findings.n_duplicates += n_duplicates;
            findings.n_conflicts += n_conflicts;
            rejected.extend_from_slice(part.excluded.within(range));
            let n_before = findings.quarantined.len();
            findings.n_quarantined += n_quarantined;
            if n_quarantined == 0 || n_before >= MAX_QUARANTINED_KEPT {
                continue;
            }
            let records = part
                .quarantined(range, false, &Cell::new(MAX_QUARANTINED_KEPT - n_before))
                .map_err(|error| LogError::Request { problem: error.to_string() })?;
            findings.quarantined.extend(records.into_iter().take(MAX_QUARANTINED_KEPT - n_before).map(
                |(record, _)| Quarantined {
                    position: Position { partition: self.request.partition, offset: record.offset },
                    path: self.partition.shown.clone(),
                    line: None,
                    field: record.field,
                    problem: record.problem,
                    excerpt: record.excerpt,
                },
            ));
        }
        Ok((findings, rejected))
    }

    fn joined(&self, pieces: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>, LogError> {
        match pieces {
            [] => Ok(self
                .request
                .columns
                .iter()
                .map(|&index| convert::absent(&self.rules.fields[index], 0))
                .collect()),
            [only] => Ok(only.clone()),
            pieces => {
                let column = |place: usize| {
                    let arrays: Vec<&dyn Array> = pieces.iter().map(|piece| piece[place].as_ref()).collect();
                    concat(&arrays).map_err(|error| LogError::Request { problem: error.to_string() })
                };
                (0..self.request.columns.len()).map(column).collect()
            }
        }
    }
}
