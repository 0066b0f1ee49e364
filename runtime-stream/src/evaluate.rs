//! Runs the metrics of one source over an interval of its log, as a stream.

use std::sync::Arc;

use metricc_compiler::{EngineOptions, EvaluateError, Evaluation, SourcePlan};
use metricc_log::{Interval, Log};

use crate::stream::Stream;

/// Feeds `interval` of `log` to a new dataflow, in micro-batches, and reads it at the end.
///
/// Calls `progress` after every micro-batch with the number of positions that it covers.
pub fn evaluate(
    plan: &Arc<SourcePlan>,
    log: &Log,
    interval: &Interval,
    options: &EngineOptions,
    progress: &dyn Fn(u64),
) -> Result<Evaluation, EvaluateError> {
    let mut stream = Stream::start(plan, interval.from().clone(), options)?;
    let read_stats = stream.feed_from(log, interval, stream.batch_rows(), progress)?;
    Ok(Evaluation { segments: stream.read()?, read_stats })
}
