//! The same expression with room for its results.

use super::bounds::{self, DIGITS, Reach, WIDE_DIGITS, scale_of};
use crate::{Expr, ExprKind, Func, Kind, Type, Value};

/// A row expression whose arithmetic is exact: an `int` result becomes an `int128` where 64 bits may not hold
/// it, and what stands inside has up to 76 digits. Floats are as they were.
pub fn widened(expr: &Expr) -> Expr {
    let (wide, reach) = widen(expr, false);
    let declared = &expr.ty.kind;
    if is_number(declared) && reach.fits(declared) {
        // Bounds show that it does.
        return narrowed(wide, reach, declared);
    }
    match wide.ty.kind {
        Kind::Decimal { precision, .. } if precision > DIGITS => {
            narrowed(wide, reach, &of_digits(declared, DIGITS))
        }
        _ => wide,
    }
}

/// As [`widened`], of the kind that the expression has: what needs an `int` gets one.
pub fn widened_to(expr: &Expr) -> Expr {
    let (wide, reach) = widen(expr, false);
    narrowed(wide, reach, &expr.ty.kind)
}

/// The kind of a number with this many digits. Beyond 128 bits, ints are decimals without digits after the
/// point.
fn of_digits(declared: &Kind, precision: u8) -> Kind {
    match declared {
        Kind::Int | Kind::Int128 if precision <= DIGITS => Kind::Int128,
        kind => Kind::Decimal { precision, scale: scale_of(kind) },
    }
}

fn is_number(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Int128 | Kind::Decimal { .. })
}

/// The expression, perhaps of a wider kind of the same scale, and how far it reaches. `is_inside` says
/// whether the result is an operand of arithmetic, which need not fit 38 digits.
fn widen(expr: &Expr, is_inside: bool) -> (Expr, Reach) {
    match &expr.kind {
        ExprKind::Column(_) => (expr.clone(), bounds::of_column(&expr.ty.kind)),
        ExprKind::Literal(value) => (expr.clone(), bounds::of_literal(value, &expr.ty.kind)),
        ExprKind::Call(func, args) => widen_call(func, args, &expr.ty, is_inside),
    }
}

fn widen_call(func: &Func, args: &[Expr], ty: &Type, is_inside: bool) -> (Expr, Reach) {
    let keeps_kinds = !(is_arithmetic(func) || chooses(func) || compares(func) || *func == Func::Cast);
    let declared = args;
    let wide: Vec<(Expr, Reach)> = declared.iter().map(|arg| widen(arg, true)).collect();
    let (mut args, reaches): (Vec<Expr>, Vec<Reach>) = match keeps_kinds {
        true => {
            let pairs = wide.into_iter().zip(declared);
            pairs.map(|((wide, reach), arg)| (narrowed(wide, reach, &arg.ty.kind), reach)).unzip()
        }
        false => wide.into_iter().unzip(),
    };
    let mut joined = None;
    if chooses(func) || compares(func) {
        let first = usize::from(*func == Func::If);
        joined = join(&mut args[first..]);
    }
    let operands: Vec<(&Expr, Reach)> = args.iter().zip(&reaches).map(|(arg, reach)| (arg, *reach)).collect();
    let unbounded = bounds::of_call(func, &operands, &ty.kind);
    let mut kind = ty.kind.clone();
    if chooses(func) {
        kind = joined.unwrap_or(kind);
    } else if is_number(&kind) && (is_arithmetic(func) || *func == Func::Cast && is_exact(&args)) {
        kind = room(&kind, unbounded, is_inside);
        if is_arithmetic(func) && is_whole(&kind) {
            kind = whole_operands(&mut args, kind);
        }
    }
    let reach = unbounded.within(&kind);
    // What `??` made sure of may have no place where an `int` is needed. Conditions are never none.
    let is_condition = compares(func) || matches!(func, Func::And | Func::Or | Func::Not);
    let is_lost = args.iter().zip(declared).any(|(arg, declared)| arg.ty.optional && !declared.ty.optional);
    let optional = ty.optional || (is_lost && !is_condition);
    (Expr { kind: ExprKind::Call(func.clone(), args), ty: Type { kind, optional } }, reach)
}

