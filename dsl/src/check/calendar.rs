//! `calendar NAME { zone "…", week monday }`, and zone names.

use crate::ast::{CalendarClause, CalendarItem, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, MOST_SHOWN, Span};
use metricc_ir::Calendar;
use metricc_ir::calendar::zone_names;
use metricc_ir::expression_text::{self, WEEKDAYS};
use metricc_ir::suggest;

/// The calendar; `None` if it has errors.
pub(super) fn check(item: &CalendarItem, found: &mut Vec<Diagnostic>) -> Option<Calendar> {
    let mut zone: Option<(Option<String>, Span)> = None;
    let mut week: Option<(Option<u8>, Span)> = None;
    for clause in &item.clauses {
        match clause {
            CalendarClause::Zone { zone: name, span } => match &zone {
                Some((_, first)) => found.push(twice("zone", *span, *first)),
                None => zone = Some((zone_name(name, found), *span)),
            },
            CalendarClause::Week { day, span } => match &week {
                Some((_, first)) => found.push(twice("week", *span, *first)),
                None => week = Some((weekday(day, found), *span)),
            },
        }
    }
    let Some((zone, _)) = zone else {
        found.push(
            Diagnostic::new(
                Code::CalendarClause,
                format!("calendar `{}` has no zone", item.name.text),
                item.name.span,
                "",
            )
            .help("add one, such as `zone \"Europe/Berlin\"`"),
        );
        return None;
    };
    Some(Calendar { zone: zone?, week_start: week.map_or(Some(1), |(day, _)| day)? })
}

fn twice(what: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(Code::CalendarClause, format!("`{what}` is given twice"), span, "again here")
        .also(first, "first here")
        .help("remove one of them")
}

fn weekday(day: &Name, found: &mut Vec<Diagnostic>) -> Option<u8> {
    let known = expression_text::weekday(&day.text);
    if known.is_none() {
        let diagnostic = Diagnostic::new(
            Code::CalendarClause,
            format!("`{}` is not a day of the week", day.text),
            day.span,
            "",
        );
        let starting = WEEKDAYS
            .iter()
            .find(|name| day.text.len() >= 2 && name.starts_with(day.text.to_ascii_lowercase().as_str()))
            .copied();
        found.push(match starting.or_else(|| suggest::nearest(&day.text, WEEKDAYS)) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic.help(format!("days are {}", suggest::one_of(&WEEKDAYS))),
        });
    }
    known
}

/// The name of a zone that exists; `None` if it does not, which is reported.
pub(super) fn zone_name(expr: &Expr, found: &mut Vec<Diagnostic>) -> Option<String> {
    let ExprKind::String(name) = &expr.kind else {
        return None;
    };
    if zone_names().any(|zone| zone == name) {
        return Some(name.clone());
    }
    let diagnostic =
        Diagnostic::new(Code::UnknownZone, format!("there is no time zone `{name}`"), expr.span, "");
    let in_city = || zone_names().find(|zone| zone.rsplit('/').next() == Some(name.as_str()));
    // There are many zones: nobody reads what is meant by the two-hundredth one.
    let meant = (found.len() < MOST_SHOWN).then(|| suggest::nearest(name, zone_names()).or_else(in_city));
    found.push(match meant.flatten() {
        Some(meant) => diagnostic.help(format!("did you mean `\"{meant}\"`?")),
        None => diagnostic.help("zones have IANA names, such as `\"Europe/Berlin\"` or `\"UTC\"`"),
    });
    None
}
