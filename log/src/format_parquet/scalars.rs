//! The checks on typed values that a text decoder makes on their text: finite floats, exact
//! decimals, times in range, known names.

use std::fmt::Display;

use arrow::array::{
    Array, ArrowPrimitiveType, BinaryViewArray, Date32Array, Date64Array, Decimal128Array,
    DurationMicrosecondArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use metricc_ir as ir;
use metricc_ir::calendar::ZoneRules;

use crate::decode::Problem;
use crate::record_decoder::EnumNames;
use metricc_ir::text::number::Rescale;
use metricc_ir::text::timestamp::{self, TimeProblem};

type Rejects = Vec<(usize, Problem)>;

/// Maps the values that are there; the others become 0 and stay null.
fn map<From: ArrowPrimitiveType, To: ArrowPrimitiveType, E: Display>(
    array: &PrimitiveArray<From>,
    rejects: &mut Rejects,
    shown: impl Fn(From::Native) -> String,
    mut value: impl FnMut(From::Native) -> Result<To::Native, E>,
) -> PrimitiveArray<To> {
    let mut values = vec![To::Native::default(); array.len()];
    for (row, (slot, &found)) in values.iter_mut().zip(array.values()).enumerate() {
        if array.is_null(row) {
            continue;
        }
        match value(found) {
            Ok(value) => *slot = value,
            Err(error) => rejects.push((row, Problem::new(error.to_string(), &shown(found)))),
        }
    }
    PrimitiveArray::new(ScalarBuffer::from(values), array.nulls().cloned())
}

/// Finite floats without -0.0. NaN is null in an optional field, and rejected elsewhere.
pub(super) fn floats(array: &Float64Array, optional: bool, rejects: &mut Rejects) -> Float64Array {
    let is_there = |row: usize| array.is_valid(row);
    if array.values().iter().all(|value| value.is_finite()) {
        return array.unary(|value| value + 0.0);
    }
    for (row, value) in array.values().iter().enumerate() {
        if is_there(row) && !value.is_finite() && !(optional && value.is_nan()) {
            let text = if value.is_nan() {
                "not a number, and the field is not optional"
            } else {
                "not a finite number"
            };
            rejects.push((row, Problem::new(text, &value.to_string())));
        }
    }
    let valid = BooleanBuffer::collect_bool(array.len(), |row| is_there(row) && !array.value(row).is_nan());
    let values: Vec<f64> =
        array.values().iter().map(|value| if value.is_finite() { value + 0.0 } else { 0.0 }).collect();
    Float64Array::new(values.into(), Some(NullBuffer::new(valid)))
}

/// Decimals of another scale, if no digit is lost and all fit the precision.
pub(super) fn decimals(
    array: &Decimal128Array,
    found: i8,
    (precision, scale): (u8, u8),
    rejects: &mut Rejects,
) -> Result<Decimal128Array, ArrowError> {
    let rescale = Rescale::new(found, precision, scale);
    let shown =
        |value: i128| if found == 0 { value.to_string() } else { format!("{value}e{}", -i16::from(found)) };
    let array: Decimal128Array = map(array, rejects, shown, |value| rescale.apply(value));
    Ok(array.with_data_type(DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))))
}

/// Dates in range.
pub(super) fn days(array: &Date32Array, rejects: &mut Rejects) -> Date32Array {
    let in_range = |day: &i32| (timestamp::MIN_DAY..=timestamp::MAX_DAY).contains(day);
    if array.values().iter().all(in_range) {
        return array.clone();
    }
    map(
        array,
        rejects,
        |day| day.to_string(),
        |day| Some(day).filter(in_range).ok_or(TimeProblem::OutOfRange),
    )
}

