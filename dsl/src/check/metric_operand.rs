//! One metric in the definition of another: which value it is, and how its rows fit those of the others.

use metricc_ir as ir;

use super::Names;
use super::checker::{Checker, NoneKind, Typed};
use super::offset::{Back, units_in};
use crate::ast::Name;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::calendar::{MICROS_PER_DAY, ZoneRules};
use metricc_ir::{AnyMetric, CalendarUnit, Operand, RecordField, RowType, Window};
use metricc_ir::{expression_text, suggest};

impl Checker<'_> {
    /// `metric`, `metric.field`, each perhaps with an offset.
    pub(super) fn operand(
        &mut self,
        name: &str,
        field: Option<&Name>,
        back: Option<Back<'_>>,
        span: Span,
    ) -> Option<Typed> {
        let operands = self.operands.as_ref()?;
        let Some(made) = operands.made.get(name) else {
            self.unknown_metric(name, span);
            return None;
        };
        let made = made.clone()?;
        let row = made.row_type();
        let output = self.output_of(&row, field, span)?;
        let (window, keys) = self.fit(&row, span)?;
        self.same_sessions(&made, &window, span)?;
        let offset = match back {
            Some(back) => self.windows_back(back, &window)?,
            None => 0,
        };
        let operands = self.operands.as_mut()?;
        let typed = |kind, ty: &ir::Type, n_nodes, depth| Typed {
            expr: ir::Expr { kind, ty: ty.clone() },
            none: if ty.optional { NoneKind::Silent } else { NoneKind::Never },
            literal: None,
            unit: row.unit.clone(),
            span,
            n_nodes,
            depth,
        };
        match &made {
            AnyMetric::Base(metric) => {
                let operand = Operand { metric: metric.clone(), keys, offset };
                let column = operands.column(operand, output);
                self.spend(1, 1, span)?;
                Some(typed(ir::ExprKind::Column(column), &row.outputs[output].ty, 1, 1))
            }
            AnyMetric::Derived(derived) => {
                if !window.is_cut_as(&derived.window)
                    && derived.operands.iter().any(|operand| operand.offset > 0)
                {
                    let message = format!(
                        "`{name}` looks back by windows of `{}`",
                        expression_text::window(&derived.window)
                    );
                    let diagnostic = Diagnostic::new(Code::Operands, message, span, "");
                    self.report(diagnostic.help("make this one of the metrics that it is made of"));
                    return None;
                }
                let columns: Vec<usize> = derived
                    .columns
                    .iter()
                    .map(|column| {
                        let inner = &derived.operands[column.operand];
                        let keys = keys.iter().map(|key| inner.keys[*key]).collect();
                        let offset = inner.offset.saturating_add(offset);
                        operands.column(Operand { metric: inner.metric.clone(), keys, offset }, column.output)
                    })
                    .collect();
                let expr = &derived.outputs[output].expr;
                let (n_nodes, depth) = size(expr);
                self.spend(n_nodes, depth, span)?;
                Some(typed(moved(expr, &columns).kind, &expr.ty, n_nodes, depth))
            }
        }
    }

    fn unknown_metric(&mut self, name: &str, span: Span) {
        let diagnostic =
            Diagnostic::new(Code::UnknownMetric, format!("there is no metric `{name}`"), span, "");
        let help = match suggest::nearest(name, self.names.metrics.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "define it, or take it from another file with `use`".to_owned(),
        };
        self.report(diagnostic.help(help));
    }

    /// The place of the output that is meant.
    fn output_of(&mut self, row: &RowType, field: Option<&Name>, span: Span) -> Option<usize> {
        let names: Vec<&str> = row.output_names().collect();
        let is_record = row.outputs.iter().any(|output| output.name.is_some());
        let problem = match (field, is_record) {
            (None, false) => return Some(0),
            (Some(field), true) => match names.iter().position(|name| *name == field.text) {
                Some(place) => return Some(place),
                None => {
                    let message = format!("`{}` presents no `{}`", row.name, field.text);
                    let diagnostic = Diagnostic::new(Code::UnknownName, message, field.span, "");
                    match suggest::nearest(&field.text, names.iter().copied()) {
                        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                        None => diagnostic.help(format!("it presents {}", suggest::all_of(&names))),
                    }
                }
            },
            (None, true) => {
                let message = format!("`{}` presents a record", row.name);
                Diagnostic::new(Code::Operands, message, span, "")
                    .help(format!("take one of its values, such as `{}.{}`", row.name, names[0]))
            }
            (Some(field), false) => {
                let message = format!("`{}` presents one value without a name", row.name);
                Diagnostic::new(Code::UnknownName, message, field.span, "")
                    .help(format!("write `{}` alone", row.name))
            }
        };
        self.report(problem);
        None
    }

    /// Window and keys by which an operand is read, which are those of the other operands.
    fn fit(&mut self, row: &RowType, span: Span) -> Option<(Window, Vec<usize>)> {
        let operands = self.operands.as_ref()?;
        let window = operands.window.clone().unwrap_or_else(|| row.window.clone());
        if !merges(&row.window, &window) {
            let (own, wanted) = (expression_text::window(&row.window), expression_text::window(&window));
            let message = format!("windows of `{own}` cannot be rolled up to `{wanted}`");
            let diagnostic =
                Diagnostic::new(Code::Operands, message, span, format!("`{}` is `{own}`", row.name));
            self.report(diagnostic.help("ask for windows that begin and end where these do"));
            return None;
        }
        let keys: Vec<RecordField> = match operands.kept.clone() {
            None => row.keys.clone(),
            Some(_) if matches!(row.window, Window::Session { .. }) => {
                let message = "sessions are those of each key";
                let diagnostic = Diagnostic::new(Code::Operands, message, span, "");
                self.report(diagnostic.help("leave out `by`: sessions of several keys are not merged"));
                return None;
            }
            Some(kept) => self.kept(row, &kept, span)?,
        };
        let places = |keys: &[RecordField]| {
            keys.iter()
                .map(|key| row.keys.iter().position(|known| known == key))
                .collect::<Option<Vec<usize>>>()
        };
        let operands = self.operands.as_mut()?;
        let Some((first_window, first_keys, first)) = &operands.shape else {
            let places = places(&keys)?;
            operands.shape = Some((window.clone(), keys, span));
            return Some((window, places));
        };
        if first_window.is_cut_as(&window)
            && first_keys.len() == keys.len()
            && let Some(places) = places(first_keys)
        {
            return Some((window, places));
        }
        let describe = |window: &Window, keys: &[RecordField]| {
            let keys: Vec<String> = keys.iter().map(|key| format!("{}: {}", key.name, key.ty)).collect();
            let window = expression_text::window(window);
            if keys.is_empty() {
                format!("`{window}`")
            } else {
                format!("`{window}` by `{}`", keys.join(", "))
            }
        };
        let is_window = !first_window.is_cut_as(&window);
        let (this, other) = (describe(&window, &keys), describe(first_window, first_keys));
        let what = if is_window { "windows" } else { "keys" };
        let help = match is_window {
            true => windows_for_both(self.names, &window, first_window),
            false => keys_for_both(&keys, first_keys),
        };
        let diagnostic =
            Diagnostic::new(Code::Operands, format!("metrics with different {what}"), span, this)
                .also(*first, other)
                .help(help);
        self.report(diagnostic);
        None
    }

    /// Sessions are made of events: two metrics have the same ones where they look at the same events.
    fn same_sessions(&mut self, made: &AnyMetric, window: &Window, span: Span) -> Option<()> {
        let operands = self.operands.as_ref()?;
        let (Window::Session { .. }, Some(metric), Some(first)) =
            (window, made.base().first().copied(), operands.operands.first())
        else {
            return Some(());
        };
        let rows = |metric: &ir::Metric| (metric.source.clone(), metric.each.clone(), metric.filter.clone());
        let groups = |metric: &ir::Metric| metric.keys.clone();
        if rows(metric) == rows(&first.metric) && groups(metric) == groups(&first.metric) {
            return Some(());
        }
        let (_, _, place) = operands.shape.as_ref()?;
        let message = "sessions of different events";
        let diagnostic = Diagnostic::new(Code::Operands, message, span, "").also(*place, "these are others");
        self.report(diagnostic.help(
            "sessions begin and end with the events that a metric looks at: filter the aggregates, `count() where …`, and not the metric",
        ));
        None
    }

    /// The keys of `by`, which a metric has to have.
    fn kept(
        &mut self,
        row: &RowType,
        kept: &[(Option<String>, Span)],
        span: Span,
    ) -> Option<Vec<RecordField>> {
        let mut keys = Vec::with_capacity(kept.len());
        for (name, place) in kept {
            let Some(name) = name else {
                let diagnostic =
                    Diagnostic::new(Code::KeyName, "a key that is not the name of one", *place, "");
                self.report(diagnostic.help("name keys of the metrics that this one is made of"));
                return None;
            };
            let Some(key) = row.keys.iter().find(|key| key.name == *name) else {
                let message = format!("`{}` has no key `{name}`", row.name);
                let diagnostic =
                    Diagnostic::new(Code::Operands, message, span, "").also(*place, "this key is asked for");
                let known: Vec<&str> = row.keys.iter().map(|key| key.name.as_str()).collect();
                self.report(match known.is_empty() {
                    true => diagnostic.help("it has one row for all"),
                    false => diagnostic.help(format!("it has {}", suggest::all_of(&known))),
                });
                return None;
            };
            if keys.contains(key) {
                let diagnostic = Diagnostic::new(
                    Code::DuplicateName,
                    format!("the key `{name}` is kept twice"),
                    *place,
                    "",
                );
                self.report(diagnostic.help("name each key once"));
                return None;
            }
            keys.push(key.clone());
        }
        Some(keys)
    }
}

