//! The row part of a metric with exact arithmetic: what the checker has typed, made as wide as it needs to be
//! ([`metricc_ir::exact`]).
//!
//! Types of the language are checked before, so a wider result never makes an error. It shows in what an
//! aggregate presents: `max(price * qty)` is an `int128`.

use super::import;
use metricc_ir::exact::{either, lost, widened, widened_to};
use metricc_ir::{Aggregate, AggregateOp, Expr, ExprKind, Func, Key, Kind, Type, Value};

/// An aggregate over rows; `lost_rows` are those that the clauses of the metric let in without knowing that
/// they belong to their group.
pub(super) fn aggregate(
    op: AggregateOp,
    args: &[Expr],
    filter: Option<&Expr>,
    lost_rows: Option<&Expr>,
) -> Aggregate {
    let mut args: Vec<Expr> = args
        .iter()
        .enumerate()
        .map(|(index, arg)| if keeps_kind(&op, index) { widened_to(arg) } else { widened(arg) })
        .collect();
    if let AggregateOp::Covariance | AggregateOp::Correlation | AggregateOp::Slope | AggregateOp::Intercept =
        op
    {
        alike(&mut args);
    }
    let filter = filter.map(widened);
    let op = if args.first().is_some_and(is_wide) { of_wide(op) } else { op };
    let lost = either(lost_rows.cloned(), lost(filter.as_ref(), &args));
    let mut ty = presented(&op, &args);
    ty.optional |= lost.is_some();
    Aggregate { op, args, filter, lost, ty }
}

/// All `where`s of a metric, and the rows of which it cannot be known whether they pass, which are let in.
pub(super) fn filter(condition: Option<&Expr>) -> (Option<Expr>, Option<Expr>) {
    let condition = condition.map(widened);
    let lost = lost(condition.as_ref(), &[]);
    (condition.map(|condition| either(Some(condition.clone()), lost.clone()).unwrap_or(condition)), lost)
}

/// A key keeps its type. The rows whose key could not be computed are in the group of none.
pub(super) fn key(key: &Key) -> (Key, Option<Expr>) {
    let expr = widened_to(&key.expr);
    let lost = lost(None, std::slice::from_ref(&expr));
    (Key { name: key.name.clone(), expr }, lost)
}

fn is_wide(arg: &Expr) -> bool {
    arg.ty.kind == Kind::Int128
}

/// Arguments that are ints by their nature, or that the program takes as declared.
fn keeps_kind(op: &AggregateOp, index: usize) -> bool {
    match op {
        AggregateOp::BitsOr | AggregateOp::BitsAnd | AggregateOp::BitsXor | AggregateOp::UserDefined(_) => {
            true
        }
        AggregateOp::Retention { .. } => index == 1,
        _ => false,
    }
}

/// Two ints of one width.
fn alike(args: &mut [Expr]) {
    if !args.iter().any(is_wide) {
        return;
    }
    for arg in args.iter_mut().filter(|arg| arg.ty.kind == Kind::Int) {
        let ty = Type { kind: Kind::Int128, ..arg.ty.clone() };
        *arg = Expr { kind: ExprKind::Call(Func::Cast, vec![arg.clone()]), ty };
    }
}

/// The operation on `int128` instead of `int`.
fn of_wide(op: AggregateOp) -> AggregateOp {
    let wide =
        |value: Value| if let Value::Int(value) = value { Value::Decimal(value.into()) } else { value };
    match op {
        AggregateOp::Mean => AggregateOp::WideMean,
        AggregateOp::Histogram { edges } => {
            AggregateOp::Histogram { edges: edges.into_iter().map(wide).collect() }
        }
        AggregateOp::Frequency { error_ppm, item } => AggregateOp::Frequency { error_ppm, item: wide(item) },
        op => op,
    }
}

fn presented(op: &AggregateOp, args: &[Expr]) -> Type {
    match (op, op.spec()) {
        (AggregateOp::UserDefined(import), _) => import::presented(import),
        (_, Some(spec)) => {
            let kinds: Vec<&Kind> = args.iter().map(|arg| &arg.ty.kind).collect();
            spec.presents.ty(&kinds, op.error_ppm().is_some())
        }
        (_, None) => Type::of(Kind::Int),
    }
}
