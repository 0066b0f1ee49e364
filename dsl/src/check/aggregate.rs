//! Aggregates: where they stand, and the type that each presents.

use super::checker::{Checker, NoneKind, Place, Typed};
use super::import;
use crate::ast::{Argument, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{Aggregate, AggregateOp, ExprKind as IrKind, Kind, RecordField, Type};

/// The aggregates. `min` and `max` are aggregates with one argument only.
pub(super) const NAMES: [&str; 37] = [
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "variance",
    "stddev",
    "skewness",
    "kurtosis",
    "covariance",
    "correlation",
    "slope",
    "intercept",
    "any",
    "all",
    "first",
    "last",
    "arg_min",
    "arg_max",
    "distinct",
    "set",
    "union",
    "quantile",
    "median",
    "p50",
    "p90",
    "p95",
    "p99",
    "p999",
    "histogram",
    "top",
    "frequency",
    "bits_or",
    "bits_and",
    "bits_xor",
    "funnel",
    "retention",
];

/// Whether a call is one of an aggregate.
pub(crate) fn is_aggregate(name: &str, n_arguments: usize) -> bool {
    NAMES.contains(&name) && !(matches!(name, "min" | "max") && n_arguments > 1)
}

impl Checker<'_> {
    /// `value where condition` behind an aggregate.
    pub(super) fn filtered(&mut self, value: &Expr, condition: &Expr, keyword: Span) -> Option<Typed> {
        if let ExprKind::Call { function, arguments } = &value.bare().kind
            && self.is_aggregate_call(&function.text, arguments.len())
        {
            return self.aggregate(function, arguments, Some(condition), value.span.to(condition.span));
        }
        let diagnostic =
            Diagnostic::new(Code::FilterPlace, "`where` behind something that is no aggregate", keyword, "")
                .also(value.span, "this is what it would filter");
        self.report(match &value.bare().kind {
            ExprKind::Where { .. } => diagnostic.help("join conditions with `and`"),
            _ if self.is_output() => diagnostic
                .help("put the aggregate and its `where` in parentheses: `(count() where …) / count()`"),
            _ => diagnostic.help("write it behind the aggregate: `sum(amount) where …`"),
        });
        self.expr(value);
        None
    }

    /// One aggregate; what it gives is a column of the outputs' scope.
    pub(super) fn aggregate(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        condition: Option<&Expr>,
        span: Span,
    ) -> Option<Typed> {
        if self.operands.is_some() {
            self.report(super::expression::mixed(function.span));
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
        let ty = presented(&op, &args);
        let args = args.into_iter().map(|typed| typed.expr).collect();
        let aggregate = Aggregate { op, args, filter, ty };
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
                match name.as_str() {
                    "min" | "max" => diagnostic.help(format!(
                        "aggregates stand in the metric's value; `{name}(a, b)` compares two values"
                    )),
                    _ => diagnostic.help("aggregates stand in the metric's value, behind `=`"),
                }
            }
            Place::Output => return,
        };
        self.report(diagnostic);
    }
}

/// The presented type, as the documentation of [`AggregateOp`] has it.
fn presented(op: &AggregateOp, args: &[Typed]) -> Type {
    let kind = args.first().map_or(Kind::Int, |arg| arg.kind().clone());
    match op {
        AggregateOp::UserDefined(import) => import::presented(import),
        AggregateOp::Count
        | AggregateOp::Distinct
        | AggregateOp::DistinctWithin { .. }
        | AggregateOp::Frequency { .. }
        | AggregateOp::BitsOr
        | AggregateOp::BitsXor => Type::of(Kind::Int),
        AggregateOp::Any | AggregateOp::All => Type::of(Kind::Bool),
        AggregateOp::Min
        | AggregateOp::Max
        | AggregateOp::First
        | AggregateOp::Last
        | AggregateOp::ArgMin
        | AggregateOp::ArgMax
        | AggregateOp::BitsAnd
        | AggregateOp::ExactQuantile { .. } => Type::optional(kind),
        AggregateOp::Variance
        | AggregateOp::Stddev
        | AggregateOp::Skewness
        | AggregateOp::Kurtosis
        | AggregateOp::Covariance
        | AggregateOp::Correlation
        | AggregateOp::Slope
        | AggregateOp::Intercept
        | AggregateOp::Quantile { .. } => Type::optional(Kind::Float),
        AggregateOp::Sum => sum_of(&kind),
        AggregateOp::Mean => match kind {
            Kind::Decimal { scale, .. } => {
                Type::optional(Kind::Decimal { precision: 38, scale: scale.saturating_add(6).min(38) })
            }
            _ => Type::optional(Kind::Float),
        },
        AggregateOp::Histogram { .. } | AggregateOp::Funnel { .. } => list_of(Kind::Int),
        AggregateOp::Set => list_of(kind),
        AggregateOp::Union => match kind {
            Kind::List(element) => list_of(element.kind),
            kind => list_of(kind),
        },
        AggregateOp::Top { .. } => {
            // Within a list, a sum that does not fit its type is none.
            let value = match args.get(1) {
                None => Type::of(Kind::Int),
                Some(by) => Type { optional: true, ..sum_of(by.kind()) },
            };
            list_of(record([("item", Type::of(kind)), ("value", value)]))
        }
        AggregateOp::Retention { .. } => {
            let period = args.get(1).map_or(Kind::Int, |period| period.kind().clone());
            list_of(record([("cohort", Type::of(period)), ("actors", list_of(Kind::Int))]))
        }
    }
}

fn sum_of(kind: &Kind) -> Type {
    match kind {
        Kind::Int => Type::of(Kind::Int128),
        Kind::Decimal { scale, .. } => Type::optional(Kind::Decimal { precision: 38, scale: *scale }),
        _ => Type::optional(Kind::Float),
    }
}

fn list_of(kind: Kind) -> Type {
    Type::of(Kind::List(Box::new(Type::of(kind))))
}

fn record(fields: [(&str, Type); 2]) -> Kind {
    Kind::Record(fields.map(|(name, ty)| RecordField { name: name.to_owned(), ty }).into())
}
