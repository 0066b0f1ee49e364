//! Which monoid an aggregate over columns of some types is.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use crate::values::Shape;
use crate::word_groups::WordMonoid;
use crate::word_monoids::Count;
use crate::{Description, Exactness, Growth, Laws, Monoid, Result, Size, StateError};

mod growing;
mod numbers;
mod order;
mod sets;

pub use growing::{MAX_BUCKETS, MAX_STEPS};
pub(crate) use sets::MAX_WIDTH;

/// The aggregates. Types are those of typed rows; "null" is what an empty group presents where it says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Op {
    /// Number of rows, Int64. The one without an argument.
    Count,
    /// Int64 → Decimal128(38, 0); Decimal128(_, s) → Decimal128(38, s), null past 38 digits; Float64 →
    /// Float64, correctly rounded, null beyond the largest float. Of nothing: 0.
    Sum,
    /// Int64 and Float64 → Float64, correctly rounded; Decimal128(_, s) → Decimal128(38, min(s + 6, 38)), half
    /// even, null past 38 digits. Of nothing: null.
    Mean,
    /// The least, of the input's type; false is less than true, strings by bytes. Of nothing: null.
    Min,
    /// The greatest, as [`Op::Min`].
    Max,
    /// Of the sample (n − 1), over Int64, Decimal128, Float64 → Float64, correctly rounded; null for fewer
    /// than two rows and beyond the largest float.
    Variance,
    /// The square root of the exact variance, rounded once.
    Stddev,
    /// Boolean → Boolean: some row is true. Of nothing: false.
    Any,
    /// Boolean → Boolean: no row is false. Of nothing: true.
    All,
    /// Exact number of distinct values, Int64.
    Distinct,
    /// HyperLogLog estimate of the number of distinct values, Int64.
    DistinctWithin {
        /// Relative standard error, in millionths: from 2,032 (2¹⁸ registers) to 999,999.
        error_ppm: u32,
    },
    /// The lower quantile over Int64, Decimal128, Float64 → Float64: the value of rank ⌊q·(n − 1)⌋, ranks
    /// from 0 in ascending order. Of nothing: null. q is no part of the state, nor of [`Monoid::name`].
    Quantile {
        /// q in billionths, 0 to 10⁹.
        q_ppb: u32,
        /// Guaranteed relative error, in millionths: 1 to 999,999.
        error_ppm: u32,
    },
    /// Of the earliest row: any plain type, event time (Timestamp), place in the log (Decimal128(38, 0)) → the first's
    /// type. Rows of one event time are in the order of the log. Of nothing: null.
    First,
    /// Of the latest row, as [`Op::First`].
    Last,
    /// Of the row with the least of another value: any plain type, any plain type, event time, place → the first's
    /// type. Among equal ones the earliest counts. Of nothing: null.
    ArgMin,
    /// Of the row with the greatest of another value, as [`Op::ArgMin`]; among equal ones the latest counts.
    ArgMax,
    /// G₁ of the sample over Int64, Decimal128, Float64 → Float64, correctly rounded; null for fewer than three rows
    /// and where all are the same.
    Skewness,
    /// G₂ of the sample, zero for a normal distribution, as [`Op::Skewness`]; null for fewer than four rows.
    Kurtosis,
    /// Of the sample (n − 1), over two arguments of one kind of number → Float64, correctly rounded; null for fewer
    /// than two rows.
    Covariance,
    /// Pearson's, as [`Op::Covariance`]; null where one argument does not vary.
    Correlation,
    /// Of the regression line of the first argument over the second, as [`Op::Covariance`]; null where the second
    /// does not vary.
    Slope,
    /// The value of the same line at zero.
    Intercept,
    /// Bits that some row has, Int64. Of nothing: 0.
    BitsOr,
    /// Bits that every row has, Int64. Of nothing: null.
    BitsAnd,
    /// Bits that an odd number of rows has, Int64. Of nothing: 0.
    BitsXor,
    /// The value of rank ⌊q·(n − 1)⌋, any plain type. Of nothing: null. q is no part of the state.
    ExactQuantile {
        /// q in billionths, 0 to 10⁹.
        q_ppb: u32,
    },
    /// Number of rows below the first edge, from each edge to the next, and from the last on: any plain type →
    /// List(Int64), one element more than there are edges.
    Histogram {
        /// [`value_bytes`](crate::value_bytes) of the edges, ascending; 1 to 256 of them.
        edges: Vec<Vec<u8>>,
    },
    /// The items with the most rows, or, with a second argument (Int64, Decimal128, Float64), with the greatest sums:
    /// any plain type → List(Struct(item, value)), greatest first, then by item. k is no part of the state.
    Top {
        /// How many, at least 1.
        k: u32,
    },
    /// Count-Min estimate of the number of rows with one value, any plain type → Int64: never below the truth, and
    /// above it by more than this share of all rows with a chance below e⁻⁵. The value is no part of the state.
    Frequency {
        /// Share, in millionths: 100 to 500,000.
        error_ppm: u32,
        /// [`value_bytes`](crate::value_bytes) of the value that is asked for.
        item: Vec<u8>,
    },
    /// The distinct values, any plain type → List, ascending.
    Set,
    /// The distinct elements, List of any plain type → List, ascending. Nulls among them are left out.
    Union,
    /// How many actors reached each step: an actor of any plain type, event time, and whether the row is each of the
    /// steps (Boolean, 1 to 32) → List(Int64). The time limit is no part of the state.
    Funnel {
        /// The longest time from an actor's first step to the last, µs.
        within: i64,
    },
    /// How many actors of each cohort came back: an actor of any plain type and a period (Int64 or Date32) →
    /// List(Struct(cohort, actors)); `actors` is a list with the cohort's number of actors that were active 0, 1, 2 …
    /// periods after their first one. The number of periods is no part of the state.
    Retention {
        /// Periods that are presented, the first one included: 1 to 1,000.
        n_periods: u32,
    },
}

