//! A segment: the table of a metric's states over one interval of the log, by window and keys.
//!
//! Batch commits segments, the stream keeps the last one open, and serving merges them. A segment is
//! canonical: one batch, sorted by window start and keys, nulls first, so two segments of one interval are
//! equal if and only if their bytes are. [`Segment::merge`] is the ⊕ of the law.

pub(crate) mod columns;
mod file;
mod group_range;
mod merge;
mod segment_ranges;

use arrow::array::RecordBatch;
use metricc_log::{Frontier, Interval};

pub use file::{SegmentFileError, to_parquet};
pub use group_range::{GroupBound, GroupRange};
pub use segment_ranges::SegmentRanges;

use crate::{CompileError, MetricPlan, StateHash};

impl MetricPlan {
    /// Checks that a segment has the states of this plan and starts at a frontier; the frontier at which it
    /// ends.
    ///
    /// # Errors
    /// [`SegmentError`] if it has other states, or starts after the frontier or before it.
    pub fn follows(&self, end: &Frontier, segment: &Segment) -> Result<Frontier, SegmentError> {
        if segment.hash != self.state_hash {
            return Err(SegmentError::Hash { left: self.state_hash, right: segment.hash });
        }
        let start = segment.interval.from();
        if end == start {
            return Ok(segment.interval.to().clone());
        }
        let overlap = end.0.iter().zip(&start.0).any(|(end, start)| start < end);
        let (end, start) = (end.clone(), start.clone());
        Err(if overlap { SegmentError::Overlap { end, start } } else { SegmentError::Gap { end, start } })
    }
}

/// The states of one metric over one interval; canonical.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The hash of the states' meaning.
    pub hash: StateHash,
    /// The interval of the log that they cover.
    pub interval: Interval,
    /// One row per window and key, sorted by them, with the columns of the metric's plan.
    pub states: RecordBatch,
}

/// Why two segments are not merged.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The states are of different metrics, or of versions of one that keep different states.
    #[error("segments of different states do not merge: {left} and {right}")]
    Hash {
        /// Hash of the first segment.
        left: StateHash,
        /// Hash of the second.
        right: StateHash,
    },
    /// Positions between the segments are in neither.
    #[error("gap: the first segment ends at {end}, the second starts at {start}")]
    Gap {
        /// End of the first.
        end: Frontier,
        /// Start of the second.
        start: Frontier,
    },
    /// Positions are in both.
    #[error("overlap: the first segment ends at {end}, the second starts at {start}")]
    Overlap {
        /// End of the first.
        end: Frontier,
        /// Start of the second.
        start: Frontier,
    },
    /// The states themselves do not merge.
    #[error(transparent)]
    State(#[from] CompileError),
}

impl Segment {
    /// `self ⊕ later`: the states of the joined interval. The later segment must start where this one
    /// ends, and both must have the plan's states.
    pub fn merge(&self, later: &Segment, plan: &MetricPlan) -> Result<Segment, SegmentError> {
        if self.hash != plan.state_hash {
            return Err(SegmentError::Hash { left: plan.state_hash, right: self.hash });
        }
        plan.follows(self.interval.to(), later)?;
        let interval = Interval::new(self.interval.from().clone(), later.interval.to().clone())
            .map_err(|error| CompileError::engine(&plan.metric.name, error))?;
        let states = match (self.states.num_rows(), later.states.num_rows()) {
            // Canonical tables: one of no groups adds nothing.
            (_, 0) => self.states.clone(),
            (0, _) => later.states.clone(),
            _ => plan.form.merge(&[self.states.clone(), later.states.clone()])?,
        };
        Ok(Segment { hash: plan.state_hash, interval, states })
    }

    /// The index of the first row in which two segments of one interval differ; `None` if they are equal to
    /// the byte.
    pub fn first_difference(&self, other: &Segment) -> Option<usize> {
        if self.states == other.states {
            return None;
        }
        let n_rows = self.states.num_rows().min(other.states.num_rows());
        let differs = |row: usize| self.states.slice(row, 1) != other.states.slice(row, 1);
        Some((0..n_rows).find(|&row| differs(row)).unwrap_or(n_rows))
    }
}
