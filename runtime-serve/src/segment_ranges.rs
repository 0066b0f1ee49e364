//! Reading a segment that lies elsewhere in ranges of its groups, so that one of them is in memory at a time.
//!
//! Rows are those of the groups, in their order, unless windows overlap, or are read more coarsely: then a
//! row is made of groups that may be in several ranges, and the segment is read as a whole.

use arrow::compute::concat_batches;
use metricc_compiler::{CompileError, MetricPlan, Segment, SegmentRanges};

use crate::{ReadOptions, RowPieces, ServeError, read};

/// The windows of a segment as [`read`] presents them, range by range where the rows allow it.
///
/// # Errors
/// As [`read`]; [`ServeError::Ranges`] if a range is not readable.
pub fn read_ranges<'a>(
    plan: &'a MetricPlan,
    ranges: &'a dyn SegmentRanges,
    options: &'a ReadOptions,
) -> Result<RowPieces<'a>, ServeError> {
    let window = &plan.metric.window;
    let has_own_windows = options.grain.as_ref().is_none_or(|grain| grain.is_cut_as(window));
    if plan.spread.is_some() || options.keys.is_some() || !has_own_windows {
        return Ok(read(plan, &whole(plan, ranges)?, options)?.into());
    }
    RowPieces::of_ranges(plan, ranges, options)
}

/// Reads all ranges.
///
/// # Errors
/// [`ServeError::Ranges`] if one is not readable.
pub fn whole(plan: &MetricPlan, ranges: &dyn SegmentRanges) -> Result<Segment, ServeError> {
    let all = (0..ranges.n_ranges()).map(|index| range(plan, ranges, index));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    let Some(first) = all.first() else {
        return Err(ServeError::NoSegment { metric: plan.metric.name.clone() });
    };
    let states = concat_batches(&plan.form.schema, all.iter().map(|segment| &segment.states));
    let states = states.map_err(|error| CompileError::engine(&plan.metric.name, error))?;
    Ok(Segment { hash: first.hash, interval: first.interval.clone(), states })
}

/// Reads a range.
///
/// # Errors
/// [`ServeError::Ranges`] if it is not readable.
pub(crate) fn range(
    plan: &MetricPlan,
    ranges: &dyn SegmentRanges,
    index: usize,
) -> Result<Segment, ServeError> {
    ranges.range(index).map_err(|source| ServeError::Ranges { metric: plan.metric.name.clone(), source })
}
