//! Which monoid an aggregate over a column of some type is.

use std::sync::Arc;

use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use crate::heap_groups::HeapMonoid;
use crate::heap_monoids::{
    BooleanSketch, DecimalQuantile, DistinctBooleans, DistinctDecimals, DistinctTexts, DistinctWords,
    FloatMeanKernel, FloatMomentsKernel, FloatQuantile, FloatSumKernel, IntQuantile, PrimitiveSketch,
    Quantile, TextExtremeKernel, TextSketch,
};
use crate::scalar::OneWord;
use crate::states::{MAX_PRECISION, MIN_PRECISION, max_buckets, resolution_for};
use crate::word_groups::WordMonoid;
use crate::word_monoids::{
    AllTrue, AnyTrue, BooleanExtreme, Count, DecimalExtreme, DecimalMean, DecimalMoments, DecimalSum,
    Extreme, IntMean, IntMoments, IntSum,
};
use crate::{Description, Exactness, Laws, Monoid, Result, Size, StateError};

/// The aggregates. Types are those of typed rows; "null" is what an empty group presents where it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
}

/// The monoid of an aggregate over an argument of this type (none for [`Op::Count`]).
///
/// # Errors
/// When the aggregate is not defined over the type, or a parameter is out of its range.
///
/// ```
/// use arrow::datatypes::DataType;
/// use metricc_algebra::{Op, monoid};
///
/// let sum = monoid(&Op::Sum, Some(&DataType::Int64)).unwrap();
/// assert_eq!(sum.presented(), DataType::Decimal128(38, 0));
/// assert!(monoid(&Op::Sum, Some(&DataType::Utf8View)).is_err());
/// ```
pub fn monoid(op: &Op, input: Option<&DataType>) -> Result<Arc<dyn Monoid>> {
    match (op, input) {
        (Op::Count, None) => {
            let description = describe("count".into(), sum_laws(Size::Fixed(8)), None, DataType::Int64);
            Ok(WordMonoid::boxed(description, Count))
        }
        (Op::Count, Some(_)) => Err(StateError::new("count", "takes no argument")),
        (op, None) => Err(StateError::new(op.name(), "takes one argument")),
        (Op::Sum, Some(input)) => sum(input),
        (Op::Mean, Some(input)) => mean(input),
        (Op::Min, Some(input)) => extreme::<true>(input),
        (Op::Max, Some(input)) => extreme::<false>(input),
        (Op::Variance, Some(input)) => moments(*op, input, false),
        (Op::Stddev, Some(input)) => moments(*op, input, true),
        (Op::Any | Op::All, Some(input)) => truth(*op, input),
        (Op::Distinct, Some(input)) => distinct(input),
        (Op::DistinctWithin { error_ppm }, Some(input)) => distinct_within(*error_ppm, input),
        (Op::Quantile { q_ppb, error_ppm }, Some(input)) => quantile(*q_ppb, *error_ppm, input),
    }
}

impl Op {
    fn name(self) -> &'static str {
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
        }
    }

    fn over(self, input: &DataType) -> String {
        format!("{}({})", self.name(), type_name(input))
    }

    fn does_not_fit<T>(self, input: &DataType) -> Result<T> {
        Err(StateError::new(self.name(), format!("is not defined over `{}`", type_name(input))))
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

fn describe(name: String, laws: Laws, input: Option<&DataType>, presented: DataType) -> Description {
    Description { name, version: 1, laws, input: input.cloned(), presented }
}

/// Sums and counts: a deletion can be expressed, a duplicate does harm.
fn sum_laws(size: Size) -> Laws {
    Laws { idempotent: false, invertible: true, exactness: Exactness::Exact, size }
}

/// Extremes and sets: the other way around.
fn set_laws(size: Size) -> Laws {
    Laws { idempotent: true, invertible: false, exactness: Exactness::Exact, size }
}

/// Canonical bytes of the widest exact sum of floats, and of squares: an index and the limbs.
const MAX_SUM_SIZE: usize = 1 + 8 * 35;
const MAX_SQUARES_SIZE: usize = 1 + 8 * 68;

fn sum(input: &DataType) -> Result<Arc<dyn Monoid>> {
    let describe = |size, presented| describe(Op::Sum.over(input), sum_laws(size), Some(input), presented);
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => {
            Ok(WordMonoid::boxed(describe(Size::Fixed(16), DataType::Decimal128(38, 0)), IntSum))
        }
        (_, Some(scale)) => {
            let presented = DataType::Decimal128(38, scale as i8);
            Ok(WordMonoid::boxed(describe(Size::Fixed(24), presented), DecimalSum { scale }))
        }
        (DataType::Float64, _) => {
            let description = describe(Size::Bounded(MAX_SUM_SIZE), DataType::Float64);
            Ok(HeapMonoid::boxed(description, FloatSumKernel))
        }
        _ => Op::Sum.does_not_fit(input),
    }
}

