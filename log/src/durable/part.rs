//! A part of a partition: contiguous positions in one frame of the journal, or in one sealed file.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use twox_hash::XxHash3_64;

use super::disk::DiskFile;
use super::entry::{self, Blob, Entry, QuarantinedEntry, RowsEntry, SealedFile};
use super::error::DurableError;
use super::exceptions;
use super::journal::Place;
use crate::decode::SharedRules;
use crate::files::LogFile;
use crate::format_parquet::{ParquetIndex, convert};
use crate::partition::Range;
use crate::rule::Rules;
use crate::{LogError, schema};

/// Contiguous positions and the records there.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) range: Range,
    pub(crate) excluded: Excluded,
    pub(crate) body: Body,
}

/// Where the rows are.
#[derive(Debug)]
pub(crate) enum Body {
    Journal(JournalRows),
    Sealed(Box<SealedRows>),
}

/// The records of a part that are no rows, by their offsets, ascending.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excluded {
    pub(crate) quarantined: Vec<u64>,
    pub(crate) duplicates: Vec<u64>,
    pub(crate) conflicts: Vec<u64>,
    /// Quarantined records and duplicates.
    all: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct JournalRows {
    place: Place,
    source: String,
    partition: u32,
    /// The place of the blobs in the file.
    blobs: u64,
    rows: Option<Blob>,
    checksum: u64,
}

#[derive(Debug)]
pub(crate) struct SealedRows {
    pub(crate) file: LogFile,
    stated: SealedFile,
    exceptions: Option<(Arc<dyn DiskFile>, Arc<str>)>,
    /// What is known of the file, once it was read.
    index: Mutex<Option<Arc<ParquetIndex>>>,
}

impl Excluded {
    pub(crate) fn new(quarantined: Vec<u64>, duplicates: Vec<u64>, conflicts: Vec<u64>) -> Self {
        let mut all: Vec<u64> = quarantined.iter().chain(&duplicates).copied().collect();
        all.sort_unstable();
        Excluded { quarantined, duplicates, conflicts, all }
    }

    /// The offsets of all records in a range that are no rows.
    pub(crate) fn within(&self, range: Range) -> &[u64] {
        &self.all[places(&self.all, range)]
    }

    /// How many quarantined records, duplicates and conflicts are in a range.
    pub(crate) fn counts(&self, range: Range) -> [u64; 3] {
        [&self.quarantined, &self.duplicates, &self.conflicts].map(|all| places(all, range).len() as u64)
    }
}

fn places(offsets: &[u64], range: Range) -> std::ops::Range<usize> {
    let start = offsets.partition_point(|&offset| offset < range.from);
    start..offsets.partition_point(|&offset| offset < range.to).max(start)
}

impl Part {
    pub(crate) fn of_journal(place: &Place, blobs: u64, entry: &RowsEntry) -> Self {
        let quarantined = entry.quarantined.iter().map(|record| record.offset).collect();
        Part {
            range: Range { from: entry.from, to: entry.to },
            excluded: Excluded::new(quarantined, entry.duplicates.clone(), entry.conflicts.clone()),
            body: Body::Journal(JournalRows {
                place: place.clone(),
                source: entry.source.clone(),
                partition: entry.partition,
                blobs: place.at + blobs,
                rows: entry.rows,
                checksum: entry.checksum,
            }),
        }
    }

    pub(crate) fn of_file(
        range: Range,
        excluded: Excluded,
        file: LogFile,
        stated: SealedFile,
        exceptions: Option<(Arc<dyn DiskFile>, Arc<str>)>,
    ) -> Self {
        let index = Mutex::new(None);
        Part { range, excluded, body: Body::Sealed(Box::new(SealedRows { file, stated, exceptions, index })) }
    }

    /// The file that has to stay for it, if that is one of the journal.
    pub(crate) fn journal_path(&self) -> Option<&Arc<str>> {
        match &self.body {
            Body::Journal(rows) => Some(&rows.place.path),
            Body::Sealed(_) => None,
        }
    }

    /// Which row stands at an offset, or would.
    pub(crate) fn row_of(&self, offset: u64) -> u64 {
        let before = Range { from: self.range.from, to: offset };
        (offset - self.range.from) - self.excluded.within(before).len() as u64
    }

    /// The offset of a row; behind the last one, the end.
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

    /// The quarantined records of a range, with the bytes of each if they are wanted; as many as are left to be read.
    pub(crate) fn quarantined(
        &self,
        range: Range,
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
            Body::Sealed(rows) => match &rows.exceptions {
                Some((file, path)) => exceptions::quarantined(file, path, with_raw, is_wanted),
                None => Ok(Vec::new()),
            },
        }
    }
}

