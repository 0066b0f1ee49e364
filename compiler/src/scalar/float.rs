//! Arithmetic on floats: IEEE, except that a result which is not finite is null and -0.0 is 0.0.

use std::sync::Arc;

use arrow::datatypes::{DataType, Float64Type};
use metricc_ir::{Func, Kind};

use super::operand::{Body, binary_total, one, unary_total};

/// The kernel for a function whose first argument is a float.
pub(super) fn body(func: &Func, kinds: &[Kind], result: &Kind) -> Option<Body> {
    match (func, kinds, result) {
        (Func::Add, [Kind::Float, Kind::Float], Kind::Float) => Some(binary(|left, right| left + right)),
        (Func::Sub, [Kind::Float, Kind::Float], Kind::Float) => Some(binary(|left, right| left - right)),
        (Func::Mul, [Kind::Float, Kind::Float], Kind::Float) => Some(binary(|left, right| left * right)),
        (Func::Div, [Kind::Float, Kind::Float], Kind::Float) => Some(quotient()),
        (Func::Neg, [Kind::Float], Kind::Float) => Some(unary(|value| -value)),
        (Func::Abs, [Kind::Float], Kind::Float) => Some(unary(f64::abs)),
        (Func::Round(0), [Kind::Float], Kind::Float) => Some(unary(f64::round_ties_even)),
        (Func::Floor, [Kind::Float], Kind::Float) => Some(unary(f64::floor)),
        (Func::Ceil, [Kind::Float], Kind::Float) => Some(unary(f64::ceil)),
        _ => None,
    }
}

/// Division; by zero it gives infinity or NaN, and so null.
pub(super) fn quotient() -> Body {
    binary(|left, right| left / right)
}

/// The value with one zero, and whether it is not finite.
pub(super) fn canonical(value: f64) -> (f64, bool) {
    (value + 0.0, !value.is_finite())
}

fn unary(op: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Body {
    Arc::new(move |args, n_rows| {
        unary_total::<Float64Type, Float64Type>(one(args)?, n_rows, &DataType::Float64, |value| {
            canonical(op(value))
        })
    })
}

fn binary(op: impl Fn(f64, f64) -> f64 + Send + Sync + 'static) -> Body {
    Arc::new(move |args, n_rows| {
        binary_total::<Float64Type, Float64Type, Float64Type>(
            args,
            n_rows,
            &DataType::Float64,
            |left, right| canonical(op(left, right)),
        )
    })
}
