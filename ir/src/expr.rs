//! Expressions of the typed metric: constants, columns and total functions of them.

use std::fmt;

use serde::Serialize;

use super::{Calendar, CalendarUnit, Type, Zone};

/// A constant. Equality is by bits, so that it can be compared and hashed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value.
    #[default]
    None,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `decimal`: unscaled digits; the scale is that of the type it stands in.
    Decimal(#[serde(serialize_with = "as_text")] i128),
    /// `float`; finite, not -0.0.
    Float(#[serde(serialize_with = "as_text")] f64),
    /// `string`.
    String(String),
    /// `enum`: index in the declared list.
    Enum(u32),
    /// `date`: days since 1970-01-01.
    Date(i32),
    /// `timestamp`: µs since 1970-01-01T00:00Z.
    Timestamp(i64),
    /// `duration`: µs.
    Duration(i64),
    /// `list<T>`.
    List(Vec<Value>),
    /// `{ … }`: the values of its fields in their order.
    Record(Vec<Value>),
}

fn as_text<T: fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A typed, total expression over the columns of its scope.
///
/// A row expression (`filter`, keys, `each`, aggregate arguments and filters) reads the scope
/// *source fields, then one column per `each` step*. An output expression reads one column per aggregate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// The type of its result.
    pub ty: Type,
}

/// The forms of an expression.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExprKind {
    /// A column of the scope.
    Column(usize),
    /// A constant of the expression's type.
    Literal(Value),
    /// A function or operator applied to its arguments.
    Call(Func, Vec<Expr>),
}

