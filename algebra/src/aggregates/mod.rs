//! Which monoid an aggregate over columns of some types is.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use metricc_ir::AggregateOp;

use crate::values::Shape;
use crate::word_groups::WordMonoid;
use crate::word_monoids::Count;
use crate::{Description, Exactness, Growth, Laws, Monoid, Result, Size, StateError};

mod distinct;
mod extremes;
mod quantiles_top_funnels;
mod sums;

pub(crate) use distinct::MAX_WIDTH;
pub use quantiles_top_funnels::{MAX_BUCKETS, MAX_STEPS};

/// The monoid of an aggregate over arguments of these types (none for [`AggregateOp::Count`]).
///
/// # Errors
/// When the aggregate is not defined over the types, or a parameter is out of its range.
///
/// ```
/// use arrow::datatypes::DataType;
/// use metricc_algebra::monoid;
/// use metricc_ir::AggregateOp;
///
/// let sum = monoid(&AggregateOp::Sum, &[DataType::Int64]).unwrap();
/// assert_eq!(sum.presented(), DataType::Decimal128(38, 0));
/// assert!(monoid(&AggregateOp::Sum, &[DataType::Utf8View]).is_err());
/// ```
pub fn monoid(op: &AggregateOp, inputs: &[DataType]) -> Result<Arc<dyn Monoid>> {
    match (op, inputs) {
        (AggregateOp::Count, []) => {
            let description = describe("count".into(), laws_of(op, Size::Fixed(8)), &[], DataType::Int64);
            Ok(WordMonoid::boxed(description, Count))
        }
        (AggregateOp::Sum, [input]) => sums::sum(op, input),
        (AggregateOp::Mean, [input]) => sums::mean(op, input),
        (AggregateOp::WideMean, [input]) => sums::wide_mean(op, input),
        (AggregateOp::Variance | AggregateOp::Stddev, [input]) => sums::moments(op, input),
        (AggregateOp::Skewness | AggregateOp::Kurtosis, [input]) => sums::powers(op, input),
        (
            AggregateOp::Covariance | AggregateOp::Correlation | AggregateOp::Slope | AggregateOp::Intercept,
            [_, _],
        ) => sums::pairs(op, inputs),
        (AggregateOp::BitsOr | AggregateOp::BitsAnd | AggregateOp::BitsXor, [input]) => sums::bits(op, input),
        (AggregateOp::Min, [input]) => extremes::extreme::<true>(op, input),
        (AggregateOp::Max, [input]) => extremes::extreme::<false>(op, input),
        (AggregateOp::Any | AggregateOp::All, [input]) => extremes::truth(op, input),
        (AggregateOp::First | AggregateOp::Last, [value, moment @ ..]) => {
            extremes::by_time(op, value, moment)
        }
        (AggregateOp::ArgMin | AggregateOp::ArgMax, [value, by, moment @ ..]) => {
            extremes::by_value(op, value, by, moment)
        }
        (AggregateOp::Distinct | AggregateOp::Set, [input]) => distinct::distinct(op, input),
        (AggregateOp::Union, [input]) => distinct::union(op, input),
        (AggregateOp::DistinctWithin { error_ppm }, [input]) => {
            distinct::distinct_within(op, *error_ppm, input)
        }
        (AggregateOp::Frequency { error_ppm, item }, [input]) => {
            distinct::frequency(op, *error_ppm, item, input)
        }
        (AggregateOp::Quantile { q_ppb, error_ppm }, [input]) => {
            quantiles_top_funnels::quantile(op, *q_ppb, *error_ppm, input)
        }
        (AggregateOp::ExactQuantile { q_ppb }, [input]) => {
            quantiles_top_funnels::exact_quantile(op, *q_ppb, input)
        }
        (AggregateOp::Histogram { edges }, [input]) => quantiles_top_funnels::histogram(op, edges, input),
        (AggregateOp::Top { k }, [_] | [_, _]) => quantiles_top_funnels::top(op, *k, inputs),
        (AggregateOp::Funnel { within }, [actor, time, steps @ ..]) => {
            quantiles_top_funnels::funnel(op, *within, actor, time, steps)
        }
        (AggregateOp::Retention { n_periods }, [actor, period]) => {
            quantiles_top_funnels::retention(op, *n_periods, actor, period)
        }
        (op, inputs) => {
            Err(StateError::new(op.name(), format!("is not defined over {} arguments", inputs.len())))
        }
    }
}

/// The name of a state over one type.
fn over(op: &AggregateOp, input: &DataType) -> String {
    format!("{}({})", op.name(), type_name(input))
}

fn does_not_fit<T>(op: &AggregateOp, input: &DataType) -> Result<T> {
    Err(refused(op, format!("is not defined over `{}`", type_name(input))))
}

fn refused(op: &AggregateOp, problem: impl Into<String>) -> StateError {
    StateError::new(op.name(), problem)
}

/// How values of a plain type are held.
fn shape_of(op: &AggregateOp, input: &DataType) -> Result<Shape> {
    match Shape::of(input) {
        Some(Shape::Wide) if decimal_scale(input).is_none() => does_not_fit(op, input),
        Some(shape) => Ok(shape),
        None => does_not_fit(op, input),
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

/// Digits after the point, if the type is a decimal of the language: 0 ≤ s ≤ p ≤ 38.
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

/// The laws of an exact aggregate: a state is a set or an extreme, which repeated rows do not change, or a
/// sum, which has an inverse.
fn laws_of(op: &AggregateOp, size: Size) -> Laws {
    let idempotent = op.is_idempotent();
    Laws { idempotent, invertible: !idempotent, exactness: Exactness::Exact, size }
}
