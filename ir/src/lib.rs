//! The typed metric: the one form in which a metric's meaning is written down.
//!
//! Everything downstream (compiler, both engines, serving, the metric hash) reads this form and
//! nothing else of the language, so a thing that is not in here cannot differ between layers.
//!
//! **Normal form.** Names are resolved to indices, `let`s are inlined, clauses have one order
//! (source, steps, filter, keys, window, aggregates, outputs), aggregates that occur twice are held
//! once, literals have the type that their context demands, and the only implicit cast (int → decimal) is an
//! explicit [`Func::Cast`]. Two spellings of one meaning give one normal form.
//!
//! **Totality.** Every [`Expr`] is total: an operation that has no result gives none. The type says
//! whether none is possible.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

mod aggregate;
pub mod calendar;
mod data_spelling;
mod derived;
pub mod exact;
pub mod explain;
pub mod explain_typed;
mod expr;
pub mod expression_text;
pub mod functions;
pub mod grain;
mod path;
pub mod plain_file;
mod position;
mod row_types;
pub mod suggest;
mod table;
mod test;
pub mod text;
pub mod user_defined;
mod window;

pub use aggregate::{Aggregate, AggregateOp};
pub use data_spelling::Spelling;
pub use derived::{AnyMetric, Derived, Operand, OperandColumn, base_metrics};
pub use expr::{Expr, ExprKind, Func, Part, Value};
pub use grain::grain;
pub use path::{Path, Step, quoted};
pub use position::{Frontier, Interval, IntervalError, Position, Slice};
pub use row_types::{OutputType, RowType};
pub use table::{Held, Lookup, Table};
pub use test::{Expected, ExpectedRow, Given, GivenRow, Test};
pub use window::{Calendar, CalendarUnit, Window, Zone};

/// All that one `.metric` package defines, in source order. Only items that checked are in it.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Event sources.
    pub sources: Vec<Arc<Source>>,
    /// Calendars, by name.
    pub calendars: Vec<(String, Calendar)>,
    /// Functions and aggregates that the program brings.
    pub imports: Vec<Arc<Import>>,
    /// Static tables, with their rows.
    pub tables: Vec<Arc<Table>>,
    /// Metrics over events.
    pub metrics: Vec<Arc<Metric>>,
    /// Derived metrics.
    pub derived: Vec<Arc<Derived>>,
    /// `test` blocks.
    pub tests: Vec<Test>,
}

impl Package {
    /// All metrics, those over events first.
    pub fn all_metrics(&self) -> impl Iterator<Item = AnyMetric> + '_ {
        let base = self.metrics.iter().cloned().map(AnyMetric::Base);
        base.chain(self.derived.iter().cloned().map(AnyMetric::Derived))
    }
}

/// A function or an aggregate of the program that runs the metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Import {
    /// Name in the language.
    pub name: String,
    /// Whether it is an aggregate.
    pub is_aggregate: bool,
    /// Types of its arguments, at least one.
    pub arguments: Vec<Type>,
    /// Type of its result.
    pub result: Type,
    /// Which version of it is meant.
    pub version: u32,
    /// Of an aggregate: whether its state merged with itself is the same.
    pub idempotent: bool,
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
    /// Indices of the fields marked `key`, ascending: the identity of an event. Empty: every event is its
    /// own.
    pub identity: Vec<usize>,
}

/// A declared field of a source, or of a record in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// Name in the language.
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
    /// How values are spelled, where that is declared.
    #[serde(skip_serializing_if = "Spelling::is_default")]
    pub spelling: Spelling,
    /// `from …`: where the value stands in a record of the data; relative to its record, if it is the field
    /// of one.
    #[serde(skip_serializing_if = "Path::is_own")]
    pub path: Path,
    /// Of a record or a list of records: how each field of the record is read, in the order of the type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
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

