//! The state of checking one metric, and the few ways in which typed expressions are made.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Names;
use super::derived_operands::Operands;
use super::literal::Literal;
use crate::ast;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{Aggregate, Expr, ExprKind, Func, Kind, Source, Type, Value};

/// Most nodes of a metric's IR, with its `let`s put in.
const MOST_NODES: usize = 10_000;
/// Deepest expression of the IR, with its `let`s put in.
const DEEPEST: usize = 512;

/// Why an expression may be none (see the module `check`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NoneKind {
    Never,
    Silent,
    Declared,
}

/// An expression with what the IR does not say about it.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    /// `ty.optional` is set unless `none` is `Never`.
    pub(super) expr: Expr,
    pub(super) none: NoneKind,
    /// Set for a literal: it may still take another kind.
    pub(super) literal: Option<Literal>,
    /// What it counts, if that is known.
    pub(super) unit: Option<String>,
    pub(super) span: Span,
    pub(super) n_nodes: usize,
    pub(super) depth: usize,
}

impl Typed {
    pub(super) fn kind(&self) -> &Kind {
        &self.expr.ty.kind
    }

    /// A leaf.
    pub(super) fn leaf(kind: ExprKind, ty: Kind, none: NoneKind, span: Span) -> Typed {
        let ty = Type { kind: ty, optional: none != NoneKind::Never };
        Typed { expr: Expr { kind, ty }, none, literal: None, unit: None, span, n_nodes: 1, depth: 1 }
    }

    /// A constant of a settled kind.
    pub(super) fn constant(value: Value, kind: Kind, span: Span) -> Typed {
        let none = if value == Value::None { NoneKind::Declared } else { NoneKind::Never };
        Typed::leaf(ExprKind::Literal(value), kind, none, span)
    }
}

/// What an expression is written for; decides which names it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A clause of the body, by its first word.
    Clause(&'static str),
    /// The argument of an aggregate.
    Argument,
    /// The `where` after an aggregate.
    AggregateFilter,
    /// What the metric presents.
    Output,
}

/// A column of the row scope.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) ty: Option<Type>,
    pub(super) span: Option<Span>,
}

/// A `let`, checked when it is first needed.
pub(super) struct Let<'a> {
    pub(super) name: &'a ast::Name,
    pub(super) value: &'a ast::Expr,
    pub(super) state: LetState,
    pub(super) used: bool,
}

pub(super) enum LetState {
    Waiting,
    Checking,
    Done(Option<Box<Typed>>),
}

/// A `lookup`; its keys are checked when it is first needed.
pub(super) struct LookedUp<'a> {
    pub(super) name: &'a ast::Name,
    pub(super) table: &'a ast::Name,
    pub(super) keys: &'a [ast::Expr],
    pub(super) state: KeyState,
    pub(super) used: bool,
}

pub(super) enum KeyState {
    Waiting,
    Checking,
    Done(Option<Vec<Typed>>),
}

/// Checks the expressions of one metric. Methods that return an option have reported what is wrong
/// where they give `None`.
pub(super) struct Checker<'a> {
    pub(super) text: &'a str,
    pub(super) names: &'a Names,
    pub(super) found: &'a mut Vec<Diagnostic>,
    /// `None`: the source is unknown or has errors, so names cannot be judged.
    pub(super) source: Option<Arc<Source>>,
    pub(super) columns: Vec<Column>,
    pub(super) lets: Vec<Let<'a>>,
    pub(super) lookups: Vec<LookedUp<'a>>,
    pub(super) place: Place,
    /// `let`s and elements that stand after this place of the body may not be used yet.
    pub(super) before: Option<usize>,
    /// Names that are known not to be none.
    pub(super) facts: Vec<String>,
    pub(super) aggregates: Vec<Aggregate>,
    /// Rows that `where` and `by` let into a group although they could not be computed.
    pub(super) lost_rows: Option<Expr>,
    /// For messages: how the aggregates were written.
    pub(super) aggregate_names: BTreeSet<String>,
    pub(super) n_nodes: usize,
    pub(super) limit_reported: bool,
    /// Set where metrics are made of metrics.
    pub(super) operands: Option<Operands>,
    /// Whether the columns are the keys of a metric, and not the fields of a source.
    pub(super) is_over_keys: bool,
}

impl<'a> Checker<'a> {
    /// For a metric that is made of others: there are no rows of events, only what it presents.
    pub(super) fn over_metrics(text: &'a str, names: &'a Names, found: &'a mut Vec<Diagnostic>) -> Self {
        Checker {
            text,
            names,
            found,
            source: None,
            columns: Vec::new(),
            lets: Vec::new(),
            lookups: Vec::new(),
            place: Place::Output,
            before: None,
            facts: Vec::new(),
            aggregates: Vec::new(),
            lost_rows: None,
            aggregate_names: BTreeSet::new(),
            n_nodes: 0,
            limit_reported: false,
            operands: None,
            is_over_keys: false,
        }
    }
}

