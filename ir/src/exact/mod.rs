//! Row arithmetic that loses nothing: ints and decimals are computed as wide as they need, and what leaves
//! even 38 digits, or the range of floats, is not mistaken for a value that was never there.
//!
//! An aggregate skips rows whose argument is none. A product beyond its type would be none as well, and the
//! sum would lack it without a word. So the checker passes the row part of each metric through this module:
//!
//! - [`widened`] gives `int` arithmetic 128 bits where 64 may not do, and lets intermediate results have up
//!   to 76 digits. Where bounds show that the narrow type does, it stays.
//! - [`lost`] is the condition that a row could not be computed, where that is possible at all. An aggregate
//!   counts such rows beside its state, and presents none for a group that has any.
//!
//! Invariants: widening never changes the value of an expression that did not leave its types; [`lost`] is
//! `None` only for expressions that no row can make overflow.

mod bounds;
mod widen;

pub use bounds::may_leave_its_type;
pub use widen::{widened, widened_to};

use crate::{Expr, ExprKind, Func, Kind, Type, Value};

/// Whether some row may make the expression leave its type.
pub fn may_overflow(expr: &Expr) -> bool {
    bounds::of(expr).1
}

/// Whether a row would have been one of an aggregate's if its condition and arguments could be computed: true
/// where one of them left its type, and neither the condition nor a missing argument leaves the row out in
/// any case. `None` if no row can be such a one.
pub fn lost(filter: Option<&Expr>, args: &[Expr]) -> Option<Expr> {
    if !filter.into_iter().chain(args).any(may_overflow) {
        return None;
    }
    let always = || Expr { kind: ExprKind::Literal(Value::Bool(true)), ty: Type::of(Kind::Bool) };
    let condition = filter.cloned().unwrap_or_else(always);
    let operands = std::iter::once(condition).chain(args.iter().cloned()).collect();
    Some(Expr { kind: ExprKind::Call(Func::Lost, operands), ty: Type::of(Kind::Bool) })
}

/// `left or right`, of conditions that may be missing.
pub fn either(left: Option<Expr>, right: Option<Expr>) -> Option<Expr> {
    match (left, right) {
        (Some(left), Some(right)) if left == right => Some(left),
        (Some(left), Some(right)) => {
            Some(Expr { kind: ExprKind::Call(Func::Or, vec![left, right]), ty: Type::of(Kind::Bool) })
        }
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests;
