//! Parameters of aggregates: literals within limits, that are no values of rows.

use super::checker::Checker;
use super::function::number_literal;
use super::literal;
use crate::ast::{Expr, ExprKind, Number};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use metricc_ir::{Kind, Value};

/// A quantile of one, in billionths.
const ONE: i128 = 1_000_000_000;

impl Checker<'_> {
    /// A literal of a kind.
    pub(super) fn parameter(&mut self, expr: &Expr, kind: &Kind) -> Option<Value> {
        match literal::constant(expr.bare(), kind) {
            Ok(Value::None) | Err(None) => None,
            Ok(value) => Some(value),
            Err(Some(diagnostic)) => {
                self.report(*diagnostic);
                None
            }
        }
    }

    /// A whole number from one on.
    pub(super) fn whole_number(&mut self, expr: &Expr, most: i128, what: &str) -> Option<u32> {
        let number = number_literal(&expr.bare().kind).and_then(|number| scaled(number, 0));
        let number = number.filter(|number| (1..=most).contains(number));
        if number.is_none() && !matches!(expr.kind, ExprKind::Poisoned) {
            let message = format!("not a whole number from 1 to {most}");
            self.report(
                Diagnostic::new(Code::LiteralArgument, message, expr.span, "").help(format!("write {what}")),
            );
        }
        number.and_then(|number| u32::try_from(number).ok())
    }

    /// `0.99` → billionths.
    pub(super) fn quantile(&mut self, expr: &Expr) -> Option<u32> {
        let number = number_literal(&expr.bare().kind);
        let q_ppb = number.and_then(|number| scaled(number, 9)).filter(|q_ppb| (0..=ONE).contains(q_ppb));
        if q_ppb.is_none() && !matches!(expr.kind, ExprKind::Poisoned) {
            self.report(
                Diagnostic::new(Code::LiteralArgument, "not a quantile", expr.span, "")
                    .help("write a number from 0 to 1 with at most nine digits, such as `0.99`"),
            );
        }
        q_ppb.and_then(|q_ppb| u32::try_from(q_ppb).ok())
    }

    /// `1%` → millionths, within limits in millionths.
    pub(super) fn relative_error(&mut self, expr: &Expr, least: i128, most: i128) -> Option<u32> {
        let ppm = match expr.bare().kind {
            ExprKind::Percent(number) => scaled(number, 4),
            ExprKind::Poisoned => return None,
            _ => None,
        };
        let ppm = ppm.filter(|ppm| (least..=most).contains(ppm));
        if ppm.is_none() {
            let percent = |ppm: i128| format!("{}", ppm as f64 / 10_000.0);
            self.report(Diagnostic::new(Code::LiteralArgument, "not an error bound", expr.span, "").help(
                format!(
                    "write a percentage from `{}%` to `{}%`, such as `1%`",
                    percent(least),
                    percent(most)
                ),
            ));
        }
        ppm.and_then(|ppm| u32::try_from(ppm).ok())
    }
}

/// `number · 10^digits`, if that is whole.
fn scaled(number: Number, digits: u8) -> Option<i128> {
    if number.scale <= digits {
        return number.digits.checked_mul(10_i128.checked_pow(u32::from(digits - number.scale))?);
    }
    let divisor = 10_i128.checked_pow(u32::from(number.scale - digits))?;
    (number.digits % divisor == 0).then_some(number.digits / divisor)
}

/// Whether one literal is below another of its kind.
pub(super) fn is_less(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left < right,
        (Value::Int(left), Value::Int(right)) => left < right,
        (Value::Decimal(left), Value::Decimal(right)) => left < right,
        (Value::Float(left), Value::Float(right)) => left < right,
        (Value::String(left), Value::String(right)) => left.as_bytes() < right.as_bytes(),
        (Value::Enum(left), Value::Enum(right)) => left < right,
        (Value::Date(left), Value::Date(right)) => left < right,
        (Value::Timestamp(left), Value::Timestamp(right))
        | (Value::Duration(left), Value::Duration(right)) => left < right,
        _ => false,
    }
}
