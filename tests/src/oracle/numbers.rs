//! Arithmetic: exact, then fitted to the type of the result, or none.

use metricc_ir::{Func, Kind};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::datum::Datum;
use super::exact::{self, Rational};

/// Digits of the widest numbers, `int128` and `decimal(38, _)`.
const MAX_DIGITS: u8 = 38;

/// Applies a function to numbers that are not none. `result` is the kind of the result.
pub(super) fn call(func: &Func, values: &[Datum], result: &Kind) -> Datum {
    match (func, values) {
        (Func::Ratio, [Datum::Float(left), Datum::Float(right)]) => divide_floats(*left, *right),
        (Func::Ratio, [left, right]) => ratio(&left.exact(), &right.exact()),
        (Func::Cast, [value]) => cast(value, result),
        (func, [Datum::Float(left), Datum::Float(right)]) => of_floats(func, *left, *right),
        (func, [Datum::Float(value)]) => of_float(func, *value),
        (Func::Div, [Datum::Int(left), Datum::Int(right)]) => divide(left, right, |l, r| l / r, result),
        (Func::Rem, [Datum::Int(left), Datum::Int(right)]) => divide(left, right, |l, r| l % r, result),
        (func, [left, right]) => of_two(func, &left.exact(), &right.exact(), result),
        (func, [value]) => of_one(func, &value.exact(), result),
        (func, values) => panic!("{func:?} is not defined on {values:?}"),
    }
}

/// A number of the given kind, half even at its scale; none where it does not fit.
pub(super) fn fit(value: &Rational, kind: &Kind) -> Datum {
    match kind {
        Kind::Int => match exact::half_even(value).to_i64() {
            Some(value) => Datum::Int(BigInt::from(value)),
            None => Datum::None,
        },
        Kind::Int128 => {
            let value = exact::half_even(value);
            if exact::has_at_most_digits(&value, MAX_DIGITS) { Datum::Int(value) } else { Datum::None }
        }
        Kind::Decimal { precision, scale } => {
            let digits = exact::at_scale(value, *scale);
            if exact::has_at_most_digits(&digits, *precision) {
                Datum::Decimal(digits, *scale)
            } else {
                Datum::None
            }
        }
        Kind::Float => exact::nearest_float(value).map_or(Datum::None, Datum::float),
        Kind::Timestamp => exact::half_even(value).to_i64().map_or(Datum::None, Datum::Timestamp),
        Kind::Duration => exact::half_even(value).to_i64().map_or(Datum::None, Datum::Duration),
        kind => panic!("`{kind}` is no kind of number"),
    }
}

fn of_floats(func: &Func, left: f64, right: f64) -> Datum {
    match func {
        Func::Add => Datum::float(left + right),
        Func::Sub => Datum::float(left - right),
        Func::Mul => Datum::float(left * right),
        Func::Div => divide_floats(left, right),
        func => panic!("{func:?} is not defined on two floats"),
    }
}

fn divide_floats(left: f64, right: f64) -> Datum {
    if right == 0.0 { Datum::None } else { Datum::float(left / right) }
}

fn of_float(func: &Func, value: f64) -> Datum {
    let number = exact::of_float(value);
    let whole = match func {
        Func::Neg => return Datum::float(-value),
        Func::Abs => return Datum::float(value.abs()),
        Func::Round(_) => exact::half_even(&number),
        Func::Floor => number.floor().to_integer(),
        Func::Ceil => number.ceil().to_integer(),
        func => panic!("{func:?} is not defined on a float"),
    };
    fit(&exact::of_integer(whole), &Kind::Float)
}

fn ratio(left: &Rational, right: &Rational) -> Datum {
    if right.is_zero() { Datum::None } else { fit(&(left / right), &Kind::Float) }
}

fn divide(
    left: &BigInt,
    right: &BigInt,
    operation: impl Fn(&BigInt, &BigInt) -> BigInt,
    kind: &Kind,
) -> Datum {
    if right.is_zero() {
        return Datum::None;
    }
    fit(&exact::of_integer(operation(left, right)), kind)
}

fn of_two(func: &Func, left: &Rational, right: &Rational, result: &Kind) -> Datum {
    let value = match func {
        Func::Add => left + right,
        Func::Sub => left - right,
        Func::Mul => left * right,
        Func::Div | Func::Rem if right.is_zero() => return Datum::None,
        // Ints that are too wide for 38 digits are decimals without places; no division of decimals has a
        // result like that.
        Func::Div if matches!(result, Kind::Int | Kind::Int128 | Kind::Decimal { scale: 0, .. }) => {
            (left / right).trunc()
        }
        Func::Div => left / right,
        Func::Rem => left - (left / right).trunc() * right,
        func => panic!("{func:?} is not defined on two numbers"),
    };
    fit(&value, result)
}

fn of_one(func: &Func, value: &Rational, result: &Kind) -> Datum {
    let value = match func {
        Func::Neg => -value,
        Func::Abs => value.abs(),
        Func::Round(_) => value.clone(),
        Func::Floor => value.floor(),
        Func::Ceil => value.ceil(),
        func => panic!("{func:?} is not defined on a number"),
    };
    fit(&value, result)
}

fn cast(value: &Datum, result: &Kind) -> Datum {
    let number = value.exact();
    match result {
        Kind::Int | Kind::Int128 => fit(&number.trunc(), result),
        _ => fit(&number, result),
    }
}
