//! The records of a flushed chunk that are not rows: a Parquet file beside that of the rows, which other
//! programs can read as well.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type};
use metricc_log::partition::OffsetRange;
use metricc_log::{LogError, OpenFile};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::checked_file::CheckedFile;
use crate::duplicate_key::DuplicateKey;
use crate::error::DurableError;
use crate::frame_payload::{Blob, QuarantinedEntry};

const QUARANTINED: &str = "quarantined";
const DUPLICATE: &str = "duplicate";
const CONFLICT: &str = "conflict";

/// The most bytes of records in one batch, unless one has more.
const MAX_BATCH_BYTES: usize = 64 << 20;

/// A row of the file.
struct RejectedRow<'a> {
    offset: u64,
    verdict: &'static str,
    /// The record with its bytes, where it did not decode.
    record: Option<&'a (QuarantinedEntry, Vec<u8>)>,
    /// Of a duplicate.
    key: Option<DuplicateKey>,
}

/// The records of a chunk that are not rows, by their offsets, ascending.
#[derive(Debug, Clone, Default)]
pub(crate) struct Excluded {
    pub(crate) quarantined: Vec<u64>,
    pub(crate) duplicates: Vec<u64>,
    pub(crate) conflicts: Vec<u64>,
    /// Quarantined records and duplicates.
    pub(crate) all: Vec<u64>,
}

impl Excluded {
    pub(crate) fn new(quarantined: Vec<u64>, duplicates: Vec<u64>, conflicts: Vec<u64>) -> Self {
        let mut all: Vec<u64> = quarantined.iter().chain(&duplicates).copied().collect();
        all.sort_unstable();
        Excluded { quarantined, duplicates, conflicts, all }
    }

    /// The offsets of all records in a range that are not rows.
    pub(crate) fn within(&self, range: OffsetRange) -> &[u64] {
        &self.all[indices(&self.all, range)]
    }

    /// The numbers of quarantined records, duplicates and conflicts in a range.
    pub(crate) fn counts(&self, range: OffsetRange) -> [u64; 3] {
        [&self.quarantined, &self.duplicates, &self.conflicts].map(|all| indices(all, range).len() as u64)
    }
}

fn indices(offsets: &[u64], range: OffsetRange) -> std::ops::Range<usize> {
    let start = offsets.partition_point(|&offset| offset < range.from);
    start..offsets.partition_point(|&offset| offset < range.to).max(start)
}

/// The columns of the file: offset, verdict, field, problem, excerpt, raw, and of duplicates `key_hash` and
/// `time`. Bytes of `raw` are with each record. In several batches where there are many bytes: one has less
/// than Arrow's offsets can count.
pub(crate) fn to_batches(
    excluded: &Excluded,
    quarantined: &[(QuarantinedEntry, Vec<u8>)],
    keys: &[(u64, DuplicateKey)],
) -> Result<Vec<RecordBatch>, DurableError> {
    let mut rows: Vec<RejectedRow<'_>> = Vec::new();
    rows.extend(quarantined.iter().map(|record| RejectedRow {
        offset: record.0.offset,
        verdict: QUARANTINED,
        record: Some(record),
        key: None,
    }));
    let verdict = |offset: &u64| match excluded.conflicts.binary_search(offset) {
        Ok(_) => CONFLICT,
        Err(_) => DUPLICATE,
    };
    rows.extend(excluded.duplicates.iter().map(|offset| {
        let key = keys.binary_search_by_key(offset, |(offset, _)| *offset);
        let key = key.ok().map(|index| keys[index].1);
        RejectedRow { offset: *offset, verdict: verdict(offset), record: None, key }
    }));
    rows.sort_by_key(|row| row.offset);
    let mut batches = Vec::new();
    let mut rest = &rows[..];
    while !rest.is_empty() {
        let mut n_bytes = 0;
        let n_rows = rest.iter().take_while(|row| {
            n_bytes += row.record.map_or(0, |(_, raw)| raw.len());
            n_bytes <= MAX_BATCH_BYTES
        });
        let (batch, after) = rest.split_at(n_rows.count().max(1));
        batches.push(to_batch(batch)?);
        rest = after;
    }
    Ok(batches)
}

fn to_batch(rows: &[RejectedRow<'_>]) -> Result<RecordBatch, DurableError> {
    let offsets = rows.iter().map(|row| i64::try_from(row.offset).unwrap_or(i64::MAX));
    let text = |of: fn(&QuarantinedEntry) -> Option<&str>| -> ArrayRef {
        let texts = rows.iter().map(|row| row.record.and_then(|(entry, _)| of(entry)));
        Arc::new(texts.collect::<StringArray>())
    };
    let key_hashes = rows.iter().map(|row| row.key.map(|key| key.hash));
    let times = rows.iter().map(|row| row.key.map(|key| key.time));
    let raws = rows.iter().map(|row| row.record.map(|(_, raw)| raw.as_slice()));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("offset", Arc::new(Int64Array::from_iter_values(offsets))),
        ("verdict", Arc::new(rows.iter().map(|row| Some(row.verdict)).collect::<StringArray>())),
        ("field", text(|entry| entry.field.as_deref())),
        ("problem", text(|entry| Some(&entry.problem))),
        ("excerpt", text(|entry| Some(&entry.excerpt))),
        ("raw", Arc::new(raws.collect::<BinaryArray>())),
        ("key_hash", Arc::new(key_hashes.collect::<UInt64Array>())),
        ("time", Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, name != "offset" && name != "verdict")),
    );
    Ok(batch?)
}

