//! Functions over numbers and other plain values.

use super::checker::{Checker, NoneKind, Typed};
use super::literal::Literal;
use super::number::{is_number, is_ordered};
use crate::ast::{Argument, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{Func, Kind};

impl Checker<'_> {
    /// `abs`, `floor`, `ceil`.
    pub(super) fn number_function(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Option<Typed> {
        let argument = self.one(function, arguments)?;
        let argument = self.need_value(argument, &format!("`{}`", function.text))?;
        let is_abs = function.text == "abs";
        let (kind, own) = match argument.kind() {
            Kind::Decimal { precision, .. } if !is_abs => {
                (Kind::Decimal { precision: *precision, scale: 0 }, NoneKind::Silent)
            }
            Kind::Float => (Kind::Float, if is_abs { NoneKind::Silent } else { NoneKind::Never }),
            Kind::Int | Kind::Decimal { .. } if is_abs => (argument.kind().clone(), NoneKind::Silent),
            Kind::Int | Kind::Int128 if !is_abs => {
                self.wrong_kind(function, &argument, "a number with a fraction", "an int is whole already");
                return None;
            }
            _ => {
                self.wrong_kind(function, &argument, "a number", "");
                return None;
            }
        };
        let func = match function.text.as_str() {
            "abs" => Func::Abs,
            "floor" => Func::Floor,
            _ => Func::Ceil,
        };
        self.propagate(func, vec![argument], kind, own, span)
    }

    pub(super) fn round(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let mut checked = self.positional(function, arguments, 1..=2)?;
        let digits = if checked.len() == 2 { checked.pop() } else { None };
        let argument = checked.pop()?;
        let argument = self.need_value(argument, "`round`")?;
        let n_digits = match &digits {
            None => Some(0),
            Some(typed) => match typed.literal {
                Some(Literal::Number(number)) if !number.point => u8::try_from(number.digits).ok(),
                _ => None,
            },
        };
        let digits_span = digits.as_ref().map_or(span, |typed| typed.span);
        let most = match argument.kind() {
            Kind::Decimal { scale, .. } => *scale,
            Kind::Float => 0,
            Kind::Int | Kind::Int128 => {
                self.wrong_kind(function, &argument, "a number with a fraction", "an int is whole already");
                return None;
            }
            _ => {
                self.wrong_kind(function, &argument, "a number", "");
                return None;
            }
        };
        let Some(n_digits) = n_digits.filter(|n_digits| *n_digits <= most) else {
            let kind = argument.kind().clone();
            let help = match kind {
                Kind::Float => "a float is rounded to whole numbers: leave the digits out".to_owned(),
                _ => format!("a `{kind}` is rounded to 0 to {most} digits, written as a number"),
            };
            self.report(
                Diagnostic::new(Code::LiteralArgument, "not a number of digits to round to", digits_span, "")
                    .help(help),
            );
            return None;
        };
        let (kind, own) = match argument.kind() {
            Kind::Decimal { precision, .. } => {
                (Kind::Decimal { precision: *precision, scale: n_digits }, NoneKind::Silent)
            }
            kind => (kind.clone(), NoneKind::Never),
        };
        self.propagate(Func::Round(n_digits), vec![argument], kind, own, span)
    }

    /// `int(x)` and `float(x)`.
    pub(super) fn conversion_function(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Option<Typed> {
        let argument = self.one(function, arguments)?;
        let mut argument = self.need_value(argument, &format!("`{}`", function.text))?;
        if !is_number(argument.kind()) {
            self.wrong_kind(function, &argument, "a number", "");
            return None;
        }
        argument.span = span;
        if function.text == "float" {
            return self.adapt(argument, &Kind::Float);
        }
        if *argument.kind() == Kind::Int128 {
            self.wrong_kind(function, &argument, "a decimal or a float", "a sum of ints is whole already");
            return None;
        }
        self.cast(argument, &Kind::Int)
    }

    pub(super) fn hash64(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let arguments = self.positional(function, arguments, 1..=256)?;
        for argument in &arguments {
            if matches!(argument.kind(), Kind::List(_)) || argument.literal == Some(Literal::None) {
                self.wrong_kind(function, argument, "plain values", "");
                return None;
            }
        }
        self.apply(Func::Hash64, arguments, Kind::Int, NoneKind::Never, span)
    }

    /// `min` and `max` of several values of one row.
    pub(super) fn extreme(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let arguments = self.positional(function, arguments, 2..=256)?;
        let what = format!("`{}`", function.text);
        let taken: Vec<Option<Typed>> =
            arguments.into_iter().map(|typed| self.need_value(typed, &what)).collect();
        let values = self.unify(taken.into_iter().collect::<Option<Vec<_>>>()?, &what, false)?;
        let kind = values.first()?.kind().clone();
        if !is_ordered(&kind) {
            let first = values.first()?.clone();
            self.wrong_kind(function, &first, "values that have an order", "");
            return None;
        }
        let func = if function.text == "min" { Func::Least } else { Func::Greatest };
        self.propagate(func, values, kind, NoneKind::Never, span)
    }
}
