//! Aggregates over expressions of events.

use rand::Rng;

use super::fragment::{Absence, Fragment, Sort};
use super::rows::{SORTS, Scope};

/// Depth of expressions in aggregates.
const DEPTH: usize = 3;

/// Aggregates with one exact value, which outputs can compute with.
const EXACT: [&str; 24] = [
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "variance",
    "stddev",
    "any",
    "all",
    "distinct",
    "skewness",
    "kurtosis",
    "covariance",
    "correlation",
    "slope",
    "intercept",
    "first",
    "last",
    "arg_min",
    "arg_max",
    "bits_or",
    "bits_and",
    "bits_xor",
    "exact quantile",
];

/// Sketches, and aggregates that present lists.
const OTHERS: [&str; 9] =
    ["distinct within", "quantile", "frequency", "histogram", "top", "set", "union", "funnel", "retention"];

/// An aggregate as it is written.
pub(super) struct AggregateText {
    /// Without its `where`.
    pub(super) call: String,
    /// The condition after `where`.
    pub(super) filter: Option<String>,
    /// The presented sort; `Overflow` where an empty group presents none.
    pub(super) presented: Fragment,
}

impl AggregateText {
    /// As a field of a record, or as the only value.
    pub(super) fn bare(&self) -> String {
        match &self.filter {
            Some(filter) => format!("{} where {filter}", self.call),
            None => self.call.clone(),
        }
    }
}