/// The value as one of a kind; none where it does not fit, unless its reach shows that it does.
fn narrowed(expr: Expr, reach: Reach, kind: &Kind) -> Expr {
    let may_fail = !is_alike(&expr.ty.kind, kind) && !reach.fits(kind);
    let mut narrow = cast(expr, kind);
    narrow.ty.optional |= may_fail;
    narrow
}

/// Functions of numbers that have a kernel for each width.
fn is_arithmetic(func: &Func) -> bool {
    use Func::{Abs, Add, Ceil, Div, Floor, Mul, Neg, Rem, Round, Sub};
    matches!(func, Add | Sub | Mul | Div | Rem | Neg | Abs | Round(_) | Floor | Ceil)
}

/// Functions whose result is one of their arguments.
fn chooses(func: &Func) -> bool {
    matches!(func, Func::If | Func::Coalesce | Func::Least | Func::Greatest)
}

fn compares(func: &Func) -> bool {
    matches!(func, Func::Eq | Func::Ne | Func::Lt | Func::Le | Func::Gt | Func::Ge | Func::In)
}

fn is_exact(args: &[Expr]) -> bool {
    args.iter().all(|arg| is_number(&arg.ty.kind))
}

fn is_whole(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Int128)
}

/// The narrowest kind, from the declared one on, that holds the reach; between two operations also more than
/// 38 digits.
fn room(declared: &Kind, reach: Reach, is_inside: bool) -> Kind {
    let most = of_digits(declared, DIGITS);
    if reach.fits(declared) {
        declared.clone()
    } else if reach.fits(&most) || !is_inside {
        most
    } else {
        of_digits(declared, WIDE_DIGITS)
    }
}

/// Brings the operands of an operation on ints to the kernels that exist: all `int`, or all `int128`. Beyond
/// 38 digits one kernel takes any. The kind of the result.
fn whole_operands(args: &mut [Expr], kind: Kind) -> Kind {
    let is_narrow = |arg: &Expr| arg.ty.kind == Kind::Int;
    if args.iter().all(is_narrow) || args.iter().any(|arg| matches!(arg.ty.kind, Kind::Decimal { .. })) {
        return kind;
    }
    args.iter_mut().for_each(|arg| *arg = cast(arg.clone(), &Kind::Int128));
    Kind::Int128
}

/// Brings numbers to the widest kind among them, which it gives.
fn join(args: &mut [Expr]) -> Option<Kind> {
    let width = |kind: &Kind| match kind {
        Kind::Int => Some(0),
        Kind::Int128 => Some(DIGITS),
        Kind::Decimal { precision, .. } => Some(*precision),
        _ => None,
    };
    let widest = args.iter().max_by_key(|arg| width(&arg.ty.kind)).map(|arg| arg.ty.kind.clone());
    let widest = widest.filter(is_number)?;
    args.iter_mut().for_each(|arg| *arg = cast(arg.clone(), &widest));
    Some(widest)
}

/// Whether a number of one kind has the form of the other. Decimals of up to 38 digits have one form, in
/// which digits are not counted again.
fn is_alike(from: &Kind, to: &Kind) -> bool {
    let is_narrow = |precision: u8| precision <= DIGITS;
    match (from, to) {
        (Kind::Decimal { precision, scale }, Kind::Decimal { precision: other, scale: wanted }) => {
            scale == wanted && (is_narrow(*precision) == is_narrow(*other))
        }
        (from, to) => from == to || !is_number(from) || !is_number(to),
    }
}

/// The value as one of a kind; none where it does not fit.
fn cast(expr: Expr, kind: &Kind) -> Expr {
    if is_alike(&expr.ty.kind, kind) {
        return expr;
    }
    let ty = Type { kind: kind.clone(), ..expr.ty.clone() };
    match expr.kind {
        ExprKind::Literal(Value::Int(value)) if *kind == Kind::Int128 => {
            Expr { kind: ExprKind::Literal(Value::Decimal(value.into())), ty }
        }
        _ => Expr { kind: ExprKind::Call(Func::Cast, vec![expr]), ty },
    }
}
