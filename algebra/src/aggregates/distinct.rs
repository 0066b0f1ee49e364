//! Distinct values: counted, listed, estimated.

use std::sync::Arc;

use arrow::array::{
    ArrowPrimitiveType, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float64Array,
    Int32Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use metricc_ir::{AggregateOp, Value};

use super::{decimal_scale, describe, does_not_fit, growing, laws_of, over, refused, shape_of, type_name};
use crate::heap_groups::{HeapKernel, HeapMonoid};
use crate::heap_monoids::{
    DistinctBooleans, DistinctDecimals, DistinctTexts, DistinctWords, Frequency, Listable, Listed, Sketch,
    UnionDecimals, UnionTexts, UnionWords,
};
use crate::list_values::element_field;
use crate::scalar::{OneWord, hash64};
use crate::states::{DEPTH, MAX_PRECISION, MIN_PRECISION, width_for};
use crate::values::{Shape, constant_bytes};
use crate::{Description, Exactness, Laws, Monoid, Result, Size, StateError};

/// The number of distinct values, or the values; both have one state, hence one name.
pub(super) fn distinct(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let shape = shape_of(op, input)?;
    let presented = match op {
        AggregateOp::Set => DataType::List(element_field(input)),
        _ => DataType::Int64,
    };
    let size = if *input == DataType::Boolean { Size::Bounded(16) } else { set_growth(shape) };
    let name = format!("distinct({})", type_name(input));
    let description = describe(name, laws_of(op, size), std::slice::from_ref(input), presented);
    Ok(match input {
        DataType::Boolean => set(op, description, DistinctBooleans, shape, input),
        DataType::Int64 => words::<Int64Type>(op, description, shape, input),
        DataType::Int32 => words::<Int32Type>(op, description, shape, input),
        DataType::Float64 => words::<Float64Type>(op, description, shape, input),
        DataType::Date32 => words::<Date32Type>(op, description, shape, input),
        DataType::Timestamp(..) => words::<TimestampMicrosecondType>(op, description, shape, input),
        DataType::Duration(_) => words::<DurationMicrosecondType>(op, description, shape, input),
        DataType::Utf8View => set(op, description, DistinctTexts, shape, input),
        _ => set(op, description, DistinctDecimals, shape, input),
    })
}

fn words<T: ArrowPrimitiveType>(
    op: &AggregateOp,
    description: Description,
    shape: Shape,
    element: &DataType,
) -> Arc<dyn Monoid>
where
    T::Native: OneWord,
{
    set(op, description, DistinctWords::<T>::new(), shape, element)
}

fn set<K: HeapKernel>(
    op: &AggregateOp,
    description: Description,
    counted: K,
    shape: Shape,
    element: &DataType,
) -> Arc<dyn Monoid>
where
    K::State: Listable,
{
    match op {
        AggregateOp::Set => {
            HeapMonoid::boxed(description, Listed { counted, shape, element: element.clone() })
        }
        _ => HeapMonoid::boxed(description, counted),
    }
}

/// A set holds words of 8 or 16 bytes, or texts after their length.
fn set_growth(shape: Shape) -> Size {
    let more = match shape {
        Shape::Text => 1,
        shape => shape.n_bytes().max(8) - shape.n_bytes(),
    };
    growing(shape, more, "distinct value")
}

pub(super) fn union(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let DataType::List(field) = input else { return does_not_fit(op, input) };
    let element = field.data_type().clone();
    let shape = shape_of(op, &element)?;
    let presented = DataType::List(element_field(&element));
    let description =
        describe(over(op, &element), laws_of(op, set_growth(shape)), std::slice::from_ref(input), presented);
    Ok(match shape {
        Shape::Wide => HeapMonoid::boxed(description, UnionDecimals { element }),
        Shape::Text => HeapMonoid::boxed(description, UnionTexts),
        _ => HeapMonoid::boxed(description, UnionWords { shape, element }),
    })
}

/// The least number of index bits with 1.04/√2^p ≤ e.
fn precision_for(error_ppm: u32) -> Option<u8> {
    let square = u64::from(error_ppm) * u64::from(error_ppm);
    (MIN_PRECISION..=MAX_PRECISION)
        .find(|precision| u128::from(square) << precision >= 1_040_000_u128 * 1_040_000)
        .filter(|_| error_ppm < 1_000_000)
}

pub(super) fn distinct_within(op: &AggregateOp, error_ppm: u32, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let precision = precision_for(error_ppm)
        .ok_or_else(|| StateError::new(op.name(), "the relative error is not between 0.2032 % and 100 %"))?;
    let n_registers = 1_usize << precision;
    let laws = Laws {
        exactness: Exactness::StandardError(standard_error_ppm(n_registers)),
        ..laws_of(op, Size::Bounded(n_registers))
    };
    let name = format!("hll(p={precision}, {})", type_name(input));
    let description = describe(name, laws, std::slice::from_ref(input), DataType::Int64);
    Ok(match input {
        DataType::Boolean => HeapMonoid::boxed(description, Sketch::<BooleanArray>::new(precision)),
        DataType::Int64 => HeapMonoid::boxed(description, Sketch::<Int64Array>::new(precision)),
        DataType::Int32 => HeapMonoid::boxed(description, Sketch::<Int32Array>::new(precision)),
        DataType::Float64 => HeapMonoid::boxed(description, Sketch::<Float64Array>::new(precision)),
        DataType::Date32 => HeapMonoid::boxed(description, Sketch::<Date32Array>::new(precision)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            HeapMonoid::boxed(description, Sketch::<TimestampMicrosecondArray>::new(precision))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            HeapMonoid::boxed(description, Sketch::<DurationMicrosecondArray>::new(precision))
        }
        DataType::Utf8View => HeapMonoid::boxed(description, Sketch::<StringViewArray>::new(precision)),
        _ if decimal_scale(input).is_some() => {
            HeapMonoid::boxed(description, Sketch::<Decimal128Array>::new(precision))
        }
        _ => return does_not_fit(op, input),
    })
}

/// 1.04/√m in millionths, rounded up.
fn standard_error_ppm(n_registers: usize) -> u32 {
    (1_040_000.0 / (n_registers as f64).sqrt()).ceil() as u32
}

/// Share of all rows, in millionths, by which a frequency may be too high: the least and the most.
const FREQUENCY_ERRORS: std::ops::RangeInclusive<u32> = 100..=500_000;

/// Counters in a row of the widest sketch.
pub(crate) const MAX_WIDTH: u32 = 27_183;

pub(super) fn frequency(
    op: &AggregateOp,
    error_ppm: u32,
    item: &Value,
    input: &DataType,
) -> Result<Arc<dyn Monoid>> {
    if !FREQUENCY_ERRORS.contains(&error_ppm) {
        return Err(refused(op, "the error is not between 0.01 % and 50 % of all rows"));
    }
    let item = constant_bytes(item, input)
        .ok_or_else(|| refused(op, "the value that is asked for is of another type"))?;
    let width = width_for(error_ppm);
    // A counter's distance to the last takes up to 3 bytes, its count up to 9.
    let size = Size::Bounded(width as usize * DEPTH as usize * 12);
    let laws = Laws { exactness: Exactness::ShareOfRows(error_ppm), ..laws_of(op, size) };
    let name = format!("count_min({width} by {DEPTH}, {})", type_name(input));
    let description = describe(name, laws, std::slice::from_ref(input), DataType::Int64);
    Ok(HeapMonoid::boxed(description, Frequency { width, item: hash64(&item) }))
}
