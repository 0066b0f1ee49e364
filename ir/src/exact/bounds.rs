//! How far a value may reach, and whether an expression may leave its type.
//!
//! Bounds come from types, literals and functions alone, so that the same text gives the same answer for any
//! data.

use crate::text::timestamp;
use crate::{Expr, ExprKind, Func, Kind, Part, Value};

/// Digits that every exact result may have.
pub(super) const DIGITS: u8 = 38;
/// Digits of a decimal between two operations (Decimal256).
pub(super) const WIDE_DIGITS: u8 = 76;

/// 2^63: no `int` is further from zero.
const INT_REACH: u128 = 1 << 63;
/// The greatest year of any timestamp of 64 bits, and more.
const MOST_YEARS: u128 = 1_000_000;
/// More µs than any calendar bucket has, with a change of its zone.
const MOST_BUCKET: u128 = 400 * 86_400_000_000;

/// The greatest distance from zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reach {
    /// Of the digits of an exact number, or of µs; `u128::MAX` if it is not known.
    Digits(u128),
    /// Of a float.
    Float(f64),
    /// It is no number.
    Other,
}

impl Reach {
    fn of_kind(kind: &Kind) -> Reach {
        match kind {
            Kind::Float => Reach::Float(f64::MAX),
            Kind::Timestamp | Kind::Duration | Kind::Int => Reach::Digits(INT_REACH),
            Kind::Int128 | Kind::Decimal { .. } => Reach::Digits(limit(kind)),
            _ => Reach::Other,
        }
    }

    fn digits(self) -> u128 {
        if let Reach::Digits(digits) = self { digits } else { u128::MAX }
    }

    fn max(self, other: Reach) -> Reach {
        match (self, other) {
            (Reach::Digits(left), Reach::Digits(right)) => Reach::Digits(left.max(right)),
            (Reach::Float(left), Reach::Float(right)) => Reach::Float(left.max(right)),
            _ => Reach::Other,
        }
    }

    /// Whether each value within has a place in the type.
    pub(super) fn fits(self, kind: &Kind) -> bool {
        match self {
            Reach::Digits(digits) => digits <= limit(kind),
            Reach::Float(float) => float < f64::MAX,
            Reach::Other => true,
        }
    }
}

/// The greatest digits that a type has room for.
fn limit(kind: &Kind) -> u128 {
    match kind {
        Kind::Int | Kind::Timestamp | Kind::Duration => INT_REACH - 1,
        Kind::Int128 => power_of_ten(DIGITS) - 1,
        Kind::Decimal { precision, .. } if *precision <= DIGITS => power_of_ten(*precision) - 1,
        // What is not known may be too much even there.
        Kind::Decimal { .. } => u128::MAX - 1,
        _ => u128::MAX,
    }
}

/// 10^`exponent`; `u128::MAX` where it is more.
fn power_of_ten(exponent: u8) -> u128 {
    10_u128.checked_pow(exponent.into()).unwrap_or(u128::MAX)
}

pub(super) fn scale_of(kind: &Kind) -> u8 {
    if let Kind::Decimal { scale, .. } = kind { *scale } else { 0 }
}

/// Whether a function may have no result although its arguments are there, because its type has no place for
/// it. A division by zero, a lookup and what the program brings have no result for reasons of the data.
pub fn may_leave_its_type(func: &Func) -> bool {
    matches!(
        func,
        Func::Add
            | Func::Sub
            | Func::Mul
            | Func::Div
            | Func::Rem
            | Func::Neg
            | Func::Abs
            | Func::Cast
            | Func::Round(_)
            | Func::Floor
            | Func::Ceil
            | Func::Part(..)
            | Func::DateIn(_)
            | Func::TruncateTo(_)
            | Func::TruncateIn(..)
    )
}

/// How far a column of a kind reaches.
pub(super) fn of_column(kind: &Kind) -> Reach {
    match kind {
        // The decoder keeps to these years.
        Kind::Timestamp => Reach::Digits(timestamp::MAX.unsigned_abs().into()),
        kind => Reach::of_kind(kind),
    }
}

pub(super) fn of_literal(value: &Value, kind: &Kind) -> Reach {
    match value {
        Value::None => match Reach::of_kind(kind) {
            Reach::Digits(_) => Reach::Digits(0),
            Reach::Float(_) => Reach::Float(0.0),
            Reach::Other => Reach::Other,
        },
        Value::Int(value) | Value::Timestamp(value) | Value::Duration(value) => {
            Reach::Digits(value.unsigned_abs().into())
        }
        Value::Decimal(digits) => Reach::Digits(digits.unsigned_abs()),
        Value::Float(value) => Reach::Float(value.abs()),
        _ => Reach::Other,
    }
}

