//! Arithmetic on decimals and `int128`: digits in an `i128`, a scale in the type. A result with more
//! digits than its type has is null; a result that must be rounded is rounded half even, once.

use std::sync::Arc;

use arrow::datatypes::{Decimal128Type, i256};
use metricc_ir::{Func, Kind};

use super::data_type;
use super::operand::{Body, binary_total, one, unary_total};

/// The most digits that an `i128` holds of any number.
const MAX_DIGITS: u32 = 38;

/// How a number is written: significant digits, and digits after the point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits {
    /// 1 to 38.
    pub(super) precision: u32,
    /// 0 to the precision.
    pub(super) scale: u32,
}

impl Digits {
    /// Of a decimal or an `int128`.
    pub(super) fn of(kind: &Kind) -> Option<Self> {
        match kind {
            Kind::Int128 => Some(Digits { precision: MAX_DIGITS, scale: 0 }),
            Kind::Decimal { precision, scale }
                if u32::from(*precision) <= MAX_DIGITS && scale <= precision =>
            {
                Some(Digits { precision: (*precision).into(), scale: (*scale).into() })
            }
            _ => None,
        }
    }

    /// The digits as a value, unless there are too many of them.
    pub(super) fn checked(self, digits: Option<i128>) -> (i128, bool) {
        match digits {
            Some(digits) if digits.unsigned_abs() < power_of_ten(self.precision).unsigned_abs() => {
                (digits, false)
            }
            _ => (0, true),
        }
    }
}

/// The kernel for a function whose first argument is a decimal or an `int128`.
pub(super) fn body(func: &Func, kinds: &[Kind], result: &Kind) -> Option<Body> {
    let to = Digits::of(result)?;
    match kinds {
        [kind] => unary_body(func, Digits::of(kind)?, to, result),
        [left, right] => binary_body(func, Digits::of(left)?, Digits::of(right)?, to, result),
        _ => None,
    }
}

fn unary_body(func: &Func, from: Digits, to: Digits, result: &Kind) -> Option<Body> {
    let unit = power_of_ten(from.scale);
    let floor = move |digits: i128| digits.div_euclid(unit);
    match func {
        Func::Neg if from.scale == to.scale => {
            Some(unary(result, move |digits| to.checked(digits.checked_neg())))
        }
        Func::Abs if from.scale == to.scale => {
            Some(unary(result, move |digits| to.checked(digits.checked_abs())))
        }
        Func::Round(scale) if u32::from(*scale) == to.scale => Some(rescale(from, to, result)),
        Func::Floor if to.scale == 0 => Some(unary(result, move |digits| to.checked(Some(floor(digits))))),
        Func::Ceil if to.scale == 0 => Some(unary(result, move |digits| {
            to.checked(Some(floor(digits) + i128::from(digits.rem_euclid(unit) != 0)))
        })),
        _ => None,
    }
}

fn binary_body(func: &Func, left: Digits, right: Digits, to: Digits, result: &Kind) -> Option<Body> {
    let one_scale = left.scale == right.scale && right.scale == to.scale;
    match func {
        Func::Add if one_scale => {
            Some(binary(result, move |left, right| to.checked(left.checked_add(right))))
        }
        Func::Sub if one_scale => {
            Some(binary(result, move |left, right| to.checked(left.checked_sub(right))))
        }
        Func::Rem if one_scale => Some(binary(result, move |left, right| {
            to.checked(if right == 0 { None } else { Some(left.wrapping_rem(right)) })
        })),
        Func::Mul if left.scale + right.scale == to.scale => {
            Some(binary(result, move |left, right| to.checked(left.checked_mul(right))))
        }
        // Ints are truncated; of a division of decimals there are digits after the point.
        Func::Div if one_scale && to.scale == 0 => Some(binary(result, move |left, right| {
            to.checked(if right == 0 { None } else { left.checked_div(right) })
        })),
        Func::Div => {
            // (l / 10^ls) / (r / 10^rs) in units of 10^-ts is l · 10^(ts + rs - ls) / r.
            let (raise_left, raise_right) = (
                (to.scale + right.scale).saturating_sub(left.scale),
                left.scale.saturating_sub(to.scale + right.scale),
            );
            Some(binary(result, move |left, right| to.checked(divide(left, raise_left, right, raise_right))))
        }
        _ => None,
    }
}

