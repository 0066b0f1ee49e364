//! Numbers of periods: those that run on, and parts of dates, which start over.

use super::checker::{Checker, Typed};
use super::clauses::Clauses;
use super::function::Callee;
use crate::ast::MetricItem;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{Expr, ExprKind, Func, Key, Part};

impl Checker<'_> {
    /// A period whose numbers run on, so that their difference is a distance.
    pub(super) fn running(&mut self, callee: Callee<'_>, period: Typed) -> Option<Typed> {
        let wrapping = wrapping(&period.expr).or_else(|| irregular_term(&period.expr));
        let Some(part) = wrapping else { return Some(period) };
        let (name, each, way_out) = match part {
            Part::Quarter => ("quarter", "year", "period(at, quarter) in CALENDAR"),
            Part::Month => ("month", "year", "period(at, month) in CALENDAR"),
            Part::Week => ("week", "year", "period(at, week) in CALENDAR"),
            Part::Day => ("day", "month", "date(at) in CALENDAR"),
            Part::Weekday => ("weekday", "week", "date(at) in CALENDAR"),
            Part::Hour => ("hour", "day", "period(at, 1h)"),
            Part::Minute => ("minute", "hour", "period(at, 1m)"),
            Part::Second => ("second", "minute", "period(at, 1s)"),
            // These run on.
            Part::Year | Part::IsoYear => return Some(period),
        };
        let message =
            format!("{} counts from one period to another, and `{name}` starts over", callee.quoted());
        self.report(
            Diagnostic::new(Code::WrappingPeriod, message, period.span, format!("over again in each {each}"))
                .help(format!("number the periods of all time: `{way_out}`")),
        );
        None
    }

    /// Warns of an ISO week beside the year of its day, which at New Year is not the year of the week: in
    /// what decides the groups of a metric, and in each of its aggregates.
    pub(super) fn years_of_weeks(
        &mut self,
        item: &MetricItem,
        clauses: &Clauses<'_>,
        keys: Option<&[Key]>,
        filter: Option<&Expr>,
    ) {
        let places = clauses.keys.iter().map(|item| item.value.span);
        let of_keys = keys.into_iter().flatten().map(|key| &key.expr).zip(places);
        let place = clauses.wheres.first().map_or(item.name.span, |condition| condition.span);
        let of_groups: Vec<_> = of_keys.chain(filter.map(|filter| (filter, place))).collect();
        self.year_of_week(&of_groups);
        for index in 0..self.aggregates.len() {
            let aggregate = self.aggregates[index].clone();
            let exprs = aggregate.args.iter().chain(&aggregate.filter);
            self.year_of_week(&exprs.map(|expr| (expr, item.name.span)).collect::<Vec<_>>());
        }
    }

    fn year_of_week(&mut self, together: &[(&Expr, Span)]) {
        let of = |wanted: Part| {
            let has = |expr: &Expr| {
                expr.functions().iter().any(|func| matches!(func, Func::Part(part, _) if *part == wanted))
            };
            together.iter().find(|(expr, _)| has(expr)).map(|(_, span)| *span)
        };
        let (Some(year), Some(week), None) = (of(Part::Year), of(Part::Week), of(Part::IsoYear)) else {
            return;
        };
        let message = "an ISO week beside the year of its day";
        let diagnostic = Diagnostic::new(Code::YearOfWeek, message, year, "the year of the day");
        let diagnostic = if week == year { diagnostic } else { diagnostic.also(week, "the week") };
        self.report(
            diagnostic
                .help("write `iso_year` for the year of the week: 2024-12-30 is in week 1 of 2025")
                .note("`every week in CALENDAR` makes windows of weeks, which belong to no year"),
        );
    }
}

/// A part that starts over, if rows are read through such parts alone: then so does the expression.
fn wrapping(expr: &Expr) -> Option<Part> {
    let (mut todo, mut found) = (vec![expr], None);
    while let Some(expr) = todo.pop() {
        match &expr.kind {
            // What a table or a program makes of its arguments is not known.
            ExprKind::Column(_) | ExprKind::Call(Func::Lookup(_) | Func::UserDefined(_), _) => return None,
            ExprKind::Literal(_) => {}
            ExprKind::Call(Func::Part(part, _), _) if part.wraps() => found = Some(*part),
            ExprKind::Call(_, arguments) => todo.extend(arguments),
        }
    }
    found
}

/// A week of the year or a day of the month that is a term of a sum. Years have 52 or 53 weeks and months 28
/// to 31 days, so there is no factor by which such a sum would run on.
fn irregular_term(expr: &Expr) -> Option<Part> {
    let mut todo = vec![expr];
    while let Some(expr) = todo.pop() {
        match &expr.kind {
            ExprKind::Call(Func::Part(part @ (Part::Week | Part::Day), _), _) => return Some(*part),
            ExprKind::Call(Func::Add | Func::Sub | Func::Mul | Func::Neg | Func::Cast, terms) => {
                todo.extend(terms);
            }
            _ => {}
        }
    }
    None
}
