//! Functions over timestamps and dates. Without a calendar they speak of UTC.

use super::checker::{Checker, NoneKind, Typed};
use super::literal::Literal;
use crate::ast::{Argument, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::spelling::calendar_unit;
use metricc_ir::suggest;
use metricc_ir::{Calendar, Func, Kind, Part};

/// All but `truncate`.
pub(super) const FUNCTIONS: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "weekday", "date"];

/// The words that name a calendar bucket.
pub(super) const CALENDAR_UNITS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

fn part(word: &str) -> Option<Part> {
    Some(match word {
        "year" => Part::Year,
        "quarter" => Part::Quarter,
        "month" => Part::Month,
        "week" => Part::Week,
        "day" => Part::Day,
        "hour" => Part::Hour,
        "minute" => Part::Minute,
        "second" => Part::Second,
        "weekday" => Part::Weekday,
        _ => return None,
    })
}

fn utc() -> Calendar {
    Calendar { zone: "UTC".to_owned(), week_start: 1 }
}

impl Checker<'_> {
    pub(super) fn time_function(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        calendar: Option<&Name>,
        span: Span,
    ) -> Option<Typed> {
        let calendar_span = calendar.map(|name| name.span);
        let (calendar, is_known) = match calendar {
            None => (utc(), true),
            Some(name) => match self.calendar(name) {
                Some(calendar) => (calendar, true),
                None => (utc(), false),
            },
        };
        let typed = match function.text.as_str() {
            "truncate" => self.truncate(function, arguments, (calendar, calendar_span), span),
            name => {
                let argument = self.positional(function, arguments, 1..=1)?.pop()?;
                let only_timestamps = matches!(name, "hour" | "minute" | "second" | "date");
                let argument = self.instant(argument, function, only_timestamps)?;
                let (func, kind) = match part(name) {
                    Some(part) => (Func::Part(part, calendar.zone), Kind::Int),
                    None => (Func::DateIn(calendar.zone), Kind::Date),
                };
                self.propagate(func, vec![argument], kind, NoneKind::Never, span)
            }
        };
        typed.filter(|_| is_known)
    }

    /// A timestamp, or a date where that is enough.
    fn instant(&mut self, typed: Typed, function: &Name, only_timestamps: bool) -> Option<Typed> {
        let typed = self.need_value(typed, &format!("`{}`", function.text))?;
        let is_text = matches!(typed.literal, Some(Literal::Text(_)));
        match typed.kind() {
            Kind::Timestamp => Some(typed),
            Kind::Date if !only_timestamps => Some(typed),
            Kind::String if is_text => self.adapt(typed, &Kind::Timestamp),
            _ => {
                let expected = if only_timestamps { "a timestamp" } else { "a timestamp or a date" };
                self.wrong_kind(function, &typed, expected, "");
                None
            }
        }
    }

    /// `truncate(ts, 1h)` and `truncate(ts, day) in CALENDAR`.
    fn truncate(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        (calendar, calendar_span): (Calendar, Option<Span>),
        span: Span,
    ) -> Option<Typed> {
        let instant = arguments.first().and_then(|argument| self.expr(&argument.value));
        self.counted(function, arguments, 2..=2)?;
        let instant = instant.and_then(|typed| self.instant(typed, function, true));
        let width = &arguments.get(1)?.value;
        if let (ExprKind::Duration { text, .. }, Some(calendar)) = (&width.bare().kind, calendar_span) {
            let message = format!("a width of `{text}` goes by the clock of no calendar");
            self.report(
                Diagnostic::new(Code::Window, message, calendar, "")
                    .help(format!("remove `in`, or use {}", suggest::one_of(&CALENDAR_UNITS))),
            );
            return None;
        }
        let func = match &width.bare().kind {
            ExprKind::Duration { micros, .. } if *micros > 0 => Func::TruncateTo(*micros),
            ExprKind::Name(word) if calendar_unit(word).is_some() => {
                let unit = calendar_unit(word)?;
                Func::TruncateIn(unit, calendar.of(unit))
            }
            ExprKind::Poisoned => return None,
            _ => {
                self.report(
                    Diagnostic::new(Code::LiteralArgument, "not a width to truncate to", width.span, "")
                        .help(format!(
                            "write a duration such as `1h`, or {}",
                            suggest::one_of(&CALENDAR_UNITS)
                        )),
                );
                return None;
            }
        };
        self.propagate(func, vec![instant?], Kind::Timestamp, NoneKind::Never, span)
    }
}