/// How metrics of two windows come to one.
fn windows_for_both(names: &Names, one: &Window, other: &Window) -> String {
    if [one, other].contains(&&Window::AllTime) {
        return "one of them has a single value for all time: give it windows with `every`".to_owned();
    }
    let coarser = match (merges(one, other), merges(other, one)) {
        (true, _) => other,
        (_, true) => one,
        _ => return "neither can be rolled up to the other: give both the same windows".to_owned(),
    };
    let every = match coarser {
        Window::Calendar(unit, calendar) => {
            let known = names.calendars.iter().find(|(_, entry)| {
                entry.calendar.as_ref().is_some_and(|known| known.clone().of(*unit) == *calendar)
            });
            let name = known.map_or("CALENDAR", |(name, _)| name.as_str());
            format!("every {} in {name}", expression_text::unit_name(*unit))
        }
        coarser => expression_text::window(coarser),
    };
    format!("read both by the coarser windows: `{{ {every} }}`")
}

/// How metrics of different keys come to the same.
fn keys_for_both(one: &[RecordField], other: &[RecordField]) -> String {
    let common: Vec<&str> =
        one.iter().filter(|key| other.contains(key)).map(|key| key.name.as_str()).collect();
    match common.is_empty() {
        false => format!("keep the keys that both have: `{{ by {} }}`", common.join(", ")),
        true if one.is_empty() || other.is_empty() => {
            "one of them has one row for all: give it the keys of the other with `by`".to_owned()
        }
        true => "they have no key in common: give both the same `by`".to_owned(),
    }
}

