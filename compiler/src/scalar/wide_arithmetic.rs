//! Arithmetic on numbers of more than 38 digits, which stand between two operations of a row: digits in an
//! `i256`, at most 76 of them.
//!
//! One kernel takes ints and decimals of any width, in any mix. It is slower than those of one width, and
//! runs only where bounds do not show that 38 digits suffice.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int64Type, i256};
use metricc_algebra::ratio_to_f64;
use metricc_ir::{Func, Kind};
use num_bigint::{BigInt, Sign};

use super::operand::{Body, Operand, Result, unexpected};
use super::{data_type, float};

/// Most digits of an `i128` of the language.
const NARROW: u8 = 38;
/// Most digits of all.
const WIDE: u32 = 76;

/// Whether values of a kind are held in 256 bits.
pub(super) fn is_wide(kind: &Kind) -> bool {
    matches!(kind, Kind::Decimal { precision, .. } if *precision > NARROW)
}

/// An operation on digits; `None` where it has no result.
type Operation = Box<dyn Fn(&[i256]) -> Option<i256> + Send + Sync>;

/// The kernel for a function of exact numbers.
pub(super) fn body(func: &Func, kinds: &[Kind], result: &Kind) -> Option<Body> {
    let scales = kinds.iter().map(scale_of).collect::<Option<Vec<_>>>()?;
    if (func, result) == (&Func::Cast, &Kind::Float) {
        return Some(to_float(*scales.first()?));
    }
    let operation = operation(func, &scales, result)?;
    let result = result.clone();
    Some(Arc::new(move |operands, n_rows| {
        let columns = operands.iter().map(digits).collect::<Result<Vec<_>>>()?;
        let limit = limit(&result);
        let values = (0..n_rows).map(|row| {
            let mut args = Vec::with_capacity(columns.len());
            for (column, operand) in columns.iter().zip(operands) {
                args.push((*column.get(operand.index(row))?)?);
            }
            operation(&args).filter(|value| value.wrapping_abs() <= limit)
        });
        collect(values, &result)
    }))
}

/// Digits after the point of an exact number.
fn scale_of(kind: &Kind) -> Option<u32> {
    match kind {
        Kind::Int | Kind::Int128 => Some(0),
        Kind::Decimal { scale, .. } => Some((*scale).into()),
        _ => None,
    }
}

fn operation(func: &Func, scales: &[u32], result: &Kind) -> Option<Operation> {
    let to = scale_of(result)?;
    let is_whole = matches!(result, Kind::Int | Kind::Int128);
    Some(match (func, scales) {
        (Func::Add, [left, right]) if [left, right] == [&to; 2] => {
            Box::new(|args: &[i256]| args[0].checked_add(args[1]))
        }
        (Func::Sub, [left, right]) if [left, right] == [&to; 2] => {
            Box::new(|args: &[i256]| args[0].checked_sub(args[1]))
        }
        (Func::Rem, [left, right]) if [left, right] == [&to; 2] => {
            Box::new(|args: &[i256]| args[0].checked_rem(args[1]))
        }
        (Func::Mul, [left, right]) if left + right == to => {
            Box::new(|args: &[i256]| args[0].checked_mul(args[1]))
        }
        // Ints are truncated; of a division of decimals there are digits after the point.
        (Func::Div, [0, 0]) if to == 0 => Box::new(|args: &[i256]| args[0].checked_div(args[1])),
        (Func::Div, [left, right]) => {
            divide((to + right).saturating_sub(*left), left.saturating_sub(to + right))
        }
        (Func::Neg, [from]) if *from == to => Box::new(|args: &[i256]| args[0].checked_neg()),
        (Func::Abs, [from]) if *from == to => Box::new(|args: &[i256]| args[0].checked_abs()),
        (Func::Cast, [from]) if is_whole => {
            let unit = power_of_ten(*from)?;
            Box::new(move |args: &[i256]| args[0].checked_div(unit))
        }
        (Func::Cast | Func::Round(_), [from]) => divide(to.saturating_sub(*from), from.saturating_sub(to)),
        (Func::Floor | Func::Ceil, [from]) if to == 0 => {
            let (unit, up) = (power_of_ten(*from)?, *func == Func::Ceil);
            Box::new(move |args: &[i256]| {
                let (whole, rest) = (args[0].checked_div(unit)?, args[0].checked_rem(unit)?);
                let is_between = rest != i256::ZERO && (rest > i256::ZERO) == up;
                let step = if up { i256::ONE } else { i256::MINUS_ONE };
                if is_between { whole.checked_add(step) } else { Some(whole) }
            })
        }
        _ => return None,
    })
}

