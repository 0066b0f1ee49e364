//! `metric NAME = … { … }` → [`Metric`].

use std::collections::BTreeMap;

use super::checker::{Checker, Column, KeyState, Let, LetState, LookedUp, NoneKind, Place, Typed};
use super::clauses::{self, Clauses};
use super::exact;
use super::expression::learn;
use super::member_access::is_plain;
use super::{MOST_PARTS, Names, Places, duplicate, name, too_many};
use crate::ast::{Expr, ExprKind, KeyItem, MetricItem, MetricValue, Name};
use crate::code::{Code, Severity};
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::exact::{either, widened_to};
use metricc_ir::functions::AGGREGATES;
use metricc_ir::suggest;
use metricc_ir::{Each, ExprKind as IrKind, Func, Key, Kind, Metric, Output, Source, Window};

/// The metric; what is wrong with it is in `found`.
pub(super) fn check(
    text: &str,
    names: &Names,
    item: &MetricItem,
    found: &mut Vec<Diagnostic>,
) -> Option<Metric> {
    let n_before = found.len();
    let mut clauses = clauses::clauses(item, found);
    let Some(from) = clauses.from else {
        found.push(clauses::no_source(item, names));
        return None;
    };
    let source = clauses::source(from, names, found);
    let columns = columns(source.as_deref());
    let mut checker =
        Checker { source: source.clone(), columns, ..Checker::over_metrics(text, names, found) };
    let each = checker.definitions(&clauses);
    let filter = checker.filters(&clauses.wheres).map(|filter| checker.exact_filter(filter.as_ref()));
    let keys = checker.keys(&clauses.keys).map(|keys| checker.exact_keys(&keys));
    let window = match clauses.window {
        None => Some(Window::AllTime),
        Some(clause) => checker.window(clause),
    };
    let outputs = checker.outputs(&item.value, &mut clauses.unit);
    if let Some(source) = &source {
        checker.counts_duplicates(item, from, source);
    }
    let is_sound = |checker: &Checker<'_>| {
        checker.found[n_before..].iter().all(|diagnostic| diagnostic.severity != Severity::Error)
    };
    if is_sound(&checker) {
        checker.unused_lets();
    }
    checker.years_of_weeks(item, &clauses, keys.as_deref(), filter.as_ref().and_then(Option::as_ref));
    Some(Metric {
        name: item.name.text.clone(),
        doc: item.doc.clone(),
        source: source?,
        each: each?,
        filter: filter?,
        keys: keys?,
        window: window?,
        outputs: outputs?,
        aggregates: checker.aggregates,
        unit: clauses.unit.map(|(unit, _)| unit),
    })
}

fn columns(source: Option<&Source>) -> Vec<Column> {
    let fields = source.into_iter().flat_map(|source| &source.fields);
    fields.map(|field| Column { name: field.name.clone(), ty: Some(field.ty.clone()), span: None }).collect()
}

impl<'a> Checker<'a> {
    /// `each` and `let`: the names that a body adds.
    fn definitions(&mut self, clauses: &Clauses<'a>) -> Option<Vec<Each>> {
        let mut places = Places::default();
        let names = clauses.lets.iter().map(|(name, _)| name);
        let names = names.chain(clauses.lookups.iter().map(|(name, ..)| name));
        let names = names.chain(clauses.eaches.iter().map(|(name, _)| name));
        if let Some(name) = names.skip(MOST_PARTS).min_by_key(|name| name.span.start) {
            let diagnostic = too_many("names in a metric", name.span).help("split the metric");
            self.report(diagnostic);
            return None;
        }
        for (name, value) in &clauses.lets {
            let is_free = self.is_free(name) && places.define("name", name, self.found);
            if is_free {
                self.lets.push(Let { name, value, state: LetState::Waiting, used: false });
            }
        }
        for (name, table, keys) in &clauses.lookups {
            let is_free = self.is_free(name) && places.define("name", name, self.found);
            if is_free {
                self.lookups.push(LookedUp { name, table, keys, state: KeyState::Waiting, used: false });
            }
        }
        let mut eaches = Some(Vec::new());
        for (name, list) in &clauses.eaches {
            self.place = Place::Clause("each");
            self.before = Some(name.span.start);
            let list = self.expr(list).and_then(|typed| self.list(typed));
            self.before = None;
            let is_free = self.is_free(name) && places.define("name", name, self.found);
            let ty = list.as_ref().and_then(|typed| match typed.kind() {
                Kind::List(element) => Some((**element).clone()),
                _ => None,
            });
            if is_free {
                self.columns.push(Column { name: name.text.clone(), ty, span: Some(name.span) });
            }
            match list {
                Some(typed) => {
                    if let Some(eaches) = &mut eaches {
                        eaches.push(Each { name: name.text.clone(), list: widened_to(&typed.expr) });
                    }
                }
                None => eaches = None,
            }
        }
        for index in 0..self.lets.len() {
            let (name, used) = (self.lets[index].name, self.lets[index].used);
            if let LetState::Waiting = self.lets[index].state {
                let n_nodes = self.n_nodes;
                self.let_value(index, name.span);
                // Looking at it is no use of it; its own definition was counted.
                self.n_nodes = self.n_nodes.min(n_nodes.saturating_add(self.let_size(index)));
                self.lets[index].used = used;
            }
        }
        for index in 0..self.lookups.len() {
            if let KeyState::Waiting = self.lookups[index].state {
                self.lookup_keys(index, self.lookups[index].name.span);
            }
        }
        eaches
    }

