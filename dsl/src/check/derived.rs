//! Metrics made of metrics: which ones, in which order they are checked, and circles.
//!
//! A metric without `from` that names a metric is one. What it names is checked first, whichever stands first
//! in the file; `operand` says how its rows fit those of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Names;
use super::checker::Checker;
use super::clauses::{self, Clauses, WindowClause};
use super::derived_operands::Operands;
use crate::ast::{Expr, ExprKind, MetricItem, MetricValue};
use crate::code::{Code, Severity};
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{AnyMetric, Derived};

/// Whether an item is made of metrics.
pub(super) fn is_derived(item: &MetricItem, names: &Names) -> bool {
    let has_source =
        item.body.iter().flatten().any(|clause| matches!(clause.kind, crate::ast::ClauseKind::From(_)));
    !has_source && mentioned(item).iter().any(|(name, _)| names.metrics.contains(*name))
}

/// All names in the value of a metric, each with its first place.
fn mentioned(item: &MetricItem) -> Vec<(&str, Span)> {
    let mut todo: Vec<&Expr> = match &item.value {
        MetricValue::Plain(value) => vec![value],
        MetricValue::Record { fields, .. } => fields.iter().rev().map(|(_, value)| value).collect(),
    };
    let mut names: Vec<(&str, Span)> = Vec::new();
    while let Some(expr) = todo.pop() {
        match &expr.kind {
            ExprKind::Name(name) => names.push((name, expr.span)),
            ExprKind::Member { value, .. } => names.push((&value.text, value.span)),
            ExprKind::Call { arguments, .. } => {
                todo.extend(arguments.iter().rev().map(|argument| &argument.value));
            }
            ExprKind::Unary { operand, .. } => todo.push(operand),
            ExprKind::Binary { left, right, .. } => todo.extend([&**right, &**left]),
            ExprKind::In { value, choices, .. } => todo.extend(choices.iter().rev().chain([&**value])),
            ExprKind::InCalendar { value, .. } | ExprKind::Offset { value, .. } => todo.push(value),
            ExprKind::If { condition, then, otherwise } => todo.extend([&**otherwise, &**then, &**condition]),
            ExprKind::Where { value, condition, .. } => todo.extend([&**condition, &**value]),
            ExprKind::Paren(inner) => todo.push(inner),
            ExprKind::List(elements) => todo.extend(elements.iter().rev()),
            _ => {}
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|(name, _)| seen.insert(*name));
    names
}

enum State {
    Checking,
    Done(Option<Arc<Derived>>),
}

/// Checks metrics made of metrics, each after those that it is made of.
pub(super) struct Derivations<'a> {
    pub(super) text: &'a str,
    pub(super) names: &'a Names,
    /// Metrics over events, and taken ones. Those with errors are not in it.
    pub(super) made: BTreeMap<String, AnyMetric>,
    items: BTreeMap<&'a str, &'a MetricItem>,
    states: BTreeMap<&'a str, State>,
    /// Metrics that are being checked, each made of the next.
    stack: Vec<&'a str>,
}

impl<'a> Derivations<'a> {
    pub(super) fn new(
        text: &'a str,
        names: &'a Names,
        made: BTreeMap<String, AnyMetric>,
        items: impl Iterator<Item = &'a MetricItem>,
    ) -> Self {
        let items = items.map(|item| (item.name.text.as_str(), item)).collect();
        Derivations { text, names, made, items, states: BTreeMap::new(), stack: Vec::new() }
    }

    /// The metric of an item; `None` if it has errors.
    pub(super) fn derived(&mut self, name: &str, found: &mut Vec<Diagnostic>) -> Option<Arc<Derived>> {
        let (name, item) = self.items.get_key_value(name).map(|(name, item)| (*name, *item))?;
        if let Some(State::Done(derived)) = self.states.get(name) {
            return derived.clone();
        }
        self.states.insert(name, State::Checking);
        self.stack.push(name);
        let derived = self.check(item, found).map(Arc::new);
        self.stack.pop();
        self.states.insert(name, State::Done(derived.clone()));
        derived
    }

    fn check(&mut self, item: &'a MetricItem, found: &mut Vec<Diagnostic>) -> Option<Derived> {
        let mut operands = BTreeMap::new();
        for (name, span) in mentioned(item) {
            if self.names.metrics.contains(name) {
                operands.insert(name.to_owned(), self.made_of(name, span, found));
            }
        }
        let n_before = found.len();
        let mut clauses = clauses::clauses(item, found);
        only_merging(&clauses, found);
        let mut checker = Checker::over_metrics(self.text, self.names, found);
        let window = match clauses.window {
            Some(clause @ WindowClause::Every { .. }) => Some(checker.window(clause)?),
            _ => None,
        };
        checker.operands = Some(Operands::new(operands, window, kept_keys(&clauses)));
        let outputs = checker.outputs(&item.value, &mut clauses.unit);
        let operands = checker.operands.take()?;
        let is_sound = found[n_before..].iter().all(|diagnostic| diagnostic.severity != Severity::Error);
        let (name, doc) = (item.name.text.clone(), item.doc.clone());
        let derived = operands.derived(name, doc, outputs?, clauses.unit.map(|(unit, _)| unit))?;
        (is_sound && !item.damaged).then_some(derived)
    }

    /// What a name stands for; `None` if it has errors, which are reported.
    fn made_of(&mut self, name: &str, span: Span, found: &mut Vec<Diagnostic>) -> Option<AnyMetric> {
        if let Some(made) = self.made.get(name) {
            return Some(made.clone());
        }
        if let Some(State::Checking) = self.states.get(name) {
            let at = self.stack.iter().position(|other| *other == name).unwrap_or(0);
            let circle: Vec<&str> = self.stack[at..].iter().copied().chain([name]).collect();
            let message = "metrics that are made of each other";
            found.push(
                Diagnostic::new(Code::CircularMetric, message, span, circle.join(" → "))
                    .help("make one of them of events, with `from`"),
            );
            return None;
        }
        self.derived(name, found).map(AnyMetric::Derived)
    }
}

/// Reports clauses that say something of events.
fn only_merging(clauses: &Clauses<'_>, found: &mut Vec<Diagnostic>) {
    let window = match clauses.window {
        Some(WindowClause::Over { span, .. }) => Some(("over last", span)),
        Some(WindowClause::Session { gap }) => Some(("session", gap.span)),
        _ => None,
    };
    let each = clauses.eaches.iter().map(|(name, _)| ("each", name.span));
    let lets = clauses.lets.iter().map(|(name, _)| ("let", name.span));
    let lookups = clauses.lookups.iter().map(|(name, ..)| ("lookup", name.span));
    let wheres = clauses.wheres.iter().map(|condition| ("where", condition.span));
    for (word, span) in each.chain(lets).chain(lookups).chain(wheres).chain(window) {
        let message = format!("`{word}` in a metric without events");
        found.push(
            Diagnostic::new(Code::MissingFrom, message, span, "")
                .help("it is made of metrics: say it in theirs; `every`, `by` and `unit` may stand here"),
        );
    }
}

/// The keys that `by` keeps, as they are named, and where.
fn kept_keys(clauses: &Clauses<'_>) -> Option<Vec<(Option<String>, Span)>> {
    let name = |item: &&crate::ast::KeyItem| match (&item.value.kind, &item.name) {
        (ExprKind::Name(name), None) => (Some(name.clone()), item.value.span),
        _ => (None, item.value.span),
    };
    (!clauses.keys.is_empty()).then(|| clauses.keys.iter().map(name).collect())
}
