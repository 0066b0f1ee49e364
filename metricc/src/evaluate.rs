//! One interval of a log through an engine, or through both with a merge at a cut.

use metricc_compiler::Segment;
use metricc_log::{Findings, Frontier, Interval, LogError};
use metricc_runtime_batch::{BatchError, BatchOptions};
use metricc_runtime_serve::ServeError;
use metricc_runtime_stream::{StreamError, StreamOptions};

use crate::Bound;

/// Which layer evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// DataFusion.
    Batch,
    /// Timely and differential.
    Stream,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Engine::Batch => "batch",
            Engine::Stream => "stream",
        })
    }
}

/// How an engine runs; never what comes out.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Threads of either engine.
    pub workers: usize,
    /// Rows of a decoded batch; each engine's own default unless given.
    pub batch_rows: Option<usize>,
    /// Bytes that batch aggregation may hold before it spills; the engine's default unless given.
    pub memory_bytes: Option<usize>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        EngineOptions { workers, batch_rows: None, memory_bytes: None }
    }
}

/// Segments of all metrics of one plan, in its order, and the decoder's findings.
#[derive(Debug)]
pub struct Evaluation {
    /// One segment per metric.
    pub segments: Vec<Segment>,
    /// Records read, quarantined, left out.
    pub findings: Findings,
}

/// Why an evaluation gave no result.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Two frontiers do not bound an interval.
    #[error(transparent)]
    Interval(#[from] metricc_ir::IntervalError),
    /// The batch layer failed.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The speed layer failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Segments did not merge.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The interval is not one of the log.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Evaluates one interval with one engine.
pub fn evaluate_interval(
    bound: &Bound,
    engine: Engine,
    interval: &Interval,
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Evaluation, EvaluateError> {
    match engine {
        Engine::Batch => {
            let defaults = BatchOptions::default();
            let options = BatchOptions {
                workers: options.workers,
                batch_rows: options.batch_rows.unwrap_or(defaults.batch_rows),
                memory_bytes: options.memory_bytes.unwrap_or(defaults.memory_bytes),
                ..defaults
            };
            let result =
                metricc_runtime_batch::evaluate(&bound.plan, &bound.log, interval, &options, progress)?;
            Ok(Evaluation { segments: result.segments, findings: result.findings })
        }
        Engine::Stream => {
            let defaults = StreamOptions::default();
            let options = StreamOptions {
                workers: options.workers,
                batch_rows: options.batch_rows.unwrap_or(defaults.batch_rows),
            };
            let result =
                metricc_runtime_stream::evaluate(&bound.plan, &bound.log, interval, &options, progress)?;
            Ok(Evaluation { segments: result.segments, findings: result.findings })
        }
    }
}

/// Evaluates the whole log: with one engine, or with both around a cut: batch below, stream above,
/// merged.
pub fn evaluate(
    bound: &Bound,
    engine: Option<Engine>,
    cut: &Frontier,
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Evaluation, EvaluateError> {
    let (start, end) = (bound.log.start(), bound.log.end());
    if let Some(engine) = engine {
        return evaluate_interval(bound, engine, &Interval::new(start, end)?, options, progress);
    }
    let below = Interval::new(start, cut.clone())?;
    let above = Interval::new(cut.clone(), end)?;
    let batch = evaluate_interval(bound, Engine::Batch, &below, options, progress)?;
    let stream = evaluate_interval(bound, Engine::Stream, &above, options, progress)?;
    let mut findings = batch.findings;
    findings.merge(stream.findings);
    let pairs = batch.segments.into_iter().zip(stream.segments);
    let segments = bound
        .plan
        .metrics
        .iter()
        .zip(pairs)
        .map(|(metric, (below, above))| metricc_runtime_serve::merge(metric, &[below, above]))
        .collect::<Result<_, _>>()?;
    Ok(Evaluation { segments, findings })
}
