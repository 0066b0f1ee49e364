//! Aggregates in the typed metric: the operations, their arguments and the types they present.

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
    /// `where` after the aggregate: bool, not optional, over the row scope.
    pub filter: Option<Expr>,
    /// The rows that it would count or skip if they could be computed ([`crate::exact`]): a bool, over the
    /// row scope. A group that has any presents none. `None`: there is no such row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Expr>,
    /// The presented type.
    pub ty: Type,
}

/// The aggregates. What each takes, presents and obeys stands in its row of the
/// [catalogue](crate::functions).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateOp {
    /// `count()`.
    Count,
    /// `sum(x)`.
    Sum,
    /// `mean(x)`; of a decimal half even.
    Mean,
    /// `mean(x)` of an `int128`: a float, as of an `int`.
    WideMean,
    /// `min(x)`.
    Min,
    /// `max(x)`.
    Max,
    /// `variance(x)`; none for fewer than two values.
    Variance,
    /// `stddev(x)`: the square root of the exact variance, rounded once.
    Stddev,
    /// `any(b)`.
    Any,
    /// `all(b)`.
    All,
    /// `distinct(x)`, exact.
    Distinct,
    /// `distinct(x, within: e)`: a HyperLogLog estimate.
    DistinctWithin {
        /// Relative standard error, in millionths (1 % = 10,000).
        error_ppm: u32,
    },
    /// `quantile(x, q, within: e)`: a log-bucket sketch over numbers.
    Quantile {
        /// The quantile in billionths, 0 to 10⁹; not part of the state.
        q_ppb: u32,
        /// Guaranteed relative error, in millionths.
        error_ppm: u32,
    },
    /// `quantile(x, q)`, exact.
    ExactQuantile {
        /// The quantile in billionths, 0 to 10⁹; not part of the state.
        q_ppb: u32,
    },
    /// `first(x)`: of the row that is first by event time, then by position in the log.
    First,
    /// `last(x)`: of the row that is last.
    Last,
    /// `arg_min(x, by: y)`: of the row with the least `y`, the first among equal ones.
    ArgMin,
    /// `arg_max(x, by: y)`: of the row with the greatest `y`, the last among equal ones.
    ArgMax,
    /// `skewness(x)`: G₁; none for fewer than three values, or equal ones.
    Skewness,
    /// `kurtosis(x)`: G₂; none for fewer than four values, or equal ones.
    Kurtosis,
    /// `covariance(a, b)`; none for fewer than two rows.
    Covariance,
    /// `correlation(a, b)`; none where one does not vary.
    Correlation,
    /// `slope(y, x)`; none where x does not vary.
    Slope,
    /// `intercept(y, x)`; none where x does not vary.
    Intercept,
    /// `bits_or(n)`.
    BitsOr,
    /// `bits_and(n)`.
    BitsAnd,
    /// `bits_xor(n)`.
    BitsXor,
    /// `histogram(x, edges)`.
    Histogram {
        /// Of the argument's kind, ascending; 1 to 256 of them.
        edges: Vec<Value>,
    },
    /// `top(k, item)` by rows, `top(k, item, by: sum(x))` by sums.
    Top {
        /// How many, 1 to 10,000; not part of the state.
        k: u32,
    },
    /// `frequency(x, item, within: e)`: a Count-Min estimate, above the truth by more than the error with a
    /// chance below e⁻⁵.
    Frequency {
        /// By how much it may be too high, as a share of all rows, in millionths.
        error_ppm: u32,
        /// The value, of the argument's kind; not part of the state.
        item: Value,
    },
    /// `set(x)`.
    Set,
    /// `union(list)`.
    Union,
    /// `funnel(actor, step, …, within: t)`.
    Funnel {
        /// In µs; not part of the state. The steps (bool) are the arguments after the actor.
        within: i64,
    },
    /// `retention(actor, period, n)`.
    Retention {
        /// How many periods, the first one included, 1 to 1,000; not part of the state.
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
}
