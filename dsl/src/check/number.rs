//! The kinds of number: what two of them have in common, and casts between them.

use super::checker::{Checker, NoneKind, Typed};
use metricc_ir::functions::Sort;
use metricc_ir::{Func, Kind};

/// Digits of an `int` as a decimal.
const INT_DIGITS: u8 = 19;
/// Most digits of a decimal.
pub(super) const MOST_DIGITS: u8 = 38;

/// Why two kinds of number have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// An exact number and a float, in a row.
    Mixed,
    /// No decimal of 38 digits holds both.
    TooWide,
    /// They are not both numbers.
    Other,
}

/// Precision and scale of an exact number as a decimal.
pub(super) fn as_decimal(kind: &Kind) -> Option<(u8, u8)> {
    match kind {
        Kind::Int => Some((INT_DIGITS, 0)),
        Kind::Int128 => Some((MOST_DIGITS, 0)),
        Kind::Decimal { precision, scale } => Some((*precision, *scale)),
        _ => None,
    }
}

/// The kind that holds the values of both. Over aggregates (`is_output`) exact numbers become floats
/// beside floats, and what exceeds 38 digits is none; in rows both are for the author to say.
pub(super) fn join(left: &Kind, right: &Kind, is_output: bool, clamp: bool) -> Result<Kind, Apart> {
    if left == right {
        return Ok(left.clone());
    }
    if !Sort::AnyNumber.fits(left) || !Sort::AnyNumber.fits(right) {
        return Err(Apart::Other);
    }
    match (left, right) {
        (Kind::Float, _) | (_, Kind::Float) if is_output => return Ok(Kind::Float),
        (Kind::Float, _) | (_, Kind::Float) => return Err(Apart::Mixed),
        (Kind::Int | Kind::Int128, Kind::Int | Kind::Int128) => return Ok(Kind::Int128),
        _ => {}
    }
    let ((p1, s1), (p2, s2)) = as_decimal(left).zip(as_decimal(right)).ok_or(Apart::Other)?;
    let scale = s1.max(s2);
    let precision = (p1 - s1).max(p2 - s2) + scale;
    if precision > MOST_DIGITS && !(clamp || is_output) {
        return Err(Apart::TooWide);
    }
    Ok(Kind::Decimal { precision: precision.min(MOST_DIGITS), scale })
}

/// Whether a value of one kind may have no place in the other.
fn may_not_fit(from: &Kind, to: &Kind) -> bool {
    match (from, to) {
        (_, Kind::Float) => false,
        (Kind::Float, _) | (_, Kind::Int) => true,
        (Kind::Int, Kind::Int128) => false,
        _ => match (as_decimal(from), as_decimal(to)) {
            (Some((p1, s1)), Some((p2, s2))) if s2 >= s1 => p2 - s2 < p1 - s1,
            // Rounding may carry into one more digit.
            (Some((p1, s1)), Some((p2, s2))) => p2 - s2 <= p1 - s1,
            _ => true,
        },
    }
}

impl Checker<'_> {
    /// The same number as another kind.
    pub(super) fn cast(&mut self, typed: Typed, kind: &Kind) -> Option<Typed> {
        if typed.kind() == kind {
            return Some(typed);
        }
        let own = if may_not_fit(typed.kind(), kind) { NoneKind::Silent } else { NoneKind::Never };
        let none = typed.none.max(own);
        let span = typed.span;
        self.apply(Func::Cast, vec![typed], kind.clone(), none, span)
    }
}
