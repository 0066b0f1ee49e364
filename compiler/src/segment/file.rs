//! The file format of a segment: one Parquet file of its states.
//!
//! The format belongs to the segment, since views write such files and so does any other process that
//! evaluates an interval. Equal segments have files of equal bytes. A segment is checked before it is written
//! and after it is read: whatever went wrong elsewhere, no file and no answer comes from a segment that is
//! not canonical.
//!
//! The columns are encoded for what they hold: windows and other integers, which are sorted, as differences;
//! words of states by byte, since the upper bytes of most words are zero. Dictionaries would look up every
//! value, and statistics would tell what the order of the groups tells. LZ4 costs less than zstd to write and
//! to read, for files a third larger.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use metricc_ir::Interval;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::{GroupRange, Segment, SegmentError};
use crate::side_by_side::side_by_side;
use crate::{CompileError, MetricPlan};

/// Rows that are decoded at a time: many enough that starting costs nothing, and few enough for the caches.
const ROWS_READ: usize = 16_384;

/// Rows of a row group. Part of the format: equal segments have equal files.
const ROWS_OF_GROUP: usize = 1 << 20;

/// Rows below which starting threads would cost more than encoding.
const FEW_ROWS: usize = 65_536;

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
        Ok(written(&self.states, encoded(&self.states.schema()))?)
    }

    /// The segment of a plan over an interval, from the bytes of its file.
    ///
    /// # Errors
    /// If the file is not one of a canonical segment of the plan.
    pub fn from_file(bytes: Bytes, plan: &MetricPlan, interval: Interval) -> Result<Self, SegmentFileError> {
        let states = plan.decoded(bytes, &GroupRange::default())?;
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
        Ok(written(states, encoded(&states.schema()))?)
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
        let states = self.decoded(bytes, range)?;
        self.form.check(&states)?;
        Ok(states)
    }

    /// As [`MetricPlan::states_from_file`], not checked.
    fn decoded(&self, bytes: Bytes, range: &GroupRange) -> Result<RecordBatch, SegmentFileError> {
        let mut reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?.with_batch_size(ROWS_READ);
        if !range.is_all() {
            let rows = self.rows_of_file(bytes, range)?;
            reader = reader.with_offset(rows.start).with_limit(rows.len());
        }
        let schema = &self.form.schema;
        let typed =
            reader.build()?.map(|batch| RecordBatch::try_new(schema.clone(), batch?.columns().to_vec()));
        Ok(concat_batches(schema, &typed.collect::<Result<Vec<_>, _>>()?)?)
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

/// The Parquet file of presented values, small and with statistics for readers of other engines.
///
/// # Errors
/// If the Parquet writer fails.
pub fn to_parquet(rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    written(rows, WriterProperties::builder().set_compression(Compression::ZSTD(level)))
}

/// The properties of a file of states.
fn encoded(schema: &Schema) -> WriterPropertiesBuilder {
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None);
    schema.fields().iter().fold(properties, |properties, field| {
        let encoding = match field.data_type() {
            DataType::Timestamp(..) | DataType::Int64 => Encoding::DELTA_BINARY_PACKED,
            DataType::FixedSizeBinary(_) => Encoding::BYTE_STREAM_SPLIT,
            _ => Encoding::PLAIN,
        };
        properties.set_column_encoding(ColumnPath::from(field.name().clone()), encoding)
    })
}

/// The file, as [`ArrowWriter`] writes it; columns are encoded side by side.
fn written(rows: &RecordBatch, properties: WriterPropertiesBuilder) -> Result<Vec<u8>, ParquetError> {
    let properties = properties.set_created_by("metricc".to_owned());
    let properties = properties.set_max_row_group_row_count(Some(ROWS_OF_GROUP)).build();
    let mut bytes = Vec::new();
    let writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties))?;
    let (mut file, writers) = writer.into_serialized_writer()?;
    let schema = rows.schema();
    let leaves = file.schema_descr();
    let n_leaves = |field: usize| {
        let roots = (0..leaves.num_columns()).map(|leaf| leaves.get_column_root_idx(leaf));
        roots.filter(|root| *root == field).count()
    };
    let mut columns = Vec::new();
    for (index, start) in (0..rows.num_rows()).step_by(ROWS_OF_GROUP).enumerate() {
        let taken = rows.slice(start, ROWS_OF_GROUP.min(rows.num_rows() - start));
        let mut writers = writers.create_column_writers(index)?.into_iter();
        columns.extend((0..rows.num_columns()).map(|field| Column {
            field: schema.fields()[field].clone(),
            values: taken.column(field).clone(),
            writers: writers.by_ref().take(n_leaves(field)).collect(),
        }));
    }
    let chunks = match rows.num_rows() < FEW_ROWS {
        true => columns.into_iter().map(Column::encoded).collect::<Result<Vec<_>, _>>()?,
        false => side_by_side(columns, Column::encoded)?,
    };
    let n_leaves = leaves.num_columns();
    let mut chunks = chunks.into_iter().flatten().peekable();
    while chunks.peek().is_some() {
        let mut group = file.next_row_group()?;
        for chunk in chunks.by_ref().take(n_leaves) {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
    }
    file.close()?;
    Ok(bytes)
}

/// A column of a row group that is to be encoded.
struct Column {
    field: FieldRef,
    values: ArrayRef,
    /// One for each leaf: lists and structs may have several.
    writers: Vec<ArrowColumnWriter>,
}

impl Column {
    fn encoded(self) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
        let leaves = compute_leaves(&self.field, &self.values)?;
        let encoded = leaves.iter().zip(self.writers).map(|(leaf, mut writer)| {
            writer.write(leaf)?;
            writer.close()
        });
        encoded.collect()
    }
}
