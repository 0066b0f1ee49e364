//! Payments of thirty days, in several kinds of files.
//!
//! 30 countries and 200,000 merchants, both with a long tail; three statuses; log-normal amounts, a few of
//! them zero, and latencies. Events arrive up to two hours after their time, and one in a hundred up to two
//! days after it. The same number of events gives the same bytes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Failure;

const COUNTRIES: [&str; 30] = [
    "IN", "US", "GB", "DE", "FR", "BR", "ID", "SG", "AE", "JP", "AU", "CA", "MX", "NG", "ZA", "KE", "EG",
    "TR", "PL", "ES", "IT", "NL", "SE", "NO", "PH", "VN", "TH", "MY", "BD", "LK",
];
const N_MERCHANTS: usize = 200_000;

/// 2026-01-01 in India.
const START_US: i64 = 1_767_205_800_000_000;
const DAYS_US: i64 = 30 * 86_400_000_000;
const HOUR_US: f64 = 3_600e6;

/// Rows of a file, and of a row group of it.
const FILE_ROWS: usize = 8 * GROUP_ROWS;
const GROUP_ROWS: usize = 1 << 18;

/// Files of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Snappy,
    Zstd,
    NdJson,
    Csv,
}

impl FileKind {
    pub(crate) const ALL: [FileKind; 4] = [FileKind::Snappy, FileKind::Zstd, FileKind::NdJson, FileKind::Csv];

    pub(crate) fn name(self) -> &'static str {
        match self {
            FileKind::Snappy => "snappy",
            FileKind::Zstd => "zstd",
            FileKind::NdJson => "ndjson",
            FileKind::Csv => "csv",
        }
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(self, FileKind::NdJson | FileKind::Csv)
    }

    /// Writes so many events below a folder; the folder of the files.
    pub(crate) fn write(self, below: &Path, n_events: usize) -> Result<PathBuf, Failure> {
        let folder = below.join(self.name());
        std::fs::create_dir(&folder)?;
        let mut events = Events::new(n_events);
        let extension = if self.is_text() { self.name() } else { "parquet" };
        for (number, first) in (0..n_events).step_by(FILE_ROWS).enumerate() {
            let file = File::create(folder.join(format!("part-{number:03}.{extension}")))?;
            let last = n_events.min(first + FILE_ROWS);
            let groups =
                (first..last).step_by(GROUP_ROWS).map(|from| events.batch(from, last.min(from + GROUP_ROWS)));
            match self {
                FileKind::Snappy => write_parquet(file, Compression::SNAPPY, groups)?,
                FileKind::Zstd => write_parquet(file, Compression::ZSTD(ZstdLevel::try_new(1)?), groups)?,
                FileKind::NdJson => write_texts(file, "", write_object, groups)?,
                FileKind::Csv => write_texts(file, CSV_HEADER, write_cells, groups)?,
            }
        }
        Ok(folder)
    }
}

/// Draws events one after the other.
struct Events {
    random: ChaCha8Rng,
    /// Microseconds from one event to the next.
    step_us: f64,
    /// Sums of the chances of countries, and of merchants in the order of their chances.
    countries: Vec<f64>,
    merchants: Vec<f64>,
    /// The merchant at each place of that order.
    merchant_at: Vec<i64>,
}

/// Sums of chances that fall with a power of the place.
fn long_tail(n: usize, power: f64) -> Vec<f64> {
    let weights = (1..=n).map(|place| (place as f64).powf(-power));
    let sums: Vec<f64> = weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    let total = sums.last().copied().unwrap_or(1.0);
    sums.into_iter().map(|sum| sum / total).collect()
}

impl Events {
    fn new(n_events: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(42);
        let mut merchant_at: Vec<i64> = (0..N_MERCHANTS as i64).collect();
        merchant_at.shuffle(&mut random);
        Events {
            random,
            step_us: DAYS_US as f64 / n_events.max(1) as f64,
            countries: long_tail(COUNTRIES.len(), 0.9),
            merchants: long_tail(N_MERCHANTS, 1.05),
            merchant_at,
        }
    }

    fn chance(&mut self) -> f64 {
        self.random.random()
    }