/// The monoid of an aggregate over arguments of these types (none for [`Op::Count`]).
///
/// # Errors
/// When the aggregate is not defined over the types, or a parameter is out of its range.
///
/// ```
/// use arrow::datatypes::DataType;
/// use metricc_algebra::{Op, monoid};
///
/// let sum = monoid(&Op::Sum, &[DataType::Int64]).unwrap();
/// assert_eq!(sum.presented(), DataType::Decimal128(38, 0));
/// assert!(monoid(&Op::Sum, &[DataType::Utf8View]).is_err());
/// ```
pub fn monoid(op: &Op, inputs: &[DataType]) -> Result<Arc<dyn Monoid>> {
    match (op, inputs) {
        (Op::Count, []) => {
            let description = describe("count".into(), sum_laws(Size::Fixed(8)), &[], DataType::Int64);
            Ok(WordMonoid::boxed(description, Count))
        }
        (Op::Sum, [input]) => numbers::sum(input),
        (Op::Mean, [input]) => numbers::mean(input),
        (Op::Variance | Op::Stddev, [input]) => numbers::moments(op, input),
        (Op::Skewness | Op::Kurtosis, [input]) => numbers::powers(op, input),
        (Op::Covariance | Op::Correlation | Op::Slope | Op::Intercept, [_, _]) => numbers::pairs(op, inputs),
        (Op::BitsOr | Op::BitsAnd | Op::BitsXor, [input]) => numbers::bits(op, input),
        (Op::Min, [input]) => order::extreme::<true>(input),
        (Op::Max, [input]) => order::extreme::<false>(input),
        (Op::Any | Op::All, [input]) => order::truth(op, input),
        (Op::First | Op::Last, [value, moment @ ..]) => order::by_time(op, value, moment),
        (Op::ArgMin | Op::ArgMax, [value, by, moment @ ..]) => order::by_value(op, value, by, moment),
        (Op::Distinct | Op::Set, [input]) => sets::distinct(op, input),
        (Op::Union, [input]) => sets::union(input),
        (Op::DistinctWithin { error_ppm }, [input]) => sets::distinct_within(op, *error_ppm, input),
        (Op::Frequency { error_ppm, item }, [input]) => sets::frequency(op, *error_ppm, item, input),
        (Op::Quantile { q_ppb, error_ppm }, [input]) => growing::quantile(op, *q_ppb, *error_ppm, input),
        (Op::ExactQuantile { q_ppb }, [input]) => growing::exact_quantile(op, *q_ppb, input),
        (Op::Histogram { edges }, [input]) => growing::histogram(op, edges, input),
        (Op::Top { k }, [_] | [_, _]) => growing::top(op, *k, inputs),
        (Op::Funnel { within }, [actor, time, steps @ ..]) => {
            growing::funnel(op, *within, actor, time, steps)
        }
        (Op::Retention { n_periods }, [actor, period]) => growing::retention(op, *n_periods, actor, period),
        (op, inputs) => {
            Err(StateError::new(op.name(), format!("is not defined over {} arguments", inputs.len())))
        }
    }
}

