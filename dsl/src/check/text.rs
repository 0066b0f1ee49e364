//! Functions over texts and lists.

use std::ops::RangeInclusive;

use super::checker::{Checker, NoneKind, Typed};
use super::literal::Literal;
use crate::ast::{Argument, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{ExprKind, Func, Kind, Type, Value};

/// Longest regular expression program, in bytes.
const LARGEST_PATTERN: usize = 1024 * 1024;

impl Checker<'_> {
    pub(super) fn text_function(
        &mut self,
        func: Func,
        function: &Name,
        arguments: &[Argument],
        kind: Kind,
        span: Span,
    ) -> Option<Typed> {
        self.texts(func, function, arguments, kind, 1..=1, span)
    }

    /// A function over strings alone.
    pub(super) fn texts(
        &mut self,
        func: Func,
        function: &Name,
        arguments: &[Argument],
        kind: Kind,
        n_wanted: RangeInclusive<usize>,
        span: Span,
    ) -> Option<Typed> {
        let arguments = self.positional(function, arguments, n_wanted)?;
        let taken: Vec<Option<Typed>> =
            arguments.into_iter().map(|typed| self.take(typed, &Kind::String, function)).collect();
        self.propagate(func, taken.into_iter().collect::<Option<Vec<_>>>()?, kind, NoneKind::Never, span)
    }

    pub(super) fn contains(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let (place, sought) = self.two(function, arguments)?;
        let Kind::List(element) = place.kind().clone() else {
            let (place, sought) =
                (self.take(place, &Kind::String, function), self.take(sought, &Kind::String, function));
            return self.propagate(Func::Contains, vec![place?, sought?], Kind::Bool, NoneKind::Never, span);
        };
        let place = self.need_value(place, "`contains`")?;
        let sample =
            Typed::leaf(ExprKind::Literal(Value::None), element.kind, NoneKind::Declared, place.span);
        let (sample, sought) = self.unify_pair(sample, sought, "`contains`", false)?;
        if let Kind::List(element) = place.kind()
            && element.kind != *sample.kind()
        {
            self.wrong_kind(function, &sought, &format!("a `{}` here", element.kind), "");
            return None;
        }
        // By equality: an element that is none may be sought, so only the list's own none goes on.
        let none = place.none;
        let typed = self.apply(Func::Contains, vec![place, sought], Kind::Bool, none, span)?;
        if none == NoneKind::Never { Some(typed) } else { self.or_false(typed) }
    }

    /// The text of an argument that has to be a literal.
    fn literal_text(&mut self, typed: &Typed, function: &Name, what: &str) -> Option<String> {
        if let Some(Literal::Text(text)) = &typed.literal {
            return Some(text.clone());
        }
        self.report(
            Diagnostic::new(
                Code::LiteralArgument,
                format!("the {what} of `{}` is not a literal", function.text),
                typed.span,
                "",
            )
            .help(format!("write the {what} in quotes")),
        );
        None
    }

    pub(super) fn matches(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let (text, pattern) = self.two(function, arguments)?;
        let text = self.take(text, &Kind::String, function);
        let source = self.literal_text(&pattern, function, "pattern")?;
        if let Err(error) = regex::RegexBuilder::new(&source).size_limit(LARGEST_PATTERN).build() {
            let (message, note) = match error {
                regex::Error::CompiledTooBig(_) => {
                    ("a pattern that needs more than 1 MiB".to_owned(), String::new())
                }
                error => ("this is not a regular expression".to_owned(), last_line(&error.to_string())),
            };
            let diagnostic = Diagnostic::new(Code::Pattern, message, pattern.span, note).help(
                "a backslash in a pattern is written `\\\\`; look-around and back-references do not exist",
            );
            self.report(diagnostic);
            return None;
        }
        self.propagate(Func::Matches(source), vec![text?], Kind::Bool, NoneKind::Never, span)
    }

    pub(super) fn substr(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let mut arguments = self.positional(function, arguments, 3..=3)?.into_iter();
        let text = arguments.next().and_then(|typed| self.take(typed, &Kind::String, function));
        let start = arguments.next().and_then(|typed| self.take(typed, &Kind::Int, function));
        let length = arguments.next().and_then(|typed| self.take(typed, &Kind::Int, function));
        self.propagate(Func::Substr, vec![text?, start?, length?], Kind::String, NoneKind::Never, span)
    }

    pub(super) fn split(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let (text, separator) = self.two(function, arguments)?;
        let text = self.take(text, &Kind::String, function);
        if self.literal_text(&separator, function, "separator")?.is_empty() {
            self.report(
                Diagnostic::new(Code::LiteralArgument, "an empty separator", separator.span, "")
                    .help("name the text between the parts: `split(x, \",\")`"),
            );
            return None;
        }
        let separator = self.adapt(separator, &Kind::String)?;
        let kind = Kind::List(Box::new(Type::of(Kind::String)));
        self.propagate(Func::Split, vec![text?, separator], kind, NoneKind::Never, span)
    }

    pub(super) fn length(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let argument = self.one(function, arguments)?;
        let argument = match argument.kind() {
            Kind::List(_) => self.need_value(argument, "`length`")?,
            _ => self.take(argument, &Kind::String, function)?,
        };
        self.propagate(Func::Length, vec![argument], Kind::Int, NoneKind::Never, span)
    }

    pub(super) fn enum_text(&mut self, function: &Name, arguments: &[Argument], span: Span) -> Option<Typed> {
        let argument = self.one(function, arguments)?;
        let argument = self.need_value(argument, "`text`")?;
        if !matches!(argument.kind(), Kind::Enum(_)) {
            self.wrong_kind(function, &argument, "an enum", "only enums are made into texts");
            return None;
        }
        self.propagate(Func::Text, vec![argument], Kind::String, NoneKind::Never, span)
    }
}

/// Errors of the regex crate draw the pattern over several lines; the last one says what is wrong.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