    /// exp of a normal variable, by Box and Muller.
    fn log_normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let (u, v) = (1.0 - self.chance(), self.chance());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (mean + deviation * normal).exp()
    }

    fn time(&mut self, event: usize) -> i64 {
        let arrived = (event as f64 + self.chance()) * self.step_us;
        let late = self.chance().powi(2) * 2.0 * HOUR_US;
        let late = if self.chance() < 0.01 { self.chance() * 48.0 * HOUR_US } else { late };
        START_US + (arrived - late).max(0.0) as i64
    }

    fn batch(&mut self, from: usize, to: usize) -> Result<RecordBatch, Failure> {
        let n_rows = to - from;
        let place = |sums: &[f64], chance: f64| sums.partition_point(|sum| *sum < chance).min(sums.len() - 1);
        let (mut at, mut merchant, mut country) = (Vec::new(), Vec::new(), Vec::new());
        let (mut status, mut minor, mut latency) = (Vec::new(), Vec::new(), Vec::new());
        for event in from..to {
            at.push(self.time(event));
            let chance = self.chance();
            merchant.push(self.merchant_at[place(&self.merchants, chance)]);
            let chance = self.chance();
            country.push(COUNTRIES[place(&self.countries, chance)]);
            status.push(match self.chance() {
                chance if chance < 0.80 => "captured",
                chance if chance < 0.95 => "failed",
                _ => "refunded",
            });
            let amount = self.log_normal(10.0, 1.4).round() as i64;
            minor.push(if self.chance() < 0.005 { 0 } else { amount });
            latency.push((self.log_normal(4.6, 0.8) * 1000.0).round() / 1000.0);
        }
        debug_assert_eq!(at.len(), n_rows);
        let amount = minor.iter().map(|minor| *minor as f64 / 100.0);
        let columns: [(&str, ArrayRef, bool); 7] = [
            ("created_at", Arc::new(TimestampMicrosecondArray::from(at).with_timezone_utc()), true),
            ("merchant_id", Arc::new(Int64Array::from(merchant)), true),
            ("country", Arc::new(StringArray::from(country)), true),
            ("status", Arc::new(StringArray::from(status)), true),
            ("amount", Arc::new(Float64Array::from_iter_values(amount)), true),
            ("amount_minor", Arc::new(Int64Array::from(minor)), true),
            ("latency_ms", Arc::new(Float64Array::from(latency)), true),
        ];
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// Dictionaries for texts alone, as writers have them that know their data.
fn write_parquet(
    file: File,
    compression: Compression,
    groups: impl Iterator<Item = Result<RecordBatch, Failure>>,
) -> Result<(), Failure> {
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_dictionary_enabled(false);
    for texts in ["country", "status"] {
        properties = properties.set_column_dictionary_enabled(texts.into(), true);
    }
    let properties = properties.build();
    let mut writer: Option<ArrowWriter<File>> = None;
    let mut file = Some(file);
    for group in groups {
        let group = group?;
        if let Some(file) = file.take() {
            writer = Some(ArrowWriter::try_new(file, group.schema(), Some(properties.clone()))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(&group)?;
        }
    }
    writer.map(ArrowWriter::close).transpose()?;
    Ok(())
}

const CSV_HEADER: &str = "created_at,merchant_id,country,status,amount,amount_minor,latency_ms\n";

fn write_texts(
    file: File,
    header: &str,
    write_record: impl Fn(&mut dyn Write, &[String]) -> std::io::Result<()>,
    groups: impl Iterator<Item = Result<RecordBatch, Failure>>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(file);
    out.write_all(header.as_bytes())?;
    for group in groups {
        let group = group?;
        let texts = group.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let texts: Vec<ArrayRef> = texts.collect::<Result<_, _>>()?;
        let texts: Vec<&StringArray> =
            texts.iter().filter_map(|column| column.as_any().downcast_ref()).collect();
        for row in 0..group.num_rows() {
            let cells: Vec<String> = texts.iter().map(|column| column.value(row).to_owned()).collect();
            write_record(&mut out, &cells)?;
        }
    }
    Ok(out.flush()?)
}

fn write_cells(out: &mut dyn Write, cells: &[String]) -> std::io::Result<()> {
    writeln!(out, "{}", cells.join(","))
}

fn write_object(out: &mut dyn Write, cells: &[String]) -> std::io::Result<()> {
    let [at, merchant, country, status, amount, minor, latency] = cells else { return Ok(()) };
    write!(out, "{{\"created_at\":\"{at}\",\"merchant_id\":{merchant},\"country\":\"{country}\",")?;
    write!(out, "\"status\":\"{status}\",\"amount\":{amount},\"amount_minor\":{minor},")?;
    writeln!(out, "\"latency_ms\":{latency}}}")
}
