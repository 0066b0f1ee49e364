//! Operators. Over aggregates, `/` is the exact ratio rounded once; in rows it divides in the kind of
//! its operands.

use super::checker::{Checker, NoneKind, Typed};
use super::literal::{self, Literal};
use super::number::{MOST_DIGITS, as_decimal};
use super::unify::open_literal;
use crate::ast::{BinaryOperator, Expr, ExprKind, Number};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions::Sort;
use metricc_ir::{Func, Kind};

/// Digits that a division adds.
const DIVISION_DIGITS: u8 = 6;

impl Checker<'_> {
    pub(super) fn binary(
        &mut self,
        operator: BinaryOperator,
        operator_span: Span,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Option<Typed> {
        let what = format!("`{}`", operator.text());
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            return self.logic(operator, left, right, &what, span);
        }
        if operator.is_comparison()
            && let ExprKind::Binary { operator: inner, right: middle, .. } = &left.kind
            && inner.is_comparison()
        {
            self.chained((operator, operator_span), *inner, middle, right);
            return None;
        }
        let (left, right) = (self.expr(left), self.expr(right));
        let (left, right) = (left?, right?);
        match operator {
            BinaryOperator::Coalesce => self.coalesce(left, right, operator_span, span),
            BinaryOperator::Equal => self.equality(Func::Eq, left, right, &what, span),
            BinaryOperator::NotEqual => self.equality(Func::Ne, left, right, &what, span),
            BinaryOperator::Less => self.ordering(Func::Lt, left, right, &what, span),
            BinaryOperator::LessOrEqual => self.ordering(Func::Le, left, right, &what, span),
            BinaryOperator::Greater => self.ordering(Func::Gt, left, right, &what, span),
            BinaryOperator::GreaterOrEqual => self.ordering(Func::Ge, left, right, &what, span),
            _ => self.arithmetic(operator, left, right, &what, span),
        }
    }

    fn chained(
        &mut self,
        (outer, span): (BinaryOperator, Span),
        inner: BinaryOperator,
        middle: &Expr,
        right: &Expr,
    ) {
        let text = |span: Span| match self.quote(span).as_str() {
            "this" => "…".to_owned(),
            quoted => quoted.trim_matches('`').to_owned(),
        };
        let (middle, right) = (text(middle.span), text(right.span));
        let help =
            format!("compare twice: `… {} {middle} and {middle} {} {right}`", inner.text(), outer.text());
        self.report(
            Diagnostic::new(Code::ChainedComparison, "a comparison of a comparison", span, "").help(help),
        );
    }

    fn logic(
        &mut self,
        operator: BinaryOperator,
        left: &Expr,
        right: &Expr,
        what: &str,
        span: Span,
    ) -> Option<Typed> {
        let is_and = operator == BinaryOperator::And;
        let checked = self.expr(left);
        let checked = checked.and_then(|typed| self.need_bool(typed, what));
        let right = self.with_facts(left, is_and, |checker| {
            checker.expr(right).and_then(|typed| checker.need_bool(typed, what))
        });
        let func = if is_and { Func::And } else { Func::Or };
        self.apply(func, vec![checked?, right?], Kind::Bool, NoneKind::Never, span)
    }

    fn coalesce(&mut self, left: Typed, right: Typed, operator_span: Span, span: Span) -> Option<Typed> {
        if left.none == NoneKind::Never {
            let quoted = self.quote(left.span);
            self.report(
                Diagnostic::new(
                    Code::NeverNone,
                    format!("{quoted} is never none"),
                    operator_span,
                    "what follows is never used",
                )
                .also(left.span, format!("this is `{}`", left.expr.ty))
                .help("remove `??` and what follows it"),
            );
        }
        let (left, right) = self.unify_pair(left, right, "`??`", false)?;
        let kind = left.kind().clone();
        let none = right.none;
        self.apply(Func::Coalesce, vec![left, right], kind, none, span)
    }

    fn equality(&mut self, func: Func, left: Typed, right: Typed, what: &str, span: Span) -> Option<Typed> {
        for (value, other) in [(&left, &right), (&right, &left)] {
            if value.literal == Some(Literal::None) && other.none == NoneKind::Never {
                let quoted = self.quote(other.span);
                let diagnostic = Diagnostic::new(
                    Code::NeverNone,
                    format!("{quoted} is never none"),
                    span,
                    "always the same",
                )
                .also(other.span, format!("this is `{}`", other.expr.ty))
                .help("remove the test");
                self.report(diagnostic);
            }
        }
        let (left, right) = self.unify_pair(left, right, what, false)?;
        self.apply(func, vec![left, right], Kind::Bool, NoneKind::Never, span)
    }

    fn ordering(&mut self, func: Func, left: Typed, right: Typed, what: &str, span: Span) -> Option<Typed> {
        let (left, right) = (self.need_value(left, what), self.need_value(right, what));
        let (left, right) = self.unify_pair(left?, right?, what, false)?;
        if !Sort::Ordered.fits(left.kind()) {
            let kind = left.kind().clone();
            self.report(
                Diagnostic::new(Code::TypeMismatch, format!("{what} on `{kind}`"), span, "it has no order")
                    .help("compare with `==`"),
            );
            return None;
        }
        // None on a side makes it false: the result is plain.
        self.apply(func, vec![left, right], Kind::Bool, NoneKind::Never, span)
    }

    pub(super) fn negate(&mut self, operand: &Expr, span: Span) -> Option<Typed> {
        let typed = self.expr(operand)?;
        if let Some(Literal::Number(number)) = typed.literal {
            return Some(open_literal(Literal::Number(Number { digits: -number.digits, ..number }), span));
        }
        let typed = self.need_value(typed, "unary `-`")?;
        if !Sort::AnyNumber.fits(typed.kind()) && *typed.kind() != Kind::Duration {
            self.operand_kinds("unary `-`", "a number or a duration", &[&typed], "");
            return None;
        }
        let kind = typed.kind().clone();
        self.propagate(Func::Neg, vec![typed], kind, NoneKind::Silent, span)
    }

    /// Reports operands of a kind that an operator does not take.
    fn operand_kinds(&mut self, what: &str, expected: &str, operands: &[&Typed], help: &str) {
        let Some((first, rest)) = operands.split_last() else { return };
        let label = |typed: &Typed| format!("this is `{}`", typed.kind());
        let mut diagnostic =
            Diagnostic::new(Code::TypeMismatch, format!("{what} takes {expected}"), first.span, label(first));
        for operand in rest {
            diagnostic = diagnostic.also(operand.span, label(operand));
        }
        self.report(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    fn arithmetic(
        &mut self,
        operator: BinaryOperator,
        left: Typed,
        right: Typed,
        what: &str,
        span: Span,
    ) -> Option<Typed> {
        let (left, right) = (self.need_value(left, what), self.need_value(right, what));
        let (left, right) = (left?, right?);
        let is_time = |typed: &Typed| matches!(typed.kind(), Kind::Timestamp | Kind::Duration);
        if is_time(&left) || is_time(&right) {
            return self.time_arithmetic(operator, left, right, what, span);
        }
        if !Sort::AnyNumber.fits(left.kind()) || !Sort::AnyNumber.fits(right.kind()) {
            let texts = *left.kind() == Kind::String && *right.kind() == Kind::String;
            let help = match operator {
                BinaryOperator::Add if texts => "join texts with `concat(a, b)`",
                _ => "",
            };
            self.operand_kinds(what, "numbers", &[&left, &right], help);
            return None;
        }
        self.not_by_zero(operator, &right, what)?;
        match operator {
            BinaryOperator::Multiply => self.multiply(left, right, what, span),
            BinaryOperator::Divide if self.is_output() => self.ratio(left, right, span),
            BinaryOperator::Divide => self.divide(left, right, what, span),
            BinaryOperator::Remainder => self.remainder(left, right, what, span),
            BinaryOperator::Add => self.sum(Func::Add, left, right, what, span),
            _ => self.sum(Func::Sub, left, right, what, span),
        }
    }

    fn not_by_zero(&mut self, operator: BinaryOperator, right: &Typed, what: &str) -> Option<()> {
        let divides = matches!(operator, BinaryOperator::Divide | BinaryOperator::Remainder);
        let is_zero = matches!(right.literal, Some(Literal::Number(Number { digits: 0, .. })));
        if divides && is_zero {
            self.report(
                Diagnostic::new(
                    Code::DivisionByZero,
                    format!("{what} by zero is always none"),
                    right.span,
                    "",
                )
                .help("divide by something else, or write `none`"),
            );
            return None;
        }
        Some(())
    }

    fn sum(&mut self, func: Func, left: Typed, right: Typed, what: &str, span: Span) -> Option<Typed> {
        let (left, right) = self.unify_pair(left, right, what, true)?;
        let kind = match left.kind() {
            Kind::Decimal { precision, scale } => {
                Kind::Decimal { precision: (precision + 1).min(MOST_DIGITS), scale: *scale }
            }
            kind => kind.clone(),
        };
        self.propagate(func, vec![left, right], kind, NoneKind::Silent, span)
    }

    fn remainder(&mut self, left: Typed, right: Typed, what: &str, span: Span) -> Option<Typed> {
        let own = divisor_none(&right);
        let (left, right) = self.unify_pair(left, right, what, true)?;
        if !matches!(left.kind(), Kind::Int | Kind::Decimal { .. }) {
            self.operand_kinds(what, "ints or decimals", &[&left, &right], "");
            return None;
        }
        let kind = left.kind().clone();
        self.propagate(Func::Rem, vec![left, right], kind, own, span)
    }

    /// Both as float, both as int, both as int128, or both as decimals of their own scales.
    fn factors(&mut self, left: Typed, right: Typed, what: &str) -> Option<(Typed, Typed)> {
        let is_decimal = |typed: &Typed| matches!(typed.kind(), Kind::Decimal { .. });
        let has_float = *left.kind() == Kind::Float || *right.kind() == Kind::Float;
        if has_float || !(is_decimal(&left) || is_decimal(&right)) {
            return self.unify_pair(left, right, what, true);
        }
        let (left, right) = (self.own_decimal(left), self.own_decimal(right));
        left.zip(right)
    }

    /// An exact number as a decimal, literals with exactly their digits.
    fn own_decimal(&mut self, typed: Typed) -> Option<Typed> {
        if let Some(Literal::Number(number)) = typed.literal {
            return self.adapt(typed, &literal::decimal_kind(number));
        }
        let (precision, scale) = as_decimal(typed.kind())?;
        self.cast(typed, &Kind::Decimal { precision, scale })
    }

    fn multiply(&mut self, left: Typed, right: Typed, what: &str, span: Span) -> Option<Typed> {
        let (left, right) = self.factors(left, right, what)?;
        let kind = match (left.kind(), right.kind()) {
            (Kind::Decimal { scale: s1, .. }, Kind::Decimal { scale: s2, .. }) => {
                if s1 + s2 > MOST_DIGITS {
                    let message = format!("a product with {} digits after the point", s1 + s2);
                    self.report(
                        Diagnostic::new(Code::DecimalScale, message, span, "a decimal has at most 38")
                            .help("round a factor with `round(x, digits)`"),
                    );
                    return None;
                }
                Kind::Decimal { precision: MOST_DIGITS, scale: s1 + s2 }
            }
            (kind, _) => kind.clone(),
        };
        self.propagate(Func::Mul, vec![left, right], kind, NoneKind::Silent, span)
    }

    fn divide(&mut self, left: Typed, right: Typed, what: &str, span: Span) -> Option<Typed> {
        let own = divisor_none(&right);
        let (left, right) = self.factors(left, right, what)?;
        let kind = match (left.kind(), right.kind()) {
            (Kind::Decimal { scale: s1, .. }, Kind::Decimal { scale: s2, .. }) => {
                let scale = (s1.max(s2) + DIVISION_DIGITS).min(MOST_DIGITS);
                Kind::Decimal { precision: MOST_DIGITS, scale }
            }
            (kind, _) => kind.clone(),
        };
        self.propagate(Func::Div, vec![left, right], kind, own, span)
    }

    /// `/` between aggregates.
    fn ratio(&mut self, left: Typed, right: Typed, span: Span) -> Option<Typed> {
        let has_float = *left.kind() == Kind::Float || *right.kind() == Kind::Float;
        let (left, right) = match has_float {
            true => self.adapt(left, &Kind::Float).zip(self.adapt(right, &Kind::Float))?,
            false => (left, right),
        };
        self.propagate(Func::Ratio, vec![left, right], Kind::Float, NoneKind::Silent, span)
    }

    fn time_arithmetic(
        &mut self,
        operator: BinaryOperator,
        left: Typed,
        right: Typed,
        what: &str,
        span: Span,
    ) -> Option<Typed> {
        let is_text = |typed: &Typed| matches!(typed.literal, Some(Literal::Text(_)));
        let (left, right) = match (left.kind(), right.kind()) {
            (Kind::Timestamp, Kind::String) if is_text(&right) => {
                (left, self.adapt(right, &Kind::Timestamp)?)
            }
            (Kind::String, Kind::Timestamp) if is_text(&left) => (self.adapt(left, &Kind::Timestamp)?, right),
            _ => (left, right),
        };
        let (func, kind, swap) = match (operator, left.kind(), right.kind()) {
            (BinaryOperator::Add, Kind::Timestamp, Kind::Duration) => (Func::Add, Kind::Timestamp, false),
            (BinaryOperator::Add, Kind::Duration, Kind::Timestamp) => (Func::Add, Kind::Timestamp, true),
            (BinaryOperator::Add, Kind::Duration, Kind::Duration) => (Func::Add, Kind::Duration, false),
            (BinaryOperator::Subtract, Kind::Timestamp, Kind::Duration) => {
                (Func::Sub, Kind::Timestamp, false)
            }
            (BinaryOperator::Subtract, Kind::Timestamp, Kind::Timestamp) => {
                (Func::Sub, Kind::Duration, false)
            }
            (BinaryOperator::Subtract, Kind::Duration, Kind::Duration) => (Func::Sub, Kind::Duration, false),
            _ => {
                let help = "durations are added to and subtracted from timestamps and durations: `at + 1h`";
                self.operand_kinds(what, "other operands", &[&left, &right], help);
                return None;
            }
        };
        let arguments = if swap { vec![right, left] } else { vec![left, right] };
        self.propagate(func, arguments, kind, NoneKind::Silent, span)
    }
}

/// What a division by this may add: nothing but overflow if it is a literal, which is not zero.
fn divisor_none(divisor: &Typed) -> NoneKind {
    if divisor.literal.is_some() { NoneKind::Silent } else { NoneKind::Declared }
}
