//! The physical plan of one grouping, built from DataFusion's operators.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_expr::AggregateUDF;
use datafusion_physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion_physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::repartition::RepartitionExec;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream;
use metricc_compiler::{Grouping, Measure, StateColumn};
use metricc_log::yield_if_due;

use crate::accumulate::MonoidAggregate;
use crate::group::{Finished, GroupExec};
use crate::measured::measured;
use crate::scan::Splits;

/// *prepare → group → coalesce → repartition by group → merge*. The last three have work only if groups
/// outgrow the memory. Output partitions hold disjoint groups, with the grouping's columns.
pub(crate) fn physical_plan(
    plan: &Arc<Grouping>,
    splits: Arc<Splits>,
    finished: &Arc<Finished>,
    measure: &Measure,
) -> Result<Arc<dyn ExecutionPlan>> {
    let n_splits = splits.len();
    let prepared = plan.prepare.schema().clone();
    let scan: Arc<dyn ExecutionPlan> = Arc::new(PrepareExec::new(plan.clone(), splits));
    let grouped: Arc<dyn ExecutionPlan> = Arc::new(GroupExec::new(plan.clone(), scan, finished.clone()));
    let grouped = measured(grouped, measure);
    let (mode, exchange) = if n_splits == 1 {
        (AggregateMode::Final, grouped)
    } else {
        let groups = (0..plan.form.n_group_columns).map(|index| column(&plan.form.schema, index)).collect();
        // One stream goes into the exchange: with several, two may spill for one partition at a time, and its
        // reader then waits for ever for the older of their files (apache/datafusion#24883).
        let handed_on = Arc::new(CoalescePartitionsExec::new(grouped));
        let exchange = RepartitionExec::try_new(handed_on, Partitioning::Hash(groups, n_splits))?;
        (AggregateMode::FinalPartitioned, Arc::new(exchange) as Arc<dyn ExecutionPlan>)
    };
    let aggregates = plan
        .states
        .iter()
        .enumerate()
        .map(|(index, state)| aggregate(plan, &prepared, plan.form.n_group_columns + index, state))
        .collect::<Result<Vec<_>>>()?;
    let merged = Arc::new(AggregateExec::try_new(
        mode,
        group_by(&plan.form.schema, plan.form.n_group_columns),
        aggregates,
        vec![None; plan.states.len()],
        exchange,
        prepared,
    )?);
    Ok(measured(merged, measure))
}

fn group_by(schema: &Schema, n_group_columns: usize) -> PhysicalGroupBy {
    let named = |index: usize| (column(schema, index), schema.field(index).name().clone());
    PhysicalGroupBy::new_single((0..n_group_columns).map(named).collect())
}

fn column(schema: &Schema, index: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(schema.field(index).name(), index))
}

fn aggregate(
    plan: &Grouping,
    prepared: &SchemaRef,
    segment_column: usize,
    state: &StateColumn,
) -> Result<Arc<AggregateFunctionExpr>> {
    let function = AggregateUDF::from(MonoidAggregate::new(state.monoid.clone()));
    // The engine requires an argument, also for an aggregate that has none.
    let args = if state.args.is_empty() { &[0][..] } else { &state.args };
    let args = args.iter().map(|&arg| column(prepared, arg)).collect();
    let name = plan.form.schema.field(segment_column).name();
    let built =
        AggregateExprBuilder::new(Arc::new(function), args).schema(prepared.clone()).alias(name).build()?;
    Ok(Arc::new(built))
}

/// The leaf of a grouping's plan: takes decoded batches from the shared scan and prepares them.
#[derive(Debug)]
struct PrepareExec {
    plan: Arc<Grouping>,
    splits: Arc<Splits>,
    properties: Arc<PlanProperties>,
}

impl PrepareExec {
    fn new(plan: Arc<Grouping>, splits: Arc<Splits>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(plan.prepare.schema().clone()),
            Partitioning::UnknownPartitioning(splits.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        PrepareExec { plan, splits, properties }
    }
}

impl DisplayAs for PrepareExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrepareExec: metrics=[{}]", self.plan.form.place)
    }
}

impl ExecutionPlan for PrepareExec {
    fn name(&self) -> &str {
        "PrepareExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan has no children") }
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(rows) = self.splits.take(partition) else {
            return internal_err!("split {partition} of the log was read twice, or has no rows");
        };
        let plan = self.plan.clone();
        let batches = stream::unfold(rows, move |mut rows| {
            let plan = plan.clone();
            async move {
                let batch = rows.next().await?;
                yield_if_due();
                let prepared = plan
                    .prepare
                    .apply_shared(&batch)
                    .map_err(|error| DataFusionError::External(Box::new(error)));
                Some((prepared, rows))
            }
        });
        let schema = self.plan.prepare.schema().clone();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}
