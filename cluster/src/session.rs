//! Jobs in a DataFusion session of the program that wants their results.
//!
//! The plan is the one that executors of a cluster get. Here the session executes it: on its runtime, one
//! task for each job, as many at a time as the session has partitions.

use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use metricc_jobs::{Job, Submit, SubmitError, Watch, Worker};
use tokio::runtime::Handle;

use crate::plan::plan_with;

/// How often whoever waits is told.
const WATCH_EVERY: Duration = Duration::from_millis(300);

/// Has jobs done by a session. Must be used on a thread that may block, not in an async task.
pub struct InSession {
    context: SessionContext,
    worker: Arc<Worker>,
    runtime: Handle,
}

impl InSession {
    /// The session, who does the jobs in it, and the runtime on which it runs.
    pub fn new(context: SessionContext, worker: Arc<Worker>, runtime: Handle) -> Self {
        InSession { context, worker, runtime }
    }
}

impl Submit for InSession {
    fn submit(&self, run: &str, jobs: &[&Job], watch: Watch<'_>) -> Result<(), SubmitError> {
        let failed = |error: datafusion::error::DataFusionError| SubmitError::Cluster(error.to_string());
        let plan = plan_with(run, jobs, Some(self.worker.clone())).map_err(failed)?;
        let n_partitions = plan.output_partitioning().partition_count();
        let at_a_time = self.context.copied_config().target_partitions();
        let tasks = (0..n_partitions).map(|partition| {
            let (plan, context) = (plan.clone(), self.context.task_ctx());
            async move {
                let done = plan.execute(partition, context)?;
                done.try_for_each(|_| async { Ok(()) }).await
            }
        });
        let all =
            futures::stream::iter(tasks).buffer_unordered(at_a_time).try_for_each(|()| async { Ok(()) });
        self.runtime.block_on(async {
            tokio::pin!(all);
            loop {
                tokio::select! {
                    ended = &mut all => return ended.map_err(failed),
                    () = tokio::time::sleep(WATCH_EVERY) => watch()?,
                }
            }
        })
    }
}
