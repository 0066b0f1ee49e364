//! What the tests of the log share: sources, files in every format, and reading all of a log.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test code; no file uses all of it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field as ArrowField, Schema};
use arrow::util::display::array_value_to_string;
use metricc_ir::{Field, Kind, Source, Type, Value};
use metricc_log::{Binding, Format, Interval, Log, LogError, NoneValues, ReadStats, Slice};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

pub fn field(name: &str, ty: Type) -> Field {
    Field::new(name, ty)
}

pub fn defaulted(name: &str, ty: Type, default: Value) -> Field {
    Field { default: Some(default), ..field(name, ty) }
}

pub fn source(fields: Vec<Field>) -> Arc<Source> {
    keyed(fields, &[])
}

pub fn keyed(fields: Vec<Field>, identity: &[usize]) -> Arc<Source> {
    Arc::new(Source {
        name: "events".into(),
        doc: String::new(),
        fields,
        time: 0,
        identity: identity.to_vec(),
    })
}

pub fn int() -> Type {
    Type::of(Kind::Int)
}

pub fn decimal(precision: u8, scale: u8) -> Type {
    Type::of(Kind::Decimal { precision, scale })
}

pub fn enumeration(names: &[&str]) -> Type {
    Type::of(Kind::Enum(names.iter().map(|name| (*name).to_owned()).collect()))
}

pub fn list(element: Type) -> Type {
    Type::of(Kind::List(Box::new(element)))
}

pub fn optional(ty: Type) -> Type {
    Type { optional: true, ..ty }
}

/// A folder that goes with its files.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes columns as Parquet with row groups of some rows.
    pub fn parquet(&self, name: &str, columns: Vec<(&str, ArrayRef)>, group_rows: usize) -> PathBuf {
        let fields =
            columns.iter().map(|(name, array)| ArrowField::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        self.parquet_batch(name, &RecordBatch::try_new(schema, arrays).unwrap(), group_rows)
    }

    pub fn parquet_batch(&self, name: &str, batch: &RecordBatch, group_rows: usize) -> PathBuf {
        let path = self.path().join(name);
        let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        path
    }

    pub fn open(&self, source: &Arc<Source>) -> Result<Log, LogError> {
        open(source, self.path())
    }
}

pub fn open(source: &Arc<Source>, path: &Path) -> Result<Log, LogError> {
    Log::open(source, &Binding::new(path.to_string_lossy()))
}

pub fn open_as(source: &Arc<Source>, path: &Path, format: Format) -> Result<Log, LogError> {
    Log::open(source, &Binding::new(path.to_string_lossy()).with_format(format))
}

pub fn whole(log: &Log) -> Interval {
    Interval::new(log.start(), log.end()).unwrap()
}

/// The rows of a batch as texts; none is `∅`.
pub fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |column: &ArrayRef, row: usize| {
        if column.is_null(row) { "∅".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| cell(column, row)).collect())
        .collect()
}

pub type Rows = Vec<Vec<String>>;

/// Reads slices one after the other, checking that the batches cover each without gap or overlap.
pub fn read_slices(
    log: &Log,
    slices: &[Slice],
    columns: &[usize],
    batch_rows: usize,
) -> Result<(Rows, ReadStats), LogError> {
    let (mut rows, mut findings) = (Vec::new(), ReadStats::default());
    for slice in slices {
        let mut next = slice.from;
        for batch in log.read(slice, columns, batch_rows)? {
            let batch = batch?;
            assert_eq!((batch.slice.partition, batch.slice.from), (slice.partition, next));
            assert!(batch.slice.to > next && batch.slice.to - next <= batch_rows as u64);
            next = batch.slice.to;
            assert_eq!(batch.read_stats.n_records, batch.slice.n_positions());
            let n_left_out = batch.read_stats.n_quarantined + batch.read_stats.n_duplicates;
            assert_eq!(batch.rows.num_rows() as u64, batch.slice.n_positions() - n_left_out);
            assert_eq!(batch.rows.schema(), log.schema(columns));
            rows.extend(texts(&batch.rows));
            findings.merge(batch.read_stats);
        }
        assert_eq!(next, slice.to);
    }
    Ok((rows, findings))
}

/// Reads an interval.
pub fn read(log: &Log, interval: &Interval, columns: &[usize]) -> (Rows, ReadStats) {
    read_slices(log, &interval.slices().collect::<Vec<_>>(), columns, 1000).unwrap()
}

/// Reads all fields of all of a log.
pub fn read_all(log: &Log) -> (Rows, ReadStats) {
    let columns: Vec<usize> = (0..log.source().fields.len()).collect();
    read(log, &whole(log), &columns)
}

/// What became of the only record of a file: its only value, or the reason why it does not decode.
/// Reads it without any column too: that must not change what is quarantined.
pub fn verdict(source: &Arc<Source>, path: &Path) -> Result<String, String> {
    let log = open(source, path).unwrap();
    assert_eq!(log.n_positions(), 1, "{}", path.display());
    let (mut rows, findings) = read_all(&log);
    let (unread, same) = read(&log, &whole(&log), &[]);
    // What is none is counted for the fields that are read.
    let of_no_field = ReadStats { none_values: NoneValues::default(), ..findings.clone() };
    assert_eq!((unread.len(), &same), (rows.len(), &of_no_field));
    match rows.pop() {
        Some(mut row) => Ok(row.pop().unwrap()),
        None => Err(findings.quarantined[0].problem.clone()),
    }
}

/// [`verdict`] on a JSON value of the field `v`.
pub fn json(v: Field, value: &str) -> Result<String, String> {
    ndjson_record(v, format!("{{\"v\":{value}}}\n"))
}

/// [`verdict`] on a line of JSON with the field `v`.
pub fn ndjson_record(v: Field, line: impl AsRef<[u8]>) -> Result<String, String> {
    let folder = Folder::new();
    verdict(&source(vec![v]), &folder.write("a.ndjson", line))
}

/// [`verdict`] on a CSV cell of the field `v`, beside a cell that is ignored.
pub fn csv(v: Field, cell: impl AsRef<[u8]>) -> Result<String, String> {
    let folder = Folder::new();
    verdict(&source(vec![v]), &folder.write("a.csv", [b"v,w\n".as_slice(), cell.as_ref(), b",1\n"].concat()))
}

/// [`verdict`] on a Parquet value of the field `v`.
pub fn parquet(v: Field, array: ArrayRef) -> Result<String, String> {
    let folder = Folder::new();
    verdict(&source(vec![v]), &folder.parquet("a.parquet", vec![("v", array)], 1000))
}
