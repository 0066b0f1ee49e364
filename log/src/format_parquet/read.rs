//! Reading typed rows from a Parquet file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::filter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{MayReject, ParquetIndex, convert, dictionary_names, guarded, malformed};
use crate::decode_value::Reject;
use crate::files::LogFile;
use crate::open_file::OpenFile;
use crate::partition::{DecodedBatch, OffsetRange, PartitionReader, SliceRequest};
use crate::read_stats::{FieldStats, ReadStats};
use crate::record_decoder::SharedDecoder;
use crate::text_batch::{Place, quarantined};
use crate::{LogError, NoneReason, Position};

/// The most rows that a batch has, whatever is asked for.
const MAX_BATCH_ROWS: u64 = 1 << 20;

/// Reads typed rows from a Parquet file, run by run.
pub(super) struct ParquetReader {
    index: Arc<ParquetIndex>,
    file: LogFile,
    handle: OpenFile,
    decoder: SharedDecoder,
    request: SliceRequest,
    /// The run that is being read.
    run: Run,
    /// Offset of the next record.
    next: u64,
}

/// Records of row groups that follow each other and are all decoded, or have no row that is wanted.
#[derive(Default)]
struct Run {
    /// The offset after its last record.
    end: u64,
    /// Whether its rows are left out.
    is_left_out: bool,
    /// `None` where no column has to be read.
    batches: Option<ParquetRecordBatchReader>,
    /// The fields that are read, ascending, with the index of its column in a batch.
    fields: Vec<(usize, usize)>,
    /// Whether the file has a column for each field, where that alone tells it.
    seen: Vec<FieldStats>,
}

