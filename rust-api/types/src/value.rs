//! Windows and estimates.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A half-open range of event time, `start ≤ t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
    /// Whether the range of the request leaves out a part of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
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
    /// Relative error: of a quantile the greatest, of a number of distinct values the standard error. Of a
    /// frequency the share of all rows by which it may be too high.
    pub error: f64,
}

/// An item of a `top`, with its number of rows or its sum (none where that does not fit its type).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked<I, V> {
    /// The item.
    pub item: I,
    /// What it is ranked by.
    pub value: V,
}

/// A cohort of a `retention`: the actors whose first period is this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort<P> {
    /// Their first period: a date or an int.
    pub cohort: P,
    /// How many of them were active in it, one period later, two, and so on.
    pub actors: Vec<i64>,
}
