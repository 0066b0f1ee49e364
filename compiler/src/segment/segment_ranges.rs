//! A segment that lies elsewhere.

use std::error::Error;
use std::fmt;

use super::Segment;

/// A segment as ranges of its groups, which ascend and are disjoint. Its reader need not hold more than one
/// of them.
pub trait SegmentRanges: fmt::Debug + Send + Sync {
    /// The number of ranges; at least one.
    fn n_ranges(&self) -> usize;

    /// Reads a range: the segment with the groups of it alone.
    ///
    /// # Errors
    /// If it is not readable.
    fn range(&self, index: usize) -> Result<Segment, Box<dyn Error + Send + Sync>>;
}