impl std::fmt::Debug for ParquetReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetReader")
            .field("request", &self.request)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl ParquetReader {
    pub(super) fn new(
        index: &Arc<ParquetIndex>,
        file: &LogFile,
        decoder: &SharedDecoder,
        request: SliceRequest,
    ) -> Result<Self, LogError> {
        let (handle, next) = (file.open_at()?, request.range.from);
        let (index, file, decoder) = (Arc::clone(index), file.clone(), SharedDecoder::clone(decoder));
        let mut reader = ParquetReader { index, file, handle, decoder, request, run: Run::default(), next };
        // So that a column that is not readable is an error before anything is read.
        reader.open_run()?;
        Ok(reader)
    }

    /// Opens the run that starts at the next record.
    fn open_run(&mut self) -> Result<(), LogError> {
        let OffsetRange { to, .. } = self.request.range;
        let groups = self.index.groups(self.next, to);
        let Some(first) = groups.clone().next().filter(|_| self.next < to) else {
            self.run = Run { end: to, seen: self.seen(&[]), ..Run::default() };
            return Ok(());
        };
        let is_left_out = self.is_left_out(first)?;
        let mut end = first + 1;
        while end < groups.end && self.is_left_out(end)? == is_left_out {
            end += 1;
        }
        let groups = first..end;
        let run_end = self.index.starts.get(end).map_or(to, |start| to.min(*start));
        let wanted: &[usize] = if is_left_out { &[] } else { &self.request.columns };
        let (mut fields, mut leaves) = (Vec::new(), Vec::new());
        for (field, column) in self.index.columns.iter().enumerate() {
            if let Some(column) = column
                && (wanted.contains(&field) || (!is_left_out && self.may_reject(field, groups.clone())?))
            {
                fields.push((field, column.root));
                leaves.extend_from_slice(&column.leaves);
            }
        }
        let mut roots: Vec<usize> = fields.iter().map(|(_, root)| *root).collect();
        roots.sort_unstable();
        roots.dedup();
        let batches = if roots.is_empty() { None } else { Some(self.batches(groups, leaves, run_end)?) };
        let seen = self.seen(&fields);
        let index = |root| roots.binary_search(root).unwrap_or(0);
        let fields = fields.iter().map(|(field, root)| (*field, index(root))).collect();
        self.run = Run { end: run_end, is_left_out, batches, fields, seen };
        Ok(())
    }

    /// Whether a row group has no row that is wanted, and none that is rejected.
    fn is_left_out(&self, group: usize) -> Result<bool, LogError> {
        if !self.index.has_none(group, &self.request.wanted, &self.decoder.fields) {
            return Ok(false);
        }
        for field in 0..self.decoder.fields.len() {
            if self.may_reject(field, group..group + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The decoder of some columns of row groups, from the next record on.
    fn batches(
        &self,
        groups: Range<usize>,
        leaves: Vec<usize>,
        end: u64,
    ) -> Result<ParquetRecordBatchReader, LogError> {
        let skip = self.next - self.index.starts.get(groups.start).copied().unwrap_or(0);
        let (handle, metadata) = (self.handle.clone(), self.index.metadata.clone());
        guarded(&self.file, || {
            let chunks = groups.clone().filter_map(|group| metadata.metadata().row_groups().get(group));
            let chunks = chunks.flat_map(|group| leaves.iter().filter_map(|leaf| group.columns().get(*leaf)));
            // A footer may say anything: that a chunk begins before the file, or ends after all numbers.
            let range = |(from, n): (u64, u64)| from..from.saturating_add(n);
            let ranges: Vec<Range<u64>> = chunks.map(|chunk| range(chunk.byte_range())).collect();
            handle.file().will_read(&ranges);
            let mask = ProjectionMask::leaves(metadata.metadata().file_metadata().schema_descr(), leaves);
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata);
            let to_usize = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
            let n_rows = end - self.next;
            let batch_rows = self.request.batch_rows.min(n_rows).min(MAX_BATCH_ROWS);
            let builder = builder.with_projection(mask).with_row_groups(groups.collect());
            let builder = builder.with_offset(to_usize(skip)).with_limit(to_usize(n_rows));
            let reader = builder.with_batch_size(to_usize(batch_rows)).build();
            reader.map_err(|error| malformed(&self.file, error.to_string()))
        })
    }

    /// Whether the file has a column for each field: of what is read, its rows tell more.
    fn seen(&self, read: &[(usize, usize)]) -> Vec<FieldStats> {
        let is_read = |index: usize| read.iter().any(|(field, _)| *field == index);
        let fields = self.index.columns.iter().zip(&self.decoder.fields).enumerate();
        let seen = fields.map(|(index, (column, field))| {
            let seen = (column.is_some() && !is_read(index)) || field.is_in_folder;
            FieldStats { seen, parts: Vec::new() }
        });
        seen.collect()
    }

    /// Whether a value of a field may not decode in some of the row groups. Asked of columns that nobody
    /// wants.
    fn may_reject(&self, field: usize, groups: Range<usize>) -> Result<bool, LogError> {
        let Some(Some(column)) = self.index.columns.get(field) else { return Ok(false) };
        let row_groups = self.index.metadata.metadata().row_groups();
        for (group, may_reject) in row_groups[groups.clone()].iter().zip(&column.may_reject[groups]) {
            let may_reject = match *may_reject {
                MayReject::No => false,
                MayReject::Yes => true,
                MayReject::UnlessNames(leaf) => !guarded(&self.file, || {
                    let field = &self.decoder.fields[field];
                    let are_names = dictionary_names::are_names(&self.handle, field, group, leaf);
                    are_names.map_err(|error| malformed(&self.file, error.to_string()))
                })?,
            };
            if may_reject {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The columns of the next rows; `None` where no column is read.
    fn next_columns(&mut self) -> Result<Option<RecordBatch>, LogError> {
        let Some(batches) = &mut self.run.batches else {
            return Ok(None);
        };
        match batches.next() {
            Some(Ok(batch)) => Ok(Some(batch)),
            Some(Err(error)) => Err(malformed(&self.file, error.to_string())),
            None => Err(malformed(&self.file, "it has not as many rows as its footer says".into())),
        }
    }

    fn decode(&mut self, batch: Option<&RecordBatch>, range: OffsetRange) -> Result<DecodedBatch, LogError> {
        let n_records = usize::try_from(range.to - range.from).unwrap_or(usize::MAX);
        let mut rejects: BTreeMap<usize, Reject> = BTreeMap::new();
        let mut typed: BTreeMap<usize, ArrayRef> = BTreeMap::new();
        let mut none_values: Vec<(usize, usize, NoneReason)> = Vec::new();
        let mut seen = self.run.seen.clone();
        for &(index, column) in &self.run.fields {
            let column = batch.and_then(|batch| batch.columns().get(column));
            let column =
                column.ok_or_else(|| malformed(&self.file, "a column is missing in its contents".into()))?;
            let converted = convert::column(column, &self.decoder.fields[index])
                .map_err(|error| malformed(&self.file, error.to_string()))?;
            seen[index].merge(&converted.findings.seen);
            for (row, problem) in converted.findings.rejects {
                rejects.entry(row).or_insert_with(|| problem.in_field(index));
            }
            let found = converted.findings.none_values.into_iter();
            none_values.extend(found.map(|(row, reason)| (row, index, reason)));
            typed.insert(index, converted.array);
        }
        let arrays = self.request.columns.iter().map(|index| {
            typed.get(index).cloned().unwrap_or_else(|| self.decoder.fields[*index].absent_column(n_records))
        });
        let arrays: Vec<ArrayRef> = arrays.collect();
        let keep = self.rows_to_keep(&rejects, range, n_records);
        let n_rows = keep.as_ref().map_or(n_records, BooleanArray::true_count);
        let arrays = match &keep {
            None => arrays,
            Some(keep) => {
                let kept = arrays.iter().map(|array| filter(array, keep)).collect::<Result<_, _>>();
                kept.map_err(|error| malformed(&self.file, error.to_string()))?
            }
        };
        let offsets = |row: usize| range.from + row as u64;
        let rejected = rejects.keys().map(|&row| offsets(row)).collect();
        let (n_records, fields) = (range.to - range.from, seen);
        let mut stats = ReadStats { n_records, fields, ..ReadStats::default() };
        (stats.n_duplicates, stats.n_conflicts) = self.request.duplicates.count(range.from, range.to);
        let is_kept = |row: usize| keep.as_ref().is_none_or(|keep| keep.value(row));
        for (row, field, reason) in none_values {
            if is_kept(row) && self.request.columns.contains(&field) {
                stats.none_values.add_n(&self.decoder.fields[field].name, reason, 1);
            }
        }
        for (row, reject) in rejects {
            let partition = self.request.partition;
            let place = Place { path: &self.file.shown, line: None, has_known_offset: false };
            let position = Position { partition, offset: offsets(row) };
            stats.quarantine(quarantined(&place, &self.decoder, position, reject));
        }
        Ok(DecodedBatch { range, arrays, n_rows, stats, rejected, gaps: Vec::new() })
    }

    /// Records that are read, without rows.
    fn left_out(&self, range: OffsetRange) -> DecodedBatch {
        let fields = &self.decoder.fields;
        let arrays = self.request.columns.iter().map(|index| fields[*index].absent_column(0));
        let (n_records, seen) = (range.to - range.from, self.run.seen.clone());
        let mut stats = ReadStats { n_records, fields: seen, ..ReadStats::default() };
        (stats.n_duplicates, stats.n_conflicts) = self.request.duplicates.count(range.from, range.to);
        DecodedBatch {
            range,
            arrays: arrays.collect(),
            n_rows: 0,
            stats,
            rejected: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// The rows that are neither rejected nor duplicates; `None` if that is all of them.
    fn rows_to_keep(
        &self,
        rejects: &BTreeMap<usize, Reject>,
        range: OffsetRange,
        n_rows: usize,
    ) -> Option<BooleanArray> {
        let duplicates = Arc::clone(&self.request.duplicates);
        let duplicates = duplicates.within(range.from, range.to);
        if rejects.is_empty() && duplicates.is_empty() {
            return None;
        }
        let mut keep = BooleanBufferBuilder::new(n_rows);
        keep.append_n(n_rows, true);
        let rows = duplicates.iter().filter_map(|offset| usize::try_from(offset - range.from).ok());
        rejects
            .keys()
            .copied()
            .chain(rows)
            .filter(|&row| row < n_rows)
            .for_each(|row| keep.set_bit(row, false));
        Some(BooleanArray::new(keep.finish(), None))
    }
}

impl PartitionReader for ParquetReader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        let OffsetRange { to, .. } = self.request.range;
        let from = self.next;
        if from >= to {
            return Ok(None);
        }
        if from >= self.run.end {
            self.open_run()?;
        }
        let end = self.run.end;
        let file = self.file.clone();
        let decoded = guarded(&file, || {
            let batch = self.next_columns()?;
            let n_rows = match &batch {
                Some(batch) => batch.num_rows() as u64,
                None => (end - from).min(self.request.batch_rows).min(MAX_BATCH_ROWS),
            };
            if self.run.is_left_out {
                return Ok(self.left_out(OffsetRange { from, to: from + n_rows }));
            }
            if n_rows == 0 || n_rows > end - from {
                return Err(malformed(&file, "it has not as many rows as its footer says".into()));
            }
            self.decode(batch.as_ref(), OffsetRange { from, to: from + n_rows })
        })?;
        self.file.check(self.handle.file())?;
        self.next = decoded.range.to;
        Ok(Some(decoded))
    }
}
