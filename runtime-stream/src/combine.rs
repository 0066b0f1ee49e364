//! Pre-combining: the rows of one epoch become few differences per group.
//!
//! The group table is DataFusion's, and the states are the monoids' own [`Groups`]: the batch engine
//! aggregates with the same parts. The table lives as long as the epoch, so rows of a group that occurs again
//! meet their state here, before any exchange. It is emptied early only when it grows large.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion_expr::EmitTo;
use datafusion_physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion_physical_plan::aggregates::order::GroupOrdering;
use metricc_algebra::Groups;
use metricc_compiler::{CompileError, Grouping};

use crate::difference::Difference;
use crate::key::GroupKey;

/// Limits of a table: groups, in full micro-batches, and bytes of their states.
const TABLE_BATCHES: usize = 4;
const TABLE_BYTES: usize = 64 << 20;

/// Combines the rows of one grouping.
pub(crate) struct Combiner<K, D> {
    plan: Arc<Grouping>,
    table: Box<dyn GroupValues>,
    states: Vec<Box<dyn Groups>>,
    group_of: Vec<usize>,
    max_groups: usize,
    output: PhantomData<(K, D)>,
}

impl<K: GroupKey, D: Difference> Combiner<K, D> {
    pub(crate) fn new(plan: Arc<Grouping>, batch_rows: usize) -> Result<Self, CompileError> {
        let groups = Schema::new(plan.prepare.schema().fields()[..plan.form.n_group_columns].to_vec());
        let table = new_group_values(Arc::new(groups), &GroupOrdering::None)
            .map_err(|error| CompileError::engine(&plan.form.place, error))?;
        let states = plan.states.iter().map(|state| state.monoid.groups()).collect();
        let max_groups = batch_rows.saturating_mul(TABLE_BATCHES);
        Ok(Combiner { plan, table, states, group_of: Vec::new(), max_groups, output: PhantomData })
    }

    /// Adds a batch of typed rows to the states of their groups.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), CompileError> {
        let plan = self.plan.clone();
        let prepared = plan.prepare.apply(rows)?;
        if prepared.num_rows() == 0 {
            return Ok(());
        }
        self.lift(&plan, &prepared).map_err(|error| CompileError::engine(&plan.form.place, error))
    }

    fn lift(&mut self, plan: &Grouping, prepared: &RecordBatch) -> Result<(), Failure> {
        let columns = prepared.columns();
        self.table.intern(&columns[..plan.form.n_group_columns], &mut self.group_of)?;
        let n_groups = self.table.len();
        for (state, groups) in plan.states.iter().zip(&mut self.states) {
            let args: Vec<ArrayRef> = state.args.iter().map(|&arg| columns[arg].clone()).collect();
            let filter: Option<&BooleanArray> = state.filter.map(|filter| columns[filter].as_boolean());
            groups.lift(&args, &self.group_of, filter, n_groups)?;
        }
        Ok(())
    }

    /// Whether the table has to be emptied before the epoch ends.
    pub(crate) fn is_full(&self) -> bool {
        let bytes: usize = self.states.iter().map(|groups| groups.size()).sum();
        self.table.len() >= self.max_groups || bytes >= TABLE_BYTES
    }

    /// Takes all groups out with their states, in order of their keys; the table is empty afterwards.
    pub(crate) fn take(&mut self) -> Result<Vec<(K, D)>, CompileError> {
        let plan = self.plan.clone();
        self.emit(&plan).map_err(|error| CompileError::engine(&plan.form.place, error))
    }

    fn emit(&mut self, plan: &Grouping) -> Result<Vec<(K, D)>, Failure> {
        let n_groups = self.table.len();
        if n_groups == 0 {
            return Ok(Vec::new());
        }
        let groups = self.table.emit(EmitTo::All)?;
        self.table.clear_shrink(n_groups);
        let states =
            self.states.iter_mut().map(|groups| groups.emit(n_groups)).collect::<Result<Vec<_>, _>>()?;
        let rows = plan.form.groups.rows(&groups)?;
        let differences = D::from_columns(plan, &states)?;
        // In order, so that the collection's merges of what is sent only copy.
        let (order, _) = plan.form.groups.order(&rows);
        let group = |row: u32| {
            let row = row as usize;
            (K::from_row(&plan.form.groups, rows.row(row).data()), differences[row].clone())
        };
        Ok(order.into_iter().map(group).collect())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
