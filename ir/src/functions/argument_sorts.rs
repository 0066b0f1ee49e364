//! Sorts of values: which kinds an argument takes.

use crate::Kind;

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// `int`, `decimal`, `float`.
    Number,
    /// A number, a sum of ints included.
    AnyNumber,
    /// `decimal`, `float`.
    Fraction,
    /// Everything that `<` compares.
    Ordered,
    /// Everything but lists and records.
    Plain,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `string`.
    Text,
    /// An enum.
    Enum,
    /// A list.
    List,
    /// `string` or a list.
    TextOrList,
    /// `timestamp`.
    Timestamp,
    /// `timestamp` or `date`.
    Instant,
    /// `int` or `date`: a number of a period.
    Period,
}

impl Sort {
    /// Whether a kind is one of them.
    pub fn fits(self, kind: &Kind) -> bool {
        match self {
            Sort::Number => matches!(kind, Kind::Int | Kind::Decimal { .. } | Kind::Float),
            Sort::AnyNumber => *kind == Kind::Int128 || Sort::Number.fits(kind),
            Sort::Fraction => matches!(kind, Kind::Decimal { .. } | Kind::Float),
            Sort::Ordered => *kind != Kind::Bool && Sort::Plain.fits(kind),
            Sort::Plain => !matches!(kind, Kind::List(_) | Kind::Record(_)),
            Sort::Bool => *kind == Kind::Bool,
            Sort::Int => *kind == Kind::Int,
            Sort::Text => *kind == Kind::String,
            Sort::Enum => matches!(kind, Kind::Enum(_)),
            Sort::List => matches!(kind, Kind::List(_)),
            Sort::TextOrList => matches!(kind, Kind::String | Kind::List(_)),
            Sort::Timestamp => *kind == Kind::Timestamp,
            Sort::Instant => matches!(kind, Kind::Timestamp | Kind::Date),
            Sort::Period => matches!(kind, Kind::Int | Kind::Date),
        }
    }

    /// What a message says is expected.
    pub fn text(self) -> &'static str {
        match self {
            Sort::Number | Sort::AnyNumber => "a number",
            Sort::Fraction => "a number with a fraction",
            Sort::Ordered => "values that have an order",
            Sort::Plain => "plain values",
            Sort::Bool => "`bool`",
            Sort::Int => "`int`",
            Sort::Text | Sort::TextOrList => "`string`",
            Sort::Enum => "an enum",
            Sort::List => "a list",
            Sort::Timestamp => "a timestamp",
            Sort::Instant => "a timestamp or a date",
            Sort::Period => "`int` or `date` as the period",
        }
    }
}
