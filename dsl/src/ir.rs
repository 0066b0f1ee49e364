//! The typed metric: the one form in which a metric's meaning is written down.
//!
//! Everything downstream (compiler, both engines, serving, the metric hash) reads this form and
//! nothing else of the language, so a thing that is not in here cannot differ between layers.
//!
//! **Normal form.** Names are resolved to indices, `let`s are inlined, clauses have one order
//! (source, steps, filter, keys, window, aggregates, outputs), aggregates that occur twice are held
//! once, literals have the type of their place, and the only implicit cast (int → decimal) is an
//! explicit [`Func::Cast`]. Two spellings of one meaning give one normal form.
//!
//! **Totality.** Every [`Expr`] is total: an operation that has no result gives none. The type says
//! whether none is possible.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// All that one `.metric` package defines, in source order. Only items that checked are in it.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Event sources.
    pub sources: Vec<Arc<Source>>,
    /// Metrics.
    pub metrics: Vec<Arc<Metric>>,
}

/// A kind of event, as it is decoded on its way into the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// Name in the language.
    pub name: String,
    /// `///` text, without the slashes; not part of the meaning.
    #[serde(skip)]
    pub doc: String,
    /// Declared fields, in source order. Columns that are not declared are ignored.
    pub fields: Vec<Field>,
    /// Index of the field marked `time` (a timestamp or a date, never none).
    pub time: usize,
    /// Indices of the fields marked `key`, ascending: the identity of an event. Empty: every event is its own.
    pub identity: Vec<usize>,
}

/// A declared field of a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Name in the language and in the record (case matters).
    pub name: String,
    /// `///` text; not part of the meaning.
    #[serde(skip)]
    pub doc: String,
    /// Type of the decoded value.
    pub ty: Type,
    /// Value for a record where the field is absent or null.
    pub default: Option<Value>,
    /// `zone "…"`: IANA zone in which timestamps without an offset are read. Timestamps only.
    pub zone: Option<String>,
    /// `unit ms`: integers are read as this many units since 1970-01-01T00:00Z. Timestamps only.
    pub unit: Option<TimeUnit>,
}

/// Unit of an integer timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds (`s`).
    Second,
    /// Milliseconds (`ms`).
    Millisecond,
    /// Microseconds (`us`).
    Microsecond,
    /// Nanoseconds (`ns`), floored to µs.
    Nanosecond,
}

/// A type: a kind, and whether it may be none (`T?`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Type {
    /// What the value is when it is there.
    pub kind: Kind,
    /// Whether the value may be none.
    pub optional: bool,
}

/// The kinds of value. The Arrow type of typed rows stands behind each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `bool`: Boolean.
    Bool,
    /// `int`: Int64.
    Int,
    /// `int128`: Decimal128(38, 0). Only the presented form of integer sums; no field has it.
    Int128,
    /// `decimal(p, s)`: Decimal128(p, s), 1 ≤ p ≤ 38, 0 ≤ s ≤ p.
    Decimal {
        /// Significant digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `float`: Float64; always finite, never -0.0.
    Float,
    /// `string`: Utf8.
    String,
    /// `enum("a", "b")`: Int32, the place in the list; ordered as declared.
    Enum(Arc<[String]>),
    /// `date`: Date32, days since 1970-01-01.
    Date,
    /// `timestamp`: Timestamp(µs, no zone), an instant in UTC.
    Timestamp,
    /// `duration`: Duration(µs).
    Duration,
    /// `list<T>`: List of the element type; elements may be none only if the element type says so.
    List(Box<Type>),
}

/// A constant. Equality is by bits, so that it can be compared and hashed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value.
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
    /// `enum`: place in the declared list.
    Enum(u32),
    /// `date`: days since 1970-01-01.
    Date(i32),
    /// `timestamp`: µs since 1970-01-01T00:00Z.
    Timestamp(i64),
    /// `duration`: µs.
    Duration(i64),
    /// `list<T>`.
    List(Vec<Value>),
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
    /// (int, int) → int?, decimals of one scale → decimal?, (float, float) → float?,
    /// (timestamp, duration) → timestamp?, (duration, duration) → duration?, int128 likewise. Overflow gives none.
    Add,
    /// As [`Func::Add`]; also (timestamp, timestamp) → duration?.
    Sub,
    /// (int, int) → int?, (decimal(_, a), decimal(_, b)) → decimal(38, a + b)?, (float, float) → float?,
    /// (int128, int128) → int128?. Overflow gives none.
    Mul,
    /// (int, int) → int?, truncated toward zero; decimals → decimal(38, result scale)?, half even;
    /// (float, float) → float?. By zero, and overflow: none.
    Div,
    /// (int, int) → int?, decimals of one scale → decimal?: the remainder has the dividend's sign. By zero: none.
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
    /// (string, int start, int length) → string, in characters; start counts from 0, is clamped to the text; length < 0 gives "".
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
    /// To the expression's type: int → int128|decimal|float, int128 → decimal|float, decimal → decimal of another
    /// scale (half even), decimal → float, float|decimal → int (toward zero). Does not fit: none.
    Cast,
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

