//! Parameters of aggregates: literals within limits.

use super::checker::Checker;
use super::literal::{self, number};
use crate::ast::{Expr, ExprKind, Number};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use metricc_ir::functions::{Param, Parameters};
use metricc_ir::{Kind, Value};

/// A quantile of one, in billionths.
const ONE: i128 = 1_000_000_000;

impl Checker<'_> {
    /// Notes a literal in `given`; `of` is the kind of the aggregate's value.
    pub(super) fn literal(
        &mut self,
        param: &Param,
        expr: &Expr,
        of: Option<&Kind>,
        given: &mut Parameters,
    ) -> Option<()> {
        match *param {
            Param::Count { most, what } => given.count = self.whole_number(expr, most, what)?,
            Param::Quantile => given.q_ppb = self.quantile(expr)?,
            Param::Within { least_ppm, most_ppm, .. } => {
                given.error_ppm = Some(self.relative_error(expr, least_ppm.into(), most_ppm.into())?);
            }
            Param::Time { .. } => given.time = self.time(expr)?,
            Param::Item => given.item = self.parameter(expr, of?)?,
            Param::Edges(most) => given.edges = self.edges(expr, of, most)?,
            _ => {}
        }
        Some(())
    }

    /// How long something may take.
    fn time(&mut self, expr: &Expr) -> Option<i64> {
        match expr.bare().kind {
            ExprKind::Duration { micros, .. } if micros >= 0 => Some(micros),
            _ => {
                self.report(
                    Diagnostic::new(Code::LiteralArgument, "not a time for the steps", expr.span, "")
                        .help("write a duration, such as `within: 1h`"),
                );
                None
            }
        }
    }

    /// `[10, 100]`, ascending.
    fn edges(&mut self, expr: &Expr, of: Option<&Kind>, most: usize) -> Option<Vec<Value>> {
        let problem = |message: String, span| Diagnostic::new(Code::LiteralArgument, message, span, "");
        let ExprKind::List(elements) = &expr.bare().kind else {
            let help = "write ascending literals in brackets: `histogram(ms, [10, 100, 1000])`";
            self.report(problem("not a list of edges".to_owned(), expr.span).help(help));
            return None;
        };
        let of = of?;
        let known: Vec<Option<Value>> = elements.iter().map(|element| self.parameter(element, of)).collect();
        let known = known.into_iter().collect::<Option<Vec<Value>>>()?;
        if known.is_empty() || known.len() > most {
            let message = format!("a histogram with {} edges", known.len());
            self.report(problem(message, expr.span).help(format!("write 1 to {most} edges")));
            return None;
        }
        if let Some(place) = known.windows(2).position(|pair| !is_less(&pair[0], &pair[1])) {
            let (message, span) = ("edges that are not ascending", elements[place + 1].span);
            self.report(
                Diagnostic::new(Code::LiteralArgument, message, span, "this is not above the one before")
                    .help("sort the edges, and write each once"),
            );
            return None;
        }
        Some(known)
    }

    /// A literal of a kind.
    fn parameter(&mut self, expr: &Expr, kind: &Kind) -> Option<Value> {
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
    fn whole_number(&mut self, expr: &Expr, most: u32, what: &str) -> Option<u32> {
        let number = number(&expr.bare().kind).and_then(|number| scaled(number, 0));
        let number = number.filter(|number| (1..=i128::from(most)).contains(number));
        if number.is_none() && !matches!(expr.kind, ExprKind::Poisoned) {
            let message = format!("not a whole number from 1 to {most}");
            self.report(
                Diagnostic::new(Code::LiteralArgument, message, expr.span, "").help(format!("write {what}")),
            );
        }
        number.and_then(|number| u32::try_from(number).ok())
    }

    /// `0.99` → billionths.
    fn quantile(&mut self, expr: &Expr) -> Option<u32> {
        let number = number(&expr.bare().kind);
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
    fn relative_error(&mut self, expr: &Expr, least: i128, most: i128) -> Option<u32> {
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
fn is_less(left: &Value, right: &Value) -> bool {
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