/// To another scale, half even.
pub(super) fn rescale(from: Digits, to: Digits, result: &Kind) -> Body {
    if to.scale >= from.scale {
        let unit = power_of_ten(to.scale - from.scale);
        unary(result, move |digits| to.checked(digits.checked_mul(unit)))
    } else {
        let unit = power_of_ten(from.scale - to.scale);
        unary(result, move |digits| to.checked(divide_half_even(digits, unit)))
    }
}

/// 10 to a power of at most 38; saturates beyond, where no type has digits.
pub(super) fn power_of_ten(exponent: u32) -> i128 {
    10_i128.checked_pow(exponent).unwrap_or(i128::MAX)
}

/// left · 10^`raise_left` / (right · 10^`raise_right`), half even; `None` for division by zero or a result
/// beyond `i128`.
fn divide(left: i128, raise_left: u32, right: i128, raise_right: u32) -> Option<i128> {
    if right == 0 {
        return None;
    }
    let raised = |value: i128, by: u32| 10_i128.checked_pow(by).and_then(|unit| value.checked_mul(unit));
    if let (Some(left), Some(right)) = (raised(left, raise_left), raised(right, raise_right)) {
        return divide_half_even(left, right);
    }
    let wide = |value: i128, by: u32| {
        i256::from_i128(10).checked_pow(by).and_then(|unit| unit.checked_mul(i256::from_i128(value)))
    };
    match (wide(left, raise_left), wide(right, raise_right)) {
        (Some(left), Some(right)) => wide_divide_half_even(left, right),
        // The dividend is beyond 2^255 and the divisor below 2^127: the quotient has more than 38 digits.
        (None, _) => None,
        // The other way round: the quotient is less than a half.
        (_, None) => Some(0),
    }
}

/// The integer nearest to the quotient; of two, the even one. `None` for division by zero, and if it is
/// 2^127.
pub(super) fn divide_half_even(left: i128, right: i128) -> Option<i128> {
    let quotient = left.checked_div(right)?;
    let rest = left.wrapping_rem(right).unsigned_abs();
    let to_next = right.unsigned_abs() - rest;
    if rest < to_next || (rest == to_next && quotient % 2 == 0) {
        return Some(quotient);
    }
    quotient.checked_add(if (left < 0) == (right < 0) { 1 } else { -1 })
}

fn wide_divide_half_even(left: i256, right: i256) -> Option<i128> {
    let quotient = left.checked_div(right)?.to_i128()?;
    let rest = left.checked_rem(right)?.checked_abs()?;
    let to_next = right.checked_abs()?.checked_sub(rest)?;
    if rest < to_next || (rest == to_next && quotient % 2 == 0) {
        return Some(quotient);
    }
    quotient.checked_add(if left.is_negative() == right.is_negative() { 1 } else { -1 })
}

fn unary(result: &Kind, op: impl Fn(i128) -> (i128, bool) + Send + Sync + 'static) -> Body {
    let wanted = data_type(result);
    Arc::new(move |args, n_rows| {
        unary_total::<Decimal128Type, Decimal128Type>(one(args)?, n_rows, &wanted, &op)
    })
}

fn binary(result: &Kind, op: impl Fn(i128, i128) -> (i128, bool) + Send + Sync + 'static) -> Body {
    let wanted = data_type(result);
    Arc::new(move |args, n_rows| {
        binary_total::<Decimal128Type, Decimal128Type, Decimal128Type>(args, n_rows, &wanted, &op)
    })
}
