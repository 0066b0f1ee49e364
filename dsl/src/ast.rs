//! The syntax tree: the text as written, with its positions, before any name is resolved. Its depth is
//! bounded by the limits of `scan`, so that recursion over it is safe.

use crate::diagnostic::Span;

/// A word with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A top-level item.
#[derive(Debug)]
pub(crate) enum Item {
    Use(UseItem),
    Source(SourceItem),
    Calendar(CalendarItem),
    Import(ImportItem),
    Table(TableItem),
    Metric(MetricItem),
    Test(TestItem),
}

/// `use FILE.{NAME, …}`.
#[derive(Debug)]
pub(crate) struct UseItem {
    /// Without its suffix.
    pub(crate) file: Name,
    pub(crate) names: Vec<Name>,
}

/// An import of a user-defined function or aggregate.
#[derive(Debug)]
pub(crate) struct ImportItem {
    pub(crate) name: Name,
    pub(crate) is_aggregate: bool,
    pub(crate) arguments: Vec<TypeRef>,
    pub(crate) result: TypeRef,
    pub(crate) version: Option<Expr>,
    pub(crate) idempotent: Option<Span>,
}

#[derive(Debug)]
pub(crate) struct SourceItem {
    pub(crate) doc: String,
    pub(crate) name: Name,
    /// `null "NA", "-"` before the fields.
    pub(crate) nulls: Vec<Expr>,
    pub(crate) fields: Vec<FieldItem>,
    /// Whether it has an invalid literal, which is reported.
    pub(crate) damaged: bool,
}

#[derive(Debug)]
pub(crate) struct FieldItem {
    pub(crate) doc: String,
    pub(crate) name: Name,
    pub(crate) ty: TypeRef,
    pub(crate) markers: Vec<Marker>,
}

/// A type as written: `decimal(12, 2)`, `list<string>?`, `{ sku: string }`.
#[derive(Debug)]
pub(crate) struct TypeRef {
    /// Of a record, its brackets.
    pub(crate) name: Name,
    pub(crate) arguments: Option<Vec<Expr>>,
    pub(crate) element: Option<Box<TypeRef>>,
    /// The fields of a record.
    pub(crate) fields: Option<Vec<FieldItem>>,
    pub(crate) optional: bool,
    pub(crate) span: Span,
}

/// A marker after a field's type.
#[derive(Debug)]
pub(crate) struct Marker {
    pub(crate) kind: MarkerKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum MarkerKind {
    Key,
    Time,
    From(PathItem),
    Zone(Expr),
    Unit(Name),
    /// `null none` has no texts.
    Null(Vec<Expr>),
    Format(Vec<Expr>),
    True(Vec<Expr>),
    False(Vec<Expr>),
    Thousands(Expr),
    Point(Expr),
    InvalidAsNone,
    Default(Expr),
}

impl MarkerKind {
    /// The word by which it is known.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            MarkerKind::Key => "key",
            MarkerKind::Time => "time",
            MarkerKind::From(_) => "from",
            MarkerKind::Zone(_) => "zone",
            MarkerKind::Unit(_) => "unit",
            MarkerKind::Null(_) => "null",
            MarkerKind::Format(_) => "format",
            MarkerKind::True(_) => "true",
            MarkerKind::False(_) => "false",
            MarkerKind::Thousands(_) => "thousands",
            MarkerKind::Point(_) => "point",
            MarkerKind::InvalidAsNone => "invalid as none",
            MarkerKind::Default(_) => "=",
        }
    }
}

/// `properties."order total"[0]`: where a value stands in the data.
#[derive(Debug)]
pub(crate) struct PathItem {
    pub(crate) steps: Vec<(PathStep, Span)>,
}

#[derive(Debug)]
pub(crate) enum PathStep {
    /// A name: a string, or a word.
    Name(Expr),
    Index(Expr),
}

#[derive(Debug)]
pub(crate) struct CalendarItem {
    pub(crate) name: Name,
    pub(crate) clauses: Vec<CalendarClause>,
}

#[derive(Debug)]
pub(crate) enum CalendarClause {
    Zone { zone: Expr, span: Span },
    Week { day: Name, span: Span },
}

/// `table NAME { … }`; its rows are in a file.
#[derive(Debug)]
pub(crate) struct TableItem {
    pub(crate) doc: String,
    pub(crate) name: Name,
    /// As in [`SourceItem`].
    pub(crate) nulls: Vec<Expr>,
    pub(crate) columns: Vec<FieldItem>,
    /// Whether it has an invalid literal, which is reported.
    pub(crate) damaged: bool,
}