impl JournalRows {
    /// The rows of the wanted columns.
    pub(crate) fn read(&self, rules: &Rules, columns: &[usize]) -> Result<Option<RecordBatch>, LogError> {
        let Some(blob) = self.rows else { return Ok(None) };
        let shown = &self.place.path;
        let mut bytes = vec![0; usize::try_from(blob.n_bytes).unwrap_or(usize::MAX)];
        let file: &Arc<dyn DiskFile> = &self.place.file;
        let read = file.read_exact_at(self.blobs + blob.at, &mut bytes);
        read.map_err(|cause| LogError::unreadable(shown, cause))?;
        let malformed =
            |problem: String| LogError::Malformed { path: shown.to_string(), format: "journal", problem };
        if XxHash3_64::oneshot(&bytes) != self.checksum {
            let at = self.blobs + blob.at;
            return Err(malformed(format!("the {} bytes at {at} are not what was written", blob.n_bytes)));
        }
        let wanted = schema::schema(&rules.source, columns);
        let rows = entry::read_rows(bytes, &wanted).map_err(|error| malformed(error.to_string()))?;
        rows.map(|rows| complete(rules, columns, &wanted, &rows)).transpose()
    }

    fn quarantined(
        &self,
        range: Range,
        with_raw: bool,
        is_wanted: impl Fn(&QuarantinedEntry) -> bool,
    ) -> Result<Vec<(QuarantinedEntry, Vec<u8>)>, DurableError> {
        let path = || self.place.path.to_string();
        let mut head = vec![0; usize::try_from(self.blobs - self.place.at).unwrap_or(usize::MAX)];
        let file = &self.place.file;
        file.read_exact_at(self.place.at, &mut head).map_err(DurableError::io("reading", path()))?;
        let (entries, _) = entry::parse(&self.place, &head)?;
        let mut found = Vec::new();
        for entry in entries {
            let Entry::Rows(rows) = entry else { continue };
            // One frame has at most one entry of a partition; another partition may have the same offsets.
            let is_this = rows.source == self.source
                && rows.partition == self.partition
                && (rows.from, rows.to) == (range.from, range.to);
            for record in rows.quarantined.into_iter().filter(|record| is_this && is_wanted(record)) {
                let n_bytes = if with_raw { record.raw.n_bytes } else { 0 };
                let mut raw = vec![0; usize::try_from(n_bytes).unwrap_or(usize::MAX)];
                let at = self.blobs + record.raw.at;
                file.read_exact_at(at, &mut raw).map_err(DurableError::io("reading", path()))?;
                found.push((record, raw));
            }
        }
        Ok(found)
    }
}

/// The wanted columns in their order; what the rows do not have stands for absent, as in any other record.
fn complete(
    rules: &Rules,
    columns: &[usize],
    wanted: &SchemaRef,
    rows: &RecordBatch,
) -> Result<RecordBatch, LogError> {
    let array = |&index: &usize| -> ArrayRef {
        let field = &rules.fields[index];
        rows.column_by_name(&field.name).cloned().unwrap_or_else(|| convert::absent(field, rows.num_rows()))
    };
    let arrays: Vec<ArrayRef> = columns.iter().map(array).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(wanted.clone(), arrays, &options)
        .map_err(|error| LogError::Request { problem: error.to_string() })
}

impl SealedRows {
    /// What is known of the file. When it is first asked for, the file is read and compared with what was sealed.
    pub(crate) fn index(&self, rules: &SharedRules) -> Result<Arc<ParquetIndex>, LogError> {
        let mut known = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*known {
            return Ok(index.clone());
        }
        if checksum(&self.file)? != self.stated.checksum {
            let problem = "its bytes are not those that were sealed".to_owned();
            return Err(LogError::Malformed {
                path: self.file.shown.to_string(),
                format: "Parquet",
                problem,
            });
        }
        let index = Arc::new(ParquetIndex::build(&self.file, rules)?);
        *known = Some(index.clone());
        Ok(index)
    }
}

fn checksum(file: &LogFile) -> Result<u64, LogError> {
    use std::hash::Hasher;
    let handle = file.open_handle()?;
    let (mut hasher, mut chunk, mut at) = (XxHash3_64::new(), vec![0; 1 << 20], 0);
    loop {
        let n_read =
            handle.read_up_to(at, &mut chunk).map_err(|cause| LogError::unreadable(&file.shown, cause))?;
        if n_read == 0 {
            return Ok(hasher.finish());
        }
        hasher.write(&chunk[..n_read]);
        at += n_read as u64;
    }
}
