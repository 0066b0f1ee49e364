//! Expressions over the fields of an event: the scope, and what all types have in common.

use metricc_ir::{Kind, Type};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::fragment::{Absence, Fragment, Sort};
use super::{CALENDARS, Uses};
use crate::generate::Random;
use crate::generate::sources::Shape;

/// The names that expressions may use, and the record of the functions that they use.
pub(super) struct Scope<'a> {
    pub(super) random: &'a mut Random,
    pub(super) shape: Shape,
    /// Fields, elements of `each` steps, and `let`s.
    pub(super) names: Vec<Fragment>,
    pub(super) uses: Uses,
    /// The aggregate whose argument or filter is being written.
    pub(super) aggregate: Option<&'static str>,
}

/// Adds a name with its sort; of a record, its fields.
pub(super) fn add_names(name: &str, ty: &Type, names: &mut Vec<Fragment>) {
    let sort = match &ty.kind {
        Kind::Bool => Sort::Bool,
        Kind::Int => Sort::Int,
        Kind::Decimal { precision, scale } => Sort::Decimal(*precision, *scale),
        Kind::Float => Sort::Float,
        Kind::String => Sort::Text,
        Kind::Enum(names) if names[0] == "low" => Sort::Level,
        Kind::Enum(_) => Sort::Status,
        Kind::Date => Sort::Date,
        Kind::Timestamp => Sort::Timestamp,
        Kind::Duration => Sort::Duration,
        Kind::Record(fields) => {
            for field in fields.iter() {
                let optional = ty.optional || field.ty.optional;
                let part = Type { optional, ..field.ty.clone() };
                add_names(&format!("{name}.{}", field.name), &part, names);
            }
            return;
        }
        Kind::Int128 | Kind::List(_) => return,
    };
    let absence = match (ty.optional, sort) {
        (true, _) => Absence::Declared,
        // The field of a source may be NaN; that of a record may not.
        (false, Sort::Float) if !name.contains('.') => Absence::Overflow,
        (false, _) => Absence::Never,
    };
    names.push(Fragment::new(name, sort, absence));
}

/// All sorts that fields have.
pub(super) const SORTS: [Sort; 11] = [
    Sort::Bool,
    Sort::Int,
    Sort::Int,
    Sort::Decimal(12, 2),
    Sort::Float,
    Sort::Text,
    Sort::Status,
    Sort::Level,
    Sort::Date,
    Sort::Timestamp,
    Sort::Duration,
];

