//! One of two definitions that are compared, over any interval of its log.

use std::sync::Arc;

use arrow::error::ArrowError;
use metricc_compiler::{CompileError, Segment, SourcePlan};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, base_metrics};
use metricc_log::{Interval, Log, LogError, ReadStats};
use metricc_runtime_serve::{Presented, ReadOptions, ServeError};

use crate::{Bound, Engine, EngineOptions, EvaluateError, Evaluated, evaluate_interval};

/// Positions for which another thread is worth starting.
const PER_WORKER: u64 = 50_000;

/// Why rows could not be computed or compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowsError {
    /// A definition could not be planned.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The engine failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The states could not be presented.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Keys could not be compared.
    #[error("rows cannot be compared")]
    Compare(#[from] ArrowError),
}

/// A metric over one log.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// The metric.
    pub(crate) metric: AnyMetric,
    /// How its rows are read.
    pub(crate) options: ReadOptions,
    bound: Bound,
    imports: Imports,
    engine: EngineOptions,
}

impl Side {
    /// A metric, all of whose events are in one log.
    ///
    /// # Errors
    /// If it cannot be planned.
    pub(crate) fn new(
        metric: &AnyMetric,
        log: &Log,
        options: &ReadOptions,
        imports: &Imports,
        engine: &EngineOptions,
    ) -> Result<Self, RowsError> {
        let plan = Arc::new(SourcePlan::new(&base_metrics([metric]), imports)?);
        Ok(Side {
            metric: metric.clone(),
            options: options.clone(),
            bound: Bound { plan, log: log.clone() },
            imports: imports.clone(),
            engine: engine.clone(),
        })
    }

    /// Another metric over another log, read and evaluated in the same way.
    ///
    /// # Errors
    /// As [`Side::new`].
    pub(crate) fn with(&self, metric: &AnyMetric, log: &Log) -> Result<Self, RowsError> {
        Side::new(metric, log, &self.options, &self.imports, &self.engine)
    }

    /// The same metric, read by its own keys and windows.
    pub(crate) fn whole(&self) -> Self {
        Side { options: ReadOptions::default(), ..self.clone() }
    }

    /// Its log.
    pub(crate) fn log(&self) -> &Log {
        &self.bound.log
    }

    /// The states over an interval of the log, one segment for each metric that is read.
    ///
    /// # Errors
    /// If they cannot be computed.
    pub(crate) fn segments(&self, interval: &Interval) -> Result<Vec<Segment>, RowsError> {
        Ok(evaluate_interval(&self.bound, Engine::Batch, interval, &self.engine, &|_| ())?.segments)
    }

    /// The states of an interval and of the one that follows it.
    ///
    /// # Errors
    /// If it does not follow.
    pub(crate) fn merged(&self, below: &[Segment], above: &[Segment]) -> Result<Vec<Segment>, RowsError> {
        let pairs = self.bound.plan.metrics.iter().zip(below.iter().zip(above));
        let merged =
            pairs.map(|(plan, (below, above))| below.merge(above, plan).map_err(EvaluateError::from));
        Ok(merged.collect::<Result<_, _>>()?)
    }

    /// The rows of states.
    ///
    /// # Errors
    /// If they cannot be presented.
    pub(crate) fn read(&self, segments: Vec<Segment>) -> Result<Presented, RowsError> {
        let mut evaluated = Evaluated::default();
        evaluated.add(&self.bound.plan, segments);
        Ok(evaluated.read(&self.metric, &self.imports, &self.options)?)
    }

    /// The rows over an interval of the log, and what was read for them.
    ///
    /// # Errors
    /// If they cannot be computed.
    pub(crate) fn rows(&self, interval: &Interval) -> Result<(Presented, ReadStats), RowsError> {
        let (evaluated, stats) = evaluated(&self.bound, interval, &self.engine, &|_| ())?;
        Ok((evaluated.read(&self.metric, &self.imports, &self.options)?, stats))
    }
}

/// All metrics of a plan over an interval of its log, in batch.
///
/// # Errors
/// If they cannot be computed.
pub(crate) fn evaluated(
    bound: &Bound,
    interval: &Interval,
    engine: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Evaluated, ReadStats), EvaluateError> {
    let most = usize::try_from(1 + interval.n_positions() / PER_WORKER).unwrap_or(usize::MAX);
    let engine = EngineOptions { workers: engine.workers.min(most), ..engine.clone() };
    let evaluation = evaluate_interval(bound, Engine::Batch, interval, &engine, progress)?;
    let mut evaluated = Evaluated::default();
    evaluated.add(&bound.plan, evaluation.segments);
    Ok((evaluated, evaluation.read_stats))
}