    fn let_size(&self, index: usize) -> usize {
        match &self.lets[index].state {
            LetState::Done(Some(typed)) => typed.n_nodes,
            _ => 0,
        }
    }

    /// Whether no field has the name; a name that hides another would be read wrongly.
    fn is_free(&mut self, name: &Name) -> bool {
        let Some(source) = &self.source else { return true };
        if source.fields.iter().all(|field| field.name != name.text) {
            return true;
        }
        let message = format!("`{}` is a field of `{}`", name.text, source.name);
        name::check_spelling(name, self.found);
        self.report(
            Diagnostic::new(Code::DuplicateName, message, name.span, "defined again here")
                .help("choose another name"),
        );
        false
    }

    fn list(&mut self, typed: Typed) -> Option<Typed> {
        if matches!(typed.kind(), Kind::List(_)) {
            return Some(typed);
        }
        self.report(
            Diagnostic::new(
                Code::TypeMismatch,
                "`each` over something that is no list",
                typed.span,
                format!("this is `{}`", typed.kind()),
            )
            .help("`split(x, \",\")` makes a list of a text"),
        );
        None
    }

    /// All `where`s as one condition. Outer `None`: an error.
    fn filters(&mut self, wheres: &[&Expr]) -> Option<Option<metricc_ir::Expr>> {
        let mut all: Option<Typed> = None;
        let mut is_sound = true;
        for condition in wheres {
            self.place = Place::Clause("where");
            self.before = Some(condition.span.start);
            let typed = self.expr(condition).and_then(|typed| self.need_bool(typed, "`where`"));
            self.before = None;
            learn(condition, true, &mut self.facts);
            let joined = match (all.take(), typed) {
                (None, typed) => typed,
                (Some(before), Some(typed)) => {
                    let span = before.span.to(typed.span);
                    self.apply(Func::And, vec![before, typed], Kind::Bool, NoneKind::Never, span)
                }
                (before, None) => {
                    is_sound = false;
                    before
                }
            };
            is_sound &= joined.is_some();
            all = joined;
        }
        is_sound.then(|| all.map(|typed| typed.expr))
    }

    fn exact_filter(&mut self, filter: Option<&metricc_ir::Expr>) -> Option<metricc_ir::Expr> {
        let (filter, lost) = exact::filter(filter);
        self.lost_rows = lost;
        filter
    }

    fn exact_keys(&mut self, keys: &[Key]) -> Vec<Key> {
        let mut exact_key = |key| {
            let (key, lost) = exact::key(key);
            self.lost_rows = either(self.lost_rows.take(), lost);
            key
        };
        keys.iter().map(&mut exact_key).collect()
    }

    fn keys(&mut self, items: &[&KeyItem]) -> Option<Vec<Key>> {
        if let Some(item) = items.get(MOST_PARTS) {
            let diagnostic = too_many("keys in a metric", item.value.span).help("use fewer keys");
            self.report(diagnostic);
            return None;
        }
        let mut places = Places::default();
        let mut keys = Some(Vec::new());
        for item in items {
            match self.key(item, &mut places) {
                Some(key) => {
                    if let Some(keys) = &mut keys {
                        keys.push(key);
                    }
                }
                None => keys = None,
            }
        }
        keys
    }

    fn key(&mut self, item: &KeyItem, places: &mut Places) -> Option<Key> {
        self.place = Place::Clause("by");
        self.before = Some(item.value.span.start);
        let typed = self.expr(&item.value);
        self.before = None;
        let name = match (&item.name, &item.value.bare().kind) {
            (Some(name), _) => Some(name.clone()),
            (None, ExprKind::Name(name)) => Some(Name { text: name.clone(), span: item.value.span }),
            (None, ExprKind::Member { fields, .. }) => fields.last().cloned(),
            (None, ExprKind::Poisoned) => None,
            (None, _) => {
                self.report(
                    Diagnostic::new(Code::KeyName, "a key without a name", item.value.span, "")
                        .help("name it with `as`, such as `by lower(country) as country`"),
                );
                None
            }
        };
        let is_new = name.as_ref().is_some_and(|name| places.define("key", name, self.found));
        let typed = typed?;
        if !is_plain(typed.kind()) {
            return self.no_lists("`by`", &typed).map(|typed| Key { name: String::new(), expr: typed.expr });
        }
        if typed.literal.is_some() {
            self.report(
                Diagnostic::new(Code::KeyName, "a key that is always the same", typed.span, "")
                    .help("remove it, or use a field of the source"),
            );
            return None;
        }
        let name = name.filter(|_| is_new)?;
        Some(Key { name: name.text, expr: typed.expr })
    }

