//! `every …` → [`Window`].

use super::checker::Checker;
use super::time::{CALENDAR_UNITS, calendar_unit};
use crate::ast::{Every, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::ir::Window;
use crate::suggest;

impl Checker<'_> {
    pub(super) fn window(&mut self, every: &Every, calendar: Option<&Name>) -> Option<Window> {
        match every {
            Every::Duration(width) => self.tumbling(width, calendar),
            Every::Word(word) => self.calendar_window(word, calendar),
        }
    }

    fn tumbling(&mut self, width: &Expr, calendar: Option<&Name>) -> Option<Window> {
        let (micros, text) = match &width.kind {
            ExprKind::Duration { micros, text } => (*micros, text),
            ExprKind::Poisoned => return None,
            _ => {
                self.report(
                    Diagnostic::new(Code::Window, "a window without a unit", width.span, "")
                        .help("write a duration, such as `5m` or `1h`"),
                );
                return None;
            }
        };
        if text.ends_with('d') {
            let message = format!("`every {text}` has no calendar");
            let diagnostic =
                Diagnostic::new(Code::Window, message, width.span, "where a day begins depends on the place");
            let help = self.calendar_help("day");
            self.report(
                diagnostic.help(help).note("`every 24h` gives windows of 24 hours that begin at 00:00 UTC"),
            );
            return None;
        }
        if micros <= 0 {
            self.report(
                Diagnostic::new(Code::Window, "a window of no length", width.span, "")
                    .help("write a duration above zero"),
            );
            return None;
        }
        if let Some(calendar) = calendar {
            self.calendar(calendar);
            let message = format!("`every {text}` goes by the clock of no calendar");
            self.report(Diagnostic::new(Code::Window, message, calendar.span, "").help(format!(
                "remove `in {}`, or use {}",
                calendar.text,
                suggest::one_of(&CALENDAR_UNITS)
            )));
            return None;
        }
        Some(Window::Tumbling(micros))
    }

    fn calendar_window(&mut self, word: &Name, calendar: Option<&Name>) -> Option<Window> {
        let Some(unit) = calendar_unit(&word.text) else {
            let message = format!("`{}` is not a calendar unit", word.text);
            let diagnostic = Diagnostic::new(Code::Window, message, word.span, "");
            let duration = match word.text.trim_end_matches('s') {
                "hour" => Some("1h"),
                "minute" => Some("1m"),
                "second" => Some("1s"),
                _ => None,
            };
            self.report(match (duration, suggest::nearest(&word.text, CALENDAR_UNITS)) {
                (Some(duration), _) => diagnostic.help(format!("write `every {duration}`")),
                (None, Some(meant)) => diagnostic.help(format!("did you mean `{meant}`?")),
                (None, None) => diagnostic.help(format!(
                    "units are {}; shorter windows are durations",
                    suggest::one_of(&CALENDAR_UNITS)
                )),
            });
            return None;
        };
        let Some(calendar) = calendar else {
            let message = format!("`every {}` has no calendar", word.text);
            let diagnostic =
                Diagnostic::new(Code::Window, message, word.span, "where a day begins depends on the place");
            let help = self.calendar_help(&word.text);
            self.report(diagnostic.help(help));
            return None;
        };
        Some(Window::Calendar(unit, self.calendar(calendar)?.of(unit)))
    }

    fn calendar_help(&self, unit: &str) -> String {
        match self.names.calendars.keys().next() {
            Some(calendar) => format!("write `every {unit} in {calendar}`"),
            None => format!(
                "define a calendar, such as `calendar utc {{ zone \"UTC\" }}`, and write `every {unit} in utc`"
            ),
        }
    }
}
