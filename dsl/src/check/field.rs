//! A field of a source, of a record or of a table: its markers against its type.

use std::collections::BTreeMap;

use super::calendar::zone_name;
use super::literal;
use super::value_spelling::{self, Declared};
use crate::ast::{Expr, ExprKind, FieldItem, Marker, MarkerKind, Name, PathItem, PathStep};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::suggest;
use metricc_ir::{Field, Kind, Path, Step, TimeUnit, Type, Value};

const UNITS: [&str; 4] = ["s", "ms", "us", "ns"];

/// A column of a table as far as its cells are concerned: the field without what only events have.
pub(super) fn column(
    column: &FieldItem,
    ty: &Type,
    nulls: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<Field> {
    let mut checker = FieldChecker::new(column, Some((ty.clone(), Vec::new())), nulls, found);
    checker.repeated_markers();
    let field = Field::new(&column.name.text, ty.clone());
    let mut checked = CheckedField { field, is_key: false, time: None, mark: None };
    let mut is_sound = true;
    let of_cells = |marker: &&Marker| matches!(marker.kind, MarkerKind::Zone(_) | MarkerKind::Unit(_));
    for marker in column.markers.iter().filter(of_cells) {
        is_sound &= checker.marker(marker, &mut checked).is_some();
    }
    is_sound &= checker.spelling(&mut checked.field).is_some();
    is_sound.then_some(checked.field)
}

pub(super) struct CheckedField {
    pub(super) field: Field,
    pub(super) is_key: bool,
    pub(super) time: Option<Span>,
    /// Where it is marked `key` or `time`.
    pub(super) mark: Option<Span>,
}

pub(super) struct FieldChecker<'a> {
    field: &'a FieldItem,
    ty: Option<Type>,
    /// What is none in all fields of the source or table.
    nulls: &'a [String],
    /// How the fields of its record are read.
    fields: Vec<Field>,
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> FieldChecker<'a> {
    pub(super) fn new(
        field: &'a FieldItem,
        resolved: Option<(Type, Vec<Field>)>,
        nulls: &'a [String],
        found: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let (ty, fields) = resolved.map_or_else(Default::default, |(ty, fields)| (Some(ty), fields));
        FieldChecker { field, ty, nulls, fields, found }
    }

    pub(super) fn check(mut self) -> Option<CheckedField> {
        self.repeated_markers();
        let ty = self.ty.clone()?;
        let (doc, fields) = (self.field.doc.clone(), std::mem::take(&mut self.fields));
        let field = Field { doc, fields, ..Field::new(self.field.name.text.clone(), ty) };
        let mut checked = CheckedField { field, is_key: false, time: None, mark: None };
        let mut is_sound = true;
        for marker in &self.field.markers {
            is_sound &= self.marker(marker, &mut checked).is_some();
        }
        is_sound &= self.spelling(&mut checked.field).is_some();
        is_sound.then_some(checked)
    }

    fn spelling(&mut self, field: &mut Field) -> Option<()> {
        let declared = Declared {
            name: &field.name,
            ty: &field.ty,
            has_zone: field.zone.is_some(),
            has_unit: field.unit.is_some(),
            markers: &self.field.markers,
        };
        field.spelling = value_spelling::check(&declared, self.nulls, self.found)?;
        Some(())
    }

    fn repeated_markers(&mut self) {
        let mut seen: BTreeMap<&'static str, Span> = BTreeMap::new();
        for marker in &self.field.markers {
            let word = marker.kind.word();
            if let Some(first) = seen.insert(word, marker.span) {
                self.found.push(
                    Diagnostic::new(
                        Code::FieldMarker,
                        format!("`{word}` is given twice"),
                        marker.span,
                        "again here",
                    )
                    .also(first, "first here")
                    .help("remove one of them"),
                );
            }
        }
    }

    fn marker(&mut self, marker: &Marker, checked: &mut CheckedField) -> Option<()> {
        match &marker.kind {
            MarkerKind::Key => {
                checked.mark = Some(marker.span);
                self.key(marker.span)?;
                checked.is_key = true;
            }
            MarkerKind::Time => {
                (checked.time, checked.mark) = (Some(marker.span), Some(marker.span));
                self.time(marker.span)?;
            }
            MarkerKind::From(path) => {
                checked.field.path = path_of(path, &self.field.name.text, self.found)?;
            }
            MarkerKind::Zone(zone) => {
                self.timestamps_only("zone", marker.span)?;
                checked.field.zone = Some(zone_name(zone, self.found)?);
            }
            MarkerKind::Unit(unit) => {
                self.timestamps_only("unit", marker.span)?;
                checked.field.unit = Some(self.unit(unit)?);
            }
            MarkerKind::Default(value) => checked.field.default = Some(self.default(value, marker.span)?),
            // What values look like is checked when all of it is known.
            MarkerKind::Null(_) | MarkerKind::Format(_) | MarkerKind::True(_) | MarkerKind::False(_) => {}
            MarkerKind::Thousands(_) | MarkerKind::Point(_) | MarkerKind::InvalidAsNone => {}
        }
        if let (Some(_), Some(_)) = (&checked.field.zone, checked.field.unit) {
            self.report(
                Code::FieldMarker,
                "`zone` and `unit` on one field",
                marker.span,
                "integers count from 1970-01-01T00:00Z: remove `zone`",
            );
            return None;
        }
        Some(())
    }

    fn report(&mut self, code: Code, message: impl Into<String>, span: Span, help: impl Into<String>) {
        self.found.push(Diagnostic::new(code, message, span, "").help(help));
    }

    fn type_text(&self) -> String {
        self.ty.as_ref().map_or_else(String::new, Type::to_string)
    }

    fn key(&mut self, span: Span) -> Option<()> {
        let ty = self.ty.as_ref()?;
        if !ty.optional && !matches!(ty.kind, Kind::Float | Kind::List(_) | Kind::Record(_)) {
            return Some(());
        }
        let text = self.type_text();
        let help = match &ty.kind {
            Kind::Float => "floats that look equal may differ: use an `int`, a `decimal` or a `string`",
            Kind::List(_) => "a key is one value",
            Kind::Record(_) => {
                "a key is one value: read it with `from`, such as `id: int key from payload.id`"
            }
            _ => "an identity is always there: remove the `?`",
        };
        let diagnostic = Diagnostic::new(Code::KeyField, format!("a key of type `{text}`"), span, "")
            .also(self.field.ty.span, format!("`{text}`"))
            .help(help);
        self.found.push(diagnostic);
        None
    }

    fn time(&mut self, span: Span) -> Option<()> {
        let ty = self.ty.as_ref()?;
        if !ty.optional && matches!(ty.kind, Kind::Timestamp | Kind::Date) {
            return Some(());
        }
        let text = self.type_text();
        let help = match &ty.kind {
            Kind::Timestamp | Kind::Date => "every event has a time: remove the `?`",
            Kind::Int => "write `timestamp time unit ms` to read integers as times",
            _ => "the time of an event is a `timestamp` or a `date`",
        };
        let diagnostic =
            Diagnostic::new(Code::TimeField, format!("an event time of type `{text}`"), span, "")
                .also(self.field.ty.span, format!("`{text}`"))
                .help(help);
        self.found.push(diagnostic);
        None
    }

    fn timestamps_only(&mut self, word: &str, span: Span) -> Option<()> {
        if self.ty.as_ref()?.kind == Kind::Timestamp {
            return Some(());
        }
        let text = self.type_text();
        self.report(
            Code::FieldMarker,
            format!("`{word}` on a field of type `{text}`"),
            span,
            format!("only a `timestamp` has a `{word}`: remove it"),
        );
        None
    }

    fn unit(&mut self, unit: &Name) -> Option<TimeUnit> {
        match unit.text.as_str() {
            "s" => Some(TimeUnit::Second),
            "ms" => Some(TimeUnit::Millisecond),
            "us" => Some(TimeUnit::Microsecond),
            "ns" => Some(TimeUnit::Nanosecond),
            _ => {
                let message = format!("`{}` is not a unit of time", unit.text);
                let help = format!("units are {}", suggest::one_of(&UNITS));
                self.report(Code::FieldMarker, message, unit.span, help);
                None
            }
        }
    }

    fn default(&mut self, value: &Expr, span: Span) -> Option<Value> {
        let ty = self.ty.clone()?;
        if ty.optional {
            let help = "with a default it is never none: remove the `?` or the default";
            self.report(Code::DefaultValue, "a default on a field that may be none", span, help);
            return None;
        }
        if has_no_default(&ty, span, self.found) {
            return None;
        }
        match literal::constant(value, &ty.kind) {
            Ok(value) => Some(value),
            Err(None) => None,
            Err(Some(problem)) => {
                let mut diagnostic = *problem;
                diagnostic.code = Code::DefaultValue;
                self.found.push(diagnostic.also(self.field.ty.span, format!("`{ty}`")));
                None
            }
        }
    }
}