impl Scope<'_> {
    /// The scope with the scalar fields of the source.
    pub(super) fn new(random: &mut Random, shape: Shape) -> Scope<'_> {
        let source = shape.source();
        let mut names = Vec::new();
        source.fields.iter().for_each(|field| add_names(&field.name, &field.ty, &mut names));
        Scope { random, shape, names, uses: Uses::default(), aggregate: None }
    }

    /// Notes that a function or operator is used here.
    pub(super) fn note(&mut self, feature: &'static str) {
        match self.aggregate {
            Some(aggregate) => self.uses.by_aggregate.entry(aggregate).or_default().insert(feature),
            None => self.uses.everywhere.insert(feature),
        };
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.choose(self.random).unwrap_or_else(|| panic!("there is nothing to choose from"))
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    /// A name of the sort; of decimals, any.
    pub(super) fn name(&mut self, sort: Sort) -> Fragment {
        let is_meant = |name: &&Fragment| match (name.sort, sort) {
            (Sort::Decimal(..), Sort::Decimal(..)) => true,
            (found, wanted) => found == wanted,
        };
        let mut names: Vec<&Fragment> = self.names.iter().filter(is_meant).collect();
        // Names that the metric defines are last; they should be used.
        if let Some(last) = names.last()
            && self.random.random_bool(0.3)
        {
            names = vec![last];
        }
        let name = names.choose(self.random).unwrap_or_else(|| panic!("no field has the sort {sort:?}"));
        Fragment::clone(name)
    }

    /// An expression of the sort (of decimals, any), at most so deep.
    pub(super) fn expr(&mut self, sort: Sort, depth: usize) -> Fragment {
        if depth == 0 || self.chance(0.3) {
            return self.name(sort);
        }
        match self.random.random_range(0..10) {
            0 => self.conditional(sort, depth - 1),
            1 => self.fallback(sort, depth - 1),
            2 if sort.is_ordered() => self.extreme(sort, depth - 1),
            _ => self.composite(sort, depth - 1),
        }
    }

    /// An expression of the sort that functions, ordering and arithmetic take.
    pub(super) fn value(&mut self, sort: Sort, depth: usize) -> Fragment {
        let found = self.expr(sort, depth);
        self.handled(found)
    }

    /// The same, with a declared none replaced.
    pub(super) fn handled(&mut self, found: Fragment) -> Fragment {
        if found.absence != Absence::Declared {
            return found;
        }
        self.note("??");
        let literal = self.literal(found.sort);
        Fragment::new(format!("({} ?? {literal})", found.text), found.sort, Absence::Never)
    }

    /// A value of exactly this sort, or a literal.
    pub(super) fn operand(&mut self, sort: Sort, depth: usize) -> (String, Absence) {
        if matches!(sort, Sort::Decimal(..)) || self.chance(0.4) {
            return (self.literal(sort), Absence::Never);
        }
        let value = self.value(sort, depth);
        (value.text, value.absence)
    }

    fn composite(&mut self, sort: Sort, depth: usize) -> Fragment {
        match sort {
            Sort::Bool => self.condition(depth),
            Sort::Int | Sort::Int128 => self.int(depth),
            Sort::Decimal(..) => self.decimal(depth),
            Sort::Float => self.float(depth),
            Sort::Text => self.text(depth),
            Sort::Status | Sort::Level => self.name(sort),
            Sort::Date => self.date(depth),
            Sort::Timestamp => self.timestamp(depth),
            Sort::Duration => self.duration(depth),
        }
    }

    fn conditional(&mut self, sort: Sort, depth: usize) -> Fragment {
        self.note("if");
        let condition = self.condition(depth);
        let yes = self.expr(sort, depth);
        let (no, absence) = if self.chance(0.2) {
            ("none".to_owned(), Absence::Declared)
        } else if sort == Sort::Bool {
            ("false".to_owned(), Absence::Never)
        } else {
            self.operand(yes.sort, depth)
        };
        let text = format!("(if {} then {} else {no})", condition.text, yes.text);
        Fragment::new(text, yes.sort, yes.absence.max(absence))
    }

    /// `a ?? b` on something that may be none.
    fn fallback(&mut self, sort: Sort, depth: usize) -> Fragment {
        let left = self.expr(sort, depth);
        if left.absence == Absence::Never {
            return left;
        }
        self.note("??");
        let (right, absence) = self.operand(left.sort, depth);
        Fragment::new(format!("({} ?? {right})", left.text), left.sort, absence)
    }

    /// `min(a, b)`, `max(a, b, c)`.
    fn extreme(&mut self, sort: Sort, depth: usize) -> Fragment {
        let function = self.one_of(&["min of values", "max of values"]);
        self.note(function);
        let first = self.value(sort, depth);
        let (mut absence, mut texts) = (first.absence, vec![first.text]);
        for _ in 0..self.random.random_range(1..3) {
            let (text, other) = self.operand(first.sort, depth);
            absence = absence.max(other);
            texts.push(text);
        }
        Fragment::new(format!("{}({})", &function[..3], texts.join(", ")), first.sort, absence)
    }

    /// A literal of the sort.
    pub(super) fn literal(&mut self, sort: Sort) -> String {
        match sort {
            Sort::Bool => self.one_of(&["true", "false"]).to_owned(),
            Sort::Int | Sort::Int128 => self.int_literal(),
            Sort::Decimal(precision, scale) => self.decimal_literal(precision, scale),
            Sort::Float => {
                self.one_of(&["0.5", "0.0", "1.0", "2", "(-3.25)", "10000000000000000", "0.1"]).to_owned()
            }
            Sort::Text => self
                .one_of(&["\"a\"", "\"b\"", "\"\"", "\"ß\"", "\"e\\u{301}\"", "\"web\"", "\"a\\\\b\""])
                .to_owned(),
            Sort::Status => self.one_of(&["\"captured\"", "\"failed\"", "\"refunded\""]).to_owned(),
            Sort::Level => self.one_of(&["\"low\"", "\"mid\"", "\"high\""]).to_owned(),
            Sort::Date => self.one_of(&["\"2024-02-29\"", "\"1969-12-31\"", "\"2011-12-30\""]).to_owned(),
            Sort::Timestamp => self
                .one_of(&[
                    "\"2024-11-03T06:00:00Z\"",
                    "\"1970-01-01T00:00:00Z\"",
                    "\"2024-11-03T01:30:00-05:00\"",
                ])
                .to_owned(),
            Sort::Duration => self.one_of(&["5m", "1h", "250ms", "7d", "1us", "0s"]).to_owned(),
        }
    }

    /// ` in CALENDAR`, or nothing.
    pub(super) fn in_calendar(&mut self) -> String {
        if self.chance(0.3) {
            return String::new();
        }
        format!(" in {}", self.calendar())
    }

    pub(super) fn calendar(&mut self) -> &'static str {
        let (name, ..) = self.one_of(&CALENDARS);
        self.uses.calendars.insert(name);
        name
    }
}
