//! Windows, calendars and units of a chain.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, Lit};

use super::Writer;
use crate::language_text::LanguageText;

/// Calendar units, which are functions of a zone in Rust.
const CALENDAR_UNITS: [&str; 6] = ["day", "week", "week_from", "month", "quarter", "year"];

/// Whether it is a unit of a calendar: a call of a function, perhaps with another first day of the week.
pub(crate) fn is_calendar_unit(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) => true,
        Expr::MethodCall(steps) => {
            steps.method == "weeks_from" && matches!(steps.receiver.as_ref(), Expr::Call(_))
        }
        _ => false,
    }
}

impl Writer<'_> {
    pub(crate) fn every(&mut self, call: &ExprMethodCall) {
        let Some(argument) = self.only_argument(call) else { return };
        let mut window = LanguageText::default();
        window.push("  every ", call.method.span());
        self.width(argument, &mut window);
        self.replace_window(call, window);
    }

    /// A duration, or a unit of a calendar: `1h`, `day("Asia/Kolkata")`.
    pub(crate) fn width(&mut self, expr: &Expr, out: &mut LanguageText) {
        if !is_calendar_unit(expr) {
            return self.literal_only(expr, out);
        }
        let Some((name, calendar)) = self.calendar_unit(expr) else { return };
        out.push(&name.to_string(), name.span());
        out.push(&format!(" in {calendar}"), expr.span());
    }

    pub(crate) fn sliding(&mut self, call: &ExprMethodCall, first: &str, second: &str) {
        let mut window = LanguageText::default();
        let most = if second.is_empty() { 1 } else { 2 };
        if call.args.is_empty() || call.args.len() > most {
            let help = format!("`{}` takes {most} argument{}", call.method, if most == 1 { "" } else { "s" });
            return self.problems.push(call.method.span(), &help);
        }
        for (argument, word) in call.args.iter().zip([first, second]) {
            window.push(&format!("{}{word}", if window.is_empty() { "  " } else { "" }), call.method.span());
            self.literal_only(argument, &mut window);
        }
        self.replace_window(call, window);
    }

    fn replace_window(&mut self, call: &ExprMethodCall, window: LanguageText) {
        if self.window.is_some() {
            let help = "a metric has one window\n\nhelp: remove one of `every`, `over_last` and `session`";
            return self.problems.push(call.method.span(), help);
        }
        self.window = Some(window);
    }

    pub(crate) fn unit(&mut self, call: &ExprMethodCall) {
        let Some(argument) = self.only_argument(call) else { return };
        let Expr::Lit(syn::ExprLit { lit: Lit::Str(unit), .. }) = argument else {
            let help = "the unit is a string\n\nhelp: write `.unit(\"percent\")`";
            return self.problems.push_on(argument, help);
        };
        let mut text = LanguageText::default();
        text.push("  unit ", call.method.span());
        text.push_string(&unit.value(), unit.span());
        self.unit = Some(text);
    }

    /// `day("Asia/Kolkata")`, `day("Asia/Kolkata").weeks_from("sunday")`,
    /// `week_from("America/New_York", "sunday")`: the unit, and the calendar's name.
    pub(crate) fn calendar_unit(&mut self, expr: &Expr) -> Option<(Ident, String)> {
        let (call, start) = self.unit_call(expr)?;
        let unit = match call.func.as_ref() {
            Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
            _ => None,
        };
        let Some(unit) = unit.filter(|unit| CALENDAR_UNITS.iter().any(|known| unit == known)) else {
            let help = "not a window\n\nhelp: write a duration, such as `1h`, or a calendar's `day(\"Asia/Kolkata\")`";
            self.problems.push_on(&call.func, help);
            return None;
        };
        let mut strings = Vec::new();
        for argument in &call.args {
            let Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) = argument else {
                let help = "a zone is a string\n\nhelp: write its IANA name, such as `\"Asia/Kolkata\"`";
                self.problems.push_on(argument, help);
                return None;
            };
            strings.push(text);
        }
        let is_from = unit == "week_from";
        let unit = if is_from { Ident::new("week", unit.span()) } else { unit };
        let (zone, week) = match strings.as_slice() {
            [zone] if !is_from => (*zone, start.map_or_else(|| "monday".to_owned(), syn::LitStr::value)),
            [zone, week] if is_from && start.is_none() => (*zone, week.value()),
            [_, _] if is_from => {
                let help = "the first day of the week is given twice\n\nhelp: remove `.weeks_from(…)`";
                self.problems.push(unit.span(), help);
                return None;
            }
            _ if is_from => {
                let help = "the zone or the first day of the week is missing\n\nhelp: write `week_from(\"America/New_York\", \"sunday\")`";
                self.problems.push(unit.span(), help);
                return None;
            }
            _ => {
                let help = format!("the zone is missing\n\nhelp: write `{unit}(\"Asia/Kolkata\")`");
                self.problems.push(unit.span(), &help);
                return None;
            }
        };
        Some((unit, self.calendar(&zone.value(), &week, zone.span())))
    }

    /// The call that names a unit, and the day of `weeks_from`.
    fn unit_call<'b>(&mut self, expr: &'b Expr) -> Option<(&'b syn::ExprCall, Option<&'b syn::LitStr>)> {
        let steps = match expr {
            Expr::Call(call) => return Some((call, None)),
            Expr::MethodCall(steps) => steps,
            _ => return None,
        };
        let Expr::Call(call) = steps.receiver.as_ref() else { return None };
        match self.only_argument(steps)? {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(day), .. }) => Some((call, Some(day))),
            other => {
                let help = "the first day of the week is a string\n\nhelp: write `.weeks_from(\"sunday\")`";
                self.problems.push_on(other, help);
                None
            }
        }
    }

    /// The name of the calendar of a zone.
    pub(crate) fn calendar(&mut self, zone: &str, week: &str, span: Span) -> String {
        let known = self.calendars.iter().position(|(known, start, _)| known == zone && start == week);
        let place = known.unwrap_or_else(|| {
            self.calendars.push((zone.to_owned(), week.to_owned(), span));
            self.calendars.len() - 1
        });
        format!("calendar_{}", place + 1)
    }
}
