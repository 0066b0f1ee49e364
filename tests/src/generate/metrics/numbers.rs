//! Ints, decimals and floats.

use rand::Rng;

use super::fragment::{Absence, Fragment, Sort};
use super::rows::Scope;

/// Parts of a date, followed by parts of a time of day.
const PARTS: [&str; 10] =
    ["year", "quarter", "month", "week", "iso_year", "day", "weekday", "hour", "minute", "second"];
const N_DATE_PARTS: usize = 7;

impl Scope<'_> {
    pub(super) fn int(&mut self, depth: usize) -> Fragment {
        match self.random.random_range(0..15) {
            0..4 => {
                let (left, right) = (self.value(Sort::Int, depth), self.value(Sort::Int, depth));
                self.arithmetic(&left, &right)
            }
            4 => self.with_literal(Sort::Int, depth),
            5 => self.sign(Sort::Int, depth),
            6 => self.length(depth),
            7..11 => self.part(depth),
            11 => self.whole(depth),
            12 | 13 => self.period(depth),
            _ => self.tested(),
        }
    }

    pub(super) fn decimal(&mut self, depth: usize) -> Fragment {
        let decimal = Sort::Decimal(12, 2);
        match self.random.random_range(0..10) {
            0..3 => {
                let (left, right) = (self.value(decimal, depth), self.value(decimal, depth));
                self.arithmetic(&left, &right)
            }
            3 => {
                let (left, right) = (self.value(Sort::Int, depth), self.value(decimal, depth));
                self.arithmetic(&left, &right)
            }
            4 => self.with_literal(decimal, depth),
            5 | 6 => self.sign(decimal, depth),
            _ => self.rounded(decimal, depth),
        }
    }

    pub(super) fn float(&mut self, depth: usize) -> Fragment {
        match self.random.random_range(0..10) {
            0..4 => {
                let (left, right) = (self.value(Sort::Float, depth), self.value(Sort::Float, depth));
                self.arithmetic(&left, &right)
            }
            4 => self.with_literal(Sort::Float, depth),
            5 => self.sign(Sort::Float, depth),
            6 | 7 => self.rounded(Sort::Float, depth),
            _ => {
                self.note("float");
                let sort = self.one_of(&[Sort::Int, Sort::Decimal(12, 2)]);
                let value = self.value(sort, depth);
                Fragment::new(format!("float({})", value.text), Sort::Float, value.absence)
            }
        }
    }

    /// Two numbers under an operator that takes them.
    fn arithmetic(&mut self, left: &Fragment, right: &Fragment) -> Fragment {
        let mut operator = self.one_of(&["+", "-", "*", "/", "%"]);
        let is_float = left.sort == Sort::Float;
        let n_digits = |sort: Sort| sort.digits().map_or(0, |(_, scale)| scale);
        let too_fine = n_digits(left.sort) + n_digits(right.sort) > 38;
        if (is_float && operator == "%") || (too_fine && operator == "*") {
            operator = "-";
        }
        self.note(operator);
        let own = if matches!(operator, "/" | "%") { Absence::Declared } else { Absence::Overflow };
        let sort = result_of(operator, left.sort, right.sort);
        let absence = left.absence.max(right.absence).max(own);
        Fragment::new(format!("({} {operator} {})", left.text, right.text), sort, absence)
    }

    /// A number under an operator with a literal that is not zero: a division may then only overflow.
    fn with_literal(&mut self, sort: Sort, depth: usize) -> Fragment {
        let left = self.value(sort, depth);
        let operator = match left.sort {
            Sort::Float => self.one_of(&["+", "-", "*", "/"]),
            // The product and the quotient have the literal's own digits.
            Sort::Decimal(_, scale) if scale > 30 => self.one_of(&["+", "-"]),
            _ => self.one_of(&["+", "-", "*", "/", "%"]),
        };
        self.note(operator);
        let (literal, literal_sort) = match left.sort {
            Sort::Decimal(..) => self.one_of(&[("3", Sort::Int), ("2", Sort::Int)]),
            Sort::Int => {
                self.one_of(&[("7", Sort::Int), ("(-1)", Sort::Int), ("9223372036854775807", Sort::Int)])
            }
            _ => self.one_of(&[("0.3", Sort::Float), ("3", Sort::Float)]),
        };
        let literal_sort = match (left.sort, operator, literal_sort) {
            (Sort::Decimal(..), "*" | "/", _) => Sort::Decimal(1, 0),
            (sort, ..) => sort,
        };
        let sort = result_of(operator, left.sort, literal_sort);
        let absence = left.absence.max(Absence::Overflow);
        Fragment::new(format!("({} {operator} {literal})", left.text), sort, absence)
    }

    fn sign(&mut self, sort: Sort, depth: usize) -> Fragment {
        let value = self.value(sort, depth);
        let absence = value.absence.max(Absence::Overflow);
        let text = if self.chance(0.5) {
            self.note("unary -");
            format!("(-{})", value.text)
        } else {
            self.note("abs");
            format!("abs({})", value.text)
        };
        Fragment::new(text, value.sort, absence)
    }

    /// `round`, `floor`, `ceil` of a decimal or a float.
    fn rounded(&mut self, sort: Sort, depth: usize) -> Fragment {
        let value = self.value(sort, depth);
        let function = self.one_of(&["round", "floor", "ceil"]);
        self.note(function);
        let Sort::Decimal(precision, scale) = value.sort else {
            return Fragment::new(format!("{function}({})", value.text), value.sort, value.absence);
        };
        let n_digits = if function == "round" { self.random.random_range(0..=scale) } else { 0 };
        let digits = if n_digits > 0 { format!(", {n_digits}") } else { String::new() };
        let absence = value.absence.max(Absence::Overflow);
        Fragment::new(
            format!("{function}({}{digits})", value.text),
            Sort::Decimal(precision, n_digits),
            absence,
        )
    }

    fn length(&mut self, depth: usize) -> Fragment {
        self.note("length");
        if self.shape.has_lists && self.chance(0.3) {
            return Fragment::new("length(tags)", Sort::Int, Absence::Never);
        }
        let text = self.value(Sort::Text, depth);
        if self.chance(0.3) {
            self.note("split");
            return Fragment::new(format!("length(split({}, \",\"))", text.text), Sort::Int, text.absence);
        }
        Fragment::new(format!("length({})", text.text), Sort::Int, text.absence)
    }

    fn part(&mut self, depth: usize) -> Fragment {
        let is_date = self.chance(0.3);
        let parts = if is_date { &PARTS[..N_DATE_PARTS] } else { &PARTS[..] };
        let part = self.one_of(parts);
        self.note(part);
        let sort = if is_date { Sort::Date } else { Sort::Timestamp };
        let value = self.value(sort, depth);
        let calendar = self.in_calendar();
        Fragment::new(format!("({part}({}){calendar})", value.text), Sort::Int, value.absence)
    }

    /// The number of a period.
    pub(super) fn period(&mut self, depth: usize) -> Fragment {
        let sort = self.one_of(&[Sort::Timestamp, Sort::Timestamp, Sort::Date]);
        let value = self.value(sort, depth);
        let text = if self.chance(0.3) {
            self.note("period of a width");
            format!("period({}, {})", value.text, self.one_of(&["1h", "90m", "7d", "36h", "250ms"]))
        } else {
            self.note("period in a calendar");
            let unit = self.one_of(&["day", "week", "month", "quarter", "year"]);
            format!("(period({}, {unit}){})", value.text, self.in_calendar())
        };
        Fragment::new(text, Sort::Int, value.absence)
    }

    /// `int` of a decimal or a float.
    fn whole(&mut self, depth: usize) -> Fragment {
        self.note("int");
        let sort = self.one_of(&[Sort::Float, Sort::Decimal(12, 2)]);
        let value = self.value(sort, depth);
        Fragment::new(format!("int({})", value.text), Sort::Int, value.absence.max(Absence::Overflow))
    }

    /// A test for none instead of `??`.
    fn tested(&mut self) -> Fragment {
        self.note("if");
        self.note("!=");
        self.note("+");
        Fragment::new("(if m != none then m + n else part)", Sort::Int, Absence::Overflow)
    }

    pub(super) fn int_literal(&mut self) -> String {
        self.one_of(&["0", "1", "(-1)", "3", "9223372036854775807", "1_000"]).to_owned()
    }

    /// A literal that fits the decimal without more digits.
    pub(super) fn decimal_literal(&mut self, precision: u8, scale: u8) -> String {
        let literals: &[&str] = match (precision - scale, scale) {
            (0..3, _) => &["0"],
            (_, 0) => &["0", "1", "(-12)", "100"],
            (_, 1) => &["0.5", "3.0", "(-12)", "100"],
            _ => &["0.05", "0.5", "(-12.25)", "100", "3"],
        };
        self.one_of(literals).to_owned()
    }
}

/// The sort of a result, in an event.
fn result_of(operator: &str, left: Sort, right: Sort) -> Sort {
    match (left, right) {
        (Sort::Decimal(..), _) | (_, Sort::Decimal(..)) => {
            let joined = left.joined(right).unwrap_or(left);
            let scales = left.digits().zip(right.digits()).map(|((_, s1), (_, s2))| (s1, s2));
            let (s1, s2) = scales.unwrap_or((0, 0));
            match operator {
                "*" => Sort::Decimal(38, s1 + s2),
                "/" => Sort::Decimal(38, (s1.max(s2) + 6).min(38)),
                "%" => joined,
                _ => joined.with_carry(),
            }
        }
        _ => left,
    }
}
