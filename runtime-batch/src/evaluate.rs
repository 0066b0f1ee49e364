//! Runs the metrics of one source over an interval.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion_common::DataFusionError;
use datafusion_execution::TaskContext;
use datafusion_execution::config::SessionConfig;
use datafusion_execution::memory_pool::FairSpillPool;
use datafusion_execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;
use metricc_compiler::{CompileError, Grouping, Segment, SourcePlan};
use metricc_log::{Findings, Interval, Log, LogError};

use crate::operators::physical_plan;
use crate::scan::{self, Read, Scan};

/// Most rows of a batch between operators: what merging spilled states holds at once grows with it.
const ENGINE_ROWS: usize = 8192;

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// How to run; never what comes out.
#[derive(Debug, Clone)]
pub struct BatchOptions {
    /// Threads, and shares into which the log is cut; at least 1.
    pub workers: usize,
    /// Rows of a decoded batch; at least 1.
    pub batch_rows: usize,
    /// Bytes that the aggregations may hold before they spill.
    pub memory_bytes: usize,
    /// Folder for spilled states; the system's temporary folder unless given.
    pub spill_folder: Option<PathBuf>,
}

impl Default for BatchOptions {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        BatchOptions { workers, batch_rows: 32_768, memory_bytes: 4 << 30, spill_folder: None }
    }
}

/// The segments of an interval, and what the decoder found on the way.
#[derive(Debug)]
pub struct BatchResult {
    /// One segment per metric of the plan, in its order.
    pub segments: Vec<Segment>,
    /// Counts of the records read, quarantined and left out as duplicates.
    pub findings: Findings,
}

/// Why a batch gave no result.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A plan could not be rendered or its states not be put together.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The memory bound was reached with nothing left to spill.
    #[error("{metric}: the states do not fit into the memory that batch may use, spilled or not: {problem}")]
    Memory {
        /// Metric, or metrics that are grouped together, whose plan failed.
        metric: String,
        /// What the engine could not get.
        problem: String,
    },
    /// The engine failed otherwise: a full disk, an evaluation that should not fail.
    #[error("{metric}: {source}")]
    Engine {
        /// Metric, or metrics that are grouped together, whose plan failed.
        metric: String,
        /// The engine's error.
        source: Box<DataFusionError>,
    },
    /// The engine's threads could not be started, or one of them died.
    #[error("batch engine: {0}")]
    Thread(String),
}

