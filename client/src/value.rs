//! Windows and estimates.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A half-open range of event time, `start ≤ t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First instant.
    pub start: Timestamp,
    /// First instant behind it.
    pub end: Timestamp,
}

impl Window {
    /// Whether an instant lies in it.
    pub fn contains(&self, instant: Timestamp) -> bool {
        (self.start..self.end).contains(&instant)
    }
}

/// A value that was estimated by a sketch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate<T> {
    /// The estimate.
    pub value: T,
    /// Relative error: of a quantile the greatest, of a number of distinct values the standard error.
    pub error: f64,
}