impl Op {
    fn name(&self) -> &'static str {
        match self {
            Op::Count => "count",
            Op::Sum => "sum",
            Op::Mean => "mean",
            Op::Min => "min",
            Op::Max => "max",
            Op::Variance => "variance",
            Op::Stddev => "stddev",
            Op::Any => "any",
            Op::All => "all",
            Op::Distinct => "distinct",
            Op::DistinctWithin { .. } => "hll",
            Op::Quantile { .. } => "log_buckets",
            Op::First => "first",
            Op::Last => "last",
            Op::ArgMin => "arg_min",
            Op::ArgMax => "arg_max",
            Op::Skewness => "skewness",
            Op::Kurtosis => "kurtosis",
            Op::Covariance => "covariance",
            Op::Correlation => "correlation",
            Op::Slope => "slope",
            Op::Intercept => "intercept",
            Op::BitsOr => "bits_or",
            Op::BitsAnd => "bits_and",
            Op::BitsXor => "bits_xor",
            Op::ExactQuantile { .. } => "quantile",
            Op::Histogram { .. } => "histogram",
            Op::Top { .. } => "top",
            Op::Frequency { .. } => "frequency",
            Op::Set => "set",
            Op::Union => "union",
            Op::Funnel { .. } => "funnel",
            Op::Retention { .. } => "retention",
        }
    }

    fn over(&self, input: &DataType) -> String {
        format!("{}({})", self.name(), type_name(input))
    }

    fn does_not_fit<T>(&self, input: &DataType) -> Result<T> {
        Err(self.refused(format!("is not defined over `{}`", type_name(input))))
    }

    fn refused(&self, problem: impl Into<String>) -> StateError {
        StateError::new(self.name(), problem)
    }

    /// How values of a plain type are held.
    fn shape(&self, input: &DataType) -> Result<Shape> {
        match Shape::of(input) {
            Some(Shape::Wide) if decimal_scale(input).is_none() => self.does_not_fit(input),
            Some(shape) => Ok(shape),
            None => self.does_not_fit(input),
        }
    }
}

/// The input's name in the language.
fn type_name(input: &DataType) -> String {
    match input {
        DataType::Boolean => "bool".into(),
        DataType::Int64 => "int".into(),
        DataType::Int32 => "enum".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision}, {scale})"),
        DataType::Float64 => "float".into(),
        DataType::Utf8View => "string".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp".into(),
        DataType::Duration(TimeUnit::Microsecond) => "duration".into(),
        DataType::List(element) => format!("list<{}>", type_name(element.data_type())),
        other => other.to_string(),
    }
}

/// Digits behind the point, if the type is a decimal of the language: 0 ≤ s ≤ p ≤ 38.
fn decimal_scale(input: &DataType) -> Option<u8> {
    match input {
        DataType::Decimal128(precision @ 1..=38, scale) => {
            u8::try_from(*scale).ok().filter(|scale| scale <= precision)
        }
        _ => None,
    }
}

fn describe(name: String, laws: Laws, inputs: &[DataType], presented: DataType) -> Description {
    Description { name, version: 1, laws, inputs: inputs.to_vec(), presented }
}

impl Description {
    /// The same, with a later version of the state's format.
    fn with_version(self, version: u32) -> Self {
        Description { version, ..self }
    }
}

/// A state that grows by a value of a shape, and so much more, for each of something.
fn growing(shape: Shape, more: usize, per: &'static str) -> Size {
    Size::Growing(Growth { bytes: Some(shape.n_bytes() + more), texts: shape == Shape::Text, per })
}

/// Sums and counts: a deletion can be expressed, a duplicate does harm.
fn sum_laws(size: Size) -> Laws {
    Laws { idempotent: false, invertible: true, exactness: Exactness::Exact, size }
}

/// Extremes and sets: the other way around.
fn set_laws(size: Size) -> Laws {
    Laws { idempotent: true, invertible: false, exactness: Exactness::Exact, size }
}
