//! Parameters of functions: values of rows, and literals among them.

use super::Sort;
use crate::{Calendar, CalendarUnit, Value};

/// One argument that a function takes: a value of the row, or a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Param {
    /// A value of the row.
    Value(Sort),
    /// A value of the row that may be none.
    Optional(Sort),
    /// A second number of the row, which is brought to the kind of the first; two decimals keep their scales.
    Alike(Sort),
    /// A second value of the row, which may be given by its name, `by:`.
    By(Sort),
    /// A value of the kind of a list's elements, or a part of a text.
    Member,
    /// Conditions on the row: at least two, at most this many.
    Steps(usize),
    /// `by: count()` or `by: sum(x)`.
    Ranking,
    /// A whole number from 1 to `most`.
    Count {
        /// The greatest.
        most: u32,
        /// What to write, for the message.
        what: &'static str,
    },
    /// The q of a quantile, 0 to 1.
    Quantile,
    /// Ascending literals of the first value's kind, in brackets: at most this many.
    Edges(usize),
    /// A literal of the first value's kind.
    Item,
    /// `within: 1%`: how far the result may be off.
    Within {
        /// The least error, in millionths.
        least_ppm: u32,
        /// The greatest error, in millionths.
        most_ppm: u32,
        /// What the first value has to be where an error is allowed.
        of: Sort,
        /// Where it may not be left out: what to write, for the message.
        needed: &'static [&'static str],
    },
    /// `within: 1h`: a duration, which may not be left out.
    Time {
        /// What to write, for the message.
        needed: &'static [&'static str],
    },
    /// A regular expression.
    Pattern,
    /// A text that is not empty.
    Separator,
    /// Digits after the decimal point.
    Digits,
    /// A duration, or the unit of a calendar.
    Width,
}

impl Param {
    /// The name that it is given by, if it is.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Param::By(_) | Param::Ranking => Some("by"),
            Param::Within { .. } | Param::Time { .. } => Some("within"),
            _ => None,
        }
    }

    /// Whether it is a literal, not a value of the row.
    pub fn is_literal(&self) -> bool {
        use Param::{Alike, By, Member, Optional, Ranking, Steps, Value};
        !matches!(self, Value(_) | Optional(_) | Alike(_) | By(_) | Member | Steps(_) | Ranking)
    }
}

/// The literals that a call gives to its function.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// [`Param::Count`].
    pub count: u32,
    /// Whether the first value is an `int128`.
    pub is_wide: bool,
    /// [`Param::Quantile`], in billionths.
    pub q_ppb: u32,
    /// [`Param::Edges`].
    pub edges: Vec<Value>,
    /// [`Param::Item`].
    pub item: Value,
    /// [`Param::Within`], in millionths.
    pub error_ppm: Option<u32>,
    /// [`Param::Time`], in µs.
    pub time: i64,
    /// [`Param::Pattern`].
    pub pattern: String,
    /// [`Param::Digits`].
    pub digits: u8,
    /// [`Param::Width`].
    pub width: Width,
    /// `in CALENDAR`; UTC if it is left out.
    pub calendar: Calendar,
}

/// What a timestamp is truncated to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// µs.
    Duration(i64),
    /// A unit of the calendar.
    Unit(CalendarUnit),
}

impl Default for Width {
    fn default() -> Self {
        Width::Duration(1)
    }
}