/// An IANA time zone by its name in the bundled database; checked to exist.
pub type Zone = String;

/// A calendar: a zone, and the day on which weeks start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Calendar {
    /// IANA zone.
    pub zone: Zone,
    /// First day of the week, 1 (Monday) to 7 (Sunday).
    pub week_start: u8,
}

/// Length of a calendar bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    /// Local day.
    Day,
    /// Local week.
    Week,
    /// Local month.
    Month,
    /// Local quarter.
    Quarter,
    /// Local year.
    Year,
}

/// The window of a metric: which bucket of event time an event lies in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// No `every`: one window for all time.
    AllTime,
    /// `every 5m`: [k·width, (k+1)·width) since the epoch, in µs; width > 0.
    Tumbling(i64),
    /// `every day in india`.
    Calendar(CalendarUnit, Calendar),
}

/// A metric in normal form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// Name in the language; not part of the meaning.
    #[serde(skip)]
    pub name: String,
    /// `///` text; not part of the meaning.
    #[serde(skip)]
    pub doc: String,
    /// Where its events come from.
    pub source: Arc<Source>,
    /// `each tag in tags`: one row per element, in order; each adds one column to the row scope.
    pub each: Vec<Each>,
    /// `where`: bool, not optional. Rows for which it is false are not part of any group.
    pub filter: Option<Expr>,
    /// `by … as …`.
    pub keys: Vec<Key>,
    /// `every …`.
    pub window: Window,
    /// The product of aggregates, each once, in order of first use.
    pub aggregates: Vec<Aggregate>,
    /// What is presented: one output without a name (a plain value), or a record of named ones.
    pub outputs: Vec<Output>,
    /// `unit percent`; a label.
    pub unit: Option<String>,
}

/// One `each` step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Each {
    /// Name of the element; not part of the meaning.
    #[serde(skip)]
    pub name: String,
    /// The list, over the scope so far. An optional list that is none has no elements.
    pub list: Expr,
}

/// One key of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Key {
    /// Name in the result.
    pub name: String,
    /// The value, over the row scope. None is a group of its own. Not a list.
    pub expr: Expr,
}

/// One aggregate of a metric's product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Aggregate {
    /// Which monoid.
    pub op: AggregateOp,
    /// Its argument, over the row scope (count has none). Rows where it is none are skipped.
    pub arg: Option<Expr>,
    /// `where` behind the aggregate: bool, not optional, over the row scope.
    pub filter: Option<Expr>,
    /// The presented type.
    pub ty: Type,
}

/// The aggregates. Presented types in brackets; `?` where an empty group has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateOp {
    /// Rows (int).
    Count,
    /// int → int128, decimal(_, s) → decimal(38, s)? (none past 38 digits), float → float? (none past the largest).
    Sum,
    /// int → float?, decimal(_, s) → decimal(38, min(s + 6, 38))? half even, float → float?, correctly rounded.
    Mean,
    /// Of an ordered kind: the same kind?.
    Min,
    /// Of an ordered kind: the same kind?.
    Max,
    /// Of the sample, n - 1 (float?; none for fewer than two values), correctly rounded.
    Variance,
    /// Square root of [`AggregateOp::Variance`] (float?).
    Stddev,
    /// bool → bool; empty: false.
    Any,
    /// bool → bool; empty: true.
    All,
    /// Exact number of distinct values (int).
    Distinct,
    /// HyperLogLog estimate of the number of distinct values (int).
    DistinctWithin {
        /// Relative standard error, in millionths (1 % = 10,000).
        error_ppm: u32,
    },
    /// Log-bucket sketch over int, decimal or float (float?).
    Quantile {
        /// The quantile in billionths, 0 to 10⁹.
        q_ppb: u32,
        /// Guaranteed relative error, in millionths.
        error_ppm: u32,
    },
}

/// One presented value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// Field name in a record; none for a metric that is a plain value.
    pub name: Option<String>,
    /// Over one column per aggregate (`Metric::aggregates`).
    pub expr: Expr,
}

impl Type {
    /// `kind`, always there.
    pub fn of(kind: Kind) -> Self {
        Type { kind, optional: false }
    }

    /// `kind?`.
    pub fn optional(kind: Kind) -> Self {
        Type { kind, optional: true }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.optional { "?" } else { "" })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bool => f.write_str("bool"),
            Kind::Int => f.write_str("int"),
            Kind::Int128 => f.write_str("int128"),
            Kind::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            Kind::Float => f.write_str("float"),
            Kind::String => f.write_str("string"),
            Kind::Enum(names) => {
                f.write_str("enum(")?;
                for (place, name) in names.iter().enumerate() {
                    write!(f, "{}{name:?}", if place == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Kind::Date => f.write_str("date"),
            Kind::Timestamp => f.write_str("timestamp"),
            Kind::Duration => f.write_str("duration"),
            Kind::List(element) => write!(f, "list<{element}>"),
        }
    }
}
