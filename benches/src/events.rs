//! The events of all benchmarks.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Failure;

const START_US: i64 = 1_774_569_600_000_000;
const DAYS_US: i64 = 30 * 86_400_000_000;
const N_ROWS: usize = 1 << 17;

/// Thirty days of payments, in order of their time: 20 countries, 1,000 regions, 2.6 million customers,
/// 100,000 merchants.
pub(crate) fn write(path: &Path, n_events: usize) -> Result<(), Failure> {
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut writer: Option<ArrowWriter<File>> = None;
    let step_us = DAYS_US / n_events.max(1) as i64;
    for first in (0..n_events).step_by(N_ROWS) {
        let n_rows = N_ROWS.min(n_events - first);
        let at = (0..n_rows).map(|row| START_US + (first + row) as i64 * step_us);
        let at = TimestampMicrosecondArray::from_iter_values(at).with_timezone_utc();
        let mut int =
            |most: i64| Int64Array::from_iter_values((0..n_rows).map(|_| random.random_range(0..most)));
        let (region, customer, merchant, amount) = (int(1_000), int(2_600_000), int(100_000), int(100_000));
        let country =
            StringArray::from_iter_values((0..n_rows).map(|_| format!("C{}", random.random_range(0..20))));
        let status = StringArray::from_iter_values(
            (0..n_rows).map(|_| ["captured", "captured", "captured", "failed"][random.random_range(0..4)]),
        );
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("at", Arc::new(at) as _, false),
            ("country", Arc::new(country) as _, false),
            ("region", Arc::new(region) as _, false),
            ("customer", Arc::new(customer) as _, false),
            ("merchant", Arc::new(merchant) as _, false),
            ("amount", Arc::new(amount) as _, false),
            ("status", Arc::new(status) as _, false),
        ])?;
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                let properties =
                    WriterProperties::builder().set_max_row_group_row_count(Some(1 << 20)).build();
                none.insert(ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties))?)
            }
        };
        writer.write(&batch)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}
