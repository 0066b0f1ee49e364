//! The file format of a segment: one Parquet file of its states.
//!
//! The format belongs to the segment, since views write such files and so does any other process that
//! evaluates an interval. Equal segments have files of equal bytes. A segment is checked before it is written
//! and after it is read: whatever went wrong elsewhere, no file and no answer comes from a segment that is
//! not canonical.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use bytes::Bytes;
use metricc_ir::Interval;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{Segment, SegmentError};
use crate::{CompileError, MetricPlan};

/// Why a segment was not written to a file, or not read from one.
#[derive(Debug, thiserror::Error)]
pub enum SegmentFileError {
    /// The Parquet file could not be written or read.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// The columns of the file are not those of the plan.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// The segment is of another plan.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The states are not in canonical order.
    #[error(transparent)]
    States(#[from] CompileError),
}

impl Segment {
    /// The bytes of its file.
    ///
    /// # Errors
    /// If the segment is not a canonical one of the plan, or the Parquet writer fails.
    pub fn to_file(&self, plan: &MetricPlan) -> Result<Vec<u8>, SegmentFileError> {
        self.check(plan)?;
        Ok(to_parquet(&self.states)?)
    }

    /// The segment of a plan over an interval, from the bytes of its file.
    ///
    /// # Errors
    /// If the file is not one of a canonical segment of the plan.
    pub fn from_file(bytes: Bytes, plan: &MetricPlan, interval: Interval) -> Result<Self, SegmentFileError> {
        let segment = Segment { hash: plan.state_hash, interval, states: from_parquet(bytes, plan)? };
        segment.check(plan)?;
        Ok(segment)
    }

    fn check(&self, plan: &MetricPlan) -> Result<(), SegmentFileError> {
        if self.hash != plan.state_hash {
            return Err(SegmentError::Hash { left: plan.state_hash, right: self.hash }.into());
        }
        if self.interval.from() == self.interval.to() && self.states.num_rows() > 0 {
            let problem = format!("a segment without positions, at {}, has groups", self.interval.from());
            return Err(CompileError::form(&plan.metric.name, problem).into());
        }
        Ok(plan.form.check(&self.states)?)
    }
}

/// The Parquet file of a batch, as segments and tables of presented values are written.
///
/// # Errors
/// If the Parquet writer fails.
pub fn to_parquet(states: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by("metricc".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, states.schema(), Some(properties))?;
    writer.write(states)?;
    writer.close()?;
    Ok(bytes)
}

fn from_parquet(bytes: Bytes, plan: &MetricPlan) -> Result<RecordBatch, SegmentFileError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
    let schema = &plan.form.schema;
    let typed = reader.map(|batch| RecordBatch::try_new(schema.clone(), batch?.columns().to_vec()));
    Ok(concat_batches(schema, &typed.collect::<Result<Vec<_>, _>>()?)?)
}
