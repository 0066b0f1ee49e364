//! The schema of a table of states: group columns, then one column of canonical states per monoid.
//!
//! Segments have it, and so have the tables that an engine emits for a grouping. [`StateForm::collect`] makes
//! either canonical, and [`StateForm::check`] tells whether a table is.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat, concat_batches, interleave, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use metricc_algebra::Monoid;

use crate::segment::columns;
use crate::side_by_side::side_by_side;
use crate::{CompileError, GroupRows};

/// Rows that are compared at a time: few, so that checking takes little memory.
const CHECKED_ROWS: usize = 8192;

/// Rows that a thread compares of a large table.
const ROWS_OF_A_THREAD: usize = 262_144;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which rows of a table are of one group. States of groups that have one row are copied, not merged.
struct Merging {
    /// A row of each group, in the order of the groups.
    first_of_group: Vec<u32>,
    /// Rows of groups that have several, and for each of them which of those groups it is of.
    shared_rows: UInt32Array,
    shared_group: Vec<usize>,
    /// Number of those groups.
    n_shared: usize,
    /// Where the state of each group stands: in the table, or among the merged states.
    places: Vec<(usize, usize)>,
}

impl Merging {
    /// Of rows in the order of their groups, and whether each is the first of one; none if all are.
    fn of(order: &[u32], firsts: &[bool]) -> Option<Self> {
        if firsts.iter().all(|is_first| *is_first) {
            return None;
        }
        let n_groups = firsts.iter().filter(|is_first| **is_first).count();
        let (mut first_of_group, mut places) = (Vec::with_capacity(n_groups), Vec::with_capacity(n_groups));
        let (mut shared_rows, mut shared_group, mut n_shared) = (Vec::new(), Vec::new(), 0);
        let mut start = 0;
        while start < order.len() {
            let n_rows = 1 + firsts[start + 1..].iter().take_while(|is_first| !**is_first).count();
            first_of_group.push(order[start]);
            if n_rows == 1 {
                places.push((0, order[start] as usize));
            } else {
                shared_rows.extend_from_slice(&order[start..start + n_rows]);
                shared_group.extend(std::iter::repeat_n(n_shared, n_rows));
                places.push((1, n_shared));
                n_shared += 1;
            }
            start += n_rows;
        }
        Some(Merging { first_of_group, shared_rows: shared_rows.into(), shared_group, n_shared, places })
    }

    /// The states of the groups.
    fn merged(&self, monoid: &Arc<dyn Monoid>, states: &ArrayRef) -> Result<ArrayRef, Failure> {
        let mut groups = monoid.groups();
        groups.merge(&take(states, &self.shared_rows, None)?, &self.shared_group, self.n_shared)?;
        let merged = groups.emit(self.n_shared)?;
        if self.n_shared == self.places.len() {
            return Ok(merged);
        }
        // States on the heap may be large, so they are copied once; all others are copied faster by index.
        if matches!(states.data_type(), DataType::Binary) {
            return Ok(interleave(&[states.as_ref(), merged.as_ref()], &self.places)?);
        }
        let n_rows = states.len();
        let row = |(table, row): &(usize, usize)| (table * n_rows + row) as u64;
        let rows = UInt64Array::from_iter_values(self.places.iter().map(row));
        Ok(take(&concat(&[states.as_ref(), merged.as_ref()])?, &rows, None)?)
    }
}

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
        let (order, firsts) = self.groups.order_of_columns(groups).map_err(|error| self.failed(error))?;
        let merging = Merging::of(&order, &firsts);
        let first_of_group = UInt32Array::from(match &merging {
            None => order,
            Some(merging) => merging.first_of_group.clone(),
        });
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(states.num_columns());
        for column in groups {
            columns.push(take(column, &first_of_group, None).map_err(|error| self.failed(error))?);
        }
        for (monoid, column) in self.monoids.iter().zip(&states.columns()[self.n_group_columns..]) {
            columns.push(match &merging {
                None => take(column, &first_of_group, None).map_err(|error| self.failed(error))?,
                Some(merging) => merging.merged(monoid, column).map_err(|error| self.failed(error))?,
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
        let starts: Vec<usize> = (0..states.num_rows()).step_by(ROWS_OF_A_THREAD).collect();
        side_by_side(starts, |start| self.check_order(states, start..start + ROWS_OF_A_THREAD))?;
        Ok(())
    }

    /// Checks that each of some rows, as far as there are any, has a lower group than the row after it.
    fn check_order(&self, states: &RecordBatch, rows: Range<usize>) -> Result<(), CompileError> {
        for start in (rows.start..rows.end.min(states.num_rows())).step_by(CHECKED_ROWS) {
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
