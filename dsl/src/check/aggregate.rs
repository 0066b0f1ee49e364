//! Aggregates: their arguments, and the type that each presents.

use super::checker::{Checker, NoneKind, Place, Typed};
use super::function::{is_summable, number_literal};
use super::literal::Literal;
use super::number::is_ordered;
use crate::ast::{Argument, Expr, ExprKind, Name, Number};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::ir::{Aggregate, AggregateOp, ExprKind as IrKind, Kind, Type};

/// The aggregates of this version. `min` and `max` are aggregates with one argument only.
pub(super) const NAMES: [&str; 17] = [
    "count", "sum", "mean", "min", "max", "variance", "stddev", "any", "all", "distinct", "quantile",
    "median", "p50", "p90", "p95", "p99", "p999",
];

/// A quantile of one, in billionths.
const ONE: i128 = 1_000_000_000;

/// Whether a call is one of an aggregate.
pub(crate) fn is_aggregate(name: &str, n_arguments: usize) -> bool {
    NAMES.contains(&name) && !(matches!(name, "min" | "max") && n_arguments > 1)
}

/// Whether the second copy of an event changes nothing.
pub(super) fn is_idempotent(op: &AggregateOp) -> bool {
    matches!(
        op,
        AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Any
            | AggregateOp::All
            | AggregateOp::Distinct
            | AggregateOp::DistinctWithin { .. }
    )
}

/// The quantile, in billionths, that a name stands for.
fn named_quantile(name: &str) -> Option<u32> {
    Some(match name {
        "median" | "p50" => 500_000_000,
        "p90" => 900_000_000,
        "p95" => 950_000_000,
        "p99" => 990_000_000,
        "p999" => 999_000_000,
        _ => return None,
    })
}