#[derive(Debug)]
pub(crate) struct MetricItem {
    pub(crate) doc: String,
    pub(crate) name: Name,
    pub(crate) value: MetricValue,
    /// `None` where no `{ … }` was written.
    pub(crate) body: Option<Vec<Clause>>,
    /// Whether it has an invalid literal, which is reported.
    pub(crate) damaged: bool,
}

#[derive(Debug)]
pub(crate) enum MetricValue {
    Plain(Expr),
    Record { fields: Vec<(Name, Expr)>, span: Span },
}

/// `test "…" { given SOURCE [ … ] expect METRIC [ … ] }`.
#[derive(Debug)]
pub(crate) struct TestItem {
    /// The text in its quotes.
    pub(crate) name: Name,
    pub(crate) clauses: Vec<TestClause>,
    /// Whether it has an invalid literal, which is reported.
    pub(crate) damaged: bool,
}

#[derive(Debug)]
pub(crate) struct TestClause {
    /// Whether it is an `expect`, else a `given`.
    pub(crate) is_expected: bool,
    /// Of the metric or the source.
    pub(crate) name: Name,
    pub(crate) rows: Vec<RowItem>,
    pub(crate) span: Span,
}

/// `{ name: value, … }`.
#[derive(Debug)]
pub(crate) struct RowItem {
    pub(crate) cells: Vec<(Name, Datum)>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Datum {
    Value(Expr),
    List(Vec<Datum>, Span),
    Record(RowItem),
}

impl Datum {
    pub(crate) fn span(&self) -> Span {
        match self {
            Datum::Value(expr) => expr.span,
            Datum::List(_, span) => *span,
            Datum::Record(row) => row.span,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) kind: ClauseKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum ClauseKind {
    From(Name),
    Each {
        name: Name,
        list: Expr,
    },
    Let {
        name: Name,
        value: Expr,
    },
    /// `lookup name = table[keys]`.
    Lookup {
        name: Name,
        table: Name,
        keys: Vec<Expr>,
    },
    Where(Expr),
    By(Vec<KeyItem>),
    Every {
        every: Every,
        calendar: Option<Name>,
    },
    Unit(String),
    Over {
        length: Expr,
        step: Option<Expr>,
    },
    Session {
        gap: Expr,
    },
}

#[derive(Debug)]
pub(crate) struct KeyItem {
    pub(crate) value: Expr,
    pub(crate) name: Option<Name>,
}

#[derive(Debug)]
pub(crate) enum Every {
    Duration(Expr),
    Word(Name),
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Name(String),
    Number(Number),
    Duration {
        micros: i64,
        text: String,
    },
    Percent(Number),
    String(String),
    Bool(bool),
    None,
    List(Vec<Expr>),
    Call {
        function: Name,
        arguments: Vec<Argument>,
    },
    Unary {
        operator: UnaryOperator,
        operand: Box<Expr>,
    },
    Binary {
        operator: BinaryOperator,
        operator_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    In {
        value: Box<Expr>,
        negated: bool,
        choices: Vec<Expr>,
    },
    InCalendar {
        value: Box<Expr>,
        calendar: Name,
    },
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Where {
        value: Box<Expr>,
        condition: Box<Expr>,
        span: Span,
    },
    /// `value offset 7 day`.
    Offset {
        value: Box<Expr>,
        length: Box<Expr>,
        unit: Option<Name>,
        span: Span,
    },
    /// `value.field`, `value.field.field`; at least one field.
    Member {
        value: Name,
        fields: Vec<Name>,
    },
    Paren(Box<Expr>),
    /// Something invalid that is already reported.
    Poisoned,
}

#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: Option<Name>,
    pub(crate) value: Expr,
}

/// A number literal: `digits · 10^-scale`. At most 38 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) digits: i128,
    pub(crate) scale: u8,
    /// Whether it was written with a point.
    pub(crate) point: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnaryOperator {
    Not,
    Negate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Coalesce,
}

impl BinaryOperator {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            BinaryOperator::Or => "or",
            BinaryOperator::And => "and",
            BinaryOperator::Equal => "==",
            BinaryOperator::NotEqual => "!=",
            BinaryOperator::Less => "<",
            BinaryOperator::LessOrEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterOrEqual => ">=",
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Remainder => "%",
            BinaryOperator::Coalesce => "??",
        }
    }

    pub(crate) fn is_comparison(self) -> bool {
        matches!(
            self,
            BinaryOperator::Equal
                | BinaryOperator::NotEqual
                | BinaryOperator::Less
                | BinaryOperator::LessOrEqual
                | BinaryOperator::Greater
                | BinaryOperator::GreaterOrEqual
        )
    }
}

impl Expr {
    /// Without the parentheses around it.
    pub(crate) fn bare(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