fn mean(input: &DataType) -> Result<Arc<dyn Monoid>> {
    let describe = |size, presented| describe(Op::Mean.over(input), sum_laws(size), Some(input), presented);
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => Ok(WordMonoid::boxed(describe(Size::Fixed(24), DataType::Float64), IntMean)),
        (_, Some(scale)) => {
            let kernel = DecimalMean { scale };
            let presented = DataType::Decimal128(38, kernel.presented_scale() as i8);
            Ok(WordMonoid::boxed(describe(Size::Fixed(32), presented), kernel))
        }
        (DataType::Float64, _) => {
            let description = describe(Size::Bounded(8 + MAX_SUM_SIZE), DataType::Float64);
            Ok(HeapMonoid::boxed(description, FloatMeanKernel))
        }
        _ => Op::Mean.does_not_fit(input),
    }
}

fn moments(op: Op, input: &DataType, root: bool) -> Result<Arc<dyn Monoid>> {
    // Variance and deviation have one state, hence one name.
    let name = format!("moments({})", type_name(input));
    let describe = |size| describe(name, sum_laws(size), Some(input), DataType::Float64);
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => Ok(WordMonoid::boxed(describe(Size::Fixed(48)), IntMoments { root })),
        (_, Some(scale)) => Ok(WordMonoid::boxed(describe(Size::Fixed(72)), DecimalMoments { scale, root })),
        (DataType::Float64, _) => {
            let size = Size::Bounded(10 + MAX_SUM_SIZE + MAX_SQUARES_SIZE);
            Ok(HeapMonoid::boxed(describe(size), FloatMomentsKernel { root }))
        }
        _ => op.does_not_fit(input),
    }
}

fn extreme<const LEAST: bool>(input: &DataType) -> Result<Arc<dyn Monoid>> {
    let op = if LEAST { Op::Min } else { Op::Max };
    let describe = |size| describe(op.over(input), set_laws(size), Some(input), input.clone());
    if let (Some(scale), DataType::Decimal128(precision, _)) = (decimal_scale(input), input) {
        let kernel = DecimalExtreme::<LEAST> { precision: *precision, scale: scale as i8 };
        return Ok(WordMonoid::boxed(describe(Size::Fixed(24)), kernel));
    }
    let description = describe(Size::Fixed(16));
    Ok(match input {
        DataType::Boolean => WordMonoid::boxed(description, BooleanExtreme::<LEAST>),
        DataType::Int64 => extreme_of::<Int64Type, LEAST>(description),
        DataType::Int32 => extreme_of::<Int32Type, LEAST>(description),
        DataType::Float64 => extreme_of::<Float64Type, LEAST>(description),
        DataType::Date32 => extreme_of::<Date32Type, LEAST>(description),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            extreme_of::<TimestampMicrosecondType, LEAST>(description)
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            extreme_of::<DurationMicrosecondType, LEAST>(description)
        }
        DataType::Utf8View => HeapMonoid::boxed(describe(Size::Growing), TextExtremeKernel { least: LEAST }),
        _ => return op.does_not_fit(input),
    })
}

fn extreme_of<T: ArrowPrimitiveType, const LEAST: bool>(description: Description) -> Arc<dyn Monoid>
where
    T::Native: OneWord,
{
    WordMonoid::boxed(description, Extreme::<T, LEAST>::new())
}

fn truth(op: Op, input: &DataType) -> Result<Arc<dyn Monoid>> {
    if *input != DataType::Boolean {
        return op.does_not_fit(input);
    }
    let description = describe(op.over(input), set_laws(Size::Fixed(8)), Some(input), DataType::Boolean);
    Ok(match op {
        Op::Any => WordMonoid::boxed(description, AnyTrue),
        _ => WordMonoid::boxed(description, AllTrue),
    })
}

