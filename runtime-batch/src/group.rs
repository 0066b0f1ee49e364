//! The operator that groups: prepared rows in, tables of groups and states out.
//!
//! What a split holds when it ends is sorted there, beside the other splits, and goes straight to the
//! result, where the tables of all splits are merged. Only a table that outgrows its share of the memory is
//! handed on: the operators above repartition such tables and merge them, and spill what does not fit.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::{StreamExt, TryStreamExt, stream};
use metricc_compiler::{CompileError, GroupedStates, Grouping};

/// Rows of a table that are handed on at a time.
const HANDED_ROWS: usize = 65_536;

/// Canonical tables of what splits held when they ended.
#[derive(Debug, Default)]
pub(crate) struct Finished(Mutex<Vec<RecordBatch>>);

impl Finished {
    fn add(&self, table: RecordBatch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(table);
    }

    /// All of them, in no order.
    pub(crate) fn take(&self) -> Vec<RecordBatch> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Groups the rows of each partition.
#[derive(Debug)]
pub(crate) struct GroupExec {
    plan: Arc<Grouping>,
    input: Arc<dyn ExecutionPlan>,
    finished: Arc<Finished>,
    properties: Arc<PlanProperties>,
}

impl GroupExec {
    pub(crate) fn new(plan: Arc<Grouping>, input: Arc<dyn ExecutionPlan>, finished: Arc<Finished>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(plan.form.schema.clone()),
            input.output_partitioning().clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        GroupExec { plan, input, finished, properties }
    }
}

impl DisplayAs for GroupExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = &self.plan.form;
        let names: Vec<&str> = form.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let (groups, states) = names.split_at(form.n_group_columns);
        write!(f, "GroupExec: gby=[{}], states=[{}]", groups.join(", "), states.join(", "))
    }
}

impl ExecutionPlan for GroupExec {
    fn name(&self) -> &str {
        "GroupExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
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
        match <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(GroupExec::new(self.plan.clone(), input, self.finished.clone()))),
            Err(_) => internal_err!("rows of one operator are grouped"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let consumer =
            MemoryConsumer::new(format!("groups of {}", self.plan.form.place)).with_can_spill(true);
        let grouping = Grouper {
            rows: self.input.execute(partition, context.clone())?,
            plan: self.plan.clone(),
            groups: GroupedStates::new(&self.plan).map_err(failed)?,
            memory: consumer.register(context.memory_pool()),
            finished: self.finished.clone(),
            is_handing_on: false,
        };
        let tables = stream::try_unfold(grouping, |mut grouping| async {
            Ok::<_, DataFusionError>(grouping.next().await?.map(|table| (table, grouping)))
        });
        let batches = tables.map_ok(|table| stream::iter(slices(table).map(Ok))).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.plan.form.schema.clone(), batches)))
    }
}

/// Groups the rows of one partition.
struct Grouper {
    plan: Arc<Grouping>,
    rows: SendableRecordBatchStream,
    groups: GroupedStates,
    memory: MemoryReservation,
    finished: Arc<Finished>,
    /// Whether the table has outgrown its share of the memory. All later ones are handed on then, too, so
    /// that groups meet where they can be spilled.
    is_handing_on: bool,
}

impl Grouper {
    /// The next table that is handed on.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(rows) = self.rows.next().await {
            self.groups.add(&rows?).map_err(failed)?;
            if self.memory.try_resize(self.groups.n_bytes()).is_err() && self.groups.n_groups() > 0 {
                self.is_handing_on = true;
                return self.take().map(Some);
            }
        }
        if self.groups.n_groups() == 0 {
            return Ok(None);
        }
        let rest = self.take()?;
        if self.is_handing_on {
            return Ok(Some(rest));
        }
        self.finished.add(self.plan.form.collect(&[rest]).map_err(failed)?);
        Ok(None)
    }

    fn take(&mut self) -> Result<RecordBatch> {
        let table = self.groups.take().map_err(failed)?;
        self.memory.free();
        Ok(table)
    }
}

fn slices(table: RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let n_rows = table.num_rows();
    (0..n_rows).step_by(HANDED_ROWS).map(move |first| table.slice(first, HANDED_ROWS.min(n_rows - first)))
}

fn failed(error: CompileError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
