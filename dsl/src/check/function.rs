//! Calls: which function is meant, and what all functions have in common. The functions are in `text`,
//! `numeric`, `time` and `aggregate`.

use std::ops::RangeInclusive;

use super::aggregate;
use super::checker::{Checker, Typed};
use super::literal::Literal;
use super::number::as_decimal;
use super::time;
use crate::ast::{Argument, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::suggest;
use metricc_ir::{Func, Kind};

/// Scalar functions that are not in `time`.
const SCALARS: [&str; 22] = [
    "lower",
    "upper",
    "trim",
    "starts_with",
    "ends_with",
    "contains",
    "matches",
    "substr",
    "split",
    "concat",
    "length",
    "text",
    "abs",
    "round",
    "floor",
    "ceil",
    "min",
    "max",
    "int",
    "float",
    "hash64",
    "truncate",
];

/// Aggregates that other systems have and no lawful state exists for, with the reason and the way out.
const UNLAWFUL: [(&str, &str, &str); 8] = [
    ("decayed_sum", DECAY, DECAY_HELP),
    ("exp_decay_sum", DECAY, DECAY_HELP),
    ("ema", DECAY, DECAY_HELP),
    ("ewma", DECAY, DECAY_HELP),
    ("array_agg", ARRIVAL, ARRIVAL_HELP),
    ("collect_list", ARRIVAL, ARRIVAL_HELP),
    ("list_agg", ARRIVAL, ARRIVAL_HELP),
    (
        "any_value",
        "which value comes first depends on how the log is cut and read",
        "write `first(x)` or `min(x)`",
    ),
];

const DECAY: &str = "a weight that falls with age is relative to the latest event or to the time of reading: either \
                     the state would be rescaled, which rounds in another way in every order, or hold every event";
const DECAY_HELP: &str =
    "write `sum(x)` with `every 1h`, and weigh the hours where they are read: their sums are exact and merge";
const ARRIVAL: &str = "a list in the order of arrival depends on how the log is cut and read";
const ARRIVAL_HELP: &str =
    "write `set(x)` for the distinct values in order, or `top(10, x)` for the most frequent";

/// Names that other languages give to our functions.
const FOREIGN: [(&str, &str); 32] = [
    ("lowercase", "lower"),
    ("uppercase", "upper"),
    ("avg", "mean"),
    ("average", "mean"),
    ("count_distinct", "distinct"),
    ("approx_count_distinct", "distinct"),
    ("uniq", "distinct"),
    ("percentile", "quantile"),
    ("var", "variance"),
    ("std", "stddev"),
    ("len", "length"),
    ("coalesce", "??"),
    ("ifnull", "??"),
    ("date_trunc", "truncate"),
    ("substring", "substr"),
    ("max_by", "arg_max"),
    ("min_by", "arg_min"),
    ("argmax", "arg_max"),
    ("argmin", "arg_min"),
    ("first_value", "first"),
    ("last_value", "last"),
    ("corr", "correlation"),
    ("covar_samp", "covariance"),
    ("regr_slope", "slope"),
    ("regr_intercept", "intercept"),
    ("skew", "skewness"),
    ("bit_or", "bits_or"),
    ("bit_and", "bits_and"),
    ("bit_xor", "bits_xor"),
    ("topk", "top"),
    ("collect_set", "set"),
    ("window_funnel", "funnel"),
];

/// Whether the language has a function or an aggregate of this name.
pub(super) fn is_known(name: &str) -> bool {
    SCALARS.contains(&name) || takes_calendar(name) || aggregate::NAMES.contains(&name)
}

/// Whether `f(x) in CALENDAR` has a meaning.
pub(super) fn takes_calendar(function: &str) -> bool {
    function == "truncate" || time::FUNCTIONS.contains(&function)
}

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        calendar: Option<&Name>,
        span: Span,
    ) -> Option<Typed> {
        let name = function.text.as_str();
        if takes_calendar(name) {
            return self.time_function(function, arguments, calendar, span);
        }
        if let Some(import) = self.import(name) {
            let import = import?;
            return match import.is_aggregate {
                true => self.aggregate(function, arguments, None, span),
                false => self.own_function(&import, function, arguments, span),
            };
        }
        if aggregate::is_aggregate(name, arguments.len()) {
            return self.aggregate(function, arguments, None, span);
        }
        if !SCALARS.contains(&name) {
            self.unknown_function(function, arguments);
            return None;
        }
        match name {
            "lower" => self.text_function(Func::Lower, function, arguments, Kind::String, span),
            "upper" => self.text_function(Func::Upper, function, arguments, Kind::String, span),
            "trim" => self.text_function(Func::Trim, function, arguments, Kind::String, span),
            "starts_with" => self.texts(Func::StartsWith, function, arguments, Kind::Bool, 2..=2, span),
            "ends_with" => self.texts(Func::EndsWith, function, arguments, Kind::Bool, 2..=2, span),
            "concat" => self.texts(Func::Concat, function, arguments, Kind::String, 2..=256, span),
            "contains" => self.contains(function, arguments, span),
            "matches" => self.matches(function, arguments, span),
            "substr" => self.substr(function, arguments, span),
            "split" => self.split(function, arguments, span),
            "length" => self.length(function, arguments, span),
            "text" => self.enum_text(function, arguments, span),
            "abs" | "floor" | "ceil" => self.number_function(function, arguments, span),
            "round" => self.round(function, arguments, span),
            "int" | "float" => self.conversion_function(function, arguments, span),
            "hash64" => self.hash64(function, arguments, span),
            _ => self.extreme(function, arguments, span),
        }
    }

    fn unknown_function(&mut self, function: &Name, arguments: &[Argument]) {
        let name = function.text.as_str();
        for argument in arguments {
            // Names and types inside are checked all the same; places of aggregates cannot be judged.
            if !self.is_output() {
                self.expr(&argument.value);
            }
        }
        if let Some((_, reason, help)) = UNLAWFUL.iter().find(|(unlawful, ..)| *unlawful == name) {
            let message = format!("`{name}` has no state that merges to the same bytes in every order");
            self.report(
                Diagnostic::new(Code::NoLawfulState, message, function.span, "").help(*reason).help(*help),
            );
            return;
        }
        let diagnostic = Diagnostic::new(
            Code::UnknownFunction,
            format!("there is no function `{name}`"),
            function.span,
            "",
        );
        if matches!(name, "now" | "today" | "current_timestamp") {
            self.report(
                diagnostic.help("a metric gives the same for ever: compare with the event's own times"),
            );
            return;
        }
        let foreign =
            FOREIGN.iter().find(|(foreign, _)| foreign.eq_ignore_ascii_case(name)).map(|(_, own)| *own);
        let known = SCALARS.into_iter().chain(time::FUNCTIONS).chain(aggregate::NAMES);
        let mut all: Vec<&str> = known.clone().collect();
        // `min` and `max` are both.
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|name| seen.insert(*name));
        self.report(match foreign.or_else(|| suggest::nearest(name, known)) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic.help(format!("functions and aggregates are {}", suggest::all_of(&all))),
        });
    }

    /// The arguments of a function that takes no named ones; all are checked before any is missed.
    pub(super) fn positional(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        n_wanted: RangeInclusive<usize>,
    ) -> Option<Vec<Typed>> {
        let checked: Vec<Option<Typed>> =
            arguments.iter().map(|argument| self.expr(&argument.value)).collect();
        self.counted(function, arguments, n_wanted)?;
        checked.into_iter().collect()
    }

    /// Reports named arguments and a wrong number of arguments.
    pub(super) fn counted(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        n_wanted: RangeInclusive<usize>,
    ) -> Option<()> {
        let name = &function.text;
        if let Some(argument) = arguments.iter().find_map(|argument| argument.name.as_ref()) {
            self.report(
                Diagnostic::new(
                    Code::Arguments,
                    format!("`{name}` has no argument `{}`", argument.text),
                    argument.span,
                    "",
                )
                .help(format!("remove `{}:`", argument.text)),
            );
            return None;
        }
        if n_wanted.contains(&arguments.len()) {
            return Some(());
        }
        let (least, most) = n_wanted.into_inner();
        let wanted = match (least, most) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) if most < 256 => format!("{least} to {most} arguments"),
            (least, _) => format!("at least {least} arguments"),
        };
        let message = format!("`{name}` takes {wanted}");
        let label = format!("it has {}", arguments.len());
        let diagnostic = Diagnostic::new(Code::Arguments, message, function.span, label);
        self.report(match name.as_str() {
            "count" => diagnostic.help("`count()` counts events; leave some out with `count() where …`"),
            _ => diagnostic.help(format!("write `{}`", self.usage(name))),
        });
        None
    }

    /// An argument of one kind that is there.
    pub(super) fn take(&mut self, typed: Typed, kind: &Kind, function: &Name) -> Option<Typed> {
        let what = format!("`{}`", function.text);
        let typed = self.need_value(typed, &what)?;
        let is_text = matches!(typed.literal, Some(Literal::Text(_)));
        if typed.kind() == kind || (is_text && matches!(kind, Kind::Timestamp | Kind::Date)) {
            return self.adapt(typed, kind);
        }
        let help = match typed.kind() {
            Kind::Enum(_) if *kind == Kind::String => "`text(x)` makes a string of an enum",
            Kind::Float | Kind::Decimal { .. } if *kind == Kind::Int => "`int(x)` drops the fraction",
            _ => "",
        };
        self.wrong_kind(function, &typed, &format!("`{kind}`"), help);
        None
    }

    /// Reports an argument of a kind that a function does not take.
    pub(super) fn wrong_kind(&mut self, function: &Name, typed: &Typed, expected: &str, help: &str) {
        let message = format!("`{}` takes {expected}", function.text);
        let label = format!("this is `{}`", typed.kind());
        let diagnostic = Diagnostic::new(Code::TypeMismatch, message, typed.span, label);
        let usage = format!("write `{}`", self.usage(&function.text));
        self.report(diagnostic.help(if help.is_empty() { usage } else { help.to_owned() }));
    }

    /// How a function, imported or not, is written.
    fn usage(&self, function: &str) -> String {
        match self.names.imports.get(function).and_then(|entry| entry.import.as_ref()) {
            None => usage(function).to_owned(),
            Some(import) => {
                let types: Vec<String> = import.arguments.iter().map(ToString::to_string).collect();
                format!("{function}({})", types.join(", "))
            }
        }
    }

    /// One argument, whatever it is.
    pub(super) fn one(&mut self, function: &Name, arguments: &[Argument]) -> Option<Typed> {
        self.positional(function, arguments, 1..=1)?.pop()
    }

    /// Two arguments, whatever they are.
    pub(super) fn two(&mut self, function: &Name, arguments: &[Argument]) -> Option<(Typed, Typed)> {
        let mut both = self.positional(function, arguments, 2..=2)?.into_iter();
        both.next().zip(both.next())
    }
}