/// The offsets of the records of a file.
pub(crate) fn excluded(file: &Arc<CheckedFile>) -> Result<Excluded, DurableError> {
    let path = &file.shown;
    let (mut quarantined, mut duplicates, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
    for batch in read(file, &["offset", "verdict"])? {
        let batch = batch?;
        let (offsets, verdicts) = (offsets(&batch, path)?, texts(&batch, "verdict", path)?);
        for (offset, verdict) in offsets.into_iter().zip(verdicts) {
            match verdict.as_deref() {
                Some(QUARANTINED) => quarantined.push(offset),
                Some(CONFLICT) => {
                    duplicates.push(offset);
                    conflicts.push(offset);
                }
                _ => duplicates.push(offset),
            }
        }
    }
    Ok(Excluded::new(quarantined, duplicates, conflicts))
}

/// What is kept of the duplicates of a file, by their offsets. There is nothing in a file of an older
/// version.
pub(crate) fn duplicate_keys(file: &Arc<CheckedFile>) -> Result<Vec<(u64, DuplicateKey)>, DurableError> {
    let mut keys = Vec::new();
    for batch in read(file, &["offset", "key_hash", "time"])? {
        let batch = batch?;
        let hashes =
            batch.column_by_name("key_hash").and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let times = batch.column_by_name("time");
        let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let (Some(hashes), Some(times)) = (hashes, times) else { return Ok(Vec::new()) };
        for (row, offset) in offsets(&batch, &file.shown)?.into_iter().enumerate() {
            if hashes.is_valid(row) && times.is_valid(row) {
                keys.push((offset, DuplicateKey { hash: hashes.value(row), time: times.value(row) }));
            }
        }
    }
    Ok(keys)
}

/// The quarantined records of a file that are wanted; their bytes, if they are wanted too, are read as well.
pub(crate) fn quarantined(
    file: &Arc<CheckedFile>,
    with_raw: bool,
    is_wanted: impl Fn(&QuarantinedEntry) -> bool,
) -> Result<Vec<(QuarantinedEntry, Vec<u8>)>, DurableError> {
    let (path, mut found) = (&file.shown, Vec::new());
    let columns: &[&str] = if with_raw {
        &["offset", "verdict", "field", "problem", "excerpt", "raw"]
    } else {
        &["offset", "verdict", "field", "problem", "excerpt"]
    };
    for batch in read(file, columns)? {
        let batch = batch?;
        let raws = batch.column_by_name("raw").and_then(|column| column.as_binary_opt::<i32>());
        if with_raw && raws.is_none() {
            return Err(malformed(path, "it has no column `raw`"));
        }
        let columns = ["verdict", "field", "problem", "excerpt"].map(|name| texts(&batch, name, path));
        let [verdicts, fields, problems, excerpts] = columns;
        let (verdicts, fields, problems, excerpts) = (verdicts?, fields?, problems?, excerpts?);
        for (row, offset) in offsets(&batch, path)?.into_iter().enumerate() {
            let text = |texts: &[Option<String>]| texts[row].clone();
            let entry = QuarantinedEntry {
                offset,
                field: text(&fields),
                problem: text(&problems).unwrap_or_default(),
                excerpt: text(&excerpts).unwrap_or_default(),
                raw: Blob { at: 0, n_bytes: 0 },
            };
            if verdicts[row].as_deref() == Some(QUARANTINED) && is_wanted(&entry) {
                found.push((entry, raws.map_or_else(Vec::new, |raws| raws.value(row).to_vec())));
            }
        }
    }
    Ok(found)
}

fn read(
    file: &Arc<CheckedFile>,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, DurableError>>, DurableError> {
    file.check()?;
    let path = file.shown.clone();
    let reader = ParquetRecordBatchReaderBuilder::try_new(OpenFile::new(file.clone()))
        .and_then(|builder| {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder.with_projection(mask).build()
        })
        .map_err(|error| malformed(&path, error.to_string()))?;
    Ok(reader.map(move |batch| batch.map_err(|error| malformed(&path, error.to_string()))))
}

fn offsets(batch: &RecordBatch, path: &str) -> Result<Vec<u64>, DurableError> {
    let column = batch.column_by_name("offset").and_then(|column| column.as_primitive_opt::<Int64Type>());
    let offsets = column.map(|column| column.values().iter().map(|offset| u64::try_from(*offset)));
    let offsets = offsets.ok_or_else(|| malformed(path, "it has no column `offset`"))?;
    offsets.collect::<Result<_, _>>().map_err(|_| malformed(path, "an offset is negative"))
}

fn texts(batch: &RecordBatch, name: &str, path: &str) -> Result<Vec<Option<String>>, DurableError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let column = column.ok_or_else(|| malformed(path, format!("it has no column `{name}`")))?;
    Ok((0..column.len()).map(|row| column.is_valid(row).then(|| column.value(row).to_owned())).collect())
}

fn malformed(path: &str, problem: impl Into<String>) -> DurableError {
    let (path, problem) = (path.to_owned(), problem.into());
    LogError::Malformed { path, format: "Parquet", problem }.into()
}