impl Scope<'_> {
    /// An exact aggregate, which outputs can compute with.
    pub(super) fn exact_aggregate(&mut self) -> AggregateText {
        let name = self.one_of(&EXACT);
        self.aggregate_of(name)
    }

    /// Any aggregate.
    pub(super) fn aggregate(&mut self) -> AggregateText {
        let name = if self.chance(0.4) { self.one_of(&OTHERS) } else { self.one_of(&EXACT) };
        // Not every source has a list.
        let name = if name == "union" && !self.shape.has_lists { "set" } else { name };
        self.aggregate_of(name)
    }

    /// An aggregate whose presented value is a number.
    pub(super) fn numeric_aggregate(&mut self) -> AggregateText {
        let name = self.one_of(&["count", "sum", "sum", "mean", "variance", "stddev", "distinct"]);
        self.aggregate_of(name)
    }

    pub(super) fn aggregate_of(&mut self, name: &'static str) -> AggregateText {
        self.aggregate = Some(name);
        self.uses.by_aggregate.entry(name).or_default();
        let (call, sort, absence) =
            if name == "count" { ("count()".to_owned(), Sort::Int, Absence::Never) } else { self.call(name) };
        let mut filter = if self.chance(0.4) { Some(self.condition(2).text) } else { None };
        if filter.is_some() && name == "sum" && self.chance(0.2) {
            // The condition makes the argument safe.
            filter = Some("m != none and m < 5".to_owned());
            let presented =
                Fragment::new("(sum(m + 1) where m != none and m < 5)", Sort::Int128, Absence::Never);
            self.aggregate = None;
            return AggregateText { call: "sum(m + 1)".to_owned(), filter, presented };
        }
        self.aggregate = None;
        let text = match &filter {
            Some(filter) => format!("({call} where {filter})"),
            None => call.clone(),
        };
        AggregateText { call, filter, presented: Fragment::new(text, sort, absence) }
    }

    /// An aggregate of an argument, its presented sort and whether that may be none.
    fn call(&mut self, name: &'static str) -> (String, Sort, Absence) {
        let number = self.one_of(&[Sort::Int, Sort::Decimal(12, 2), Sort::Float]);
        let sort = match name {
            "sum" | "mean" | "variance" | "stddev" | "quantile" => number,
            "min" | "max" => self.one_of(&SORTS[1..]),
            "any" | "all" => Sort::Bool,
            "skewness" | "kurtosis" | "covariance" | "correlation" | "slope" | "intercept" => number,
            "bits_or" | "bits_and" | "bits_xor" => Sort::Int,
            "exact quantile" => self.one_of(&SORTS[1..]),
            _ => self.one_of(&SORTS),
        };
        let argument = self.expr(sort, DEPTH);
        let text = &argument.text;
        let none = Absence::Overflow;
        match (name, argument.sort) {
            ("sum", Sort::Int) => (format!("sum({text})"), Sort::Int128, Absence::Never),
            ("sum", Sort::Decimal(_, scale)) => (format!("sum({text})"), Sort::Decimal(38, scale), none),
            ("mean", Sort::Decimal(_, scale)) => {
                (format!("mean({text})"), Sort::Decimal(38, (scale + 6).min(38)), none)
            }
            ("min" | "max", sort) => (format!("{name}({text})"), sort, none),
            ("any" | "all", _) => (format!("{name}({text})"), Sort::Bool, Absence::Never),
            ("first" | "last", sort) => (format!("{name}({text})"), sort, none),
            ("arg_min" | "arg_max", sort) => {
                let by = self.one_of(&SORTS[1..]);
                let by = self.expr(by, DEPTH).text;
                let by = if self.chance(0.5) { by } else { format!("by: {by}") };
                (format!("{name}({text}, {by})"), sort, none)
            }
            ("covariance" | "correlation" | "slope" | "intercept", sort) => {
                let other = self.expr(sort, DEPTH).text;
                (format!("{name}({text}, {other})"), Sort::Float, none)
            }
            ("bits_or" | "bits_xor", _) => (format!("{name}({text})"), Sort::Int, Absence::Never),
            ("bits_and", _) => (format!("{name}({text})"), Sort::Int, none),
            ("exact quantile", sort) => (self.exact_quantile(text), sort, none),
            ("frequency" | "histogram" | "top" | "set" | "union" | "funnel" | "retention", sort) => {
                (self.list_call(name, text, sort), Sort::Int, Absence::Never)
            }
            ("distinct", _) => (self.distinct(text), Sort::Int, Absence::Never),
            ("distinct within", _) => {
                let error = self.one_of(&["0.5%", "1%", "2%", "5%"]);
                (format!("distinct({text}, within: {error})"), Sort::Int, Absence::Never)
            }
            ("quantile", _) => (self.quantile(text), Sort::Float, none),
            (name, _) => (format!("{name}({text})"), Sort::Float, none),
        }
    }

    fn distinct(&mut self, text: &str) -> String {
        if self.chance(0.2) {
            self.note("hash64");
            return format!("distinct(hash64({text}, n))");
        }
        format!("distinct({text})")
    }

    fn exact_quantile(&mut self, text: &str) -> String {
        if self.chance(0.4) {
            let name = self.one_of(&["median", "p50", "p90", "p95", "p99", "p999"]);
            return format!("{name}({text})");
        }
        let q = self.one_of(&["0", "1", "0.5", "0.99", "0.001", "0.333333333"]);
        format!("quantile({text}, {q})")
    }

    /// An aggregate with parameters, or one that presents a list.
    fn list_call(&mut self, name: &'static str, text: &str, sort: Sort) -> String {
        match name {
            "frequency" => {
                let error = self.one_of(&["1%", "10%"]);
                match sort {
                    Sort::Decimal(..) => format!("frequency(n, -1, within: {error})"),
                    _ => format!("frequency({text}, {}, within: {error})", self.literal(sort)),
                }
            }
            "histogram" => self
                .one_of(&[
                    "histogram(n, [-2, 0, 3])",
                    "histogram(score, [-1.5, 0.0, 1.0])",
                    "histogram(amount, [-1.50, 0, 100])",
                    "histogram(label, [\"a\", \"b\"])",
                    "histogram(level, [\"low\", \"high\"])",
                    "histogram(elapsed, [0s, 5m])",
                ])
                .to_owned(),
            "top" => {
                let k = self.one_of(&["1", "2", "5"]);
                if self.chance(0.4) {
                    let by = self.one_of(&["", ", by: count()"]);
                    return format!("top({k}, {text}{by})");
                }
                let number = self.one_of(&[Sort::Int, Sort::Decimal(12, 2), Sort::Float]);
                let by = self.expr(number, DEPTH).text;
                format!("top({k}, {text}, by: sum({by}))")
            }
            "funnel" => {
                let n_steps = self.random.random_range(2..5);
                let steps: Vec<String> = (0..n_steps).map(|_| self.condition(1).text).collect();
                let within = self.one_of(&["0s", "1h", "7d", "10000d"]);
                format!("funnel({text}, {}, within: {within})", steps.join(", "))
            }
            "retention" => {
                // Numbers that start over are refused.
                let period = if self.chance(0.5) { self.period(DEPTH) } else { self.expr(Sort::Date, DEPTH) };
                let period = period.text;
                let n_periods = self.one_of(&["1", "3", "7"]);
                format!("retention({text}, {period}, {n_periods})")
            }
            "union" => self.one_of(&["union(tags)", "union(codes)"]).to_owned(),
            name => format!("{name}({text})"),
        }
    }

    fn quantile(&mut self, text: &str) -> String {
        let error = self.one_of(&["0.1%", "1%", "2.5%", "10%"]);
        if self.chance(0.4) {
            let name = self.one_of(&["median", "p50", "p90", "p95", "p99", "p999"]);
            return format!("{name}({text}, within: {error})");
        }
        let q = self.one_of(&["0", "1", "0.5", "0.99", "0.001", "0.333333333"]);
        format!("quantile({text}, {q}, within: {error})")
    }

    /// Number of fields of a record.
    pub(super) fn n_fields(&mut self) -> usize {
        self.random.random_range(2..6)
    }
}
