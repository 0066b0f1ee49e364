//! Arithmetic on 64-bit integers: `int`, and µs of timestamps and durations. A result that does not fit is
//! null; one of 128 bits always fits.

use std::sync::Arc;

use arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, DurationMicrosecondType, Int64Type, TimestampMicrosecondType,
};
use metricc_ir::{Func, Kind};

use super::data_type;
use super::operand::{Body, binary_total, one, unary_total};

/// The kernel for a function whose first argument is an `int`, a timestamp or a duration.
pub(super) fn body(func: &Func, kinds: &[Kind], result: &Kind) -> Option<Body> {
    type Moment = TimestampMicrosecondType;
    type Span = DurationMicrosecondType;

    match (func, kinds, result) {
        (Func::Neg | Func::Abs, [Kind::Int], Kind::Int) => unary::<Int64Type>(func, result),
        (_, [Kind::Int], Kind::Int128) => wide_unary(func, result),
        (_, [Kind::Int, Kind::Int], Kind::Int128) => wide_binary(func, result),
        (Func::Neg | Func::Abs, [Kind::Duration], Kind::Duration) => unary::<Span>(func, result),
        (_, [Kind::Int, Kind::Int], Kind::Int) => binary::<Int64Type, Int64Type, Int64Type>(func, result),
        (Func::Add | Func::Sub, [Kind::Timestamp, Kind::Duration], Kind::Timestamp) => {
            binary::<Moment, Span, Moment>(func, result)
        }
        (Func::Add | Func::Sub, [Kind::Duration, Kind::Duration], Kind::Duration) => {
            binary::<Span, Span, Span>(func, result)
        }
        (Func::Sub, [Kind::Timestamp, Kind::Timestamp], Kind::Duration) => {
            binary::<Moment, Moment, Span>(func, result)
        }
        _ => None,
    }
}

/// Of an `int`, as an `int128`.
fn wide_unary(func: &Func, result: &Kind) -> Option<Body> {
    let op: fn(i128) -> i128 = match func {
        Func::Neg => |value| -value,
        Func::Abs => i128::abs,
        _ => return None,
    };
    let wanted = data_type(result);
    Some(Arc::new(move |args, n_rows| {
        unary_total::<Int64Type, Decimal128Type>(one(args)?, n_rows, &wanted, |value| {
            (op(value.into()), false)
        })
    }))
}

/// Of two `int`s, as an `int128`: no product has more than 38 digits.
fn wide_binary(func: &Func, result: &Kind) -> Option<Body> {
    match func {
        Func::Add => Some(wide(result, |left, right| (left + right, false))),
        Func::Sub => Some(wide(result, |left, right| (left - right, false))),
        Func::Mul => Some(wide(result, |left, right| (left * right, false))),
        Func::Div => {
            Some(wide(result, |left, right| if right == 0 { (0, true) } else { (left / right, false) }))
        }
        Func::Rem => {
            Some(wide(result, |left, right| if right == 0 { (0, true) } else { (left % right, false) }))
        }
        _ => None,
    }
}

fn wide(result: &Kind, op: impl Fn(i128, i128) -> (i128, bool) + Send + Sync + 'static) -> Body {
    let wanted = data_type(result);
    Arc::new(move |args, n_rows| {
        binary_total::<Int64Type, Int64Type, Decimal128Type>(args, n_rows, &wanted, |left, right| {
            op(left.into(), right.into())
        })
    })
}

fn unary<T: ArrowPrimitiveType<Native = i64>>(func: &Func, result: &Kind) -> Option<Body> {
    let wanted = data_type(result);
    Some(match func {
        Func::Neg => Arc::new(move |args, n_rows| {
            unary_total::<T, T>(one(args)?, n_rows, &wanted, i64::overflowing_neg)
        }),
        Func::Abs => Arc::new(move |args, n_rows| {
            unary_total::<T, T>(one(args)?, n_rows, &wanted, i64::overflowing_abs)
        }),
        _ => return None,
    })
}

fn binary<A, B, O>(func: &Func, result: &Kind) -> Option<Body>
where
    A: ArrowPrimitiveType<Native = i64>,
    B: ArrowPrimitiveType<Native = i64>,
    O: ArrowPrimitiveType<Native = i64>,
{
    match func {
        Func::Add => Some(total::<A, B, O>(result, i64::overflowing_add)),
        Func::Sub => Some(total::<A, B, O>(result, i64::overflowing_sub)),
        Func::Mul => Some(total::<A, B, O>(result, i64::overflowing_mul)),
        Func::Div => Some(total::<A, B, O>(result, quotient)),
        Func::Rem => Some(total::<A, B, O>(result, remainder)),
        _ => None,
    }
}

fn total<A, B, O>(result: &Kind, op: impl Fn(i64, i64) -> (i64, bool) + Send + Sync + 'static) -> Body
where
    A: ArrowPrimitiveType<Native = i64>,
    B: ArrowPrimitiveType<Native = i64>,
    O: ArrowPrimitiveType<Native = i64>,
{
    let wanted = data_type(result);
    Arc::new(move |args, n_rows| binary_total::<A, B, O>(args, n_rows, &wanted, &op))
}

/// Truncated toward zero.
fn quotient(left: i64, right: i64) -> (i64, bool) {
    if right == 0 { (0, true) } else { left.overflowing_div(right) }
}

/// With the sign of the dividend. That of `i64::MIN % -1` is 0.
fn remainder(left: i64, right: i64) -> (i64, bool) {
    if right == 0 { (0, true) } else { (left.wrapping_rem(right), false) }
}
