//! Literals take the type of their place: what a number or a text is worth as a given kind.

use crate::ast::{Expr, ExprKind, Number, UnaryOperator};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions::Sort;
use metricc_ir::suggest;
use metricc_ir::text::timestamp::{self, TimeProblem};
use metricc_ir::{Kind, Value};

/// A literal whose kind is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Number(Number),
    Text(String),
    None,
}

impl Literal {
    /// The kind that it has if its place asks for none in particular.
    pub(super) fn own_kind(&self) -> Kind {
        match self {
            Literal::Number(number) if !number.point && i64::try_from(number.digits).is_ok() => Kind::Int,
            Literal::Number(number) => decimal_kind(*number),
            Literal::Text(_) => Kind::String,
            Literal::None => Kind::Bool,
        }
    }
}

/// The number literal of an expression, unless it is something else.
pub(super) fn number(kind: &ExprKind) -> Option<Number> {
    match kind {
        ExprKind::Number(number) => Some(*number),
        _ => None,
    }
}

/// The decimal of exactly the digits of a number.
pub(super) fn decimal_kind(number: Number) -> Kind {
    let n_digits = number.digits.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
    let precision = u8::try_from(n_digits).unwrap_or(u8::MAX).max(number.scale).clamp(1, 38);
    Kind::Decimal { precision, scale: number.scale }
}

/// What a literal is worth as a value of `kind`, or why it is worth nothing.
pub(super) fn value_as(literal: &Literal, kind: &Kind, span: Span) -> Result<Value, Box<Diagnostic>> {
    match literal {
        Literal::None => Ok(Value::None),
        Literal::Number(number) => number_as(*number, kind).ok_or_else(|| {
            let is_number = Sort::AnyNumber.fits(kind);
            let diagnostic = if is_number {
                Diagnostic::new(Code::NumberLiteral, format!("this number is no `{kind}`"), span, "")
                    .help(fitting(kind))
            } else {
                Diagnostic::new(Code::TypeMismatch, format!("a number where `{kind}` is expected"), span, "")
                    .help(format!("write a value of type `{kind}`"))
            };
            Box::new(diagnostic)
        }),
        Literal::Text(text) => match kind {
            Kind::String => Ok(Value::String(text.clone())),
            Kind::Enum(names) => enum_value(text, names, span),
            Kind::Date => timestamp::parse_date(text).map(Value::Date).map_err(|_| {
                let message = format!("`\"{text}\"` is not a date");
                Box::new(
                    Diagnostic::new(Code::TextLiteral, message, span, "")
                        .help("write it as `\"2026-04-25\"`"),
                )
            }),
            Kind::Timestamp => instant(text).map(Value::Timestamp).map_err(|help| {
                let message = format!("`\"{text}\"` is not an instant");
                Box::new(Diagnostic::new(Code::TextLiteral, message, span, "").help(help))
            }),
            _ => Err(Box::new(
                Diagnostic::new(Code::TypeMismatch, format!("text where `{kind}` is expected"), span, "")
                    .help(format!("write a value of type `{kind}`")),
            )),
        },
    }
}

fn fitting(kind: &Kind) -> String {
    match kind {
        Kind::Decimal { precision, scale } => {
            format!("it has at most {} digits before the point and {scale} after it", precision - scale)
        }
        _ => "an `int` is whole and has 64 bits".to_owned(),
    }
}

/// The exact value as `kind`, or for a float the nearest one.
fn number_as(number: Number, kind: &Kind) -> Option<Value> {
    match kind {
        Kind::Int if !number.point => i64::try_from(number.digits).ok().map(Value::Int),
        Kind::Int128 if !number.point => Some(Value::Decimal(number.digits)),
        Kind::Decimal { precision, scale } => {
            let factor = 10_i128.checked_pow(u32::from(scale.checked_sub(number.scale)?))?;
            let digits = number.digits.checked_mul(factor)?;
            let limit = 10_u128.checked_pow(u32::from(*precision))?;
            (digits.unsigned_abs() < limit).then_some(Value::Decimal(digits))
        }
        Kind::Float => {
            let text = format!("{}e-{}", number.digits, number.scale);
            let value: f64 = text.parse().ok()?;
            // -0.0 does not exist here.
            Some(Value::Float(if value == 0.0 { 0.0 } else { value }))
        }
        _ => None,
    }
}