/// Evaluates all metrics of `plan` over `interval` of `log`, sharing one scan and one decode.
/// `progress` is told the number of positions read since its last call, be it 0, some twenty times a second and at the end. It blocks; on a thread of an
/// async runtime, too, it does nothing worse.
pub fn evaluate(
    plan: &SourcePlan,
    log: &Log,
    interval: &Interval,
    options: &BatchOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<BatchResult, BatchError> {
    // The engine has a runtime of its own, which must neither start nor end inside of another one.
    std::thread::scope(|scope| {
        let run = || evaluate_here(plan, log, interval, options, progress);
        let started =
            std::thread::Builder::new().name("metricc-batch-main".to_owned()).spawn_scoped(scope, run);
        let thread = started.map_err(|error| BatchError::Thread(error.to_string()))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn evaluate_here(
    plan: &SourcePlan,
    log: &Log,
    interval: &Interval,
    options: &BatchOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<BatchResult, BatchError> {
    let workers = options.workers.max(1);
    let (running, ended) = std::sync::mpsc::channel();
    let scan = Scan {
        log: log.clone(),
        columns: plan.columns.as_slice().into(),
        batch_rows: options.batch_rows.max(1),
        read: Arc::default(),
    };
    let shares = log.slices(interval, workers);
    let n_shares = shares.len();
    let ends = scan::connect(&scan, shares, plan.groupings.len());
    let context = Arc::new(context(options)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("metricc-batch")
        .build()
        .map_err(|error| BatchError::Thread(error.to_string()))?;
    let mut partitions = Vec::with_capacity(plan.groupings.len());
    for (grouping, shares) in plan.groupings.iter().zip(ends) {
        if shares.len() == 0 {
            partitions.push(Vec::new());
            continue;
        }
        let operators = physical_plan(grouping, shares).map_err(|error| engine_error(grouping, error))?;
        partitions.push(start(&runtime, grouping, &operators, &context, &running));
    }
    drop(running);
    report(&scan.read, &ended, progress);
    let states = plan.groupings.iter().zip(partitions).map(|(grouping, partitions)| {
        let joined = partitions.into_iter().map(|partition| {
            let ended = runtime.block_on(partition).map_err(|error| BatchError::Thread(error.to_string()))?;
            ended.map_err(|error| engine_error(grouping, error))
        });
        Ok(joined.collect::<Result<Vec<_>, BatchError>>()?.concat())
    });
    let states: Vec<Vec<RecordBatch>> = states.collect::<Result<_, BatchError>>()?;
    // Where a share was not read to its end, states are those of a part, and are not to be used.
    let findings = scan.read.take_findings(n_shares)?;
    let mut segments = Vec::with_capacity(plan.metrics.len());
    for (grouping, states) in plan.groupings.iter().zip(states) {
        segments.extend(grouping.segments(interval, &states)?);
    }
    Ok(BatchResult { segments: plan.in_order(segments), findings })
}

/// Tells `progress` what was read, now and then, until all partitions have ended.
fn report(read: &Read, ended: &Receiver<Running>, progress: &(dyn Fn(u64) + Sync)) {
    let mut n_reported = 0;
    loop {
        let is_running = matches!(ended.recv_timeout(PROGRESS_EVERY), Err(RecvTimeoutError::Timeout));
        let n_read = read.n_positions();
        progress(n_read - n_reported);
        n_reported = n_read;
        if !is_running {
            return;
        }
    }
}

type Partition = tokio::task::JoinHandle<Result<Vec<RecordBatch>, DataFusionError>>;

/// A task holds a sender of it as long as it runs.
enum Running {}

/// Starts one task per output partition, so that all of them are drained at once.
fn start(
    runtime: &tokio::runtime::Runtime,
    grouping: &Arc<Grouping>,
    operators: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
    running: &Sender<Running>,
) -> Vec<Partition> {
    let n_partitions = operators.output_partitioning().partition_count();
    (0..n_partitions)
        .map(|partition| {
            let (operators, context, grouping) = (operators.clone(), context.clone(), grouping.clone());
            let running = running.clone();
            runtime.spawn(async move {
                let _running = running;
                let mut stream = operators.execute(partition, context)?;
                let mut states = Vec::new();
                while let Some(batch) = stream.next().await {
                    // The engine names its columns itself; the grouping's form is the contract.
                    let columns = batch?.columns().to_vec();
                    states.push(RecordBatch::try_new(grouping.form.schema.clone(), columns)?);
                }
                Ok(states)
            })
        })
        .collect()
}

fn context(options: &BatchOptions) -> Result<TaskContext, BatchError> {
    let failed = |error: DataFusionError| BatchError::Thread(error.to_string());
    let mut builder =
        RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)));
    if let Some(folder) = &options.spill_folder {
        builder = builder.with_temp_file_path(folder.clone());
    }
    let runtime: RuntimeEnv = builder.build().map_err(failed)?;
    let config = SessionConfig::new()
        .with_batch_size(options.batch_rows.clamp(1024, ENGINE_ROWS))
        .with_target_partitions(options.workers.max(1));
    Ok(TaskContext::default().with_session_config(config).with_runtime(Arc::new(runtime)))
}

fn engine_error(grouping: &Grouping, error: DataFusionError) -> BatchError {
    let metric = grouping.form.place.clone();
    match error.find_root() {
        DataFusionError::ResourcesExhausted(problem) => {
            BatchError::Memory { metric, problem: problem.clone() }
        }
        _ => BatchError::Engine { metric, source: Box::new(error) },
    }
}