/// Whether windows can be rolled up to others.
fn merges(own: &Window, wanted: &Window) -> bool {
    match (own, wanted) {
        (own, wanted) if own.is_cut_as(wanted) => true,
        (Window::Tumbling(own), Window::Tumbling(wanted)) => wanted % own == 0,
        (Window::Tumbling(width), Window::Calendar(_, calendar)) => {
            // Summer and winter of a year of this century; the borders themselves are looked at when rows are
            // read.
            const SEASONS: [i64; 2] = [1_578_000_000_000_000, 1_594_000_000_000_000];
            MICROS_PER_DAY % width == 0
                && ZoneRules::named(&calendar.zone).is_some_and(|zone| {
                    SEASONS.iter().all(|at| (i64::from(zone.offset_at(*at)) * 1_000_000) % width == 0)
                })
        }
        (Window::Calendar(own, here), Window::Calendar(wanted, there)) => {
            // Weeks of the same unit differ by the day on which they start.
            let is_longer = own != wanted && units_in(*wanted, *own).is_some();
            here.zone == there.zone && (*own == CalendarUnit::Day || is_longer)
        }
        _ => false,
    }
}

/// Nodes and depth of an expression.
fn size(expr: &ir::Expr) -> (usize, usize) {
    match &expr.kind {
        ir::ExprKind::Call(_, arguments) => arguments
            .iter()
            .map(size)
            .fold((1, 1), |(n, depth), (more, inner)| (n + more, depth.max(inner + 1))),
        _ => (1, 1),
    }
}

/// The expression over other columns.
fn moved(expr: &ir::Expr, columns: &[usize]) -> ir::Expr {
    let kind = match &expr.kind {
        ir::ExprKind::Column(column) => ir::ExprKind::Column(columns[*column]),
        ir::ExprKind::Literal(value) => ir::ExprKind::Literal(value.clone()),
        ir::ExprKind::Call(func, arguments) => {
            let arguments = arguments.iter().map(|argument| moved(argument, columns)).collect();
            ir::ExprKind::Call(func.clone(), arguments)
        }
    };
    ir::Expr { kind, ty: expr.ty.clone() }
}
