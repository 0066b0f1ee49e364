//! Runs the metrics of one source over an interval.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
use metricc_compiler::{Engine, EngineOptions, EvaluateError, Evaluation, Grouping, SourcePlan};
use metricc_log::{Interval, Log, thread_time};

use crate::group::Finished;
use crate::operators::physical_plan;
use crate::scan::{self, Scan, ScanProgress};

/// Rows of a decoded batch, unless the options give a number.
const BATCH_ROWS: usize = 32_768;

/// Most rows of a batch between operators. Merging spilled states takes memory in proportion.
const ENGINE_ROWS: usize = 8192;

/// How often `progress` is called.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// Evaluates all metrics of `plan` over `interval` of `log`, with one scan and one decode.
///
/// Calls `progress` about 20 times a second, and once at the end, with the positions read since the previous
/// call (may be 0). Blocks the calling thread; safe to call from async code, since the engine has its own
/// thread and runtime.
pub fn evaluate(
    plan: &SourcePlan,
    log: &Log,
    interval: &Interval,
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Evaluation, EvaluateError> {
    evaluate_unless(&Arc::default(), plan, log, interval, options, progress).map(|(evaluation, _)| evaluation)
}

/// As [`evaluate`], and gives up between two batches of rows once `is_cancelled` is set. Also returns the CPU
/// time that the threads of the engine took.
///
/// # Errors
/// [`EvaluateError::Cancelled`] if it was.
pub fn evaluate_unless(
    is_cancelled: &Arc<AtomicBool>,
    plan: &SourcePlan,
    log: &Log,
    interval: &Interval,
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Evaluation, Duration), EvaluateError> {
    // The engine's runtime must neither start nor end inside another runtime.
    std::thread::scope(|scope| {
        let run = || {
            let cpu = Arc::new(AtomicU64::new(0));
            let evaluation = evaluate_here(is_cancelled, plan, log, interval, options, progress, &cpu);
            add_cpu(&cpu);
            evaluation.map(|evaluation| (evaluation, Duration::from_nanos(cpu.load(Ordering::Relaxed))))
        };
        let started =
            std::thread::Builder::new().name("metricc-batch-main".to_owned()).spawn_scoped(scope, run);
        let thread = started.map_err(failed)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn evaluate_here(
    is_cancelled: &Arc<AtomicBool>,
    plan: &SourcePlan,
    log: &Log,
    interval: &Interval,
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
    cpu: &Arc<AtomicU64>,
) -> Result<Evaluation, EvaluateError> {
    let workers = options.workers.max(1);
    let (running, ended) = std::sync::mpsc::channel();
    let scan = Scan {
        log: log.clone(),
        columns: plan.columns.as_slice().into(),
        wanted: plan.wanted.clone(),
        batch_rows: batch_rows(options),
        n_filters: plan.n_filters,
        progress: Arc::default(),
        is_cancelled: is_cancelled.clone(),
    };
    let splits = log.slices(interval, workers);
    let n_splits = splits.len();
    let connected = scan::connect(&scan, splits, plan.groupings.len());
    let context = Arc::new(context(options)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("metricc-batch")
        .on_thread_stop({
            let cpu = cpu.clone();
            move || add_cpu(&cpu)
        })
        .build()
        .map_err(failed)?;
    let mut partitions = Vec::with_capacity(plan.groupings.len());
    let finished: Vec<Arc<Finished>> = plan.groupings.iter().map(|_| Arc::default()).collect();
    for (index, (grouping, splits)) in plan.groupings.iter().zip(connected).enumerate() {
        if splits.len() == 0 {
            partitions.push(Vec::new());
            continue;
        }
        let operators = physical_plan(grouping, splits, &finished[index], &options.measure(index));
        let operators = operators.map_err(|error| engine_error(grouping, error))?;
        partitions.push(start(&runtime, grouping, &operators, &context, &running));
    }
    drop(running);
    report(&scan.progress, &ended, progress);
    let states =
        plan.groupings.iter().zip(partitions).zip(finished).map(|((grouping, partitions), finished)| {
            let joined = partitions.into_iter().map(|partition| {
                let ended = runtime.block_on(partition).map_err(failed)?;
                ended.map_err(|error| engine_error(grouping, error))
            });
            let handed_on = joined.collect::<Result<Vec<_>, EvaluateError>>()?;
            Ok(handed_on.into_iter().chain(finished.take()).collect())
        });
    let states: Vec<Vec<RecordBatch>> = states.collect::<Result<_, EvaluateError>>()?;
    if is_cancelled.load(Ordering::Relaxed) {
        return Err(EvaluateError::Cancelled);
    }
    // Fails if a split was not read to its end: the states are then incomplete.
    let read_stats = scan.progress.take_stats(n_splits)?;
    let mut segments = Vec::with_capacity(plan.metrics.len());
    for (grouping, states) in plan.groupings.iter().zip(states) {
        segments.extend(grouping.segments(interval, grouping.form.merge(&states)?)?);
    }
    Ok(Evaluation { segments: plan.in_order(segments), read_stats })
}

/// Adds the CPU time of this thread, in nanoseconds, when it ends.
fn add_cpu(total: &AtomicU64) {
    let nanoseconds = u64::try_from(thread_time().as_nanos()).unwrap_or(u64::MAX);
    total.fetch_add(nanoseconds, Ordering::Relaxed);
}

/// Calls `progress` with the positions read until all partitions have ended.
fn report(scanned: &ScanProgress, ended: &Receiver<Running>, progress: &(dyn Fn(u64) + Sync)) {
    let mut n_reported = 0;
    loop {
        let is_running = matches!(ended.recv_timeout(PROGRESS_EVERY), Err(RecvTimeoutError::Timeout));
        let n_read = scanned.n_positions();
        progress(n_read - n_reported);
        n_reported = n_read;
        if !is_running {
            return;
        }
    }
}

type Partition = tokio::task::JoinHandle<Result<RecordBatch, DataFusionError>>;

/// Never sent: each task holds a sender while it runs, so the channel closes when the last one ends.
enum Running {}

/// Starts one task per output partition, so that all of them are drained at once. Each makes a canonical
/// table.
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
                    // The engine chooses its own column names; the contract is the grouping's schema.
                    let columns = batch?.columns().to_vec();
                    states.push(RecordBatch::try_new(grouping.form.schema.clone(), columns)?);
                }
                grouping.form.collect(&states).map_err(|error| DataFusionError::External(Box::new(error)))
            })
        })
        .collect()
}

fn batch_rows(options: &EngineOptions) -> usize {
    options.batch_rows.unwrap_or(BATCH_ROWS).max(1)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> EvaluateError {
    EvaluateError::thread(Engine::Batch, error)
}

fn context(options: &EngineOptions) -> Result<TaskContext, EvaluateError> {
    let mut builder =
        RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(options.memory_bytes)));
    if let Some(folder) = &options.spill_folder {
        builder = builder.with_temp_file_path(folder.clone());
    }
    let runtime: RuntimeEnv = builder.build().map_err(failed)?;
    let config = SessionConfig::new()
        .with_batch_size(batch_rows(options).clamp(1024, ENGINE_ROWS))
        .with_target_partitions(options.workers.max(1));
    Ok(TaskContext::default().with_session_config(config).with_runtime(Arc::new(runtime)))
}

fn engine_error(grouping: &Grouping, error: DataFusionError) -> EvaluateError {
    let metric = grouping.form.place.clone();
    match error.find_root() {
        DataFusionError::ResourcesExhausted(problem) => {
            EvaluateError::Memory { metric, problem: problem.clone() }
        }
        _ => EvaluateError::Engine { metric, source: Box::new(error) },
    }
}