/// How a function is written.
fn usage(function: &str) -> &'static str {
    match function {
        "lower" => "lower(text)",
        "upper" => "upper(text)",
        "trim" => "trim(text)",
        "starts_with" => "starts_with(text, \"start\")",
        "ends_with" => "ends_with(text, \"end\")",
        "contains" => "contains(text, \"part\")",
        "matches" => "matches(text, \"pattern\")",
        "substr" => "substr(text, start, length)",
        "split" => "split(text, \",\")",
        "concat" => "concat(text, text)",
        "length" => "length(text)",
        "text" => "text(enum)",
        "abs" => "abs(number)",
        "round" => "round(decimal, digits)",
        "floor" => "floor(number)",
        "ceil" => "ceil(number)",
        "min" => "min(a, b)",
        "max" => "max(a, b)",
        "int" => "int(number)",
        "float" => "float(number)",
        "hash64" => "hash64(value)",
        "truncate" => "truncate(timestamp, 1h)",
        "count" => "count()",
        "sum" => "sum(number)",
        "mean" => "mean(number)",
        "variance" => "variance(number)",
        "stddev" => "stddev(number)",
        "any" => "any(condition)",
        "all" => "all(condition)",
        "distinct" => "distinct(value)",
        "quantile" => "quantile(number, 0.99)",
        "median" => "median(number)",
        "p50" | "p90" | "p95" | "p99" | "p999" => "p99(number)",
        "skewness" => "skewness(number)",
        "kurtosis" => "kurtosis(number)",
        "covariance" => "covariance(number, number)",
        "correlation" => "correlation(number, number)",
        "slope" => "slope(y, x)",
        "intercept" => "intercept(y, x)",
        "first" => "first(value)",
        "last" => "last(value)",
        "arg_min" => "arg_min(value, by: other)",
        "arg_max" => "arg_max(value, by: other)",
        "set" => "set(value)",
        "union" => "union(list)",
        "histogram" => "histogram(value, [10, 100, 1000])",
        "top" => "top(10, item, by: sum(amount))",
        "frequency" => "frequency(value, \"a\", within: 1%)",
        "bits_or" => "bits_or(int)",
        "bits_and" => "bits_and(int)",
        "bits_xor" => "bits_xor(int)",
        "funnel" => "funnel(actor, condition, condition, within: 1h)",
        "retention" => "retention(actor, date(at) in CALENDAR, 7)",
        _ => "day(timestamp) in CALENDAR",
    }
}

/// The number literal of an expression, unless it is something else.
pub(super) fn number_literal(kind: &ExprKind) -> Option<crate::ast::Number> {
    match kind {
        ExprKind::Number(number) => Some(*number),
        _ => None,
    }
}

/// Whether a kind has decimal digits.
pub(super) fn is_summable(kind: &Kind) -> bool {
    *kind == Kind::Float || (as_decimal(kind).is_some() && *kind != Kind::Int128)
}