/// Scalar functions and operators. Argument types are checked: the doc of each states them.
/// `T` stands for one kind on both sides; none in an argument gives none unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Func {
    /// (bool, bool) → bool.
    And,
    /// (bool, bool) → bool.
    Or,
    /// (bool) → bool.
    Not,
    /// (T?, T?) → bool: none equals none and nothing else.
    Eq,
    /// (T?, T?) → bool: the negation of [`Func::Eq`].
    Ne,
    /// (T?, T?) → bool. Strings by bytes, enums as declared. None on either side: false. The type says
    /// `bool`, not `bool?`: a none gets here by overflow, or where a test beside it makes it harmless.
    Lt,
    /// (T?, T?) → bool. None on either side: false.
    Le,
    /// (T?, T?) → bool. None on either side: false.
    Gt,
    /// (T?, T?) → bool. None on either side: false.
    Ge,
    /// (T?, T? …) → bool: the first equals ([`Func::Eq`]) one of the others.
    In,
    /// (int, int) → int?, decimals of one scale → decimal?, (float, float) → float?, (timestamp, duration) →
    /// timestamp?, (duration, duration) → duration?, int128 likewise. Overflow gives none.
    Add,
    /// As [`Func::Add`]; also (timestamp, timestamp) → duration?.
    Sub,
    /// (int, int) → int?, (decimal(_, a), decimal(_, b)) → decimal(38, a + b)?, (float, float) → float?,
    /// (int128, int128) → int128?. Overflow gives none.
    Mul,
    /// (int, int) → int?, truncated toward zero; decimals → decimal(38, result scale)?, half even;
    /// (float, float) → float?. By zero, and overflow: none.
    Div,
    /// (int, int) → int?, decimals of one scale → decimal?: the remainder has the dividend's sign. By zero:
    /// none.
    Rem,
    /// The exact quotient of two numbers (int, int128, decimal, in any mix) rounded once to float, half
    /// even; or of two floats. By zero: none. What `/` means between aggregates.
    Ratio,
    /// (int|decimal|float|duration|int128) → the same, optional. Overflow gives none.
    Neg,
    /// (T?, T?) → the first that is not none.
    Coalesce,
    /// (bool, T, T) → the second or the third argument.
    If,
    /// (string) → string: Unicode lower case, without locale.
    Lower,
    /// (string) → string: Unicode upper case, without locale.
    Upper,
    /// (string) → string: without Unicode white space at both ends.
    Trim,
    /// (string, string) → bool, by bytes.
    StartsWith,
    /// (string, string) → bool, by bytes.
    EndsWith,
    /// (string, string) → bool by bytes, or (`list<T>`, T?) → bool by [`Func::Eq`].
    Contains,
    /// (string) → bool: the regular expression (syntax of the `regex` crate, checked) is found in it.
    Matches(String),
    /// (string, int start, int length) → string, in characters; start counts from 0, is clamped to the text;
    /// length < 0 gives "".
    Substr,
    /// (string, string literal separator, not empty) → `list<string>`.
    Split,
    /// (string, string …) → string.
    Concat,
    /// (string) → int, in characters; (list) → int.
    Length,
    /// (enum) → string.
    Text,
    /// (timestamp|date) → int in the zone; the part of the local date and time. A date ignores the zone.
    Part(Part, Zone),
    /// (timestamp) → date in the zone.
    DateIn(Zone),
    /// (timestamp) → timestamp: floor to a multiple of the width (µs, > 0) since the epoch.
    TruncateTo(i64),
    /// (timestamp) → timestamp: start of the calendar bucket it lies in.
    TruncateIn(CalendarUnit, Calendar),
    /// (timestamp|date) → int: how many widths (µs, > 0) lie between the epoch and the one it lies in; a date
    /// is its midnight in UTC.
    PeriodTo(i64),
    /// (timestamp|date) → int: how many calendar buckets lie between that of 1970-01-01 and the one it lies
    /// in. A date ignores the zone.
    PeriodIn(CalendarUnit, Calendar),
    /// (int|decimal|float) → the same kind, optional.
    Abs,
    /// (decimal(p, s)) → decimal(p, digits)?; (float) → float, digits = 0. Half even.
    Round(u8),
    /// (decimal(p, _)) → decimal(p, 0)?; (float) → float.
    Floor,
    /// (decimal(p, _)) → decimal(p, 0)?; (float) → float.
    Ceil,
    /// (T, T …) → the least.
    Least,
    /// (T, T …) → the greatest.
    Greatest,
    /// (any scalar …) → int: a fixed 64-bit hash (XXH3, seed 0, of the canonical bytes); none is hashed too.
    Hash64,
    /// To the expression's type: int → int128|decimal|float, int128 → decimal|float, decimal → decimal of
    /// another scale (half even), decimal → float, float|decimal → int (toward zero). Does not fit: none.
    Cast,
    /// (record) → its field at this index; none where the record is none.
    Field(usize),
    /// (the keys of a table …) → the column, optional: that of the row with these keys. Without such a row,
    /// and where a key is none: none.
    Lookup(std::sync::Arc<super::Lookup>),
    /// (bool, any? …) → bool: the row passes the condition and has all of the values, or might if they could
    /// be computed, and one of them, or the condition, left its type ([`crate::exact`]).
    Lost,
    /// A user-defined function, as its import declares it.
    #[serde(rename = "own")]
    UserDefined(std::sync::Arc<super::Import>),
}

/// A part of a local date and time, as an int.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Year, astronomical.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// ISO 8601 week, 1 to 53.
    Week,
    /// The year that the ISO 8601 week belongs to.
    IsoYear,
    /// Day of the month, 1 to 31.
    Day,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
    /// 1 (Monday) to 7 (Sunday).
    Weekday,
}

impl Part {
    /// Whether it starts over, so that the distance of two of its values says nothing of the time between.
    pub fn wraps(self) -> bool {
        !matches!(self, Part::Year | Part::IsoYear)
    }
}

impl Expr {
    /// The columns that it reads, ascending.
    pub fn columns(&self) -> Vec<usize> {
        let (mut todo, mut columns) = (vec![self], Vec::new());
        while let Some(expr) = todo.pop() {
            match &expr.kind {
                ExprKind::Column(column) => columns.push(*column),
                ExprKind::Literal(_) => {}
                ExprKind::Call(_, arguments) => todo.extend(arguments),
            }
        }
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The functions that it applies.
    pub fn functions(&self) -> Vec<&Func> {
        let (mut todo, mut functions) = (vec![self], Vec::new());
        while let Some(expr) = todo.pop() {
            if let ExprKind::Call(func, arguments) = &expr.kind {
                functions.push(func);
                todo.extend(arguments);
            }
        }
        functions
    }
}