/// Dates in range, of milliseconds that are whole days.
pub(super) fn days_of_milliseconds(array: &Date64Array, rejects: &mut Rejects) -> Date32Array {
    let day = |milliseconds: i64| match (milliseconds % 86_400_000, i32::try_from(milliseconds / 86_400_000))
    {
        (0, Ok(day)) if (timestamp::MIN_DAY..=timestamp::MAX_DAY).contains(&day) => Ok(day),
        (0, _) => Err("outside of the years 0001 to 9999"),
        _ => Err("a time of day would be lost"),
    };
    map(array, rejects, |milliseconds| milliseconds.to_string(), day)
}

/// Instants of a timestamp column; with a zone, its values are local times.
pub(super) fn instants(
    array: &Int64Array,
    unit: TimeUnit,
    zone: Option<&ZoneRules>,
    rejects: &mut Rejects,
) -> TimestampMicrosecondArray {
    let in_range = |value: &i64| (timestamp::MIN..=timestamp::MAX).contains(value);
    if unit == TimeUnit::Microsecond && zone.is_none() && array.values().iter().all(in_range) {
        return array.reinterpret_cast();
    }
    let instant = |value: i64| {
        let unit = match unit {
            TimeUnit::Second => ir::TimeUnit::Second,
            TimeUnit::Millisecond => ir::TimeUnit::Millisecond,
            TimeUnit::Microsecond => ir::TimeUnit::Microsecond,
            TimeUnit::Nanosecond if value % 1000 != 0 => return Err(TimeProblem::BeyondMicroseconds),
            TimeUnit::Nanosecond => ir::TimeUnit::Nanosecond,
        };
        let instant = timestamp::from_unit(value, unit)?;
        zone.map_or(Ok(instant), |zone| timestamp::from_local(instant, zone))
    };
    map(array, rejects, |value| value.to_string(), instant)
}

/// Instants of integers of the unit that the field declares.
pub(super) fn instants_of_ints(
    array: &Int64Array,
    unit: ir::TimeUnit,
    rejects: &mut Rejects,
) -> TimestampMicrosecondArray {
    map(array, rejects, |value| value.to_string(), |value| timestamp::from_unit(value, unit))
}

/// Durations in µs.
pub(super) fn durations(
    array: &Int64Array,
    unit: TimeUnit,
    rejects: &mut Rejects,
) -> DurationMicrosecondArray {
    let too_long = "beyond the 64 bits of a duration in microseconds";
    let microseconds = |value: i64| match unit {
        TimeUnit::Second => value.checked_mul(1_000_000).ok_or(too_long),
        TimeUnit::Millisecond => value.checked_mul(1000).ok_or(too_long),
        TimeUnit::Microsecond => Ok(value),
        TimeUnit::Nanosecond if value % 1000 == 0 => Ok(value / 1000),
        TimeUnit::Nanosecond => Err("digits beyond the microsecond would be lost"),
    };
    map(array, rejects, |value| value.to_string(), microseconds)
}

/// The indices of names of an enum.
pub(super) fn enum_indices(array: &StringViewArray, names: &EnumNames, rejects: &mut Rejects) -> Int32Array {
    let mut values = vec![0; array.len()];
    for (row, slot) in values.iter_mut().enumerate().filter(|(row, _)| array.is_valid(*row)) {
        match names.get(array.value(row)) {
            Some(index) => *slot = index,
            None => rejects.push((row, Problem::new("not one of the names of the enum", array.value(row)))),
        }
    }
    Int32Array::new(values.into(), array.nulls().cloned())
}

/// Bytes that the file does not declare to be text, as text. What is not UTF-8 becomes null.
pub(super) fn text(array: &BinaryViewArray, rejects: &mut Rejects) -> StringViewArray {
    if let Ok(text) = array.clone().to_string_view() {
        return text;
    }
    let rows = (0..array.len()).map(|row| {
        let bytes = array.is_valid(row).then(|| array.value(row))?;
        let text = std::str::from_utf8(bytes);
        text.map_err(|_| rejects.push((row, Problem::new("no UTF-8 text", &String::from_utf8_lossy(bytes)))))
            .ok()
    });
    rows.collect()
}