/// How far a result would reach if its type had no end. `args` has each argument, and how far it reaches.
pub(super) fn of_call(func: &Func, args: &[(&Expr, Reach)], kind: &Kind) -> Reach {
    if *kind == Kind::Float {
        return Reach::Float(of_floats(func, args));
    }
    let reach = |index: usize| args.get(index).map_or(u128::MAX, |(_, reach)| reach.digits());
    let scale = |index: usize| args.get(index).map_or(0, |(arg, _)| scale_of(&arg.ty.kind));
    Reach::Digits(match func {
        Func::Add | Func::Sub => reach(0).saturating_add(reach(1)),
        Func::Mul => reach(0).saturating_mul(reach(1)),
        Func::Div => {
            let raised = rescaled(reach(0), scale(0), scale_of(kind).saturating_add(scale(1)));
            // A quotient that is rounded may be carried up by one.
            let carry = if scale_of(kind) > 0 { 1 } else { 0 };
            match raised / args.get(1).map_or(1, |(divisor, reach)| least(divisor, *reach)) {
                _ if raised == u128::MAX => u128::MAX,
                quotient => quotient.saturating_add(carry),
            }
        }
        Func::Rem => reach(0).min(reach(1)),
        Func::Neg | Func::Abs => reach(0),
        Func::Cast => match args.first() {
            Some((_, Reach::Float(float))) if *float < INT_REACH as f64 => *float as u128,
            Some((_, Reach::Float(_))) => u128::MAX,
            _ => rescaled(reach(0), scale(0), scale_of(kind)),
        },
        Func::Round(_) | Func::Floor | Func::Ceil => rescaled(reach(0), scale(0), scale_of(kind)),
        Func::TruncateTo(width) => reach(0).saturating_add(width.unsigned_abs().into()),
        Func::TruncateIn(..) => reach(0).saturating_add(MOST_BUCKET),
        Func::Part(Part::Year, _) => MOST_YEARS,
        Func::Part(..) => 60,
        Func::Length => u32::MAX.into(),
        Func::If => return args.get(1..).and_then(most).unwrap_or(Reach::Other),
        Func::Coalesce | Func::Least | Func::Greatest => return most(args).unwrap_or(Reach::Other),
        _ => return Reach::of_kind(kind),
    })
}

/// A divisor has at least one digit; a literal is what it is.
fn least(divisor: &Expr, reach: Reach) -> u128 {
    if let ExprKind::Literal(_) = divisor.kind { reach.digits().max(1) } else { 1 }
}

fn most(args: &[(&Expr, Reach)]) -> Option<Reach> {
    args.iter().map(|(_, reach)| *reach).reduce(Reach::max)
}

fn of_floats(func: &Func, args: &[(&Expr, Reach)]) -> f64 {
    let reach = |index: usize| match args.get(index) {
        Some((_, Reach::Float(float))) => *float,
        Some((arg, Reach::Digits(digits))) => *digits as f64 / 10_f64.powi(scale_of(&arg.ty.kind).into()),
        _ => f64::MAX,
    };
    match func {
        Func::Add | Func::Sub => (reach(0) + reach(1)).min(f64::MAX),
        Func::Mul => (reach(0) * reach(1)).min(f64::MAX),
        // A divisor may be as near to zero as there are floats.
        Func::Div => match args.get(1) {
            Some((Expr { kind: ExprKind::Literal(Value::Float(divisor)), .. }, _)) => {
                (reach(0) / divisor.abs()).min(f64::MAX)
            }
            _ => f64::MAX,
        },
        // None of these grows beyond the greatest float, which is whole.
        Func::Neg | Func::Abs | Func::Cast | Func::Round(_) | Func::Floor | Func::Ceil => {
            reach(0).min(MOST_FLOAT)
        }
        Func::If => args.get(1..).and_then(most).map_or(MOST_FLOAT, |most| float_of(most).min(MOST_FLOAT)),
        Func::Coalesce | Func::Least | Func::Greatest => {
            most(args).map_or(MOST_FLOAT, |most| float_of(most).min(MOST_FLOAT))
        }
        _ => MOST_FLOAT,
    }
}

/// Below the greatest float by one step: what is not made by arithmetic fits.
const MOST_FLOAT: f64 = f64::from_bits(f64::MAX.to_bits() - 1);

fn float_of(reach: Reach) -> f64 {
    if let Reach::Float(float) = reach { float } else { MOST_FLOAT }
}

/// Digits at another scale; what is rounded may be carried into one more.
fn rescaled(digits: u128, from: u8, to: u8) -> u128 {
    match to.checked_sub(from) {
        Some(more) => digits.saturating_mul(power_of_ten(more)),
        None => (digits / power_of_ten(from - to)).saturating_add(1),
    }
}

/// How far a row expression reaches, and whether it or a part of it may leave its type.
pub(super) fn of(expr: &Expr) -> (Reach, bool) {
    match &expr.kind {
        ExprKind::Column(_) => (of_column(&expr.ty.kind), false),
        ExprKind::Literal(value) => (of_literal(value, &expr.ty.kind), false),
        ExprKind::Call(func, args) => {
            let parts: Vec<(Reach, bool)> = args.iter().map(of).collect();
            let reaches: Vec<(&Expr, Reach)> =
                args.iter().zip(&parts).map(|(arg, (reach, _))| (arg, *reach)).collect();
            let own = of_call(func, &reaches, &expr.ty.kind);
            let leaves = may_leave_its_type(func) && !own.fits(&expr.ty.kind);
            let inside = *func != Func::Lost && parts.iter().any(|(_, leaves)| *leaves);
            (own.within(&expr.ty.kind), leaves || inside)
        }
    }
}

impl Reach {
    /// What is left of it in the type. The least `int` is one further from zero than the greatest.
    pub(super) fn within(self, kind: &Kind) -> Reach {
        let most = match kind {
            Kind::Int | Kind::Timestamp | Kind::Duration => INT_REACH,
            kind => limit(kind),
        };
        match self {
            Reach::Digits(digits) => Reach::Digits(digits.min(most)),
            // A column of floats may hold the greatest one.
            other => other,
        }
    }
}
