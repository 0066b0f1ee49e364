//! Runs the metrics of one source over an interval of its log, as a stream.

use std::sync::Arc;

use metricc_compiler::{Segment, SourcePlan};
use metricc_log::{Findings, Interval, Log};

use crate::stream::{Stream, StreamError, StreamOptions};

/// The segments of an interval, and what the decoder found on the way.
#[derive(Debug)]
pub struct StreamResult {
    /// One segment per metric of the plan, in its order.
    pub segments: Vec<Segment>,
    /// Counts of the records read, quarantined and left out as duplicates.
    pub findings: Findings,
}

/// Feeds `interval` of `log` to a fresh dataflow, in micro-batches, and reads it at the end.
/// `progress` is told the number of positions fed since its last call.
pub fn evaluate(
    plan: &Arc<SourcePlan>,
    log: &Log,
    interval: &Interval,
    options: &StreamOptions,
    progress: &dyn Fn(u64),
) -> Result<StreamResult, StreamError> {
    let mut stream = Stream::start(plan, interval.from().clone(), options)?;
    let findings = stream.feed_from(log, interval, options.batch_rows, progress)?;
    Ok(StreamResult { segments: stream.read()?, findings })
}
