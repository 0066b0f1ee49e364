//! Conditions, texts, dates, instants and durations.

use rand::Rng;

use super::fragment::{Absence, Fragment, Sort};
use super::rows::{SORTS, Scope};

/// Patterns that the interpreter's matcher knows, as literals of the language.
const PATTERNS: [&str; 8] =
    ["\"^a\"", "\"b$\"", "\"^[a-c]+$\"", "\"a.*b\"", "\"^$\"", "\"(ab|c)+x?\"", "\"[^a-z]\"", "\"\\\\.|,\""];

impl Scope<'_> {
    /// A condition: bool, never a declared none.
    pub(super) fn condition(&mut self, depth: usize) -> Fragment {
        let deeper = depth.saturating_sub(1);
        let text = match self.random.random_range(0..12) {
            0 | 1 if depth > 0 => {
                let operator = self.one_of(&["and", "or"]);
                self.note(operator);
                let (left, right) = (self.condition(deeper), self.condition(deeper));
                format!("({} {operator} {})", left.text, right.text)
            }
            2 if depth > 0 => {
                self.note("not");
                format!("(not {})", self.condition(deeper).text)
            }
            3..6 => self.ordering(deeper),
            6 | 7 => self.equality(deeper),
            8 => self.choice(deeper),
            9 | 10 => self.text_test(deeper),
            _ => self.none_test(),
        };
        Fragment::new(text, Sort::Bool, Absence::Never)
    }

    fn ordering(&mut self, depth: usize) -> String {
        let sort = self.one_of(&SORTS[1..]);
        let operator = self.one_of(&["<", "<=", ">", ">="]);
        self.note(operator);
        let left = self.value(sort, depth);
        let (right, _) = self.operand(left.sort, depth);
        format!("({} {operator} {right})", left.text)
    }

    /// Equality takes what may be none.
    fn equality(&mut self, depth: usize) -> String {
        let operator = self.one_of(&["==", "!="]);
        self.note(operator);
        let sort = self.one_of(&SORTS);
        let left = self.expr(sort, depth);
        let right = match (left.absence, self.random.random_range(0..4)) {
            (Absence::Overflow | Absence::Declared, 0) => "none".to_owned(),
            (_, 0 | 1) if !matches!(sort, Sort::Decimal(..)) => self.expr(sort, depth).text,
            (_, 2) => return self.hash_equality(operator, &left),
            _ => self.literal(left.sort),
        };
        format!("({} {operator} {right})", left.text)
    }

    /// Hashes are only compared, since the interpreter does not know their values.
    fn hash_equality(&mut self, operator: &str, left: &Fragment) -> String {
        self.note("hash64");
        let same: Vec<String> =
            self.names.iter().filter(|name| name.sort == left.sort).map(|name| name.text.clone()).collect();
        let index = self.random.random_range(0..same.len().max(1));
        let right = same.get(index).unwrap_or(&left.text);
        format!("(hash64({}, label) {operator} hash64({right}, label))", left.text)
    }

    fn choice(&mut self, depth: usize) -> String {
        let operator = self.one_of(&["in", "not in"]);
        self.note("in");
        let sort = self.one_of(&SORTS[1..]);
        let value = self.expr(sort, depth);
        let mut choices: Vec<String> =
            (0..self.random.random_range(1..4)).map(|_| self.literal(value.sort)).collect();
        if self.chance(0.3) {
            choices.push("none".to_owned());
        }
        format!("({} {operator} ({}))", value.text, choices.join(", "))
    }

    fn text_test(&mut self, depth: usize) -> String {
        let text = self.value(Sort::Text, depth).text;
        match self.random.random_range(0..4) {
            0 => {
                self.note("matches");
                format!("matches({text}, {})", self.one_of(&PATTERNS))
            }
            1 if self.shape.has_lists => {
                self.note("contains in a list");
                format!("contains(tags, {text})")
            }
            1 => {
                self.note("split");
                self.note("contains in a list");
                format!("contains(split({text}, \",\"), \"b\")")
            }
            _ => {
                let function = self.one_of(&["starts_with", "ends_with", "contains"]);
                self.note(function);
                let (part, _) = self.operand(Sort::Text, depth);
                format!("{function}({text}, {part})")
            }
        }
    }

    /// Tests that make `??` unnecessary.
    fn none_test(&mut self) -> String {
        self.note("!=");
        let tests = [
            "(city != none and length(city) > 1)",
            "(m == none or m > 2)",
            "(not (seen == none) and seen < \"2024-11-03T06:00:00Z\")",
            "(weight != none and weight * 2.0 >= score)",
            "(due != none and year(due) == 2024)",
            "(level != none and level > \"low\")",
            "((at + elapsed) > \"2024-11-03T06:00:00Z\")",
            "(flag ?? ok)",
        ];
        self.one_of(&tests).to_owned()
    }

    pub(super) fn text(&mut self, depth: usize) -> Fragment {
        let function = self.one_of(&["lower", "upper", "trim", "substr", "concat", "text"]);
        self.note(function);
        let value = self.value(Sort::Text, depth);
        let (text, absence) = match function {
            "substr" => {
                let start = self.one_of(&["0", "1", "(-2)", "n"]);
                let length = self.one_of(&["2", "0", "(-1)", "9223372036854775807", "retries"]);
                (format!("substr({}, {start}, {length})", value.text), value.absence)
            }
            "concat" => {
                let (other, absence) = self.operand(Sort::Text, depth);
                (format!("concat({}, \"-\", {other})", value.text), value.absence.max(absence))
            }
            "text" => {
                let sort = self.one_of(&[Sort::Status, Sort::Level]);
                let value = self.value(sort, depth);
                (format!("text({})", value.text), value.absence)
            }
            _ => (format!("{function}({})", value.text), value.absence),
        };
        Fragment::new(text, Sort::Text, absence)
    }

    pub(super) fn date(&mut self, depth: usize) -> Fragment {
        self.note("date");
        let value = self.value(Sort::Timestamp, depth);
        let calendar = self.in_calendar();
        Fragment::new(format!("(date({}){calendar})", value.text), Sort::Date, value.absence)
    }

    pub(super) fn timestamp(&mut self, depth: usize) -> Fragment {
        let value = self.value(Sort::Timestamp, depth);
        match self.random.random_range(0..4) {
            0 => {
                self.note("truncate to a width");
                let width = self.one_of(&["1h", "5m", "90m", "1us", "7d", "250ms"]);
                Fragment::new(format!("truncate({}, {width})", value.text), Sort::Timestamp, value.absence)
            }
            1 | 2 => {
                self.note("truncate in a calendar");
                let unit = self.one_of(&["day", "week", "month", "quarter", "year"]);
                let calendar = self.in_calendar();
                Fragment::new(
                    format!("(truncate({}, {unit}){calendar})", value.text),
                    Sort::Timestamp,
                    value.absence,
                )
            }
            // Durations of the log may lead far out of the years that have a text: only literals are added.
            _ => {
                let operator = self.one_of(&["+", "-"]);
                self.note(operator);
                let duration = self.one_of(&["1h", "30m", "36h", "1us"]);
                let absence = value.absence.max(Absence::Overflow);
                Fragment::new(format!("({} {operator} {duration})", value.text), Sort::Timestamp, absence)
            }
        }
    }

    pub(super) fn duration(&mut self, depth: usize) -> Fragment {
        let operator = self.one_of(&["+", "-"]);
        let (text, absence) = match self.random.random_range(0..4) {
            0 | 1 => {
                self.note("-");
                let (left, right) = (self.value(Sort::Timestamp, depth), self.value(Sort::Timestamp, depth));
                (format!("({} - {})", left.text, right.text), left.absence.max(right.absence))
            }
            2 => {
                self.note("unary -");
                let value = self.value(Sort::Duration, depth);
                (format!("(-{})", value.text), value.absence)
            }
            _ => {
                self.note(operator);
                let value = self.value(Sort::Duration, depth);
                let (other, absence) = self.operand(Sort::Duration, depth);
                (format!("({} {operator} {other})", value.text), value.absence.max(absence))
            }
        };
        Fragment::new(text, Sort::Duration, absence.max(Absence::Overflow))
    }
}
