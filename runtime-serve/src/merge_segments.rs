//! Many segments to one.

use metricc_compiler::{MetricPlan, Segment, SegmentError};

use crate::ServeError;

/// ⊕ of segments that follow one another, in order: at least one, all of the plan's metric. A gap, an
/// overlap or a segment of another metric is an error that names the frontiers or hashes.
pub fn merge(plan: &MetricPlan, segments: &[Segment]) -> Result<Segment, ServeError> {
    let Some((first, later)) = segments.split_first() else {
        return Err(ServeError::NoSegment { metric: plan.metric.name.clone() });
    };
    if first.hash != plan.state_hash {
        return Err(SegmentError::Hash { left: plan.state_hash, right: first.hash }.into());
    }
    let mut merged = first.clone();
    for segment in later {
        merged = merged.merge(segment, plan)?;
    }
    Ok(merged)
}
