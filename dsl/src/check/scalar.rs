//! Scalar functions: one interpreter of the rows of the [catalogue](functions).
//!
//! A value has to be there: if it may be none, its author says what that means. Literals among the arguments
//! become [`Parameters`] of the function.

use super::checker::{Checker, NoneKind, Typed};
use super::function::Callee;
use super::literal::Literal;
use crate::ast::{Argument, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::expression_text::{CALENDAR_UNITS, calendar_unit};
use metricc_ir::functions::{Gives, Number, Param, Parameters, ScalarSpec, Sort, Width};
use metricc_ir::{ExprKind as IrKind, Kind, Type, Value, suggest};

/// Longest regular expression program, in bytes.
const LARGEST_PATTERN: usize = 1024 * 1024;

impl Checker<'_> {
    /// A call of a scalar function, perhaps `in` a calendar.
    pub(super) fn scalar(
        &mut self,
        spec: &ScalarSpec,
        function: &Name,
        arguments: &[Argument],
        calendar: Option<&Name>,
        span: Span,
    ) -> Option<Typed> {
        let callee = Callee { name: function, usage: spec.usage };
        let mut given = Parameters::default();
        let known = calendar.map(|name| self.calendar(name));
        let is_known = known.as_ref().is_none_or(Option::is_some);
        given.calendar = known.flatten().unwrap_or_default();
        let params = spec.params.iter().chain(spec.params.last().into_iter().cycle());
        let params: Vec<&Param> = params.take(arguments.len()).collect();
        // All are checked before any is missed.
        let mut checked = Vec::with_capacity(arguments.len());
        let mut width = Some(());
        for (argument, param) in arguments.iter().zip(&params) {
            match param {
                Param::Width => width = self.width(callee, &argument.value, calendar, &mut given),
                param => checked.push(self.expr(&argument.value).map(|typed| (*param, typed))),
            }
        }
        self.counted(callee, arguments, spec.n_arguments.clone())?;
        let checked = checked.into_iter().collect::<Option<Vec<_>>>()?;
        let mut values: Vec<Option<Typed>> = Vec::with_capacity(checked.len());
        for (param, typed) in checked {
            let first = values.first().cloned();
            let taken = self.taken(callee, param, typed, first, &mut given);
            values.extend(taken.map_or(Some(None), |value| value.map(Some)));
        }
        let values = values.into_iter().collect::<Option<Vec<_>>>()?;
        width?;
        self.given(spec, callee, values, &given, span).filter(|_| is_known)
    }

    /// An argument as its parameter has it. Inner `None`: it is a literal, and in `given`. `first` is the
    /// first value.
    fn taken(
        &mut self,
        callee: Callee<'_>,
        param: &Param,
        mut typed: Typed,
        first: Option<Option<Typed>>,
        given: &mut Parameters,
    ) -> Option<Option<Typed>> {
        match param {
            Param::Value(sort) => self.value_of(callee, *sort, typed).map(Some),
            Param::Optional(sort) => {
                if !sort.fits(typed.kind()) || typed.literal == Some(Literal::None) {
                    self.wrong_kind(callee, &typed, sort.text(), "");
                    return None;
                }
                // None is a value like others.
                typed.none = NoneKind::Never;
                Some(Some(typed))
            }
            Param::Member => self.member(callee, &first??, typed).map(Some),
            Param::Separator => self.separator(callee, typed).map(Some),
            Param::Pattern => {
                given.pattern = self.pattern(callee, &typed)?;
                Some(None)
            }
            Param::Digits => {
                given.digits = self.digits(&first??, &typed)?;
                Some(None)
            }
            _ => Some(Some(typed)),
        }
    }

    /// A value of a sort that is there.
    fn value_of(&mut self, callee: Callee<'_>, sort: Sort, typed: Typed) -> Option<Typed> {
        let is_text = matches!(typed.literal, Some(Literal::Text(_)));
        match sort {
            Sort::Text => return self.take(callee, typed, &Kind::String),
            Sort::TextOrList if !sort.fits(typed.kind()) || *typed.kind() == Kind::String => {
                return self.take(callee, typed, &Kind::String);
            }
            Sort::Int => return self.take(callee, typed, &Kind::Int),
            _ => {}
        }
        let typed = self.need_value(typed, &callee.quoted())?;
        let (kind, is_whole) = (typed.kind(), matches!(typed.kind(), Kind::Int | Kind::Int128));
        match sort {
            Sort::Timestamp | Sort::Instant if is_text => return self.adapt(typed, &Kind::Timestamp),
            // They are compared once they are of one kind.
            Sort::Ordered => return Some(typed),
            sort if sort.fits(kind) => return Some(typed),
            Sort::Fraction if is_whole => {
                self.wrong_kind(callee, &typed, sort.text(), "an int is whole already");
            }
            Sort::Number | Sort::AnyNumber | Sort::Fraction if *kind == Kind::String => {
                let help = self.number_of_text(&typed, is_text);
                self.wrong_kind(callee, &typed, Sort::Number.text(), &help);
            }
            Sort::Fraction => self.wrong_kind(callee, &typed, Sort::Number.text(), ""),
            Sort::Enum => self.wrong_kind(callee, &typed, sort.text(), "only enums are made into texts"),
            sort => self.wrong_kind(callee, &typed, sort.text(), ""),
        }
        None
    }

    /// Where a text becomes a number: a row has no room for texts that are none.
    fn number_of_text(&self, typed: &Typed, is_literal: bool) -> String {
        let quoted = self.quote(typed.span);
        let name = quoted.trim_matches('`');
        let is_field = self.columns.iter().any(|column| column.name == name);
        match (is_literal, is_field) {
            (true, _) => "write the number without quotes".to_owned(),
            (_, true) => format!(
                "texts become numbers where records are decoded: declare `{name}: float` in the source"
            ),
            _ => "texts become numbers where records are decoded: declare the field as a number".to_owned(),
        }
    }

    /// Applies the function, or what stands for it.
    fn given(
        &mut self,
        spec: &ScalarSpec,
        callee: Callee<'_>,
        values: Vec<Typed>,
        given: &Parameters,
        span: Span,
    ) -> Option<Typed> {
        let first = values.first()?.kind().clone();
        let (kind, own) = match spec.gives {
            Gives::Bool => (Kind::Bool, NoneKind::Never),
            Gives::Int => (Kind::Int, NoneKind::Never),
            Gives::Text => (Kind::String, NoneKind::Never),
            Gives::Texts => (Kind::List(Box::new(Type::of(Kind::String))), NoneKind::Never),
            // A date lies in no zone.
            Gives::Date if first == Kind::Date => {
                return values.into_iter().next().map(|value| Typed { span, ..value });
            }
            Gives::Date => (Kind::Date, NoneKind::Never),
            Gives::Timestamp => (Kind::Timestamp, NoneKind::Never),
            Gives::Same => (first, NoneKind::Silent),
            Gives::Rounded => match first {
                Kind::Decimal { precision, .. } => {
                    (Kind::Decimal { precision, scale: given.digits }, NoneKind::Silent)
                }
                kind => (kind, NoneKind::Never),
            },
            Gives::Common => {
                let values = self.unify(values, &callee.quoted(), false)?;
                let first = values.first()?;
                if !Sort::Ordered.fits(first.kind()) {
                    self.wrong_kind(callee, &first.clone(), Sort::Ordered.text(), "");
                    return None;
                }
                let kind = first.kind().clone();
                return self.propagate((spec.func)(given), values, kind, NoneKind::Never, span);
            }
            Gives::Cast(number) => {
                let value = values.into_iter().next()?;
                return self.converted(callee, number, Typed { span, ..value });
            }
        };
        self.propagate((spec.func)(given), values, kind, own, span)
    }

    fn converted(&mut self, callee: Callee<'_>, number: Number, value: Typed) -> Option<Typed> {
        match number {
            Number::Float => self.adapt(value, &Kind::Float),
            Number::Int if *value.kind() == Kind::Int128 => {
                let help = "a sum of ints is whole already";
                self.wrong_kind(callee, &value, "a decimal or a float", help);
                None
            }
            Number::Int => self.cast(value, &Kind::Int),
        }
    }

    /// What is looked for in a text or a list. By equality: an element that is none may be looked for.
    fn member(&mut self, callee: Callee<'_>, container: &Typed, sought: Typed) -> Option<Typed> {
        let Kind::List(element) = container.kind().clone() else {
            return self.take(callee, sought, &Kind::String);
        };
        let sample = IrKind::Literal(Value::None);
        let sample = Typed::leaf(sample, element.kind.clone(), NoneKind::Declared, container.span);
        let (sample, sought) = self.unify_pair(sample, sought, &callee.quoted(), false)?;
        if element.kind != *sample.kind() {
            self.wrong_kind(callee, &sought, &format!("a `{}` here", element.kind), "");
            return None;
        }
        Some(Typed { none: NoneKind::Never, ..sought })
    }

    /// The text of an argument that has to be a literal.
    fn literal_text(&mut self, callee: Callee<'_>, typed: &Typed, what: &str) -> Option<String> {
        if let Some(Literal::Text(text)) = &typed.literal {
            return Some(text.clone());
        }
        let message = format!("the {what} of {} is not a literal", callee.quoted());
        let diagnostic = Diagnostic::new(Code::LiteralArgument, message, typed.span, "");
        self.report(diagnostic.help(format!("write the {what} in quotes")));
        None
    }

    fn separator(&mut self, callee: Callee<'_>, typed: Typed) -> Option<Typed> {
        if self.literal_text(callee, &typed, "separator")?.is_empty() {
            self.report(
                Diagnostic::new(Code::LiteralArgument, "an empty separator", typed.span, "")
                    .help("name the text between the parts: `split(x, \",\")`"),
            );
            return None;
        }
        self.adapt(typed, &Kind::String)
    }

    fn pattern(&mut self, callee: Callee<'_>, typed: &Typed) -> Option<String> {
        let source = self.literal_text(callee, typed, "pattern")?;
        let Err(error) = regex::RegexBuilder::new(&source).size_limit(LARGEST_PATTERN).build() else {
            return Some(source);
        };
        let (message, note) = match error {
            regex::Error::CompiledTooBig(_) => {
                ("a pattern that needs more than 1 MiB".to_owned(), String::new())
            }
            error => ("this is not a regular expression".to_owned(), last_line(&error.to_string())),
        };
        self.report(Diagnostic::new(Code::Pattern, message, typed.span, note).help(
            "a backslash in a pattern is written `\\\\`; look-around and back-references do not exist",
        ));
        None
    }

    /// Digits that a number of a kind is rounded to.
    fn digits(&mut self, number: &Typed, digits: &Typed) -> Option<u8> {
        let n_digits = match digits.literal {
            Some(Literal::Number(number)) if !number.point => u8::try_from(number.digits).ok(),
            _ => None,
        };
        let kind = number.kind();
        let most = if let Kind::Decimal { scale, .. } = kind { *scale } else { 0 };
        if let Some(n_digits) = n_digits.filter(|n_digits| *n_digits <= most) {
            return Some(n_digits);
        }
        let help = match kind {
            Kind::Float => "a float is rounded to whole numbers: leave the digits out".to_owned(),
            _ => format!("a `{kind}` is rounded to 0 to {most} digits, written as a number"),
        };
        let message = "not a number of digits to round to";
        self.report(Diagnostic::new(Code::LiteralArgument, message, digits.span, "").help(help));
        None
    }

    /// `1h`, or `day` of a calendar.
    fn width(
        &mut self,
        callee: Callee<'_>,
        expr: &Expr,
        calendar: Option<&Name>,
        given: &mut Parameters,
    ) -> Option<()> {
        let units = suggest::one_of(&CALENDAR_UNITS);
        given.width = match (&expr.bare().kind, calendar) {
            (ExprKind::Duration { text, .. }, Some(calendar)) => {
                let message = format!("a width of `{text}` goes by the clock of no calendar");
                self.report(
                    Diagnostic::new(Code::Window, message, calendar.span, "")
                        .help(format!("remove `in`, or use {units}")),
                );
                return None;
            }
            (ExprKind::Duration { micros, .. }, None) if *micros > 0 => Width::Duration(*micros),
            (ExprKind::Name(word), _) if calendar_unit(word).is_some() => Width::Unit(calendar_unit(word)?),
            (ExprKind::Poisoned, _) => return None,
            _ => {
                let message = format!("not a width for {}", callee.quoted());
                self.report(
                    Diagnostic::new(Code::LiteralArgument, message, expr.span, "")
                        .help(format!("write a duration such as `1h`, or {units}")),
                );
                return None;
            }
        };
        Some(())
    }
}

/// Errors of the regex crate draw the pattern over several lines; the last one says what is wrong.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