/// The kinds of value, each with the Arrow type that typed rows use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `bool`: Boolean.
    Bool,
    /// `int`: Int64.
    Int,
    /// `int128`: Decimal128(38, 0). Integer arithmetic of aggregates, and what they present; no field has it.
    Int128,
    /// `decimal(p, s)`: Decimal128(p, s), 1 ≤ p ≤ 38, 0 ≤ s ≤ p. Between two operations of a row also
    /// Decimal256(76, s).
    Decimal {
        /// Significant digits.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `float`: Float64; always finite, never -0.0.
    Float,
    /// `string`: Utf8View.
    String,
    /// `enum("a", "b")`: Int32, the index in the list; ordered as declared.
    Enum(Arc<[String]>),
    /// `date`: Date32, days since 1970-01-01.
    Date,
    /// `timestamp`: Timestamp(µs, no zone), an instant in UTC.
    Timestamp,
    /// `duration`: Duration(µs).
    Duration,
    /// `list<T>`: List of the element type; elements may be none only if the element type says so.
    List(Box<Type>),
    /// `{ item: T, … }`: Struct of these fields, at least one.
    Record(Arc<[RecordField]>),
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct RecordField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
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

impl Metric {
    /// The functions and aggregates of the program that it uses, each as often as it does.
    pub fn imports(&self) -> impl Iterator<Item = &Import> {
        let aggregates = self.aggregates.iter().filter_map(|aggregate| match &aggregate.op {
            AggregateOp::UserDefined(import) => Some(import.as_ref()),
            _ => None,
        });
        let outputs = self.outputs.iter().map(|output| &output.expr);
        let functions = self.row_expressions().chain(outputs).flat_map(Expr::functions);
        aggregates.chain(functions.filter_map(|func| match func {
            Func::UserDefined(import) => Some(import.as_ref()),
            _ => None,
        }))
    }

    /// The columns of tables that it looks up, each once.
    pub fn lookups(&self) -> Vec<&Lookup> {
        let mut lookups: Vec<&Lookup> = Vec::new();
        for func in self.row_expressions().flat_map(Expr::functions) {
            if let Func::Lookup(lookup) = func
                && !lookups.contains(&lookup.as_ref())
            {
                lookups.push(lookup);
            }
        }
        lookups
    }

    /// All expressions over rows.
    fn row_expressions(&self) -> impl Iterator<Item = &Expr> {
        let row = self.each.iter().map(|each| &each.list).chain(&self.filter);
        let row = row.chain(self.keys.iter().map(|key| &key.expr));
        row.chain(self.aggregates.iter().flat_map(|aggregate| aggregate.args.iter().chain(&aggregate.filter)))
    }

    /// The columns of the row scope that its expressions read, and the event time.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut columns = BTreeSet::from([self.source.time]);
        let mut todo: Vec<&Expr> = self.row_expressions().collect();
        while let Some(expr) = todo.pop() {
            match &expr.kind {
                ExprKind::Column(column) => columns.extend([*column]),
                ExprKind::Literal(_) => {}
                ExprKind::Call(_, arguments) => todo.extend(arguments),
            }
        }
        columns
    }

    /// SHA-256, in hex, of what the definition means: the typed metric without names of locals and docs, and
    /// the time zone database. How its states are held is not in it; the metric hash adds that.
    pub fn definition_hash(&self) -> String {
        definition_hash(self)
    }
}

impl Derived {
    /// As [`Metric::definition_hash`].
    pub fn definition_hash(&self) -> String {
        definition_hash(self)
    }
}

fn definition_hash(definition: &impl Serialize) -> String {
    use sha2::{Digest as _, Sha256};
    let text =
        serde_json::to_string(definition).expect("a typed metric has neither maps nor foreign serializers");
    let mut hasher = Sha256::new();
    hasher.update(b"metricc definition 1\n");
    hasher.update(text.as_bytes());
    hasher.update(format!("\ntzdb {}", calendar::tzdb_version()).as_bytes());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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
            Kind::Record(fields) => {
                f.write_str("{ ")?;
                for (place, field) in fields.iter().enumerate() {
                    write!(f, "{}{}: {}", if place == 0 { "" } else { ", " }, field.name, field.ty)?;
                }
                f.write_str(" }")
            }
        }
    }
}
