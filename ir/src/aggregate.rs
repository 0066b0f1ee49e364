//! Aggregates in the typed metric: which there are, what they take and what they present.

use std::sync::Arc;

use serde::Serialize;

use super::{Expr, Import, Type, Value};

/// One aggregate of a metric's product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aggregate {
    /// Which monoid.
    pub op: AggregateOp,
    /// Its arguments, over the row scope (count has none). Rows where one of them is none are skipped.
    pub args: Vec<Expr>,
    /// `where` behind the aggregate: bool, not optional, over the row scope.
    pub filter: Option<Expr>,
    /// The presented type.
    pub ty: Type,
}

/// The aggregates. Presented types in brackets; `?` where an empty group has none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateOp {
    /// Rows (int).
    Count,
    /// int → int128, decimal(_, s) → decimal(38, s)? (none past 38 digits), float → float? (none past the largest).
    Sum,
    /// int → float?, decimal(_, s) → decimal(38, min(s + 6, 38))? half even, float → float?, correctly rounded.
    Mean,
    /// Of an ordered kind: the same kind?.
    Min,
    /// Of an ordered kind: the same kind?.
    Max,
    /// Of the sample, n - 1 (float?; none for fewer than two values), correctly rounded.
    Variance,
    /// Square root of [`AggregateOp::Variance`] (float?).
    Stddev,
    /// bool → bool; empty: false.
    Any,
    /// bool → bool; empty: true.
    All,
    /// Exact number of distinct values (int).
    Distinct,
    /// HyperLogLog estimate of the number of distinct values (int).
    DistinctWithin {
        /// Relative standard error, in millionths (1 % = 10,000).
        error_ppm: u32,
    },
    /// Log-bucket sketch over int, decimal or float (float?).
    Quantile {
        /// The quantile in billionths, 0 to 10⁹.
        q_ppb: u32,
        /// Guaranteed relative error, in millionths.
        error_ppm: u32,
    },
    /// Exact, over an ordered kind: the same kind?, the value of rank ⌊q·(n − 1)⌋.
    ExactQuantile {
        /// The quantile in billionths, 0 to 10⁹.
        q_ppb: u32,
    },
    /// Of the row that is first by event time, then place in the log: the same kind?.
    First,
    /// Of the row that is last: the same kind?.
    Last,
    /// (x, by) → of the row with the least `by`, the first among equal ones: the kind of x?.
    ArgMin,
    /// (x, by) → of the row with the greatest `by`, the last among equal ones: the kind of x?.
    ArgMax,
    /// Of the sample, adjusted for its size (float?; none for fewer than three values, or equal ones).
    Skewness,
    /// Excess of the sample, adjusted for its size (float?; none for fewer than four values, or equal ones).
    Kurtosis,
    /// (a, b) of one kind of number → of the sample (float?; none for fewer than two rows).
    Covariance,
    /// (a, b) → Pearson's (float?; none where one does not vary).
    Correlation,
    /// (y, x) → of the regression line of y over x (float?; none where x does not vary).
    Slope,
    /// (y, x) → the value of that line at x = 0 (float?).
    Intercept,
    /// int → int; empty: 0.
    BitsOr,
    /// int → int?.
    BitsAnd,
    /// int → int; empty: 0.
    BitsXor,
    /// Of an ordered kind → `list<int>`: rows below the first edge, from each edge to the next, from the last on.
    Histogram {
        /// Of the argument's kind, ascending.
        edges: Vec<Value>,
    },
    /// (item) by rows, (item, number) by sum → `list<{ item, value }>`, the greatest first, then by item.
    Top {
        /// How many, 1 to 10,000.
        k: u32,
    },
    /// Count-Min estimate of the rows with one value (int).
    Frequency {
        /// By how much it may be too high, as a share of all rows, in millionths.
        error_ppm: u32,
        /// The value, of the argument's kind.
        item: Value,
    },
    /// The distinct values in order (list).
    Set,
    /// Of a list: the distinct elements in order (list).
    Union,
    /// (actor, step, …) → `list<int>`: how many actors did each step, in order, within a time from their first.
    Funnel {
        /// In µs; the steps (bool) are the arguments behind the actor.
        within: i64,
    },
    /// (actor, period) → `list<{ cohort, actors: list<int> }>`: by the actors' first period, how many were active 0, 1, …
    /// periods later. A period is an int or a date.
    Retention {
        /// How many periods, the first one included, 1 to 1,000.
        n_periods: u32,
    },
    /// A user-defined aggregate.
    #[serde(rename = "own")]
    UserDefined(Arc<Import>),
}

impl AggregateOp {
    /// Of a sketch: the relative error of its estimate, in millionths.
    pub fn error_ppm(&self) -> Option<u32> {
        match self {
            AggregateOp::DistinctWithin { error_ppm }
            | AggregateOp::Quantile { error_ppm, .. }
            | AggregateOp::Frequency { error_ppm, .. } => Some(*error_ppm),
            _ => None,
        }
    }

    /// Whether it looks at the event time and the place in the log of its rows.
    pub fn is_ordered(&self) -> bool {
        matches!(self, AggregateOp::First | AggregateOp::Last | AggregateOp::ArgMin | AggregateOp::ArgMax)
    }

    /// Whether the second copy of an event changes nothing.
    pub fn is_idempotent(&self) -> bool {
        use AggregateOp::{
            All, Any, ArgMax, ArgMin, BitsAnd, BitsOr, Distinct, DistinctWithin, First, Funnel, Last, Max,
            Min, Retention, Set, Union,
        };
        if let AggregateOp::UserDefined(import) = self {
            return import.idempotent;
        }
        matches!(
            self,
            Min | Max
                | Any
                | All
                | First
                | Last
                | ArgMin
                | ArgMax
                | BitsOr
                | BitsAnd
                | Distinct
                | DistinctWithin { .. }
                | Set
                | Union
                | Funnel { .. }
                | Retention { .. }
        )
    }
}
