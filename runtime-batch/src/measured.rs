//! An operator that notes the processor time of the one below it, and changes nothing.

use std::fmt;
use std::sync::Arc;

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};
use metricc_compiler::Measure;

#[derive(Debug)]
struct MeasuredExec {
    input: Arc<dyn ExecutionPlan>,
    measure: Measure,
}

/// An operator whose time is noted, if it is to be.
pub(crate) fn measured(input: Arc<dyn ExecutionPlan>, measure: &Measure) -> Arc<dyn ExecutionPlan> {
    if measure.is_on() { Arc::new(MeasuredExec { input, measure: measure.clone() }) } else { input }
}

impl DisplayAs for MeasuredExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeasuredExec")
    }
}

impl ExecutionPlan for MeasuredExec {
    fn name(&self) -> &str {
        "MeasuredExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
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
            Ok([input]) => Ok(Arc::new(MeasuredExec { input, measure: self.measure.clone() })),
            Err(_) => internal_err!("one operator is measured"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut rows = self.input.execute(partition, context)?;
        let (schema, measure) = (rows.schema(), self.measure.clone());
        let polled = stream::poll_fn(move |context| measure.run(|| rows.poll_next_unpin(context)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, polled)))
    }
}
