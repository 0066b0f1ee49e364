//! The checks on typed values that a text decoder makes on their text: finite floats, exact
//! decimals, times in range, known names.

use std::fmt::Display;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, Date32Array, Date64Array, Decimal128Array,
    Decimal256Array, DurationMicrosecondArray, Float64Array, Int32Array, Int64Array, PrimitiveArray,
    StringViewArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int64Type, TimeUnit, UInt64Type, i256};
use arrow::error::ArrowError;
use metricc_ir as ir;
use metricc_ir::calendar::ZoneRules;
use metricc_ir::text::TextRules;

use super::findings::Findings;
use crate::decode_value::{NOT_FINITE, Problem};
use crate::field_decoder::EnumNames;
use metricc_ir::text::number::{NumberProblem, Rescale};
use metricc_ir::text::timestamp::{self, TimeProblem};

pub(super) type Rejects = Vec<(usize, Problem)>;

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

/// Finite floats without -0.0; others are none where that may be, and rejected elsewhere.
pub(super) fn floats(array: &Float64Array, nullable: bool, findings: &mut Findings) -> Float64Array {
    if array.values().iter().all(|value| value.is_finite()) {
        return array.unary(|value| value + 0.0);
    }
    let is_finite = |row: usize| array.is_valid(row) && array.value(row).is_finite();
    for row in (0..array.len()).filter(|row| array.is_valid(*row) && !is_finite(*row)) {
        findings.not_finite(row, nullable);
    }
    let valid = BooleanBuffer::collect_bool(array.len(), is_finite);
    let values: Vec<f64> =
        array.values().iter().map(|value| if value.is_finite() { value + 0.0 } else { 0.0 }).collect();
    Float64Array::new(values.into(), Some(NullBuffer::new(valid)))
}

/// Whole numbers that are written as floats. NaN stands for a missing one.
pub(super) fn ints_of_floats(array: &Float64Array, nullable: bool, findings: &mut Findings) -> Int64Array {
    // 2⁶³, and floats below it are whole numbers of 64 bits or have a fraction.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let finite = floats(array, nullable, findings);
    let int = |value: f64| match value {
        _ if value.fract() != 0.0 => Err(NumberProblem::NotWhole),
        _ if !(-END..END).contains(&value) => Err(NumberProblem::BeyondInt),
        _ => Ok(value as i64),
    };
    let ints = map(&finite, &mut findings.rejects, |value| value.to_string(), int);
    findings.rejects.sort_by_key(|(row, _)| *row);
    ints
}

/// Ints of integers of any width.
pub(super) fn ints(array: &ArrayRef, rejects: &mut Rejects) -> Result<Int64Array, ArrowError> {
    match array.as_primitive_opt::<UInt64Type>() {
        Some(array) => Ok(map(
            array,
            rejects,
            |value| value.to_string(),
            |value| i64::try_from(value).map_err(|_| NumberProblem::BeyondInt),
        )),
        None => Ok(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()),
    }
}

/// Ints of decimals of the scale 0.
pub(super) fn ints_of_decimals(array: &Decimal128Array, rejects: &mut Rejects) -> Int64Array {
    let int = |value: i128| i64::try_from(value).map_err(|_| NumberProblem::BeyondInt);
    let ints = map(array, rejects, |value| value.to_string(), int);
    rejects.sort_by_key(|(row, _)| *row);
    rejects.dedup_by_key(|(row, _)| *row);
    ints
}

/// Exact numbers of any width: decimals, with their scale.
pub(super) enum Wide {
    Of128(Decimal128Array, i8),
    Of256(Decimal256Array, i8),
}

/// Integers and decimals as decimals.
pub(super) fn wide(array: &ArrayRef) -> Result<Wide, ArrowError> {
    Ok(match array.data_type() {
        DataType::Decimal128(_, scale) => Wide::Of128(array.as_primitive::<Decimal128Type>().clone(), *scale),
        DataType::Decimal256(_, scale) => Wide::Of256(array.as_primitive::<Decimal256Type>().clone(), *scale),
        DataType::UInt64 => Wide::Of128(array.as_primitive::<UInt64Type>().unary(i128::from), 0),
        _ => {
            let ints = cast(array, &DataType::Int64)?;
            Wide::Of128(ints.as_primitive::<Int64Type>().unary(i128::from), 0)
        }
    })
}

/// Decimals of another scale, if no digit is lost and all fit the precision.
pub(super) fn decimals(
    array: &Wide,
    (precision, scale): (u8, u8),
    rejects: &mut Rejects,
) -> Result<Decimal128Array, ArrowError> {
    let digits = |value: String, found: i8| match found {
        0 => value,
        _ => format!("{value}e{}", -i16::from(found)),
    };
    let array: Decimal128Array = match array {
        Wide::Of128(array, found) => {
            let rescale = Rescale::new(*found, precision, scale);
            map(array, rejects, |value| digits(value.to_string(), *found), |value| rescale.apply(value))
        }
        Wide::Of256(array, found) => {
            let rescale = |value| narrowed(value, *found, precision, scale);
            map(array, rejects, |value: i256| digits(value.to_string(), *found), rescale)
        }
    };
    Ok(array.with_data_type(DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))))
}

/// A decimal of 256 bits as units of a scale.
fn narrowed(value: i256, found: i8, precision: u8, scale: u8) -> Result<i128, NumberProblem> {
    let too_long = NumberProblem::TooManyDigits(precision.saturating_sub(scale));
    let shift = i16::from(found) - i16::from(scale);
    if shift <= 0 {
        let value = value.to_i128().ok_or(too_long)?;
        return Rescale::new(found, precision, scale).apply(value);
    }
    // A scale is at most 76, and 10⁷⁶ is within 256 bits.
    let factor = i256::from_i128(10).checked_pow(u32::from(shift.unsigned_abs())).ok_or(too_long)?;
    if value.wrapping_rem(factor) != i256::ZERO {
        return Err(NumberProblem::ScaleLost(scale));
    }
    let units = value.wrapping_div(factor).to_i128().ok_or(too_long)?;
    Rescale::new(i8::try_from(scale).unwrap_or(i8::MAX), precision, scale).apply(units)
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

/// Instants of floats of the unit of the field: a float is its shortest text, as in other formats.
pub(super) fn instants_of_floats(
    array: &Float64Array,
    rules: &TextRules,
    rejects: &mut Rejects,
) -> TimestampMicrosecondArray {
    let instant = |value: f64| match value.is_finite() {
        true => rules.timestamp_of_number(&format!("{value:e}")),
        false => Err(NOT_FINITE.into()),
    };
    map(array, rejects, |value| value.to_string(), instant)
}

/// The midnights of dates in a zone.
pub(super) fn midnights(
    array: &Date32Array,
    zone: Option<&ZoneRules>,
    rejects: &mut Rejects,
) -> TimestampMicrosecondArray {
    let midnight = |day: i32| match zone {
        Some(zone) => timestamp::from_local(i64::from(day) * 86_400_000_000, zone),
        None => Err(TimeProblem::NoOffset),
    };
    let instants = map(array, rejects, |day| day.to_string(), midnight);
    rejects.sort_by_key(|(row, _)| *row);
    rejects.dedup_by_key(|(row, _)| *row);
    instants
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
