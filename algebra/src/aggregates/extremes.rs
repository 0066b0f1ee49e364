//! The least, the greatest, the first and the last.

use std::sync::Arc;

use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};

use metricc_ir::AggregateOp;

use super::{decimal_scale, describe, does_not_fit, growing, laws_of, over, refused, shape_of, type_name};
use crate::heap_groups::HeapMonoid;
use crate::heap_monoids::{ByTime, ByValue, Choice, TextExtremeKernel};
use crate::ordered_words::n_words_of;
use crate::scalar::OneWord;
use crate::values::Shape;
use crate::word_groups::{WordKernel, WordMonoid};
use crate::word_monoids::{AllTrue, AnyTrue, BooleanExtreme, ChosenWords, DecimalExtreme, Extreme};
use crate::{Description, Laws, Monoid, Result, Size};

pub(super) fn extreme<const LEAST: bool>(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    let describe =
        |size| describe(over(op, input), laws_of(op, size), std::slice::from_ref(input), input.clone());
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
        DataType::Utf8View => {
            HeapMonoid::boxed(describe(growing(Shape::Text, 1, "group")), TextExtremeKernel { least: LEAST })
        }
        _ => return does_not_fit(op, input),
    })
}

fn extreme_of<T: ArrowPrimitiveType, const LEAST: bool>(description: Description) -> Arc<dyn Monoid>
where
    T::Native: OneWord,
{
    WordMonoid::boxed(description, Extreme::<T, LEAST>::new())
}

pub(super) fn truth(op: &AggregateOp, input: &DataType) -> Result<Arc<dyn Monoid>> {
    if *input != DataType::Boolean {
        return does_not_fit(op, input);
    }
    let description = describe(
        over(op, input),
        laws_of(op, Size::Fixed(8)),
        std::slice::from_ref(input),
        DataType::Boolean,
    );
    Ok(match op {
        AggregateOp::Any => WordMonoid::boxed(description, AnyTrue),
        _ => WordMonoid::boxed(description, AllTrue),
    })
}

/// Types of the arguments that say where a row is: event time, and place in the log.
const MOMENT: [DataType; 2] = [DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Decimal128(38, 0)];

/// Canonical bytes of event time and place.
const MOMENT_SIZE: usize = 24;

fn choice(op: &AggregateOp, value: &DataType, moment: &[DataType]) -> Result<Choice> {
    if *moment != MOMENT {
        return Err(refused(op, "is not told event time and place in the log"));
    }
    let least = matches!(op, AggregateOp::First | AggregateOp::ArgMin);
    Ok(Choice { least, shape: shape_of(op, value)?, presented: value.clone() })
}

/// A row chosen among values of fixed width.
fn chosen_words<const BY: usize, const VALUE: usize, const N: usize>(
    description: Description,
    least: bool,
    by: &DataType,
    value: &DataType,
) -> Arc<dyn Monoid>
where
    ChosenWords<BY, VALUE, true>: WordKernel<N>,
    ChosenWords<BY, VALUE, false>: WordKernel<N>,
{
    // The first version held event time, place and values as bytes.
    let description =
        Description { laws: Laws { size: Size::Fixed(8 * N), ..description.laws }, ..description }
            .with_version(2);
    let (by, value) = (by.clone(), value.clone());
    if least {
        WordMonoid::boxed(description, ChosenWords::<BY, VALUE, true> { by, value })
    } else {
        WordMonoid::boxed(description, ChosenWords::<BY, VALUE, false> { by, value })
    }
}

pub(super) fn by_time(op: &AggregateOp, value: &DataType, moment: &[DataType]) -> Result<Arc<dyn Monoid>> {
    let choice = choice(op, value, moment)?;
    let inputs = [std::slice::from_ref(value), moment].concat();
    let laws = laws_of(op, growing(Shape::Text, MOMENT_SIZE + 1, "group"));
    let description = describe(over(op, value), laws, &inputs, value.clone());
    Ok(match n_words_of(value) {
        Some(1) => chosen_words::<0, 1, 4>(description, choice.least, &DataType::Null, value),
        Some(_) => chosen_words::<0, 2, 5>(description, choice.least, &DataType::Null, value),
        None => HeapMonoid::boxed(description, ByTime(choice)),
    })
}

pub(super) fn by_value(
    op: &AggregateOp,
    value: &DataType,
    by: &DataType,
    moment: &[DataType],
) -> Result<Arc<dyn Monoid>> {
    let choice = choice(op, value, moment)?;
    let by_shape = shape_of(op, by)?;
    // One of them is a text where this is the size.
    let n_bytes = MOMENT_SIZE + 1 + choice.shape.n_bytes() + by_shape.n_bytes();
    let inputs = [&[value.clone(), by.clone()], moment].concat();
    let name = format!("{}({}, by {})", op.name(), type_name(value), type_name(by));
    let laws = laws_of(op, growing(Shape::Text, n_bytes, "group"));
    let description = describe(name, laws, &inputs, value.clone());
    let least = choice.least;
    Ok(match (n_words_of(by), n_words_of(value)) {
        (Some(1), Some(1)) => chosen_words::<1, 1, 5>(description, least, by, value),
        (Some(1), Some(_)) => chosen_words::<1, 2, 6>(description, least, by, value),
        (Some(_), Some(1)) => chosen_words::<2, 1, 6>(description, least, by, value),
        (Some(_), Some(_)) => chosen_words::<2, 2, 7>(description, least, by, value),
        _ => HeapMonoid::boxed(description, ByValue { choice, by: by_shape }),
    })
}
