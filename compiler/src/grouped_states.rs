//! The groups of prepared rows with their states: what an engine holds while it reads.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use metricc_algebra::Groups;

use crate::{CompileError, GroupTable, Grouping};

/// A table of groups, and the states of a grouping for each of them.
pub struct GroupedStates {
    plan: Arc<Grouping>,
    table: GroupTable,
    states: Vec<Box<dyn Groups>>,
    /// The group of each row of the batch that is added.
    numbers: Vec<usize>,
}

impl std::fmt::Debug for GroupedStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupedStates").field("table", &self.table).finish_non_exhaustive()
    }
}

impl GroupedStates {
    /// No groups.
    ///
    /// # Errors
    /// If a group column is of a type that cannot be compared.
    pub fn new(plan: &Arc<Grouping>) -> Result<Self, CompileError> {
        let fields = &plan.form.schema.fields()[..plan.form.n_group_columns];
        let fields: Vec<_> = fields.iter().map(|field| field.as_ref().clone()).collect();
        Ok(GroupedStates {
            table: GroupTable::new(&plan.form.place, &fields)?,
            states: plan.states.iter().map(|state| state.monoid.groups()).collect(),
            numbers: Vec::new(),
            plan: plan.clone(),
        })
    }

    /// Number of groups.
    pub fn n_groups(&self) -> usize {
        self.table.n_groups()
    }

    /// Bytes in use.
    pub fn n_bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|groups| groups.size()).sum();
        self.table.n_bytes() + states + self.numbers.capacity() * size_of::<usize>()
    }

    /// Adds rows that were [prepared](crate::Prepare).
    ///
    /// # Errors
    /// If they are of another grouping. The states are then not to be used.
    pub fn add(&mut self, prepared: &RecordBatch) -> Result<(), CompileError> {
        let columns = prepared.columns();
        self.table.number(&columns[..self.plan.form.n_group_columns], &mut self.numbers)?;
        let n_groups = self.table.n_groups();
        for (state, groups) in self.plan.states.iter().zip(&mut self.states) {
            let args: Vec<ArrayRef> = state.args.iter().map(|&arg| columns[arg].clone()).collect();
            let filter: Option<&BooleanArray> = state.filter.map(|filter| columns[filter].as_boolean());
            groups
                .lift(&args, &self.numbers, filter, n_groups)
                .map_err(|error| CompileError::engine(&self.plan.form.place, error))?;
        }
        Ok(())
    }

    /// Takes all groups out with their states, in the columns of the grouping's form and in no order.
    ///
    /// # Errors
    /// If states are beyond what a column holds.
    pub fn take(&mut self) -> Result<RecordBatch, CompileError> {
        let n_groups = self.table.n_groups();
        let mut columns = self.table.take()?;
        let failed = |error| CompileError::engine(&self.plan.form.place, error);
        for groups in &mut self.states {
            columns.push(groups.emit(n_groups).map_err(failed)?);
        }
        RecordBatch::try_new(self.plan.form.schema.clone(), columns)
            .map_err(|error| CompileError::engine(&self.plan.form.place, error))
    }
}