/// The path that is written; that of the field's own name is the usual one.
pub(super) fn path_of(item: &PathItem, name: &str, found: &mut Vec<Diagnostic>) -> Option<Path> {
    let steps = item.steps.iter().map(|(step, span)| match step {
        PathStep::Name(Expr { kind: ExprKind::String(name), .. }) => Some(Step::Name(name.clone())),
        PathStep::Name(_) => None,
        PathStep::Index(index) => self::index(index, *span, found),
    });
    let path = Path::new(steps.collect::<Option<Vec<_>>>()?);
    Some(if path == Path::of_name(name) { Path::default() } else { path })
}

fn index(index: &Expr, span: Span, found: &mut Vec<Diagnostic>) -> Option<Step> {
    let whole = match &index.kind {
        ExprKind::Number(number) if !number.point => u32::try_from(number.digits).ok(),
        ExprKind::Poisoned => return None,
        _ => None,
    };
    if whole.is_none() {
        let diagnostic = Diagnostic::new(Code::FieldMarker, "this is no index of an element", span, "");
        found.push(diagnostic.help("elements of a list are counted from 0: `from items[0]`"));
    }
    whole.map(Step::Index)
}

/// A default of a record cannot be written.
fn has_no_default(ty: &Type, span: Span, found: &mut Vec<Diagnostic>) -> bool {
    if !matches!(ty.kind, Kind::Record(_)) {
        return false;
    }
    found.push(
        Diagnostic::new(Code::DefaultValue, "a default of a record", span, "")
            .help("give its fields defaults, or let it be none with `?`"),
    );
    true
}
