//! `every …`, `over last …` and `session …` → [`Window`].

use super::checker::Checker;
use super::clauses::WindowClause;
use crate::ast::{Every, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::Window;
use metricc_ir::expression_text::{CALENDAR_UNITS, calendar_unit};
use metricc_ir::suggest;

/// Most windows that one event lies in.
const MOST_STEPS: i64 = 50_000;

const HOUR_US: i64 = 3_600_000_000;

impl Checker<'_> {
    pub(super) fn window(&mut self, clause: WindowClause<'_>) -> Option<Window> {
        match clause {
            WindowClause::Every { every: Every::Duration(width), calendar } => self.tumbling(width, calendar),
            WindowClause::Every { every: Every::Word(word), calendar } => {
                self.calendar_window(word, calendar)
            }
            WindowClause::Over { length, step, span } => self.sliding(length, step, span),
            WindowClause::Session { gap } => self.session(gap),
        }
    }

    /// The µs and the text of a duration that a window is made of.
    fn window_duration<'e>(&mut self, duration: &'e Expr) -> Option<(i64, &'e str)> {
        match &duration.kind {
            ExprKind::Duration { micros, text } => Some((*micros, text)),
            ExprKind::Poisoned => None,
            _ => {
                self.report(
                    Diagnostic::new(Code::Window, "a window without a unit", duration.span, "")
                        .help("write a duration, such as `5m` or `1h`"),
                );
                None
            }
        }
    }

    fn no_length(&mut self, span: Span) -> Option<Window> {
        self.report(
            Diagnostic::new(Code::Window, "a window of no length", span, "")
                .help("write a duration above zero"),
        );
        None
    }

    fn sliding(&mut self, length: &Expr, step: Option<&Expr>, span: Span) -> Option<Window> {
        let (length_us, length_text) = self.window_duration(length)?;
        if length_us <= 0 {
            return self.no_length(length.span);
        }
        let Some(step) = step else {
            self.report(
                Diagnostic::new(Code::SlidingStep, "a sliding window without a step", span, "").help(
                    format!("say how far one window is from the next: `over last {length_text} step 5m`"),
                ),
            );
            return None;
        };
        let (step_us, step_text) = self.window_duration(step)?;
        let problem = |message: String| Diagnostic::new(Code::SlidingStep, message, step.span, "");
        if step_us <= 0 {
            self.report(problem("a step of no length".to_owned()).help("write a duration above zero"));
            return None;
        }
        if step_text.ends_with('d') {
            let diagnostic = problem(format!("`step {step_text}` has no calendar"));
            self.report(
                diagnostic
                    .help(format!("write `{}h`: steps are counted from 00:00 UTC", step_us / 3_600_000_000)),
            );
            return None;
        }
        if length_us % step_us != 0 {
            let diagnostic = problem(format!("`{step_text}` does not divide `{length_text}`"));
            self.report(
                diagnostic
                    .also(length.span, "the length of the window")
                    .help("choose a step of which the length is a multiple: states are kept for each step"),
            );
            return None;
        }
        if length_us / step_us > MOST_STEPS {
            let message = format!("an event lies in {} windows", length_us / step_us);
            self.report(
                Diagnostic::new(Code::LimitExceeded, message, step.span, "")
                    .help(format!("choose a longer step: the limit is {MOST_STEPS}")),
            );
            return None;
        }
        Some(Window::Sliding { length: length_us, step: step_us })
    }

    fn session(&mut self, gap: &Expr) -> Option<Window> {
        let (micros, _) = self.window_duration(gap)?;
        if micros <= 0 {
            self.report(
                Diagnostic::new(Code::SessionGap, "a session with a gap of zero", gap.span, "")
                    .help("say after how long without an event a session ends: `session gap 30m`"),
            );
            return None;
        }
        Some(Window::Session { gap: micros })
    }

    fn tumbling(&mut self, width: &Expr, calendar: Option<&Name>) -> Option<Window> {
        let (micros, text) = self.window_duration(width)?;
        if text.ends_with('d') {
            let message = format!("`every {text}` has no calendar");
            let diagnostic =
                Diagnostic::new(Code::Window, message, width.span, "where a day begins depends on the place");
            let hours = micros / HOUR_US;
            let since = if hours == 24 { "" } else { ", counted from 1970-01-01, a Thursday" };
            let note =
                format!("`every {hours}h` gives windows of {hours} hours that begin at 00:00 UTC{since}");
            let unit = match hours {
                24 => Some("day"),
                168 => Some("week"),
                _ => None,
            };
            let help = match unit {
                Some(unit) => self.calendar_help(unit),
                None => {
                    "a calendar has days, weeks, months, quarters and years, such as `every week in CALENDAR`"
                        .to_owned()
                }
            };
            self.report(diagnostic.help(help).note(note));
            return None;
        }
        if micros <= 0 {
            return self.no_length(width.span);
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
        Some(Window::Calendar(unit, self.calendar(calendar)?))
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
