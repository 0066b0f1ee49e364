//! The states of metrics over an interval of the log of a source, by batch: what backfills, audits, tables and
//! answers at earlier frontiers start from.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use metricc_compiler::{EngineOptions, EvaluateError, Segment, SegmentError};
use metricc_durable_log::DurableError;
use metricc_log::{Frontier, Interval, LogError};
use metricc_runtime_batch::evaluate_unless;

use crate::source::NodeSource;
use crate::source_plans::SourcePlans;

/// Why states could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum StatesError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] DurableError),
    /// The interval is not part of the log.
    #[error(transparent)]
    Interval(#[from] LogError),
    /// The engine failed, or was cancelled.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// States of two intervals do not fit together.
    #[error(transparent)]
    Merge(#[from] SegmentError),
}

impl StatesError {
    /// Whether somebody has cancelled it.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, StatesError::Evaluate(EvaluateError::Cancelled))
    }
}

/// The states of all metrics of some plans from a frontier to another one.
///
/// # Errors
/// [`StatesError`].
pub(crate) fn states_of_log(
    source: &NodeSource,
    plans: &SourcePlans,
    (from, to): (&Frontier, &Frontier),
    options: &EngineOptions,
) -> Result<Vec<Segment>, StatesError> {
    states_unless(&Arc::default(), source, plans, (from, to), options, &|_| ())
}

/// As [`states_of_log`], until it is cancelled. `progress` is told of positions that were evaluated.
///
/// # Errors
/// [`StatesError`].
pub(crate) fn states_unless(
    is_cancelled: &Arc<AtomicBool>,
    source: &NodeSource,
    plans: &SourcePlans,
    (from, to): (&Frontier, &Frontier),
    options: &EngineOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Segment>, StatesError> {
    let snapshot = source.log.snapshot();
    let interval = Interval::new(from.clone(), to.clone()).map_err(LogError::from)?;
    plans.evaluate(|_, declared| {
        let log = declared.log(&snapshot, from)?;
        let started = Instant::now();
        let (evaluation, _) =
            evaluate_unless(is_cancelled, &declared.plan, &log, &interval, options, progress)?;
        source.evaluation_took(interval.n_positions(), started.elapsed());
        Ok(evaluation.segments)
    })
}

/// The start of a log of as many partitions as a frontier has.
pub(crate) fn start_of(frontier: &Frontier) -> Frontier {
    Frontier(vec![0; frontier.0.len()])
}
