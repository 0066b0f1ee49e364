//! The file form of a segment: one Parquet file of its states.
//!
//! Segments own this form, since views, and whoever evaluates an interval elsewhere, write the same files. Equal
//! segments have files of equal bytes.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bytes::Bytes;
use metricc_ir::Interval;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Segment;
use crate::MetricPlan;

impl Segment {
    /// The bytes of its file.
    ///
    /// # Errors
    /// The problem that the Parquet writer reports.
    pub fn to_file(&self) -> Result<Vec<u8>, String> {
        to_parquet(&self.states)
    }

    /// The segment of a plan over an interval, from the bytes of its file.
    ///
    /// # Errors
    /// What does not fit the plan, or the problem that the Parquet reader reports.
    pub fn from_file(bytes: Bytes, plan: &MetricPlan, interval: Interval) -> Result<Self, String> {
        Ok(Segment { hash: plan.state_hash, interval, states: from_parquet(bytes, plan)? })
    }
}

/// The Parquet file of a batch, as segments and tables of presented values are written.
///
/// # Errors
/// The problem that the Parquet writer reports.
pub fn to_parquet(states: &RecordBatch) -> Result<Vec<u8>, String> {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by("metricc".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, states.schema(), Some(properties))
        .map_err(|error| error.to_string())?;
    writer.write(states).map_err(|error| error.to_string())?;
    writer.close().map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn from_parquet(bytes: Bytes, plan: &MetricPlan) -> Result<RecordBatch, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
    let batches: Result<Vec<RecordBatch>, _> = reader.map_err(|error| error.to_string())?.collect();
    let batches = batches.map_err(|error| error.to_string())?;
    let schema = &plan.form.schema;
    let typed = batches.iter().map(|batch| RecordBatch::try_new(schema.clone(), batch.columns().to_vec()));
    let typed = typed.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    concat_batches(schema, &typed).map_err(|error| error.to_string())
}
