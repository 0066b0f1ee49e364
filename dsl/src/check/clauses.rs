//! The clauses of a metric's body: which stand once, and where its events come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Names;
use crate::ast::{
    Argument, Clause, ClauseKind, Every, Expr, ExprKind, KeyItem, MetricItem, MetricValue, Name,
};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::Source;
use metricc_ir::functions;
use metricc_ir::suggest;

/// The clauses of a body, by kind; those that stand once are taken once.
#[derive(Default)]
pub(super) struct Clauses<'a> {
    pub(super) from: Option<&'a Name>,
    pub(super) eaches: Vec<(&'a Name, &'a Expr)>,
    pub(super) lets: Vec<(&'a Name, &'a Expr)>,
    /// Name, table, keys.
    pub(super) lookups: Vec<(&'a Name, &'a Name, &'a [Expr])>,
    pub(super) wheres: Vec<&'a Expr>,
    pub(super) keys: Vec<&'a KeyItem>,
    pub(super) window: Option<WindowClause<'a>>,
    pub(super) unit: Option<(String, Span)>,
}

/// The clause that says which window a metric has.
#[derive(Clone, Copy)]
pub(super) enum WindowClause<'a> {
    Every { every: &'a Every, calendar: Option<&'a Name> },
    Over { length: &'a Expr, step: Option<&'a Expr>, span: Span },
    Session { gap: &'a Expr },
}

/// Sorts the clauses of a metric; what stands twice is reported.
pub(super) fn clauses<'a>(item: &'a MetricItem, found: &mut Vec<Diagnostic>) -> Clauses<'a> {
    let mut clauses = Clauses::default();
    let mut once: BTreeMap<&'static str, Span> = BTreeMap::new();
    for clause in item.body.iter().flatten() {
        if let Some(word) = stands_once(&clause.kind) {
            if let Some(first) = once.get(word) {
                found.push(twice(word, clause, *first));
                continue;
            }
            once.insert(word, clause.span);
        }
        match &clause.kind {
            ClauseKind::From(name) => clauses.from = Some(name),
            ClauseKind::Each { name, list } => clauses.eaches.push((name, list)),
            ClauseKind::Let { name, value } => clauses.lets.push((name, value)),
            ClauseKind::Lookup { name, table, keys } => clauses.lookups.push((name, table, keys)),
            ClauseKind::Where(condition) => clauses.wheres.push(condition),
            ClauseKind::By(keys) => clauses.keys.extend(keys),
            ClauseKind::Every { every, calendar } => {
                clauses.window = Some(WindowClause::Every { every, calendar: calendar.as_ref() });
            }
            ClauseKind::Over { length, step } => {
                clauses.window = Some(WindowClause::Over { length, step: step.as_ref(), span: clause.span });
            }
            ClauseKind::Session { gap } => clauses.window = Some(WindowClause::Session { gap }),
            ClauseKind::Unit(unit) => {
                super::name::check_label("a unit", unit, clause.span, found);
                clauses.unit = Some((unit.clone(), clause.span));
            }
        }
    }
    clauses
}

fn stands_once(kind: &ClauseKind) -> Option<&'static str> {
    Some(match kind {
        ClauseKind::From(_) => "from",
        ClauseKind::By(_) => "by",
        ClauseKind::Every { .. } | ClauseKind::Over { .. } | ClauseKind::Session { .. } => "a window",
        ClauseKind::Unit(_) => "unit",
        ClauseKind::Each { .. }
        | ClauseKind::Let { .. }
        | ClauseKind::Lookup { .. }
        | ClauseKind::Where(_) => return None,
    })
}

fn twice(word: &str, clause: &Clause, first: Span) -> Diagnostic {
    let message =
        if word == "a window" { "two windows".to_owned() } else { format!("`{word}` is given twice") };
    let diagnostic =
        Diagnostic::new(Code::DuplicateClause, message, clause.span, "again here").also(first, "first here");
    match word {
        "by" => diagnostic.help("list all keys in one: `by a, b`"),
        "a window" => {
            diagnostic.help("a metric has one of `every`, `over last` and `session`: make two metrics")
        }
        _ => diagnostic.help("remove one of them"),
    }
}

/// What to say of a metric without `from`.
pub(super) fn no_source(item: &MetricItem, names: &Names) -> Diagnostic {
    let values: Vec<&Expr> = match &item.value {
        MetricValue::Plain(value) => vec![value],
        MetricValue::Record { fields, .. } => fields.iter().map(|(_, value)| value).collect(),
    };
    if !values.is_empty() && !values.iter().any(|value| has_aggregate(value)) {
        let span = values.iter().map(|value| value.span).reduce(Span::to).unwrap_or(item.name.span);
        return values_alone(span);
    }
    let diagnostic = Diagnostic::new(
        Code::MissingFrom,
        format!("metric `{}` has no source", item.name.text),
        item.name.span,
        "",
    );
    match names.sources.keys().next() {
        Some(source) => diagnostic.help(format!("say which events it is about: `{{ from {source} }}`")),
        None => diagnostic.help("define a source, and say `{ from SOURCE }`"),
    }
}

/// A metric that reads neither events nor metrics.
fn values_alone(span: Span) -> Diagnostic {
    Diagnostic::new(Code::MissingFrom, "a metric of neither events nor metrics", span, "")
        .help("say which events it is about, `{ from SOURCE }`, or name metrics that it is made of")
}

/// Whether something that looks like an aggregate is in an expression, of this version or not.
fn has_aggregate(expr: &Expr) -> bool {
    let mut todo = vec![expr];
    while let Some(expr) = todo.pop() {
        match &expr.kind {
            ExprKind::Call { function, arguments } => {
                let plain = |argument: &&Argument| argument.name.is_none();
                if functions::is_aggregate(&function.text, arguments.iter().filter(plain).count()) {
                    return true;
                }
                todo.extend(arguments.iter().map(|argument| &argument.value));
            }
            ExprKind::Where { .. } => return true,
            ExprKind::Binary { left, right, .. } => todo.extend([&**left, &**right]),
            ExprKind::Unary { operand, .. } => todo.push(operand),
            ExprKind::Paren(inner) => todo.push(inner),
            ExprKind::If { condition, then, otherwise } => todo.extend([&**condition, &**then, &**otherwise]),
            _ => {}
        }
    }
    false
}

/// The source that `from` names; `None` if there is no sound one.
pub(super) fn source(from: &Name, names: &Names, found: &mut Vec<Diagnostic>) -> Option<Arc<Source>> {
    if let Some(source) = names.sources.get(&from.text) {
        return source.clone();
    }
    let diagnostic =
        Diagnostic::new(Code::UnknownSource, format!("there is no source `{}`", from.text), from.span, "");
    let help = match suggest::nearest(&from.text, names.sources.keys().map(String::as_str)) {
        _ if names.metrics.contains(&from.text) => "a metric reads a source, not another metric".to_owned(),
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("define it: `source {} {{ at: timestamp time }}`", from.text),
    };
    found.push(diagnostic.help(help));
    None
}
