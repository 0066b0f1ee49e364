//! One interval of a log through an engine, or through both with a merge at a cut.

use metricc_compiler::{Engine, EngineOptions, EvaluateError, Evaluation};
use metricc_log::{Frontier, Interval};

use crate::Bound;

/// Evaluates one interval with one engine.
pub fn evaluate_interval(
    bound: &Bound,
    engine: Engine,
    interval: &Interval,
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Evaluation, EvaluateError> {
    let Bound { plan, log } = bound;
    match engine {
        Engine::Batch => metricc_runtime_batch::evaluate(plan, log, interval, options, progress),
        Engine::Stream => metricc_runtime_stream::evaluate(plan, log, interval, options, progress),
    }
}

/// Evaluates the whole log with one engine, or with both around a cut: batch below it and stream above it,
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
    let mut read_stats = batch.read_stats;
    read_stats.merge(stream.read_stats);
    let pairs = batch.segments.into_iter().zip(stream.segments);
    let segments = bound
        .plan
        .metrics
        .iter()
        .zip(pairs)
        .map(|(metric, (below, above))| below.merge(&above, metric))
        .collect::<Result<_, _>>()?;
    Ok(Evaluation { segments, read_stats })
}
