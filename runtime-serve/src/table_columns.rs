//! The columns of a table of all rows of a metric, which is the same for every set of rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use metricc_compiler::{DerivedPlan, MetricPlan};
use metricc_ir::RowType;

use crate::column_names::{OVERFLOW, check_table};
use crate::export::{columns, twice};
use crate::overflow::{derived_may_overflow, may_overflow};
use crate::{Presented, ServeError};

/// Which columns the table of a metric has: those of its rows, and `overflow` if some output may have no
/// place in its type.
#[derive(Debug, Clone)]
pub struct TableColumns {
    row_type: RowType,
    /// For each output.
    may_overflow: Vec<bool>,
}

impl TableColumns {
    /// The table of a base metric.
    pub fn of(plan: &MetricPlan) -> Self {
        TableColumns { row_type: plan.metric.row_type(), may_overflow: may_overflow(plan) }
    }

    /// The table of a derived metric.
    pub fn of_derived(plan: &DerivedPlan) -> Self {
        TableColumns { row_type: plan.derived.row_type(), may_overflow: derived_may_overflow(plan) }
    }

    /// Checks that all columns have different names.
    ///
    /// # Errors
    /// [`ServeError::Columns`].
    pub fn check(&self) -> Result<(), ServeError> {
        check_table(&self.row_type, self.may_overflow.contains(&true))
    }

    /// Rows of the table: those of [`record_batch`](crate::record_batch), and a column `overflow`, a record
    /// of the outputs that may have no place in their types. It has for each of them the events that could
    /// not be computed (0 where it is the result that has no place), and is null where nothing is amiss.
    /// Without such outputs there is no such column.
    ///
    /// # Errors
    /// As [`record_batch`](crate::record_batch).
    pub fn batch(&self, presented: &Presented) -> Result<RecordBatch, ArrowError> {
        self.check().map_err(twice)?;
        let rows = columns(presented)?;
        let outputs = presented.row_type.output_names().zip(&presented.overflow).zip(&self.may_overflow);
        let outputs: Vec<_> = outputs.filter(|(_, may_be)| **may_be).map(|(output, _)| output).collect();
        if outputs.is_empty() {
            return Ok(rows);
        }
        let n_rows = presented.n_rows;
        let counts = outputs.iter().map(|(_, counts)| -> ArrayRef {
            Arc::new(counts.as_ref().map_or_else(|| Int64Array::new_null(n_rows), Clone::clone))
        });
        let counts: Vec<ArrayRef> = counts.collect();
        let names = outputs.iter().map(|(name, _)| Field::new(*name, DataType::Int64, true));
        let is_amiss = (0..n_rows).map(|row| counts.iter().any(|counts| counts.is_valid(row)));
        let nulls = NullBuffer::from_iter(is_amiss);
        let overflow = StructArray::try_new(names.collect(), counts, Some(nulls))?;
        let mut fields: Vec<_> = rows.schema().fields().to_vec();
        fields.push(Arc::new(Field::new(OVERFLOW, overflow.data_type().clone(), true)));
        let schema = Schema::new_with_metadata(fields, rows.schema().metadata().clone());
        let mut columns = rows.columns().to_vec();
        columns.push(Arc::new(overflow));
        RecordBatch::try_new(Arc::new(schema), columns)
    }
}
