//! The file format of a segment: one Parquet file of its states.
//!
//! The format belongs to the segment, since views write such files and so does any other process that
//! evaluates an interval. Equal segments have files of equal bytes. A segment is checked before it is written
//! and after it is read: whatever went wrong elsewhere, no file and no answer comes from a segment that is
//! not canonical.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use bytes::Bytes;
use metricc_ir::Interval;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{GroupRange, Segment, SegmentError};
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
        let states = plan.states_from_file(bytes, &GroupRange::default())?;
        let segment = Segment { hash: plan.state_hash, interval, states };
        segment.check(plan)?;
        Ok(segment)
    }

    /// Checks that it has the states of a plan, in canonical order, and none over no positions.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self, plan: &MetricPlan) -> Result<(), SegmentFileError> {
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

impl MetricPlan {
    /// The bytes of the file of states, whatever the interval that they are of.
    ///
    /// # Errors
    /// If the states are not canonical, or the Parquet writer fails.
    pub fn states_to_file(&self, states: &RecordBatch) -> Result<Vec<u8>, SegmentFileError> {
        self.form.check(states)?;
        Ok(to_parquet(states)?)
    }

    /// The states of a range of groups, from the bytes of a file. Of the other groups, states are not
    /// decoded.
    ///
    /// # Errors
    /// If the states are not canonical ones of the plan.
    pub fn states_from_file(
        &self,
        bytes: Bytes,
        range: &GroupRange,
    ) -> Result<RecordBatch, SegmentFileError> {
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?;
        if !range.is_all() {
            let rows = self.rows_of_file(bytes, range)?;
            reader = reader.with_offset(rows.start).with_limit(rows.len());
        }
        let schema = &self.form.schema;
        let typed =
            reader.build()?.map(|batch| RecordBatch::try_new(schema.clone(), batch?.columns().to_vec()));
        let states = concat_batches(schema, &typed.collect::<Result<Vec<_>, _>>()?)?;
        self.form.check(&states)?;
        Ok(states)
    }

    /// The rows of a file whose groups are in a range.
    fn rows_of_file(&self, bytes: Bytes, range: &GroupRange) -> Result<Range<usize>, SegmentFileError> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let groups = ProjectionMask::roots(reader.parquet_schema(), 0..self.form.n_group_columns);
        let (mut n_before, mut n_within) = (0, 0);
        for batch in reader.with_projection(groups).build()? {
            let batch = batch?;
            let rows = self.form.rows_within(batch.columns(), range)?;
            n_before += rows.start;
            n_within += rows.len();
            if rows.end < batch.num_rows() {
                break;
            }
        }
        Ok(n_before..n_before + n_within)
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