    /// What is presented. `unit` is the one that it is given; the one that a plain value has goes there
    /// otherwise.
    pub(super) fn outputs(
        &mut self,
        value: &MetricValue,
        unit: &mut Option<(String, Span)>,
    ) -> Option<Vec<Output>> {
        self.place = Place::Output;
        let (fields, span) = match value {
            MetricValue::Plain(value) => {
                let typed = self.output(value)?;
                self.given_unit(&typed, unit.as_ref());
                if unit.is_none() {
                    *unit = typed.unit.map(|unit| (unit, typed.span));
                }
                return Some(vec![Output { name: None, expr: typed.expr }]);
            }
            MetricValue::Record { fields, span } => (fields, *span),
        };
        if fields.is_empty() {
            self.report(
                Diagnostic::new(Code::NoAggregate, "a record without fields", span, "")
                    .help("name at least one aggregate: `{ orders: count() }`"),
            );
            return None;
        }
        if let Some((name, _)) = fields.get(MOST_PARTS) {
            let diagnostic = too_many("fields in a record", name.span).help("split the metric");
            self.report(diagnostic);
            return None;
        }
        let mut places: BTreeMap<&str, Span> = BTreeMap::new();
        let mut outputs = Some(Vec::new());
        for (name, value) in fields {
            name::check_spelling(name, self.found);
            if let Some(first) = places.get(name.text.as_str()) {
                let diagnostic = duplicate("field", name, *first);
                self.report(diagnostic);
            } else {
                places.insert(&name.text, name.span);
            }
            match self.output(value) {
                Some(typed) => {
                    self.given_unit(&typed, unit.as_ref());
                    if let Some(outputs) = &mut outputs {
                        outputs.push(Output { name: Some(name.text.clone()), expr: typed.expr });
                    }
                }
                None => outputs = None,
            }
        }
        outputs
    }

    fn output(&mut self, value: &Expr) -> Option<Typed> {
        let typed = self.expr(value)?;
        if !reads_column(&typed.expr) {
            let diagnostic =
                Diagnostic::new(Code::NoAggregate, "a value without an aggregate", value.span, "")
                    .help("take an aggregate of it, such as `count()`, `sum(amount)` or `last(status)`");
            self.report(diagnostic);
            return None;
        }
        Some(typed)
    }

    /// Warns where a repeated event would be counted again.
    fn counts_duplicates(&mut self, item: &MetricItem, from: &Name, source: &Source) {
        let is_harmless = self.aggregates.iter().all(|aggregate| aggregate.op.is_idempotent());
        if is_harmless || !source.identity.is_empty() {
            return;
        }
        let idempotent = AGGREGATES.iter().filter(|spec| spec.idempotent).map(|spec| spec.name);
        let idempotent: Vec<&str> = idempotent.collect();
        let message = format!("`{}` counts an event again each time it arrives", item.name.text);
        self.report(
            Diagnostic::new(
                Code::CountsDuplicates,
                message,
                from.span,
                format!("`{}` does not say what identifies an event", source.name),
            )
            .help("mark the fields that identify an event with `key`")
            .note(format!("{} give the same for repeated events", suggest::all_of(&idempotent))),
        );
    }

    fn unused_lets(&mut self) {
        let unused: Vec<&Name> = self
            .lets
            .iter()
            .filter(|definition| !definition.used)
            .map(|definition| definition.name)
            .chain(self.lookups.iter().filter(|lookup| !lookup.used).map(|lookup| lookup.name))
            .collect();
        for name in unused {
            self.report(
                Diagnostic::new(Code::Unused, format!("`{}` is never used", name.text), name.span, "")
                    .help("use it, or remove it"),
            );
        }
    }
}

fn reads_column(expr: &metricc_ir::Expr) -> bool {
    let mut todo = vec![expr];
    while let Some(expr) = todo.pop() {
        match &expr.kind {
            IrKind::Column(_) => return true,
            IrKind::Literal(_) => {}
            IrKind::Call(_, arguments) => todo.extend(arguments),
        }
    }
    false
}
