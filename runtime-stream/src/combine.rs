//! Pre-combining: one micro-batch of typed rows becomes one difference per group in it.
//!
//! The group table is DataFusion's, the states are the monoids' own [`Groups`]: the same parts that
//! the batch layer's aggregate runs on.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use datafusion_expr::EmitTo;
use datafusion_physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion_physical_plan::aggregates::order::GroupOrdering;
use metricc_algebra::Groups;
use metricc_compiler::{CompileError, MetricPlan};

use crate::difference::Difference;
use crate::key::GroupKey;

/// Combines micro-batches of one metric.
pub(crate) struct Combiner<K, D> {
    plan: Arc<MetricPlan>,
    table: Box<dyn GroupValues>,
    states: Vec<Box<dyn Groups>>,
    group_of: Vec<usize>,
    rows: RowConverter,
    output: PhantomData<(K, D)>,
}

impl<K: GroupKey, D: Difference> Combiner<K, D> {
    pub(crate) fn new(plan: Arc<MetricPlan>) -> Result<Self, CompileError> {
        let groups = Schema::new(plan.prepare.schema().fields()[..plan.n_group_columns].to_vec());
        let table = new_group_values(Arc::new(groups), &GroupOrdering::None)
            .map_err(|error| CompileError::engine(&plan.metric.name, error))?;
        let states = plan.states.iter().map(|state| state.monoid.groups()).collect();
        let rows = group_rows(&plan)?;
        Ok(Combiner { plan, table, states, group_of: Vec::new(), rows, output: PhantomData })
    }

    /// The groups of a batch of typed rows with their states.
    pub(crate) fn combine(&mut self, rows: &RecordBatch) -> Result<Vec<(K, D)>, CompileError> {
        let plan = self.plan.clone();
        let prepared = plan.prepare.apply(rows)?;
        if prepared.num_rows() == 0 {
            return Ok(Vec::new());
        }
        self.lift(&plan, &prepared).map_err(|error| CompileError::engine(&plan.metric.name, error))
    }

    fn lift(&mut self, plan: &MetricPlan, prepared: &RecordBatch) -> Result<Vec<(K, D)>, Failure> {
        let columns = prepared.columns();
        self.table.intern(&columns[..plan.n_group_columns], &mut self.group_of)?;
        let n_groups = self.table.len();
        for (state, groups) in plan.states.iter().zip(&mut self.states) {
            let args: &[ArrayRef] = match state.arg {
                Some(arg) => &columns[arg..=arg],
                None => &[],
            };
            let filter: Option<&BooleanArray> = state.filter.map(|filter| columns[filter].as_boolean());
            groups.lift(args, &self.group_of, filter, n_groups)?;
        }
        let groups = self.table.emit(EmitTo::All)?;
        self.table.clear_shrink(n_groups);
        let states =
            self.states.iter_mut().map(|groups| groups.emit(n_groups)).collect::<Result<Vec<_>, _>>()?;
        let rows = self.rows.convert_columns(&groups)?;
        let differences = D::from_columns(plan, &states)?;
        Ok(rows.iter().map(|row| K::from_row(row.as_ref())).zip(differences).collect())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The row format of a metric's group columns.
pub(crate) fn group_rows(plan: &MetricPlan) -> Result<RowConverter, CompileError> {
    let fields = plan.segment_schema.fields()[..plan.n_group_columns].iter();
    RowConverter::new(fields.map(|field| SortField::new(field.data_type().clone())).collect())
        .map_err(|error| CompileError::engine(&plan.metric.name, error))
}