impl Checker<'_> {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// The text of a place for a message, in backticks; `this` where it is long.
    pub(super) fn quote(&self, span: Span) -> String {
        match self.text.get(span.start..span.end) {
            Some(text) if text.len() <= 40 && !text.contains('\n') => format!("`{text}`"),
            _ => "this".to_owned(),
        }
    }

    pub(super) fn is_output(&self) -> bool {
        self.place == Place::Output
    }

    /// Counts nodes against the limit of the metric.
    pub(super) fn spend(&mut self, n_nodes: usize, depth: usize, span: Span) -> Option<()> {
        self.n_nodes = self.n_nodes.saturating_add(n_nodes);
        if self.n_nodes <= MOST_NODES && depth <= DEEPEST {
            return Some(());
        }
        if !self.limit_reported {
            self.limit_reported = true;
            let message = if depth > DEEPEST {
                format!("an expression more than {DEEPEST} deep, with its `let`s put in")
            } else {
                format!("a metric of more than {MOST_NODES} parts, with its `let`s put in")
            };
            self.report(
                Diagnostic::new(Code::LimitExceeded, message, span, "the limit is here")
                    .help("split the metric, or compute the value before it enters the log"),
            );
        }
        None
    }

    /// Applies a function; the result may be none as `none` says, whatever the arguments are.
    pub(super) fn apply(
        &mut self,
        func: Func,
        arguments: Vec<Typed>,
        kind: Kind,
        none: NoneKind,
        span: Span,
    ) -> Option<Typed> {
        let depth = 1 + arguments.iter().map(|argument| argument.depth).max().unwrap_or(0);
        let n_nodes = 1 + arguments.iter().map(|argument| argument.n_nodes).sum::<usize>();
        self.spend(1, depth, span)?;
        let unit = self.unit_of(&func, &arguments).ok()?;
        let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
        let ty = Type { kind, optional: none != NoneKind::Never };
        let expr = Expr { kind: ExprKind::Call(func, arguments), ty };
        Some(Typed { expr, none, literal: None, unit, span, n_nodes, depth })
    }

    /// Applies a function that gives none for none; `own` is what it adds. A `bool` comes out plain.
    pub(super) fn propagate(
        &mut self,
        func: Func,
        arguments: Vec<Typed>,
        kind: Kind,
        own: NoneKind,
        span: Span,
    ) -> Option<Typed> {
        let none = arguments.iter().map(|argument| argument.none).fold(own, NoneKind::max);
        let typed = self.apply(func, arguments, kind, none, span)?;
        if *typed.kind() == Kind::Bool && typed.none == NoneKind::Silent {
            return self.or_false(typed);
        }
        Some(typed)
    }

    /// `typed ?? false`.
    pub(super) fn or_false(&mut self, typed: Typed) -> Option<Typed> {
        let span = typed.span;
        let otherwise = Typed::constant(Value::Bool(false), Kind::Bool, span);
        self.apply(Func::Coalesce, vec![typed, otherwise], Kind::Bool, NoneKind::Never, span)
    }

    /// The value, if its author has said what none means (or nobody has to).
    pub(super) fn need_value(&mut self, mut typed: Typed, what: &str) -> Option<Typed> {
        if typed.none != NoneKind::Declared {
            return Some(typed);
        }
        if self.is_output() && typed.literal.is_none() {
            typed.none = NoneKind::Silent;
            return Some(typed);
        }
        let quoted = self.quote(typed.span);
        let message = format!("{what} on a value that may be none");
        let label = if typed.literal.is_some() {
            "this is none".to_owned()
        } else {
            format!("this is `{}`", typed.expr.ty)
        };
        let diagnostic = Diagnostic::new(Code::MayBeNone, message, typed.span, label);
        let name = quoted.trim_matches('`');
        self.report(match name {
            "this" => diagnostic.help("say what none means with `??`"),
            _ => {
                let grouped = if name.contains(' ') { format!("({name})") } else { name.to_owned() };
                let diagnostic = diagnostic.help(format!("say what none means: `{grouped} ?? …`"));
                match name.contains(|character: char| {
                    !(character.is_alphanumeric() || matches!(character, '_' | '.'))
                }) {
                    false => diagnostic.help(format!("or test it before: `{name} != none and …`")),
                    true => diagnostic,
                }
            }
        });
        None
    }

    /// A plain `bool` for a condition.
    pub(super) fn need_bool(&mut self, typed: Typed, what: &str) -> Option<Typed> {
        if typed.literal.is_some() || *typed.kind() != Kind::Bool {
            let is_text = matches!(typed.literal, Some(Literal::Text(_)));
            let ty = if is_text { "string".to_owned() } else { typed.expr.ty.to_string() };
            let label = if typed.literal == Some(Literal::None) {
                "this is none".to_owned()
            } else {
                format!("this is `{ty}`")
            };
            self.report(
                Diagnostic::new(Code::TypeMismatch, format!("{what} takes `bool`"), typed.span, label)
                    .help("compare it with something, such as `… == …`"),
            );
            return None;
        }
        let typed = self.need_value(typed, what)?;
        if typed.none == NoneKind::Silent { self.or_false(typed) } else { Some(typed) }
    }
}