/// left · 10^`raise_left` / (right · 10^`raise_right`), half even, where a missing `right` is one.
fn divide(raise_left: u32, raise_right: u32) -> Operation {
    let raise = |by: u32| BigInt::from(10).pow(by);
    let (left_unit, right_unit) = (raise(raise_left), raise(raise_right));
    Box::new(move |args: &[i256]| {
        let right = args.get(1).map_or_else(|| BigInt::from(1), |right| big(*right)) * &right_unit;
        let left = big(args[0]) * &left_unit;
        if right.sign() == Sign::NoSign { None } else { narrow(&half_even(&left, &right)) }
    })
}

fn half_even(left: &BigInt, right: &BigInt) -> BigInt {
    let (quotient, rest) = (left / right, left % right);
    let (twice, divisor) = (rest.magnitude() * 2_u32, right.magnitude());
    let is_odd = quotient.bit(0);
    if twice < *divisor || (twice == *divisor && !is_odd) {
        return quotient;
    }
    let is_negative = (left.sign() == Sign::Minus) != (right.sign() == Sign::Minus);
    quotient + if is_negative { -1 } else { 1 }
}

fn big(value: i256) -> BigInt {
    BigInt::from_signed_bytes_le(&value.to_le_bytes())
}

fn narrow(value: &BigInt) -> Option<i256> {
    let bytes = value.to_signed_bytes_le();
    let fill = if value.sign() == Sign::Minus { 0xff } else { 0 };
    let mut padded = [fill; 32];
    padded.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(i256::from_le_bytes(padded))
}

fn power_of_ten(exponent: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(exponent)
}

/// The greatest digits of a kind. Ints are checked again when they are stored.
fn limit(kind: &Kind) -> i256 {
    let digits = match kind {
        Kind::Int => return i256::from_i128(1 << 63),
        Kind::Int128 => NARROW.into(),
        Kind::Decimal { precision, .. } => u32::from(*precision).min(WIDE),
        _ => WIDE,
    };
    power_of_ten(digits).unwrap_or(i256::MAX).wrapping_sub(i256::ONE)
}

/// The digits of all values that an operand's array holds.
fn digits(operand: &Operand) -> Result<Vec<Option<i256>>> {
    let array = operand.array();
    Ok(match array.data_type() {
        DataType::Int64 => array
            .as_primitive::<Int64Type>()
            .iter()
            .map(|value| value.map(|value| i256::from_i128(value.into())))
            .collect(),
        DataType::Decimal128(..) => {
            array.as_primitive::<Decimal128Type>().iter().map(|value| value.map(i256::from_i128)).collect()
        }
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().iter().collect(),
        _ => return Err(unexpected(array, "an exact number")),
    })
}

fn collect(values: impl Iterator<Item = Option<i256>>, kind: &Kind) -> Result<ArrayRef> {
    let wanted = data_type(kind);
    let narrow = |value: Option<i256>| value.and_then(i256::to_i128);
    Ok(match &wanted {
        DataType::Int64 => {
            let ints = values.map(|value| narrow(value).and_then(|value| i64::try_from(value).ok()));
            Arc::new(ints.collect::<Int64Array>())
        }
        DataType::Decimal256(..) => Arc::new(values.collect::<Decimal256Array>().with_data_type(wanted)),
        _ => Arc::new(values.map(narrow).collect::<Decimal128Array>().with_data_type(wanted)),
    })
}

/// Correctly rounded.
fn to_float(scale: u32) -> Body {
    let unit = BigInt::from(10).pow(scale);
    Arc::new(move |operands, n_rows| {
        let columns = operands.iter().map(digits).collect::<Result<Vec<_>>>()?;
        let value = |row: usize| {
            let (column, operand) = (columns.first()?, operands.first()?);
            let digits = (*column.get(operand.index(row))?)?;
            let (value, fails) = float::canonical(ratio_to_f64(&big(digits), &unit)?);
            (!fails).then_some(value)
        };
        Ok(Arc::new((0..n_rows).map(value).collect::<Float64Array>()))
    })
}
