//! The kernel of each function on each kind of argument: the table from [`Func`] to the files of this folder.

use std::sync::Arc;

use datafusion_physical_expr::PhysicalExpr;
use metricc_ir::{Func, Kind, Type};

use super::compare::alike;
use super::operand::Body;
use super::{
    cast, choose, compare, decimal, float, hash, integer, list, logic, lookup, membership, ratio,
    record_fields, text, time, wide_arithmetic,
};
use crate::CompileError;

/// A function made ready for its kinds.
#[derive(Clone)]
pub(super) enum Prepared {
    /// `and` or `or`: evaluates its arguments one by one, for as long as they matter.
    Chain {
        /// `or`.
        is_or: bool,
    },
    /// `lost`: evaluates its arguments with the rows that they lose.
    Lost,
    /// Evaluates the first `n_evaluated` arguments, then the body on them.
    Body {
        /// The arguments after these are constants that the body already holds.
        n_evaluated: usize,
        /// The kernel.
        body: Body,
    },
}

/// Finds the kernel of a function on arguments of these kinds.
pub(super) fn prepare(
    func: &Func,
    kinds: &[Kind],
    args: &[Arc<dyn PhysicalExpr>],
    result: &Kind,
) -> Result<Prepared, CompileError> {
    if let Func::And | Func::Or = func
        && kinds.iter().all(|kind| *kind == Kind::Bool)
        && *result == Kind::Bool
    {
        return Ok(Prepared::Chain { is_or: *func == Func::Or });
    }
    if let (Func::Lost, [Kind::Bool, ..], Kind::Bool) = (func, kinds, result) {
        return Ok(Prepared::Lost);
    }
    if let Some((n_evaluated, body)) = membership::of_constants(func, kinds, args)? {
        return Ok(Prepared::Body { n_evaluated, body });
    }
    match body(func, kinds, result)? {
        Some(body) => Ok(Prepared::Body { n_evaluated: kinds.len(), body }),
        None => {
            let kinds: Vec<String> = kinds.iter().map(Kind::to_string).collect();
            let problem = format!("it is not defined as ({}) → {result}", kinds.join(", "));
            Err(CompileError::form(format!("function `{}`", name(func)), problem))
        }
    }
}

/// `None` if the function is not defined on these kinds.
fn body(func: &Func, kinds: &[Kind], result: &Kind) -> Result<Option<Body>, CompileError> {
    Ok(match (func, kinds) {
        (Func::Not, [Kind::Bool]) => Some(logic::not()),
        (Func::Eq, [left, right]) if alike(left, right) => Some(compare::equality(left, false)),
        (Func::Ne, [left, right]) if alike(left, right) => Some(compare::equality(left, true)),
        (Func::Lt | Func::Le | Func::Gt | Func::Ge, [left, right]) if alike(left, right) => {
            compare::order(func, left)
        }
        (Func::In, [first, others @ ..]) if others.iter().all(|other| alike(first, other)) => {
            Some(membership::of_values(first))
        }
        (Func::Coalesce, [left, right]) if alike(left, result) && alike(right, result) => {
            Some(choose::coalesce(result))
        }
        (Func::If, [Kind::Bool, left, right]) if alike(left, result) && alike(right, result) => {
            Some(choose::if_else(result))
        }
        (Func::Least | Func::Greatest, [_, ..]) if kinds.iter().all(|kind| alike(kind, result)) => {
            choose::extreme(result, *func == Func::Greatest)
        }
        (Func::Hash64, [_, ..]) if *result == Kind::Int => hash::hash64(kinds),
        (Func::Field(index), [record]) => record_fields::field(*index, record, result),
        (Func::Lookup(table), kinds) => lookup::lookup(table, kinds, result)?,
        (Func::Cast, [from]) => cast::cast(from, result),
        (Func::Ratio, [left, right]) if *result == Kind::Float => ratio::ratio(left, right),
        (
            Func::Lower
            | Func::Upper
            | Func::Trim
            | Func::StartsWith
            | Func::EndsWith
            | Func::Matches(_)
            | Func::Substr
            | Func::Split
            | Func::Concat
            | Func::Text,
            _,
        ) => text::body(func, kinds, result)?,
        (Func::Contains, [Kind::String, Kind::String]) => Some(text::contains()),
        (Func::Length, [Kind::String]) => Some(text::length()),
        (Func::Contains, [Kind::List(element), other]) if alike(&element.kind, other) => {
            Some(list::contains(other))
        }
        (Func::Length, [Kind::List(_)]) => Some(list::length()),
        (
            Func::Part(..)
            | Func::DateIn(_)
            | Func::TruncateTo(_)
            | Func::TruncateIn(..)
            | Func::PeriodTo(_)
            | Func::PeriodIn(..),
            [kind],
        ) => time::body(func, kind, result)?,
        _ => arithmetic(func, kinds, result),
    })
}

