//! Pre-combining: the rows of one epoch become few differences per group.
//!
//! The groups and their states are those with which the batch engine aggregates. They live as long as the
//! epoch, so rows of a group that occurs again meet their state here, before any exchange. The table is
//! emptied early only when it grows large.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::RecordBatch;
use metricc_compiler::{CompileError, GroupedStates, Grouping};

use crate::difference::Difference;
use crate::key::GroupKey;

/// Limits of a table: groups, in full micro-batches, and bytes.
const TABLE_BATCHES: usize = 4;
const TABLE_BYTES: usize = 64 << 20;

/// Combines the rows of one grouping.
pub(crate) struct Combiner<K, D> {
    plan: Arc<Grouping>,
    groups: GroupedStates,
    max_groups: usize,
    output: PhantomData<(K, D)>,
}

impl<K: GroupKey, D: Difference> Combiner<K, D> {
    pub(crate) fn new(plan: Arc<Grouping>, batch_rows: usize) -> Result<Self, CompileError> {
        let groups = GroupedStates::new(&plan)?;
        let max_groups = batch_rows.saturating_mul(TABLE_BATCHES);
        Ok(Combiner { plan, groups, max_groups, output: PhantomData })
    }

    /// Adds a batch of typed rows to the states of their groups.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), CompileError> {
        self.groups.add(&self.plan.prepare.apply(rows)?)
    }

    /// Whether the table has to be emptied before the epoch ends.
    pub(crate) fn is_full(&self) -> bool {
        self.groups.n_groups() >= self.max_groups || self.groups.n_bytes() >= TABLE_BYTES
    }

    /// Takes all groups out with their states, in order of their keys; the table is empty afterwards.
    pub(crate) fn take(&mut self) -> Result<Vec<(K, D)>, CompileError> {
        if self.groups.n_groups() == 0 {
            return Ok(Vec::new());
        }
        let table = self.groups.take()?;
        self.differences(&table).map_err(|error| CompileError::engine(&self.plan.form.place, error))
    }

    fn differences(&self, table: &RecordBatch) -> Result<Vec<(K, D)>, Failure> {
        let form = &self.plan.form;
        let (groups, states) = table.columns().split_at(form.n_group_columns);
        let rows = form.groups.rows(groups)?;
        let differences = D::from_columns(&self.plan, states)?;
        // In order, so that the collection's merges of what is sent only copy.
        let (order, _) = form.groups.order(&rows);
        let group = |row: u32| {
            let row = row as usize;
            (K::from_row(&form.groups, rows.row(row).data()), differences[row].clone())
        };
        Ok(order.into_iter().map(group).collect())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