fn distinct(input: &DataType) -> Result<Arc<dyn Monoid>> {
    let size = if *input == DataType::Boolean { Size::Bounded(16) } else { Size::Growing };
    let description = describe(Op::Distinct.over(input), set_laws(size), Some(input), DataType::Int64);
    Ok(match input {
        DataType::Boolean => HeapMonoid::boxed(description, DistinctBooleans),
        DataType::Int64 => HeapMonoid::boxed(description, DistinctWords::<Int64Type>::new()),
        DataType::Int32 => HeapMonoid::boxed(description, DistinctWords::<Int32Type>::new()),
        DataType::Float64 => HeapMonoid::boxed(description, DistinctWords::<Float64Type>::new()),
        DataType::Date32 => HeapMonoid::boxed(description, DistinctWords::<Date32Type>::new()),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            HeapMonoid::boxed(description, DistinctWords::<TimestampMicrosecondType>::new())
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            HeapMonoid::boxed(description, DistinctWords::<DurationMicrosecondType>::new())
        }
        DataType::Utf8View => HeapMonoid::boxed(description, DistinctTexts),
        _ if decimal_scale(input).is_some() => HeapMonoid::boxed(description, DistinctDecimals),
        _ => return Op::Distinct.does_not_fit(input),
    })
}

/// The least number of index bits with 1.04/√2^p ≤ e.
fn precision_for(error_ppm: u32) -> Option<u8> {
    let square = u64::from(error_ppm) * u64::from(error_ppm);
    (MIN_PRECISION..=MAX_PRECISION)
        .find(|precision| u128::from(square) << precision >= 1_040_000_u128 * 1_040_000)
        .filter(|_| error_ppm < 1_000_000)
}

fn distinct_within(error_ppm: u32, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let op = Op::DistinctWithin { error_ppm };
    let precision = precision_for(error_ppm)
        .ok_or_else(|| StateError::new(op.name(), "the relative error is not between 0.2032 % and 100 %"))?;
    let n_registers = 1_usize << precision;
    let laws = Laws {
        exactness: Exactness::StandardError(standard_error_ppm(n_registers)),
        ..set_laws(Size::Bounded(n_registers))
    };
    let name = format!("hll(p={precision}, {})", type_name(input));
    let description = describe(name, laws, Some(input), DataType::Int64);
    Ok(match input {
        DataType::Boolean => HeapMonoid::boxed(description, BooleanSketch { precision }),
        DataType::Int64 => HeapMonoid::boxed(description, PrimitiveSketch::<Int64Type>::new(precision)),
        DataType::Int32 => HeapMonoid::boxed(description, PrimitiveSketch::<Int32Type>::new(precision)),
        DataType::Float64 => HeapMonoid::boxed(description, PrimitiveSketch::<Float64Type>::new(precision)),
        DataType::Date32 => HeapMonoid::boxed(description, PrimitiveSketch::<Date32Type>::new(precision)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            HeapMonoid::boxed(description, PrimitiveSketch::<TimestampMicrosecondType>::new(precision))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            HeapMonoid::boxed(description, PrimitiveSketch::<DurationMicrosecondType>::new(precision))
        }
        DataType::Utf8View => HeapMonoid::boxed(description, TextSketch { precision }),
        _ if decimal_scale(input).is_some() => {
            HeapMonoid::boxed(description, PrimitiveSketch::<Decimal128Type>::new(precision))
        }
        _ => return op.does_not_fit(input),
    })
}

/// 1.04/√m in millionths, rounded up.
fn standard_error_ppm(n_registers: usize) -> u32 {
    (1_040_000.0 / (n_registers as f64).sqrt()).ceil() as u32
}

fn quantile(q_ppb: u32, error_ppm: u32, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let op = Op::Quantile { q_ppb, error_ppm };
    if q_ppb > 1_000_000_000 {
        return Err(StateError::new(op.name(), "the quantile is not between 0 and 1"));
    }
    if !(1..1_000_000).contains(&error_ppm) {
        return Err(StateError::new(op.name(), "the relative error is not between 0.0001 % and 100 %"));
    }
    let resolution = resolution_for(error_ppm);
    // A bucket's distance to the last takes up to 5 bytes, its count up to 9.
    let laws = Laws {
        exactness: Exactness::RelativeError(error_ppm),
        ..sum_laws(Size::Bounded(max_buckets(resolution) * 14))
    };
    let name = format!("log_buckets({resolution} per octave, {})", type_name(input));
    let description = describe(name, laws, Some(input), DataType::Float64);
    let quantile = Quantile { q_ppb, resolution };
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => Ok(HeapMonoid::boxed(description, IntQuantile(quantile))),
        (DataType::Float64, _) => Ok(HeapMonoid::boxed(description, FloatQuantile(quantile))),
        (_, Some(scale)) => Ok(HeapMonoid::boxed(description, DecimalQuantile { scale, quantile })),
        _ => op.does_not_fit(input),
    }
}
