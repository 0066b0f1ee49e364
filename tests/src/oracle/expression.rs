//! Row expressions, evaluated one row at a time: to values, or so that a value that left its type is not the
//! same as one that was never there.

use metricc_ir::{Expr, ExprKind, Func};
use num_traits::Zero;

use super::datum::Datum;
use super::scalar;

/// The value of an expression over the columns of its scope.
pub(super) fn evaluate(expr: &Expr, scope: &[Datum]) -> Datum {
    match &expr.kind {
        ExprKind::Column(index) => scope[*index].clone(),
        ExprKind::Literal(value) => Datum::of(value, &expr.ty.kind),
        ExprKind::Call(Func::Lost, args) => Datum::Bool(is_lost(args, scope)),
        ExprKind::Call(func, args) => {
            let values: Vec<Datum> = args.iter().map(|arg| evaluate(arg, scope)).collect();
            scalar::call(func, &values, args, &expr.ty.kind)
        }
    }
}

/// The value of an expression, [`Datum::Lost`] where it cannot be known.
pub(super) fn evaluate_or_lost(expr: &Expr, scope: &[Datum]) -> Datum {
    let ExprKind::Call(func, args) = &expr.kind else { return evaluate(expr, scope) };
    if let Func::Lost = func {
        return Datum::Bool(is_lost(args, scope));
    }
    let values: Vec<Datum> = args.iter().map(|arg| evaluate_or_lost(arg, scope)).collect();
    let is_any_lost = values.iter().any(|value| matches!(value, Datum::Lost));
    match (func, values.as_slice()) {
        (Func::And, [left, right]) => decided(left, right, false),
        (Func::Or, [left, right]) => decided(left, right, true),
        (Func::Coalesce, [Datum::None, right]) => right.clone(),
        (Func::Coalesce, [left, _]) => left.clone(),
        (Func::If, [Datum::Lost, ..]) => Datum::Lost,
        (Func::If, [condition, yes, no]) => if condition.is_true() { yes } else { no }.clone(),
        (Func::Eq | Func::Ne | Func::In | Func::Hash64 | Func::Contains, _) if is_any_lost => Datum::Lost,
        (_, values) if is_any_lost => match (func, values.iter().any(Datum::is_none)) {
            (Func::Lt | Func::Le | Func::Gt | Func::Ge, true) => Datum::Bool(false),
            (_, true) => Datum::None,
            (_, false) => Datum::Lost,
        },
        (func, values) => match scalar::call(func, values, args, &expr.ty.kind) {
            Datum::None if left_its_type(func, values) => Datum::Lost,
            value => value,
        },
    }
}

/// Three-valued `and` (`or` with `decider` true): one operand may decide alone.
fn decided(left: &Datum, right: &Datum, decider: bool) -> Datum {
    let decides = |value: &Datum| !matches!(value, Datum::Lost) && value.is_true() == decider;
    match (left, right) {
        (left, right) if decides(left) || decides(right) => Datum::Bool(decider),
        (Datum::Lost, _) | (_, Datum::Lost) => Datum::Lost,
        _ => Datum::Bool(!decider),
    }
}

/// Whether a function of present values has no result because its type has no place for it.
fn left_its_type(func: &Func, values: &[Datum]) -> bool {
    match (func, values) {
        (_, values) if values.iter().any(Datum::is_none) => false,
        (Func::Div | Func::Rem, [_, divisor]) => !divisor.exact().is_zero(),
        (Func::Lookup(_) | Func::Field(_) | Func::UserDefined(_) | Func::Coalesce | Func::If, _) => false,
        _ => true,
    }
}

/// Whether a row would count if its condition and values could be computed, and one of them cannot.
fn is_lost(args: &[Expr], scope: &[Datum]) -> bool {
    let values: Vec<Datum> = args.iter().map(|arg| evaluate_or_lost(arg, scope)).collect();
    let (condition, values) = values.split_first().expect("a condition");
    let is_in = condition.is_true() || matches!(condition, Datum::Lost);
    let is_any_lost = std::iter::once(condition).chain(values).any(|value| matches!(value, Datum::Lost));
    is_in && is_any_lost && !values.iter().any(Datum::is_none)
}
