//! Aggregates: where they stand, and the column that each becomes.

use super::checker::{Checker, NoneKind, Place, Typed};
use super::exact;
use crate::ast::{self, Argument, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions;
use metricc_ir::{Aggregate, Expr, ExprKind as IrKind};

impl Checker<'_> {
    /// `value where condition` after an aggregate.
    pub(super) fn filtered(
        &mut self,
        value: &ast::Expr,
        condition: &ast::Expr,
        keyword: Span,
    ) -> Option<Typed> {
        if let ExprKind::Call { function, arguments } = &value.bare().kind
            && self.is_aggregate_call(&function.text, arguments.len())
        {
            return self.aggregate(function, arguments, Some(condition), value.span.to(condition.span));
        }
        let diagnostic =
            Diagnostic::new(Code::FilterPlace, "`where` after something that is no aggregate", keyword, "")
                .also(value.span, "this is what it would filter");
        self.report(match &value.bare().kind {
            ExprKind::Where { .. } => diagnostic.help("join conditions with `and`"),
            _ if self.is_output() => diagnostic
                .help("put the aggregate and its `where` in parentheses: `(count() where …) / count()`"),
            _ => diagnostic.help("write it after the aggregate: `sum(amount) where …`"),
        });
        self.expr(value);
        None
    }

    /// The first argument that is a metric, with its place.
    fn metric_among<'e>(&self, arguments: &'e [Argument]) -> Option<(&'e str, Span)> {
        arguments.iter().find_map(|argument| match &argument.value.bare().kind {
            ExprKind::Name(name) if self.names.metrics.contains(name) => {
                Some((name.as_str(), argument.value.span))
            }
            _ => None,
        })
    }

    /// One aggregate; what it gives is a column of the outputs' scope.
    pub(super) fn aggregate(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        condition: Option<&ast::Expr>,
        span: Span,
    ) -> Option<Typed> {
        if self.operands.is_some() {
            let diagnostic = match self.metric_among(arguments) {
                Some(metric) => of_rows(function, metric),
                None => super::expression::mixed(function.span),
            };
            self.report(diagnostic);
            return None;
        }
        if !self.is_output() {
            self.misplaced(function);
            return None;
        }
        let n_facts = self.facts.len();
        if let Some(condition) = condition {
            super::expression::learn(condition, true, &mut self.facts);
        }
        self.place = Place::Argument;
        let op_and_args = self.aggregate_parts(function, arguments, span);
        self.facts.truncate(n_facts);
        self.place = Place::AggregateFilter;
        let filter = condition.map(|condition| {
            self.expr(condition).and_then(|typed| self.need_bool(typed, "`where`")).map(|typed| typed.expr)
        });
        self.place = Place::Output;
        let (op, args) = op_and_args?;
        let filter = match filter {
            Some(None) => return None,
            Some(filter) => filter,
            None => None,
        };
        let args: Vec<Expr> = args.into_iter().map(|typed| typed.expr).collect();
        let aggregate = exact::aggregate(op, &args, filter.as_ref(), self.lost_rows.as_ref());
        self.column_of(function, aggregate, span)
    }

    fn column_of(&mut self, function: &Name, aggregate: Aggregate, span: Span) -> Option<Typed> {
        self.aggregate_names.insert(function.text.clone());
        let ty = aggregate.ty.clone();
        let index = match self.aggregates.iter().position(|known| *known == aggregate) {
            Some(index) => index,
            None => {
                self.aggregates.push(aggregate);
                self.aggregates.len() - 1
            }
        };
        self.spend(1, 1, span)?;
        let none = if ty.optional { NoneKind::Silent } else { NoneKind::Never };
        Some(Typed::leaf(IrKind::Column(index), ty.kind, none, span))
    }

    fn misplaced(&mut self, function: &Name) {
        let name = &function.text;
        let diagnostic = match self.place {
            Place::Argument => Diagnostic::new(
                Code::NestedAggregate,
                format!("`{name}` inside of an aggregate"),
                function.span,
                "",
            )
            .help("an aggregate takes values of events: combine aggregates with `+ - * /` beside each other"),
            Place::AggregateFilter => Diagnostic::new(
                Code::NestedAggregate,
                format!("`{name}` in the `where` of an aggregate"),
                function.span,
                "`where` takes everything that follows it",
            )
            .help("put the aggregate and its `where` in parentheses: `(count() where …) / count()`"),
            Place::Clause(clause) => {
                let diagnostic = Diagnostic::new(
                    Code::AggregateOutside,
                    format!("the aggregate `{name}` in `{clause}`"),
                    function.span,
                    "clauses speak of single events",
                );
                match functions::scalar(name) {
                    Some(_) => diagnostic.help(format!(
                        "aggregates stand in the metric's value; `{name}(a, b)` compares two values"
                    )),
                    None => diagnostic.help("aggregates stand in the metric's value, after `=`"),
                }
            }
            Place::Output => return,
        };
        self.report(diagnostic);
    }
}

/// An aggregate of what a metric presents.
fn of_rows(function: &Name, (metric, place): (&str, Span)) -> Diagnostic {
    let message =
        format!("`{}` of the rows of metric `{metric}` is not supported in this version", function.text);
    Diagnostic::new(Code::NotSupported, message, function.span.to(place), "")
        .help("an aggregate is of events: `{ from SOURCE }`")
        .help(format!("coarser windows of the metric are read by its name alone: `{metric} {{ every month in CALENDAR }}`"))
}