fn arithmetic(func: &Func, kinds: &[Kind], result: &Kind) -> Option<Body> {
    if kinds.iter().chain([result]).any(wide_arithmetic::is_wide) {
        return wide_arithmetic::body(func, kinds, result);
    }
    match kinds.first()? {
        Kind::Int | Kind::Timestamp | Kind::Duration => integer::body(func, kinds, result),
        Kind::Float => float::body(func, kinds, result),
        Kind::Int128 | Kind::Decimal { .. } => decimal::body(func, kinds, result),
        _ => None,
    }
}

/// The function as the language spells it.
pub(super) fn name(func: &Func) -> &str {
    match func {
        Func::And => "and",
        Func::Or => "or",
        Func::Not => "not",
        Func::Eq => "==",
        Func::Ne => "!=",
        Func::Lt => "<",
        Func::Le => "<=",
        Func::Gt => ">",
        Func::Ge => ">=",
        Func::In => "in",
        Func::Add => "+",
        Func::Sub => "-",
        Func::Mul => "*",
        Func::Div => "/",
        Func::Rem => "%",
        Func::Ratio => "ratio",
        Func::Neg => "negate",
        Func::Coalesce => "??",
        Func::If => "if",
        Func::Lower => "lower",
        Func::Upper => "upper",
        Func::Trim => "trim",
        Func::StartsWith => "starts_with",
        Func::EndsWith => "ends_with",
        Func::Contains => "contains",
        Func::Matches(_) => "matches",
        Func::Substr => "substr",
        Func::Split => "split",
        Func::Concat => "concat",
        Func::Length => "length",
        Func::Text => "text",
        Func::Part(..) => "part",
        Func::DateIn(_) => "date",
        Func::TruncateTo(_) | Func::TruncateIn(..) => "truncate",
        Func::PeriodTo(_) | Func::PeriodIn(..) => "period",
        Func::Abs => "abs",
        Func::Round(_) => "round",
        Func::Floor => "floor",
        Func::Ceil => "ceil",
        Func::Least => "min",
        Func::Greatest => "max",
        Func::Hash64 => "hash64",
        Func::Cast => "cast",
        Func::Field(_) => "field",
        Func::Lookup(_) => "lookup",
        Func::Lost => "lost",
        Func::UserDefined(import) => &import.name,
    }
}

/// The text before, between and after the arguments of a function.
pub(super) fn punctuation(func: &Func, result: &Type) -> (String, String, String) {
    let name = name(func);
    let call = |start: String, end: String| (format!("{start}("), ", ".to_owned(), format!("{end})"));
    match func {
        Func::And | Func::Or | Func::Eq | Func::Ne | Func::Lt | Func::Le | Func::Gt | Func::Ge => infix(name),
        Func::Add | Func::Sub | Func::Mul | Func::Div | Func::Rem | Func::Coalesce => infix(name),
        Func::Matches(pattern) => call(name.into(), format!(", {pattern:?}")),
        Func::Part(part, zone) => call(format!("{part:?}").to_lowercase(), format!(", {zone:?}")),
        Func::DateIn(zone) => call(name.into(), format!(", {zone:?}")),
        Func::TruncateTo(width_us) | Func::PeriodTo(width_us) => {
            call(name.into(), format!(", {width_us} µs"))
        }
        Func::TruncateIn(unit, calendar) | Func::PeriodIn(unit, calendar) => {
            let unit = format!("{unit:?}").to_lowercase();
            call(name.into(), format!(", {unit}, {:?}, week {}", calendar.zone, calendar.week_start))
        }
        Func::Round(digits) => call(name.into(), format!(", {digits}")),
        Func::Field(index) => (String::new(), String::new(), format!(".{index}")),
        Func::Lookup(lookup) => {
            let (start, end) = (format!("{}[", lookup.table().name), format!("].{}", lookup.column().name));
            (start, ", ".to_owned(), end)
        }
        Func::Cast => call(name.into(), format!(" as {}", result.kind)),
        _ => call(name.into(), String::new()),
    }
}

fn infix(name: &str) -> (String, String, String) {
    ("(".to_owned(), format!(" {name} "), ")".to_owned())
}
