//! One of two definitions that are compared, over any interval of its log.

use std::sync::Arc;

use arrow::error::ArrowError;
use metricc_compiler::{CompileError, EngineOptions, EvaluateError, Segment, SourcePlan};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, base_metrics};
use metricc_log::{Interval, Log, LogError, ReadStats};
use metricc_runtime_batch::evaluate;
use metricc_runtime_serve::{Evaluated, Presented, ReadOptions, ServeError};

/// Positions for which another thread is worth starting.
const PER_WORKER: u64 = 50_000;

/// Why rows could not be computed or compared.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
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
    /// Nobody wants to know any more.
    #[error("the search was given up")]
    Cancelled,
    /// Keys could not be compared.
    #[error("rows cannot be compared")]
    Compare(#[from] ArrowError),
}

/// A metric over one log.
#[derive(Debug, Clone)]
pub struct Side {
    /// The metric.
    pub metric: AnyMetric,
    /// How its rows are read.
    pub options: ReadOptions,
    plan: Arc<SourcePlan>,
    log: Log,
    imports: Imports,
    engine: EngineOptions,
}

impl Side {
    /// A metric, all of whose events are in one log.
    ///
    /// # Errors
    /// If it cannot be planned.
    pub fn new(
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
            plan,
            log: log.clone(),
            imports: imports.clone(),
            engine: engine.clone(),
        })
    }

    /// Another metric over another log, read and evaluated in the same way.
    ///
    /// # Errors
    /// As [`Side::new`].
    pub fn with(&self, metric: &AnyMetric, log: &Log) -> Result<Self, RowsError> {
        Side::new(metric, log, &self.options, &self.imports, &self.engine)
    }

    /// The same metric, read by its own keys and windows.
    pub fn whole(&self) -> Self {
        Side { options: ReadOptions::default(), ..self.clone() }
    }

    /// Its log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The states over an interval of the log, one segment for each metric that is read.
    ///
    /// # Errors
    /// If they cannot be computed.
    pub fn segments(&self, interval: &Interval) -> Result<Vec<Segment>, RowsError> {
        Ok(evaluate(&self.plan, &self.log, interval, &self.engine, &|_| ())?.segments)
    }

    /// The states of an interval and of the one that follows it.
    ///
    /// # Errors
    /// If it does not follow.
    pub fn merged(&self, below: &[Segment], above: &[Segment]) -> Result<Vec<Segment>, RowsError> {
        let pairs = self.plan.metrics.iter().zip(below.iter().zip(above));
        let merged =
            pairs.map(|(plan, (below, above))| below.merge(above, plan).map_err(EvaluateError::from));
        Ok(merged.collect::<Result<_, _>>()?)
    }

    /// The rows of states.
    ///
    /// # Errors
    /// If they cannot be presented.
    pub fn read(&self, segments: Vec<Segment>) -> Result<Presented, RowsError> {
        let mut evaluated = Evaluated::default();
        evaluated.add(&self.plan, segments);
        Ok(evaluated.read(&self.metric, &self.imports, &self.options)?)
    }

    /// The rows over an interval of the log, and what was read for them.
    ///
    /// # Errors
    /// If they cannot be computed.
    pub fn rows(&self, interval: &Interval) -> Result<(Presented, ReadStats), RowsError> {
        let (evaluated, stats) = evaluated((&self.plan, &self.log), interval, &self.engine, &|_| ())?;
        Ok((evaluated.read(&self.metric, &self.imports, &self.options)?, stats))
    }
}

/// All metrics of a plan over an interval of its log, in batch.
///
/// # Errors
/// If they cannot be computed.
pub fn evaluated(
    (plan, log): (&SourcePlan, &Log),
    interval: &Interval,
    engine: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Evaluated, ReadStats), EvaluateError> {
    let most = usize::try_from(1 + interval.n_positions() / PER_WORKER).unwrap_or(usize::MAX);
    let engine = EngineOptions { workers: engine.workers.min(most), ..engine.clone() };
    let evaluation = evaluate(plan, log, interval, &engine, progress)?;
    let mut evaluated = Evaluated::default();
    evaluated.add(plan, evaluation.segments);
    Ok((evaluated, evaluation.read_stats))
}