impl Checker<'_> {
    /// `value where condition` behind an aggregate.
    pub(super) fn filtered(&mut self, value: &Expr, condition: &Expr, keyword: Span) -> Option<Typed> {
        if let ExprKind::Call { function, arguments } = &value.bare().kind
            && is_aggregate(&function.text, arguments.len())
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
        if !self.is_output() {
            self.misplaced(function);
            return None;
        }
        let n_facts = self.facts.len();
        if let Some(condition) = condition {
            super::expression::learn(condition, true, &mut self.facts);
        }
        self.place = Place::Argument;
        let arg_and_op = self.aggregate_parts(function, arguments, span);
        self.facts.truncate(n_facts);
        self.place = Place::AggregateFilter;
        let filter = condition.map(|condition| {
            self.expr(condition).and_then(|typed| self.need_bool(typed, "`where`")).map(|typed| typed.expr)
        });
        self.place = Place::Output;
        let (op, arg) = arg_and_op?;
        let filter = match filter {
            Some(None) => return None,
            Some(filter) => filter,
            None => None,
        };
        let ty = presented(&op, arg.as_ref().map(Typed::kind));
        let aggregate = Aggregate { op, arg: arg.map(|typed| typed.expr), filter, ty };
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

    /// Operation and argument.
    fn aggregate_parts(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Option<(AggregateOp, Option<Typed>)> {
        let name = function.text.as_str();
        let takes_error = matches!(name, "distinct" | "quantile") || named_quantile(name).is_some();
        let (within, plain): (Vec<&Argument>, Vec<&Argument>) = arguments.iter().partition(|argument| {
            takes_error && argument.name.as_ref().is_some_and(|name| name.text == "within")
        });
        if let [first, again, ..] = within.as_slice() {
            self.report(
                Diagnostic::new(Code::Arguments, "`within` is given twice", again.value.span, "again here")
                    .also(first.value.span, "first here")
                    .help("remove one of them"),
            );
            return None;
        }
        let n_wanted = match name {
            "count" => 0,
            "quantile" => 2,
            _ => 1,
        };
        let value = match (name, plain.first()) {
            ("count", _) | (_, None) => None,
            (_, Some(argument)) => self.expr(&argument.value),
        };
        let unnamed = plain.iter().all(|argument| argument.name.is_none());
        if plain.len() != n_wanted || !unnamed {
            let rest: Vec<Argument> = plain
                .iter()
                .map(|argument| Argument {
                    name: argument.name.clone(),
                    value: Expr { kind: ExprKind::Poisoned, span: argument.value.span },
                })
                .collect();
            self.counted(function, &rest, n_wanted..=n_wanted)?;
        }
        let within = within.first().map(|argument| &argument.value);
        let op = self.operation(function, &plain, within, span);
        if name == "count" {
            return Some((op?, None));
        }
        let value = self.argument(function, value?);
        Some((op?, Some(value?)))
    }

    fn operation(
        &mut self,
        function: &Name,
        plain: &[&Argument],
        within: Option<&Expr>,
        span: Span,
    ) -> Option<AggregateOp> {
        Some(match function.text.as_str() {
            "count" => AggregateOp::Count,
            "sum" => AggregateOp::Sum,
            "mean" => AggregateOp::Mean,
            "min" => AggregateOp::Min,
            "max" => AggregateOp::Max,
            "variance" => AggregateOp::Variance,
            "stddev" => AggregateOp::Stddev,
            "any" => AggregateOp::Any,
            "all" => AggregateOp::All,
            "distinct" => match within {
                None => AggregateOp::Distinct,
                // From the largest to the smallest useful number of registers.
                Some(error) => {
                    AggregateOp::DistinctWithin { error_ppm: self.relative_error(error, 2_032, 250_000)? }
                }
            },
            name => {
                let q_ppb = match named_quantile(name) {
                    Some(q_ppb) => Some(q_ppb),
                    None => plain.get(1).and_then(|argument| self.quantile(&argument.value)),
                };
                let Some(error) = within else {
                    let message = format!("`{name}` without `within:` is not supported in this version");
                    self.report(
                        Diagnostic::new(Code::NotSupported, message, span, "")
                            .help(format!("say how exact it has to be: `{}`", with_error(name))),
                    );
                    return None;
                };
                let error_ppm = self.relative_error(error, 100, 500_000);
                AggregateOp::Quantile { q_ppb: q_ppb?, error_ppm: error_ppm? }
            }
        })
    }

    /// `0.99` → billionths.
    fn quantile(&mut self, expr: &Expr) -> Option<u32> {
        let number = number_literal(&expr.bare().kind);
        let q_ppb = number.and_then(|number| scaled(number, 9)).filter(|q_ppb| *q_ppb <= ONE);
        if q_ppb.is_none() && !matches!(expr.kind, ExprKind::Poisoned) {
            self.report(
                Diagnostic::new(Code::LiteralArgument, "not a quantile", expr.span, "")
                    .help("write a number from 0 to 1 with at most nine digits, such as `0.99`"),
            );
        }
        q_ppb.and_then(|q_ppb| u32::try_from(q_ppb).ok())
    }

    /// `1%` → millionths, within limits in millionths.
    fn relative_error(&mut self, expr: &Expr, least: i128, most: i128) -> Option<u32> {
        let ppm = match expr.bare().kind {
            ExprKind::Percent(number) => scaled(number, 4),
            ExprKind::Poisoned => return None,
            _ => None,
        };
        let ppm = ppm.filter(|ppm| (least..=most).contains(ppm));
        if ppm.is_none() {
            let percent = |ppm: i128| format!("{}", ppm as f64 / 10_000.0);
            self.report(Diagnostic::new(Code::LiteralArgument, "not an error bound", expr.span, "").help(
                format!(
                    "write a percentage from `{}%` to `{}%`, such as `1%`",
                    percent(least),
                    percent(most)
                ),
            ));
        }
        ppm.and_then(|ppm| u32::try_from(ppm).ok())
    }

    /// The argument of an aggregate; none in it is skipped, so it need not be handled.
    fn argument(&mut self, function: &Name, typed: Typed) -> Option<Typed> {
        if typed.literal == Some(Literal::None) {
            self.wrong_kind(function, &typed, "values", "");
            return None;
        }
        let kind = typed.kind();
        let (fits, expected) = match function.text.as_str() {
            "sum" | "mean" | "variance" | "stddev" => (is_summable(kind), "a number"),
            "min" | "max" => (is_ordered(kind), "values that have an order"),
            "any" | "all" => (*kind == Kind::Bool, "`bool`"),
            "distinct" => (!matches!(kind, Kind::List(_)), "plain values"),
            _ => (is_summable(kind), "a number"),
        };
        if fits {
            return Some(typed);
        }
        let help = match kind {
            Kind::List(_) => "`each x in list` makes a row of each element",
            Kind::Bool if expected == "a number" => "count the cases: `count() where …`",
            _ => "",
        };
        self.wrong_kind(function, &typed, expected, help);
        None
    }
}

/// How a quantile is written with a bound.
fn with_error(name: &str) -> String {
    match name {
        "quantile" => "quantile(x, 0.99, within: 1%)".to_owned(),
        _ => format!("{name}(x, within: 1%)"),
    }
}

/// `number · 10^digits`, if that is whole.
fn scaled(number: Number, digits: u8) -> Option<i128> {
    if number.scale <= digits {
        return number.digits.checked_mul(10_i128.checked_pow(u32::from(digits - number.scale))?);
    }
    let divisor = 10_i128.checked_pow(u32::from(number.scale - digits))?;
    (number.digits % divisor == 0).then_some(number.digits / divisor)
}

/// The presented type, as the documentation of [`AggregateOp`] has it.
fn presented(op: &AggregateOp, argument: Option<&Kind>) -> Type {
    let kind = argument.cloned().unwrap_or(Kind::Int);
    match op {
        AggregateOp::Count | AggregateOp::Distinct | AggregateOp::DistinctWithin { .. } => {
            Type::of(Kind::Int)
        }
        AggregateOp::Any | AggregateOp::All => Type::of(Kind::Bool),
        AggregateOp::Min | AggregateOp::Max => Type::optional(kind),
        AggregateOp::Variance | AggregateOp::Stddev | AggregateOp::Quantile { .. } => {
            Type::optional(Kind::Float)
        }
        AggregateOp::Sum => match kind {
            Kind::Int => Type::of(Kind::Int128),
            Kind::Decimal { scale, .. } => Type::optional(Kind::Decimal { precision: 38, scale }),
            _ => Type::optional(Kind::Float),
        },
        AggregateOp::Mean => match kind {
            Kind::Decimal { scale, .. } => {
                Type::optional(Kind::Decimal { precision: 38, scale: scale.saturating_add(6).min(38) })
            }
            _ => Type::optional(Kind::Float),
        },
    }
}
