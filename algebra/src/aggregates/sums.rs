//! Sums, and what is presented from them.

use std::sync::Arc;

use arrow::datatypes::DataType;

use metricc_ir::AggregateOp;

use super::{decimal_scale, describe, does_not_fit, laws_of, over, refused, type_name};
use crate::heap_groups::HeapMonoid;
use crate::heap_monoids::{
    FloatMeanKernel, FloatMomentsKernel, FloatPairsKernel, FloatPowersKernel, FloatSumKernel,
};
use crate::moments::{Figure, Relation};
use crate::word_groups::WordMonoid;
use crate::word_monoids::{
    BitsAnd, BitsOr, BitsXor, DecimalMean, DecimalMoments, DecimalPairs, DecimalPowers, DecimalSum, IntMean,
    IntMoments, IntPairs, IntPowers, IntSum, WideMean,
};
use crate::{Monoid, Result, Size};

/// Canonical bytes of the widest exact sum of floats, and of squares: an index and the limbs.
const MAX_SUM_SIZE: usize = 1 + 8 * 35;
const MAX_SQUARES_SIZE: usize = 1 + 8 * 68;

pub(super) fn sum(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let describe = |size, presented| {
        describe(over(op, input), laws_of(op, size), std::slice::from_ref(input), presented)
    };
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
        _ => does_not_fit(op, input),
    }
}

pub(super) fn mean(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let describe = |size, presented| {
        describe(over(op, input), laws_of(op, size), std::slice::from_ref(input), presented)
    };
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
        _ => does_not_fit(op, input),
    }
}

/// Of ints of 128 bits: a float, as of those of 64.
pub(super) fn wide_mean(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    if *input != DataType::Decimal128(38, 0) {
        return does_not_fit(op, input);
    }
    let (name, laws) = (format!("{}(int128)", op.name()), laws_of(op, Size::Fixed(32)));
    let description = describe(name, laws, std::slice::from_ref(input), DataType::Float64);
    Ok(WordMonoid::boxed(description, WideMean))
}

pub(super) fn moments(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let root = *op == AggregateOp::Stddev;
    // Variance and deviation have one state, hence one name.
    let name = format!("moments({})", type_name(input));
    let describe = |size| describe(name, laws_of(op, size), std::slice::from_ref(input), DataType::Float64);
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => Ok(WordMonoid::boxed(describe(Size::Fixed(48)), IntMoments { root })),
        (_, Some(scale)) => Ok(WordMonoid::boxed(describe(Size::Fixed(72)), DecimalMoments { scale, root })),
        (DataType::Float64, _) => {
            let size = Size::Bounded(10 + MAX_SUM_SIZE + MAX_SQUARES_SIZE);
            Ok(HeapMonoid::boxed(describe(size), FloatMomentsKernel { root }))
        }
        _ => does_not_fit(op, input),
    }
}

/// Canonical bytes of the widest exact sums of cubes and fourth powers, with their lengths.
const MAX_CUBES_SIZE: usize = 1 + 8 * 100;
const MAX_FOURTHS_SIZE: usize = 1 + 8 * 133;

pub(super) fn powers(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let figure = if *op == AggregateOp::Skewness { Figure::Skewness } else { Figure::Kurtosis };
    // Skewness and kurtosis have one state, hence one name.
    let name = format!("powers({})", type_name(input));
    let describe = |size| describe(name, laws_of(op, size), std::slice::from_ref(input), DataType::Float64);
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => Ok(WordMonoid::boxed(describe(Size::Fixed(120)), IntPowers(figure))),
        (_, Some(_)) => Ok(WordMonoid::boxed(describe(Size::Fixed(200)), DecimalPowers(figure))),
        (DataType::Float64, _) => {
            let sums = MAX_SUM_SIZE + MAX_SQUARES_SIZE + MAX_CUBES_SIZE + MAX_FOURTHS_SIZE;
            Ok(HeapMonoid::boxed(describe(Size::Bounded(16 + sums)), FloatPowersKernel(figure)))
        }
        _ => does_not_fit(op, input),
    }
}

pub(super) fn pairs(op: &AggregateOp, inputs: &[DataType]) -> Result<Arc<dyn Monoid>> {
    let relation = match op {
        AggregateOp::Covariance => Relation::Covariance,
        AggregateOp::Correlation => Relation::Correlation,
        AggregateOp::Slope => Relation::Slope,
        _ => Relation::Intercept,
    };
    let names: Vec<String> = inputs.iter().map(type_name).collect();
    let name = format!("pairs({})", names.join(", "));
    let describe = |size| describe(name.clone(), laws_of(op, size), inputs, DataType::Float64);
    let scales: Vec<u8> = inputs.iter().filter_map(decimal_scale).collect();
    match (inputs, scales.as_slice()) {
        ([DataType::Int64, DataType::Int64], _) => {
            Ok(WordMonoid::boxed(describe(Size::Fixed(112)), IntPairs(relation)))
        }
        (_, &[first, second]) => {
            let kernel = DecimalPairs { relation, scales: [first, second] };
            Ok(WordMonoid::boxed(describe(Size::Fixed(176)), kernel))
        }
        ([DataType::Float64, DataType::Float64], _) => {
            let size = 18 + 2 * MAX_SUM_SIZE + 3 * MAX_SQUARES_SIZE;
            Ok(HeapMonoid::boxed(describe(Size::Bounded(size)), FloatPairsKernel(relation)))
        }
        _ => Err(refused(op, format!("is not defined over {}", names.join(" and ")))),
    }
}

pub(super) fn bits(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    if *input != DataType::Int64 {
        return does_not_fit(op, input);
    }
    let size = Size::Fixed(if *op == AggregateOp::BitsAnd { 16 } else { 8 });
    let description =
        describe(over(op, input), laws_of(op, size), std::slice::from_ref(input), DataType::Int64);
    Ok(match op {
        AggregateOp::BitsOr => WordMonoid::boxed(description, BitsOr),
        AggregateOp::BitsAnd => WordMonoid::boxed(description, BitsAnd),
        _ => WordMonoid::boxed(description, BitsXor),
    })
}
