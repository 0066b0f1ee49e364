//! The one cast function: a value that does not fit becomes null.

use std::sync::Arc;

use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use metricc_ir::{Func, Kind};

use super::decimal::{Digits, power_of_ten, rescale};
use super::operand::{Body, one, unary_total};
use super::wide_arithmetic::{self, is_wide};
use super::{data_type, float, ratio};

/// 2^63: floats from here on do not fit `int`.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The kernel for a cast between two kinds, if there is one.
pub(super) fn cast(from: &Kind, to: &Kind) -> Option<Body> {
    match (from, to) {
        (from, to) if is_wide(from) || is_wide(to) => {
            wide_arithmetic::body(&Func::Cast, std::slice::from_ref(from), to)
        }
        (Kind::Decimal { .. }, Kind::Int128) => {
            wide_arithmetic::body(&Func::Cast, std::slice::from_ref(from), to)
        }
        (Kind::Int, Kind::Int128 | Kind::Decimal { .. }) => int_to_decimal(to),
        (Kind::Int, Kind::Float) => Some(int_to_float()),
        (Kind::Int128 | Kind::Decimal { .. }, Kind::Decimal { .. }) => {
            Some(rescale(Digits::of(from)?, Digits::of(to)?, to))
        }
        (Kind::Int128 | Kind::Decimal { .. }, Kind::Float) => decimal_to_float(from),
        (Kind::Int128 | Kind::Decimal { .. }, Kind::Int) => decimal_to_int(from),
        (Kind::Float, Kind::Int) => Some(float_to_int()),
        (from, to) if from == to => Some(Arc::new(|args, _| Ok(one(args)?.array().clone()))),
        _ => None,
    }
}

fn int_to_decimal(to: &Kind) -> Option<Body> {
    let (digits, wanted) = (Digits::of(to)?, data_type(to));
    let unit = power_of_ten(digits.scale);
    Some(Arc::new(move |args, n_rows| {
        unary_total::<Int64Type, Decimal128Type>(one(args)?, n_rows, &wanted, |value| {
            digits.checked(i128::from(value).checked_mul(unit))
        })
    }))
}

/// To nearest, half even.
fn int_to_float() -> Body {
    Arc::new(|args, n_rows| {
        unary_total::<Int64Type, Float64Type>(one(args)?, n_rows, &DataType::Float64, |value| {
            (value as f64, false)
        })
    })
}

/// Correctly rounded.
fn decimal_to_float(from: &Kind) -> Option<Body> {
    let scale = Digits::of(from)?.scale;
    Some(Arc::new(move |args, n_rows| {
        unary_total::<Decimal128Type, Float64Type>(one(args)?, n_rows, &DataType::Float64, |digits| {
            match ratio::quotient(digits, scale, 1, 0) {
                Some(value) => float::canonical(value),
                None => (0.0, true),
            }
        })
    }))
}

/// Toward zero.
fn decimal_to_int(from: &Kind) -> Option<Body> {
    let unit = power_of_ten(Digits::of(from)?.scale);
    Some(Arc::new(move |args, n_rows| {
        unary_total::<Decimal128Type, Int64Type>(one(args)?, n_rows, &DataType::Int64, |digits| {
            i64::try_from(digits / unit).map_or((0, true), |value| (value, false))
        })
    }))
}

/// Toward zero.
fn float_to_int() -> Body {
    Arc::new(|args, n_rows| {
        unary_total::<Float64Type, Int64Type>(one(args)?, n_rows, &DataType::Int64, |value| {
            let whole = value.trunc();
            // Also false for NaN.
            let fits = (-TWO_TO_63..TWO_TO_63).contains(&whole);
            (if fits { whole as i64 } else { 0 }, !fits)
        })
    })
}