fn enum_value(text: &str, names: &[String], span: Span) -> Result<Value, Box<Diagnostic>> {
    if let Some(place) = names.iter().position(|name| name == text) {
        return Ok(Value::Enum(u32::try_from(place).unwrap_or(u32::MAX)));
    }
    let message = format!("`\"{text}\"` is not a value of the enum");
    let diagnostic = Diagnostic::new(Code::TextLiteral, message, span, "");
    // A long enum is a list of codes, which all look alike.
    let is_short = names.len() <= 256;
    let nearest = is_short.then(|| suggest::nearest(text, names.iter().map(String::as_str))).flatten();
    Err(Box::new(match nearest {
        Some(meant) => diagnostic.help(format!("did you mean `\"{meant}\"`?")),
        None if names.len() <= 32 => diagnostic.help(format!("its values are {}", suggest::all_of(names))),
        None => diagnostic.help(format!("it has {} values, as the source declares them", names.len())),
    }))
}

/// The instant of a literal, in µs since 1970-01-01T00:00Z, or what is to be written instead.
fn instant(text: &str) -> Result<i64, &'static str> {
    if timestamp::parse_date(text).is_ok() {
        return Err("add the time and an offset: `T00:00:00Z`");
    }
    timestamp::parse_exact(text).map_err(|problem| match problem {
        TimeProblem::NoOffset => "add an offset: `Z` for UTC, or such as `+05:30`",
        TimeProblem::BeyondMicroseconds => "there are at most six digits after the second",
        _ => "write it as `\"2026-04-25T10:00:00Z\"` or `\"2026-04-25T10:00:00+05:30\"`",
    })
}

/// The value of an expression that has to be a literal. `Err(None)`: it was reported already.
pub(super) fn constant(expr: &Expr, kind: &Kind) -> Result<Value, Option<Box<Diagnostic>>> {
    let problem = |message: String| {
        Some(Box::new(
            Diagnostic::new(Code::TypeMismatch, message, expr.span, "")
                .help(format!("write a literal of type `{kind}`")),
        ))
    };
    let literal = match (&expr.kind, kind) {
        (ExprKind::Poisoned, _) => return Err(None),
        (ExprKind::Number(number), _) => Literal::Number(*number),
        (ExprKind::Unary { operator: UnaryOperator::Negate, operand }, _) => match operand.kind {
            ExprKind::Number(number) => Literal::Number(Number { digits: -number.digits, ..number }),
            _ => return Err(problem("this is not a literal".to_owned())),
        },
        (ExprKind::String(text), _) => Literal::Text(text.clone()),
        (ExprKind::Bool(value), Kind::Bool) => return Ok(Value::Bool(*value)),
        (ExprKind::Duration { micros, .. }, Kind::Duration) => return Ok(Value::Duration(*micros)),
        (ExprKind::List(elements), Kind::List(element)) => {
            let values: Result<Vec<Value>, _> = elements
                .iter()
                .map(|value| match value.kind {
                    ExprKind::None if element.optional => Ok(Value::None),
                    _ => constant(value, &element.kind),
                })
                .collect();
            return values.map(Value::List);
        }
        (ExprKind::None, _) => return Err(problem("`none` as a default".to_owned())),
        (ExprKind::Bool(_) | ExprKind::Duration { .. } | ExprKind::List(_), _) => {
            return Err(problem(format!("this literal is no `{kind}`")));
        }
        _ => return Err(problem("this is not a literal".to_owned())),
    };
    value_as(&literal, kind, expr.span).map_err(Some)
}
