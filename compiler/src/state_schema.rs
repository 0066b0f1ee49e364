//! The schema of a table of states: group columns, then one column of canonical states per monoid.
//!
//! Segments have it, and so have the tables that an engine emits for a grouping. [`StateForm::collect`] makes
//! either canonical, and [`StateForm::check`] tells whether a table is.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{Field, Schema, SchemaRef};
use metricc_algebra::Monoid;

use crate::segment::columns;
use crate::{CompileError, GroupRows};

/// Rows that are compared at a time: few, so that checking takes little memory.
const CHECKED_ROWS: usize = 8192;

/// The columns of a table of states, and the monoids that merge them.
#[derive(Debug)]
pub struct StateForm {
    /// The metric, or the metrics of a grouping, for errors.
    pub place: String,
    /// Number of group columns (at least one); they come first.
    pub n_group_columns: usize,
    /// The group columns as bytes.
    pub groups: GroupRows,
    /// The monoid of each state column; the row count first.
    pub monoids: Vec<Arc<dyn Monoid>>,
    /// Group columns, then state columns.
    pub schema: SchemaRef,
}

impl StateForm {
    pub(crate) fn new(
        place: String,
        group_fields: Vec<Field>,
        monoids: Vec<Arc<dyn Monoid>>,
    ) -> Result<Self, CompileError> {
        let groups = GroupRows::new(&group_fields).map_err(|error| CompileError::engine(&place, error))?;
        let n_group_columns = group_fields.len();
        let mut fields = group_fields;
        for (index, monoid) in monoids.iter().enumerate() {
            fields.push(Field::new(columns::state(index), monoid.state_type(), false));
        }
        Ok(StateForm { place, n_group_columns, groups, monoids, schema: Arc::new(Schema::new(fields)) })
    }

    /// Merges partial tables, in any order and with any number of partial states per group, into the
    /// canonical one: a row per group, sorted by the group columns, nulls first.
    ///
    /// # Errors
    /// If the tables have another schema, or a state is malformed.
    pub fn collect(&self, partial: &[RecordBatch]) -> Result<RecordBatch, CompileError> {
        let states = concat_batches(&self.schema, partial).map_err(|error| self.failed(error))?;
        if u32::try_from(states.num_rows()).is_err() {
            return Err(CompileError::form(&self.place, "a segment has more than 2^32 groups"));
        }
        let groups = &states.columns()[..self.n_group_columns];
        let (order, firsts) =
            self.groups.order(&self.groups.rows(groups).map_err(|error| self.failed(error))?);
        let is_disjoint = firsts.iter().all(|is_first| *is_first);
        let mut group_of = Vec::with_capacity(order.len());
        let mut first_of_group = Vec::new();
        if !is_disjoint {
            for (row, is_first) in order.iter().zip(&firsts) {
                first_of_group.extend(is_first.then_some(*row));
                group_of.push(first_of_group.len() - 1);
            }
        }
        let order = UInt32Array::from(order);
        let n_groups = if is_disjoint { order.len() } else { first_of_group.len() };
        let first_of_group = if is_disjoint { order.clone() } else { UInt32Array::from(first_of_group) };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(states.num_columns());
        for column in groups {
            columns.push(take(column, &first_of_group, None).map_err(|error| self.failed(error))?);
        }
        for (monoid, column) in self.monoids.iter().zip(&states.columns()[self.n_group_columns..]) {
            let sorted = take(column, &order, None).map_err(|error| self.failed(error))?;
            columns.push(if is_disjoint {
                sorted
            } else {
                let mut merged = monoid.groups();
                merged
                    .merge(&sorted, &group_of, n_groups)
                    .and_then(|()| merged.emit(n_groups))
                    .map_err(|error| self.failed(error))?
            });
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| self.failed(error))
    }

    /// The canonical table of states by other groups: the group columns of this form, and the states of each
    /// row. Rows without any are one group, which has a constant column.
    ///
    /// # Errors
    /// If the columns are not of this form, or a state is malformed.
    pub fn regrouped(
        &self,
        mut groups: Vec<ArrayRef>,
        states: impl IntoIterator<Item = ArrayRef>,
    ) -> Result<RecordBatch, CompileError> {
        let states: Vec<ArrayRef> = states.into_iter().collect();
        if groups.is_empty() {
            let n_rows = states.first().map_or(0, |column| column.len());
            groups.push(Arc::new(BooleanArray::from(vec![false; n_rows])));
        }
        groups.extend(states);
        let moved = RecordBatch::try_new(self.schema.clone(), groups).map_err(|error| self.failed(error))?;
        self.collect(&[moved])
    }

    /// Checks that a table is canonical: of this schema, one row per group, sorted by the group columns.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, states: &RecordBatch) -> Result<(), CompileError> {
        if states.schema() != self.schema {
            let problem = format!("states have the columns {}, not {}", states.schema(), self.schema);
            return Err(CompileError::form(&self.place, problem));
        }
        for start in (0..states.num_rows()).step_by(CHECKED_ROWS) {
            // One row more, to compare the last of these rows with the first of the next ones.
            let chunk = states.slice(start, (CHECKED_ROWS + 1).min(states.num_rows() - start));
            let groups = &chunk.columns()[..self.n_group_columns];
            let rows = self.groups.rows(groups).map_err(|error| self.failed(error))?;
            if (1..rows.num_rows()).any(|row| rows.row(row - 1) >= rows.row(row)) {
                return Err(CompileError::form(&self.place, "the groups of a segment are not sorted"));
            }
        }
        Ok(())
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CompileError {
        CompileError::engine(&self.place, error)
    }
}
