//! The arguments of aggregates: which each takes, of what kinds, and the parameters among them.

use super::checker::{Checker, Typed};
use super::function::is_summable;
use super::literal::Literal;
use super::number::is_ordered;
use super::parameters::is_less;
use crate::ast::{Argument, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{AggregateOp, Kind, Value};

/// The most items of a top, edges of a histogram, steps of a funnel, periods of retention.
const MOST_ITEMS: i128 = 10_000;
const MOST_EDGES: usize = 256;
const MOST_STEPS: usize = 32;
const MOST_PERIODS: i128 = 1_000;

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

/// The parameter that an aggregate takes by name, if it takes one.
fn named_parameter(function: &str) -> Option<&'static str> {
    match function {
        "distinct" | "quantile" | "frequency" | "funnel" => Some("within"),
        "arg_min" | "arg_max" | "top" => Some("by"),
        name => named_quantile(name).map(|_| "within"),
    }
}

/// Operation and arguments.
pub(super) type Parts = (AggregateOp, Vec<Typed>);

impl Checker<'_> {
    pub(super) fn aggregate_parts(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Option<Parts> {
        let (plain, named) = self.split_named(function, arguments)?;
        if let Some(import) = self.import(&function.text) {
            return self.own_parts(&import?, function, &plain);
        }
        let one = |op: AggregateOp| (op, 1);
        let (op, n_args) = match function.text.as_str() {
            "count" => (AggregateOp::Count, 0),
            "sum" => one(AggregateOp::Sum),
            "mean" => one(AggregateOp::Mean),
            "min" => one(AggregateOp::Min),
            "max" => one(AggregateOp::Max),
            "variance" => one(AggregateOp::Variance),
            "stddev" => one(AggregateOp::Stddev),
            "skewness" => one(AggregateOp::Skewness),
            "kurtosis" => one(AggregateOp::Kurtosis),
            "any" => one(AggregateOp::Any),
            "all" => one(AggregateOp::All),
            "first" => one(AggregateOp::First),
            "last" => one(AggregateOp::Last),
            "set" => one(AggregateOp::Set),
            "union" => one(AggregateOp::Union),
            "bits_or" => one(AggregateOp::BitsOr),
            "bits_and" => one(AggregateOp::BitsAnd),
            "bits_xor" => one(AggregateOp::BitsXor),
            "arg_min" => (AggregateOp::ArgMin, 2),
            "arg_max" => (AggregateOp::ArgMax, 2),
            "covariance" => (AggregateOp::Covariance, 2),
            "correlation" => (AggregateOp::Correlation, 2),
            "slope" => (AggregateOp::Slope, 2),
            "intercept" => (AggregateOp::Intercept, 2),
            "distinct" => return self.distinct_parts(function, &plain, named),
            "histogram" => return self.histogram_parts(function, &plain),
            "top" => return self.top_parts(function, &plain, named),
            "frequency" => return self.frequency_parts(function, &plain, named, span),
            "funnel" => return self.funnel_parts(function, &plain, named, span),
            "retention" => return self.retention_parts(function, &plain),
            _ => return self.quantile_parts(function, &plain, named),
        };
        // `by` may stand behind the value without its name.
        let values: Vec<&Expr> = plain.iter().copied().chain(named).collect();
        let values = self.values(function, &values, n_args)?;
        Some((op, self.of_one_kind(function, values)?))
    }

    /// The plain arguments, and the one that is given by name.
    fn split_named<'e>(
        &mut self,
        function: &Name,
        arguments: &'e [Argument],
    ) -> Option<(Vec<&'e Expr>, Option<&'e Expr>)> {
        let parameter = named_parameter(&function.text);
        let is_named = |argument: &&Argument| argument.name.is_some();
        let (named, plain): (Vec<&Argument>, Vec<&Argument>) = arguments.iter().partition(is_named);
        let foreign =
            named.iter().find(|argument| argument.name.as_ref().map(|name| name.text.as_str()) != parameter);
        if let Some(argument) = foreign {
            for argument in &plain {
                self.expr(&argument.value);
            }
            self.unknown_parameter(function, argument);
            return None;
        }
        if let [first, again, ..] = named.as_slice() {
            let message = format!("`{}` is given twice", parameter.unwrap_or_default());
            self.report(
                Diagnostic::new(Code::Arguments, message, again.value.span, "again here")
                    .also(first.value.span, "first here")
                    .help("remove one of them"),
            );
            return None;
        }
        Some((
            plain.iter().map(|argument| &argument.value).collect(),
            named.first().map(|first| &first.value),
        ))
    }

    fn unknown_parameter(&mut self, function: &Name, argument: &Argument) {
        let name = argument.name.as_ref().map(|name| name.text.as_str()).unwrap_or_default();
        let message = format!("`{}` has no argument `{name}`", function.text);
        let diagnostic = Diagnostic::new(Code::Arguments, message, argument.value.span, "");
        self.report(match named_parameter(&function.text) {
            Some(parameter) => diagnostic.help(format!("it has `{parameter}:`; remove `{name}:`")),
            None => diagnostic.help(format!("remove `{name}:`")),
        });
    }

    /// Reports a wrong number of arguments.
    pub(super) fn n_arguments(
        &mut self,
        function: &Name,
        plain: &[&Expr],
        n_wanted: std::ops::RangeInclusive<usize>,
    ) -> Option<()> {
        let nameless = |expr: &&Expr| {
            let value = Expr { kind: ExprKind::Poisoned, span: expr.span };
            Argument { name: None, value }
        };
        let plain: Vec<Argument> = plain.iter().map(nameless).collect();
        self.counted(function, &plain, n_wanted)
    }

    /// This many values; all are checked before any is missed.
    fn values(&mut self, function: &Name, plain: &[&Expr], n_wanted: usize) -> Option<Vec<Typed>> {
        let checked: Vec<Option<Typed>> = plain.iter().take(n_wanted).map(|value| self.expr(value)).collect();
        self.n_arguments(function, plain, n_wanted..=n_wanted)?;
        let checked = checked.into_iter().collect::<Option<Vec<_>>>()?;
        checked.into_iter().enumerate().map(|(place, typed)| self.argument(function, place, typed)).collect()
    }

    /// The two numbers of a covariance and its like as numbers of one sort.
    fn of_one_kind(&mut self, function: &Name, values: Vec<Typed>) -> Option<Vec<Typed>> {
        if !matches!(function.text.as_str(), "covariance" | "correlation" | "slope" | "intercept") {
            return Some(values);
        }
        let is_decimal = |typed: &Typed| matches!(typed.kind(), Kind::Decimal { .. });
        match values.iter().all(is_decimal) {
            // Each keeps its scale.
            true => Some(values),
            false => self.unify(values, &format!("`{}`", function.text), false),
        }
    }

    /// An argument of an aggregate; none in it is skipped, so it need not be handled.
    fn argument(&mut self, function: &Name, place: usize, typed: Typed) -> Option<Typed> {
        if typed.literal == Some(Literal::None) {
            self.wrong_kind(function, &typed, "values", "");
            return None;
        }
        let kind = typed.kind();
        let is_plain = !matches!(kind, Kind::List(_) | Kind::Record(_));
        let (fits, expected) = match (function.text.as_str(), place) {
            ("min" | "max", _) | ("arg_min" | "arg_max", 1) => {
                (is_ordered(kind), "values that have an order")
            }
            ("any" | "all", _) => (*kind == Kind::Bool, "`bool`"),
            ("distinct" | "set" | "first" | "last" | "histogram" | "frequency", _)
            | ("arg_min" | "arg_max" | "top" | "funnel" | "retention", 0) => (is_plain, "plain values"),
            ("union", _) => (matches!(kind, Kind::List(_)), "a list"),
            ("bits_or" | "bits_and" | "bits_xor", _) => (*kind == Kind::Int, "`int`"),
            ("retention", _) => (matches!(kind, Kind::Int | Kind::Date), "`int` or `date` as the period"),
            _ => (is_summable(kind), "a number"),
        };
        if fits {
            return Some(typed);
        }
        let help = match kind {
            Kind::List(_) => "`each x in list` makes a row of each element",
            Kind::Bool if expected == "a number" => "count the cases: `count() where …`",
            Kind::Timestamp if function.text == "retention" => "write the day: `date(at) in CALENDAR`",
            _ if function.text == "union" => "`set(x)` collects plain values",
            _ => "",
        };
        self.wrong_kind(function, &typed, expected, help);
        None
    }

    fn distinct_parts(&mut self, function: &Name, plain: &[&Expr], within: Option<&Expr>) -> Option<Parts> {
        let values = self.values(function, plain, 1);
        let op = match within {
            None => AggregateOp::Distinct,
            // From the largest to the smallest useful number of registers.
            Some(error) => {
                AggregateOp::DistinctWithin { error_ppm: self.relative_error(error, 2_032, 250_000)? }
            }
        };
        Some((op, values?))
    }

    fn quantile_parts(&mut self, function: &Name, plain: &[&Expr], within: Option<&Expr>) -> Option<Parts> {
        let named = named_quantile(&function.text);
        let n_wanted = if named.is_some() { 1 } else { 2 };
        let value = plain.first().map(|value| self.expr(value));
        self.n_arguments(function, plain, n_wanted..=n_wanted)?;
        let q_ppb = match named {
            Some(q_ppb) => Some(q_ppb),
            None => self.quantile(plain[1]),
        };
        let typed = value.flatten()?;
        let q_ppb = q_ppb?;
        match within {
            Some(error) => {
                let error_ppm = self.relative_error(error, 100, 500_000)?;
                let value = self.argument(function, 0, typed)?;
                Some((AggregateOp::Quantile { q_ppb, error_ppm }, vec![value]))
            }
            // An exact one is a value that came in, so an order is enough.
            None if is_ordered(typed.kind()) => Some((AggregateOp::ExactQuantile { q_ppb }, vec![typed])),
            None => {
                self.wrong_kind(function, &typed, "values that have an order", "");
                None
            }
        }
    }

    fn histogram_parts(&mut self, function: &Name, plain: &[&Expr]) -> Option<Parts> {
        let values = self.values(function, &plain[..plain.len().min(1)], 1);
        self.n_arguments(function, plain, 2..=2)?;
        let mut values = values?;
        let edges = plain[1];
        let ExprKind::List(elements) = &edges.bare().kind else {
            self.report(
                Diagnostic::new(Code::LiteralArgument, "not a list of edges", edges.span, "")
                    .help("write ascending literals in brackets: `histogram(ms, [10, 100, 1000])`"),
            );
            return None;
        };
        let value = values.pop()?;
        if !is_ordered(value.kind()) {
            self.wrong_kind(function, &value, "values that have an order", "");
            return None;
        }
        let known = elements.iter().map(|element| self.parameter(element, &value.kind().clone()));
        let known: Vec<Option<Value>> = known.collect();
        let known = known.into_iter().collect::<Option<Vec<Value>>>()?;
        if known.is_empty() || known.len() > MOST_EDGES {
            let message = format!("a histogram with {} edges", known.len());
            self.report(
                Diagnostic::new(Code::LiteralArgument, message, edges.span, "")
                    .help(format!("write 1 to {MOST_EDGES} edges")),
            );
            return None;
        }
        if let Some(place) = known.windows(2).position(|pair| !is_less(&pair[0], &pair[1])) {
            self.report(
                Diagnostic::new(
                    Code::LiteralArgument,
                    "edges that are not ascending",
                    elements[place + 1].span,
                    "this is not above the one before",
                )
                .help("sort the edges, and write each once"),
            );
            return None;
        }
        Some((AggregateOp::Histogram { edges: known }, vec![value]))
    }

    fn top_parts(&mut self, function: &Name, plain: &[&Expr], by: Option<&Expr>) -> Option<Parts> {
        let item = plain.get(1).map(|item| self.expr(item));
        self.n_arguments(function, plain, 2..=2)?;
        let k = self.whole_number(plain[0], MOST_ITEMS, "how many items, such as `top(10, item)`");
        let item = item.flatten().and_then(|item| self.argument(function, 0, item));
        let by = match by.map(|by| (&by.bare().kind, by.span)) {
            None => Some(None),
            Some((ExprKind::Call { function: weight, arguments }, _))
                if weight.text == "count" && arguments.is_empty() =>
            {
                Some(None)
            }
            Some((ExprKind::Call { function: weight, arguments }, _)) if weight.text == "sum" => {
                let parts = self.aggregate_parts(weight, arguments, weight.span);
                parts.and_then(|(_, mut values)| values.pop()).map(Some)
            }
            Some((ExprKind::Poisoned, _)) => None,
            Some((_, span)) => {
                self.report(
                    Diagnostic::new(Code::Arguments, "items are not ranked by this", span, "")
                        .help("write `by: count()` or `by: sum(amount)`"),
                );
                None
            }
        };
        let (k, item, by) = (k?, item?, by?);
        Some((AggregateOp::Top { k }, std::iter::once(item).chain(by).collect()))
    }

    fn frequency_parts(
        &mut self,
        function: &Name,
        plain: &[&Expr],
        within: Option<&Expr>,
        span: Span,
    ) -> Option<Parts> {
        let values = self.values(function, &plain[..plain.len().min(1)], 1);
        self.n_arguments(function, plain, 2..=2)?;
        let value = values?.pop()?;
        let item = self.parameter(plain[1], &value.kind().clone());
        let Some(error) = within else {
            self.report(
                Diagnostic::new(Code::Arguments, "`frequency` without `within:`", span, "")
                    .help("say by which share of all rows it may be too high: `frequency(x, \"a\", within: 1%)`")
                    .help("an exact number is `count() where x == …`"),
            );
            return None;
        };
        let error_ppm = self.relative_error(error, 100, 500_000)?;
        Some((AggregateOp::Frequency { error_ppm, item: item? }, vec![value]))
    }

    fn funnel_parts(
        &mut self,
        function: &Name,
        plain: &[&Expr],
        within: Option<&Expr>,
        span: Span,
    ) -> Option<Parts> {
        let checked: Vec<Option<Typed>> = plain.iter().map(|value| self.expr(value)).collect();
        if plain.len() < 3 || plain.len() > MOST_STEPS + 1 {
            let message = match plain.len() {
                2 => "a funnel with one step".to_owned(),
                n_plain => format!("a funnel with {} steps", n_plain.saturating_sub(1)),
            };
            self.report(Diagnostic::new(Code::Arguments, message, function.span, "").help(format!(
                "write the actor and 2 to {MOST_STEPS} conditions: `funnel(user, kind == \"view\", kind == \
                     \"buy\", within: 1h)`"
            )));
            return None;
        }
        let Some(within) = within else {
            self.report(
                Diagnostic::new(Code::Arguments, "`funnel` without `within:`", span, "")
                    .help("say how long an actor has for all steps: `within: 1h`"),
            );
            return None;
        };
        let within = match within.bare().kind {
            ExprKind::Duration { micros, .. } if micros >= 0 => Some(micros),
            _ => {
                self.report(
                    Diagnostic::new(Code::LiteralArgument, "not a time for the steps", within.span, "")
                        .help("write a duration, such as `within: 1h`"),
                );
                None
            }
        };
        let mut checked = checked.into_iter();
        let actor = checked.next().flatten().and_then(|actor| self.argument(function, 0, actor));
        let steps: Vec<Option<Typed>> =
            checked.map(|step| step.and_then(|step| self.need_bool(step, "a step of `funnel`"))).collect();
        let steps = steps.into_iter().collect::<Option<Vec<_>>>();
        let (within, actor, steps) = (within?, actor?, steps?);
        Some((AggregateOp::Funnel { within }, std::iter::once(actor).chain(steps).collect()))
    }

    fn retention_parts(&mut self, function: &Name, plain: &[&Expr]) -> Option<Parts> {
        let values = self.values(function, &plain[..plain.len().min(2)], 2);
        self.n_arguments(function, plain, 3..=3)?;
        let n_periods = self.whole_number(plain[2], MOST_PERIODS, "the number of periods, such as `7`");
        Some((AggregateOp::Retention { n_periods: n_periods? }, values?))
    }
}
