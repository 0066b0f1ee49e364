//! The outputs of a metric: an aggregate, arithmetic over aggregates, or a record of them.
//!
//! There is no arithmetic over sketches, because the interpreter does not compute the error of their
//! estimates.

use rand::Rng;

use super::fragment::{Absence, Fragment, Sort};
use super::rows::Scope;

/// The text after `metric NAME =`.
pub(super) fn value(scope: &mut Scope<'_>) -> String {
    if scope.chance(0.5) {
        return output(scope);
    }
    let fields: Vec<String> =
        (0..scope.n_fields()).map(|index| format!("f{index}: {}", output(scope))).collect();
    format!("{{ {} }}", fields.join(", "))
}

fn output(scope: &mut Scope<'_>) -> String {
    if scope.chance(0.6) {
        return scope.aggregate().bare();
    }
    scope.computed(1).text
}

impl Scope<'_> {
    /// An expression over aggregates.
    fn computed(&mut self, depth: usize) -> Fragment {
        match self.random.random_range(0..8) {
            0..2 => self.presented_arithmetic(depth),
            2 => self.presented_ratio(depth),
            3 => self.presented_fallback(),
            4 => self.presented_condition(depth),
            5 => self.presented_time(),
            6 => self.presented_function(),
            _ => self.exact_aggregate().presented,
        }
    }

    fn presented_number(&mut self, depth: usize) -> Fragment {
        if depth > 0 && self.chance(0.3) {
            return if self.chance(0.5) {
                self.presented_arithmetic(depth - 1)
            } else {
                self.presented_ratio(depth - 1)
            };
        }
        self.numeric_aggregate().presented
    }

    /// `+ - *`: exact numbers beside floats become floats.
    fn presented_arithmetic(&mut self, depth: usize) -> Fragment {
        let (left, right) = (self.presented_number(depth), self.presented_number(depth));
        let mut operator = self.one_of(&["+", "-", "*"]);
        let scale = |sort: Sort| sort.digits().map_or(0, |(_, scale)| scale);
        if scale(left.sort) + scale(right.sort) > 38 && operator == "*" {
            operator = "+";
        }
        self.note(operator);
        let sort = match (left.sort, right.sort) {
            (Sort::Float, _) | (_, Sort::Float) => Sort::Float,
            (Sort::Int, Sort::Int) => Sort::Int,
            (Sort::Int | Sort::Int128, Sort::Int | Sort::Int128) => Sort::Int128,
            (left, right) if operator == "*" => Sort::Decimal(38, scale(left) + scale(right)),
            (left, right) => left.joined(right).unwrap_or(left).with_carry(),
        };
        Fragment::new(format!("({} {operator} {})", left.text, right.text), sort, Absence::Overflow)
    }

    fn presented_ratio(&mut self, depth: usize) -> Fragment {
        self.note("ratio");
        let (left, right) = (self.presented_number(depth), self.presented_number(depth));
        Fragment::new(format!("({} / {})", left.text, right.text), Sort::Float, Absence::Overflow)
    }

    fn presented_fallback(&mut self) -> Fragment {
        let left = self.exact_aggregate().presented;
        if left.absence == Absence::Never {
            return left;
        }
        self.note("??");
        let literal = self.literal(left.sort);
        Fragment::new(format!("({} ?? {literal})", left.text), left.sort, Absence::Never)
    }

    fn presented_condition(&mut self, depth: usize) -> Fragment {
        let number = self.presented_number(depth);
        if self.chance(0.3) && number.absence != Absence::Never {
            self.note("==");
            return Fragment::new(format!("({} == none)", number.text), Sort::Bool, Absence::Never);
        }
        let operator = self.one_of(&["<", "<=", ">", ">="]);
        self.note(operator);
        let literal = self.literal(number.sort);
        let condition = format!("{} {operator} {literal}", number.text);
        if self.chance(0.5) {
            return Fragment::new(format!("({condition})"), Sort::Bool, Absence::Never);
        }
        self.note("if");
        let yes = self.exact_aggregate().presented;
        let text = format!("(if {condition} then {} else none)", yes.text);
        Fragment::new(text, yes.sort, Absence::Declared)
    }

    fn presented_time(&mut self) -> Fragment {
        for aggregate in ["min", "max"] {
            self.uses.by_aggregate.entry(aggregate).or_default();
        }
        self.note("-");
        let calendar = self.in_calendar();
        let texts = [
            ("(max(at) - min(at))".to_owned(), Sort::Duration),
            (format!("(hour(max(at)){calendar})"), Sort::Int),
            (format!("(truncate(min(seen), month){calendar})"), Sort::Timestamp),
            ("(max(elapsed) + 1h)".to_owned(), Sort::Duration),
            (format!("(date(max(seen)){calendar})"), Sort::Date),
            ("year(max(due))".to_owned(), Sort::Int),
        ];
        let index = self.random.random_range(0..texts.len());
        let (text, sort) = texts[index].clone();
        Fragment::new(text, sort, Absence::Overflow)
    }

    fn presented_function(&mut self) -> Fragment {
        let texts = [
            ("round(mean(amount), 2)", Sort::Decimal(38, 2), "round", "mean"),
            ("abs(min(n))", Sort::Int, "abs", "min"),
            ("(-sum(n))", Sort::Int128, "unary -", "sum"),
            ("min(count(), (count() where ok))", Sort::Int, "min of values", "count"),
            ("max(sum(amount), (sum(refund) where ok))", Sort::Decimal(38, 2), "max of values", "sum"),
            ("upper(max(label))", Sort::Text, "upper", "max"),
            ("concat(min(label), \"..\", max(label))", Sort::Text, "concat", "max"),
            ("text(max(level))", Sort::Text, "text", "max"),
            ("float(sum(n))", Sort::Float, "float", "sum"),
            ("int(sum(score))", Sort::Int, "int", "sum"),
            ("(count() % 3)", Sort::Int, "%", "count"),
            ("(any(ok) and not all(flag))", Sort::Bool, "and", "any"),
            ("length(max(city))", Sort::Int, "length", "max"),
            ("floor(stddev(amount))", Sort::Float, "floor", "stddev"),
        ];
        let (text, sort, function, aggregate) = self.one_of(&texts);
        self.note(function);
        self.uses.by_aggregate.entry(aggregate).or_default();
        Fragment::new(text, sort, Absence::Overflow)
    }
}
