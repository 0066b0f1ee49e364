//! The plan of a run, and how it is written for other processes.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use futures::StreamExt;
use metricc_jobs::{Job, JobError, Worker};

use crate::told::Told;

/// How the operator is written. Another form of it gets another mark.
const MARK: &[u8] = b"metricc-jobs-2";

/// How long a job that failed keeps its place. An executor that fails at once would else take, and fail, the
/// jobs that others could do.
const PAUSE: Duration = Duration::from_secs(2);

/// A table of jobs: the name of their run, and each job as JSON.
fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![text("run"), text("job")]))
}

/// The plan that does some jobs of a run. Its rows are the jobs, each once.
pub(crate) fn plan(run: &str, jobs: &[&Job]) -> Result<Arc<dyn ExecutionPlan>> {
    plan_with(run, jobs, None)
}

/// The same plan, to be executed in a process that may have a worker.
pub(crate) fn plan_with(
    run: &str,
    jobs: &[&Job],
    worker: Option<Arc<Worker>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let row = |job: &&Job| {
        let text = serde_json::to_string(job).map_err(|error| DataFusionError::External(error.into()))?;
        let columns: [ArrayRef; 2] =
            [Arc::new(StringArray::from(vec![run])), Arc::new(StringArray::from(vec![text]))];
        Ok(vec![RecordBatch::try_new(schema(), columns.to_vec())?])
    };
    let partitions = jobs.iter().map(row).collect::<Result<Vec<_>>>()?;
    let source = MemorySourceConfig::try_new(&partitions, schema(), None)?;
    Ok(Arc::new(RunJobs::new(DataSourceExec::from_data_source(source), worker)))
}

/// Does the jobs that its child gives, and gives each one that was tried again as a row.
#[derive(Debug)]
struct RunJobs {
    jobs: Arc<dyn ExecutionPlan>,
    /// Only an executor has one.
    worker: Option<Arc<Worker>>,
    properties: Arc<PlanProperties>,
}

impl RunJobs {
    fn new(jobs: Arc<dyn ExecutionPlan>, worker: Option<Arc<Worker>>) -> Self {
        let n_partitions = jobs.output_partitioning().partition_count();
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema()),
            Partitioning::UnknownPartitioning(n_partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        RunJobs { jobs, worker, properties }
    }
}

impl DisplayAs for RunJobs {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunJobs")
    }
}

impl ExecutionPlan for RunJobs {
    fn name(&self) -> &'static str {
        "RunJobs"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.jobs]
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
        match <[_; 1]>::try_from(children) {
            Ok([jobs]) => Ok(Arc::new(RunJobs::new(jobs, self.worker.clone()))),
            Err(_) => internal_err!("RunJobs has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(worker) = self.worker.clone() else {
            return exec_err!("this process does no jobs");
        };
        let rows = self.jobs.execute(partition, context)?.then(move |jobs| {
            let worker = worker.clone();
            async move {
                let jobs = jobs?;
                for row in 0..jobs.num_rows() {
                    let text = |column: usize| jobs.column(column).as_string::<i32>().value(row).to_owned();
                    run(worker.clone(), text(0), &text(1)).await?;
                }
                Ok(jobs)
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema(), rows)))
    }
}

/// Does a job on a thread of its own, and gives it up when nobody waits for it any more.
///
/// A job that fails is noted in the store and is no error here: that would end the run, and another executor
/// may be able to do it. It is one if the note would not reach the run: the store cannot be written either,
/// or is another one than that of the run.
async fn run(worker: Arc<Worker>, run: String, job: &str) -> Result<()> {
    let job: Job = match serde_json::from_str(job) {
        Ok(job) => job,
        Err(error) => {
            let why = format!("executor {} cannot read the job: {error}", worker.name());
            return exec_err!("{}", Told::Failed(why));
        }
    };
    let (given_up, name) = (GivenUp(Arc::default()), worker.name().to_owned());
    let is_cancelled = given_up.0.clone();
    let done = tokio::task::spawn_blocking(move || {
        // A store that does not take it will not take the result either, which is said then.
        let _ = worker.note_begin(&run, &job);
        let Err(error) = worker.run(&run, &job, &is_cancelled) else { return Ok(()) };
        let executor = worker.name();
        if is_cancelled.load(Ordering::Relaxed) {
            return Err(Told::Failed(format!("executor {executor}: {}", error.line())));
        }
        tracing::error!(job = %job.hash(), error = error.line(), help = error.help(), "a job failed");
        std::thread::sleep(PAUSE);
        if let JobError::NoPackage { store } = error {
            return Err(Told::OtherStore { executor: executor.to_owned(), store });
        }
        worker
            .note_failure(&run, &job, &error)
            .map_err(|store| Told::Failed(format!("executor {executor}: {}; {}", error.line(), store.line())))
    });
    match done.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(told)) => exec_err!("{told}"),
        Err(panic) => exec_err!("{}", Told::Failed(format!("executor {name}: a job panicked: {panic}"))),
    }
}

/// Tells a job that nobody waits for it, when it is dropped.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes the operator as a mark, and everything else as Ballista does.
#[derive(Debug)]
pub(crate) struct Codec {
    ballista: BallistaPhysicalExtensionCodec,
    worker: Option<Arc<Worker>>,
}

impl Codec {
    /// That of a process; an executor has a worker.
    pub(crate) fn shared(worker: Option<Arc<Worker>>) -> Arc<dyn PhysicalExtensionCodec> {
        Arc::new(Codec { ballista: BallistaPhysicalExtensionCodec::default(), worker })
    }
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        children: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children {
            [jobs] if bytes == MARK => Ok(Arc::new(RunJobs::new(jobs.clone(), self.worker.clone()))),
            _ => self.ballista.try_decode(bytes, children, context, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let any: &dyn Any = node.as_ref();
        if any.is::<RunJobs>() {
            bytes.extend_from_slice(MARK);
            return Ok(());
        }
        self.ballista.try_encode(node, bytes, converter)
    }
}
