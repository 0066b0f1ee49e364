//! Runs the metrics of one source over an interval of its log, as a stream.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use metricc_compiler::{EngineOptions, EvaluateError, Evaluation, SourcePlan};
use metricc_log::{Interval, Log};

use crate::peers::Peers;
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

/// Evaluates an interval together with other processes: feeds this process's share of it, and reads the
/// groups that the exchange has given to this process. The segments of all processes, whose groups may
/// overlap where windows are rolled up, are merged by [`MetricPlan::form`](metricc_compiler::MetricPlan).
///
/// # Errors
/// [`EvaluateError`]: the process has to end then, so that its peers end, too. If a peer dies, threads of this
/// process panic with [`LOST_PEER`](crate::LOST_PEER).
pub fn evaluate_share(
    plan: &Arc<SourcePlan>,
    log: &Log,
    (share, whole): (&Interval, &Interval),
    peers: Peers,
    options: &EngineOptions,
    progress: &dyn Fn(u64),
) -> Result<Evaluation, EvaluateError> {
    let stream = Stream::start_among(plan, share.from().clone(), options, Some(peers))?;
    // Dropping a stream ends its input, and the peers would take a share that has failed for complete. So it
    // is left as it is, until the process ends and its connections break.
    let mut stream = ManuallyDrop::new(stream);
    let batch_rows = stream.batch_rows();
    let read_stats = stream.feed_from(log, share, batch_rows, progress)?;
    let segments = stream.read_shared(whole)?;
    drop(ManuallyDrop::into_inner(stream));
    Ok(Evaluation { segments, read_stats })
}
