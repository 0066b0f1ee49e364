//! Brings values that meet in an operator to one kind: literals take the kind of the others, ints
//! become decimals beside decimals, decimals get the larger scale.

use super::checker::{Checker, NoneKind, Typed};
use super::literal::{self, Literal};
use super::number::{Apart, join};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions::Sort;
use metricc_ir::{Kind, Value};

impl Checker<'_> {
    /// All values as one kind. With `clamp`, a decimal that would need more than 38 digits gets 38,
    /// and what does not fit is none.
    pub(super) fn unify(&mut self, values: Vec<Typed>, what: &str, clamp: bool) -> Option<Vec<Typed>> {
        let kind = self.common_kind(&values, what, clamp)?;
        // All are adapted, so that all errors show.
        let adapted: Vec<Option<Typed>> = values.into_iter().map(|value| self.adapt(value, &kind)).collect();
        adapted.into_iter().collect()
    }

    /// Two values as one kind.
    pub(super) fn unify_pair(
        &mut self,
        left: Typed,
        right: Typed,
        what: &str,
        clamp: bool,
    ) -> Option<(Typed, Typed)> {
        let mut both = self.unify(vec![left, right], what, clamp)?.into_iter();
        both.next().zip(both.next())
    }

    fn common_kind(&mut self, values: &[Typed], what: &str, clamp: bool) -> Option<Kind> {
        let mut common: Option<(Kind, Span)> = None;
        for value in values.iter().filter(|value| value.literal.is_none()) {
            common = match common {
                None => Some((value.kind().clone(), value.span)),
                Some((kind, span)) => match join(&kind, value.kind(), self.is_output(), clamp) {
                    Ok(joined) => Some((joined, span)),
                    Err(apart) => {
                        self.apart((&kind, span), (value.kind(), value.span), apart, what);
                        return None;
                    }
                },
            };
        }
        match common {
            Some((kind, span)) => self.widened(kind, span, values, what, clamp),
            None => self.kind_of_literals(values, what),
        }
    }

    /// The kind with room for all digits of number literals, where it is an exact one.
    fn widened(&mut self, kind: Kind, span: Span, values: &[Typed], what: &str, clamp: bool) -> Option<Kind> {
        if !Sort::AnyNumber.fits(&kind) || kind == Kind::Float {
            return Some(kind);
        }
        let mut kind = kind;
        for value in values {
            if let Some(Literal::Number(number)) = &value.literal {
                if literal::value_as(&Literal::Number(*number), &kind, value.span).is_ok() {
                    continue;
                }
                let own = literal::decimal_kind(*number);
                kind = match join(&kind, &own, self.is_output(), clamp) {
                    Ok(joined) => joined,
                    Err(apart) => {
                        self.apart((&kind, span), (&own, value.span), apart, what);
                        return None;
                    }
                };
            }
        }
        Some(kind)
    }

    fn kind_of_literals(&mut self, values: &[Typed], what: &str) -> Option<Kind> {
        let mut common: Option<Kind> = None;
        for value in values {
            let Some(literal) = value.literal.as_ref().filter(|literal| **literal != Literal::None) else {
                continue;
            };
            let own = literal.own_kind();
            common = Some(match common {
                None => own,
                // Text beside a number is reported where it is adapted.
                Some(kind) => join(&kind, &own, false, false).unwrap_or(kind),
            });
        }
        if common.is_none() {
            let span = values.first().map_or(Span { start: 0, end: 0 }, |value| value.span);
            self.report(
                Diagnostic::new(Code::TypeMismatch, format!("{what} between nothing but none"), span, "")
                    .help("compare a field with `none`"),
            );
        }
        common
    }

    /// The value as a kind; the caller has made sure that a value that is no literal can be cast.
    pub(super) fn adapt(&mut self, value: Typed, kind: &Kind) -> Option<Typed> {
        let Some(literal) = &value.literal else {
            return if value.kind() == kind { Some(value) } else { self.cast(value, kind) };
        };
        match literal::value_as(literal, kind, value.span) {
            Ok(constant) => Some(Typed::constant(constant, kind.clone(), value.span)),
            Err(diagnostic) => {
                self.report(*diagnostic);
                None
            }
        }
    }

    /// Says why two kinds do not meet.
    fn apart(&mut self, left: (&Kind, Span), right: (&Kind, Span), apart: Apart, what: &str) {
        let ((left, left_span), (right, right_span)) = (left, right);
        let labelled = |code: Code, message: String| {
            Diagnostic::new(code, message, right_span, format!("this is `{right}`"))
                .also(left_span, format!("this is `{left}`"))
        };
        let diagnostic = match apart {
            Apart::Mixed => {
                let exact = if *left == Kind::Float { right_span } else { left_span };
                let quoted = self.quote(exact);
                let name = quoted.trim_matches('`');
                let argument = if name == "this" { "…" } else { name };
                labelled(Code::MixedNumbers, format!("{what} mixes an exact number with a float"))
                    .help(format!("write `float({argument})` to give up exactness"))
            }
            Apart::TooWide => {
                labelled(Code::DecimalScale, format!("{what} needs a decimal of more than 38 digits"))
                    .help("round one side to fewer digits with `round(x, digits)`")
            }
            Apart::Other => {
                let diagnostic =
                    labelled(Code::TypeMismatch, format!("{what} between `{left}` and `{right}`"));
                diagnostic.help(self.conversion(left, right))
            }
        };
        self.report(diagnostic);
    }

    fn conversion(&self, left: &Kind, right: &Kind) -> &'static str {
        match (left, right) {
            (Kind::Enum(_), Kind::String) | (Kind::String, Kind::Enum(_)) => {
                "`text(x)` makes a string of an enum"
            }
            (Kind::Timestamp, Kind::Date) | (Kind::Date, Kind::Timestamp) => {
                "`date(x) in CALENDAR` gives the date of a timestamp"
            }
            (Kind::List(_), _) | (_, Kind::List(_)) => "`contains(list, x)` looks into a list",
            (Kind::Enum(_), Kind::Enum(_)) => {
                "enums of different values do not meet; `text(x)` makes strings of them"
            }
            _ => "both sides need one type",
        }
    }
}

/// A literal whose kind is open.
pub(super) fn open_literal(literal: Literal, span: Span) -> Typed {
    let kind = literal.own_kind();
    let value = literal::value_as(&literal, &kind, span).unwrap_or(Value::None);
    let mut typed = Typed::constant(value, kind, span);
    if literal == Literal::None {
        typed.none = NoneKind::Declared;
    }
    typed.literal = Some(literal);
    typed
}
