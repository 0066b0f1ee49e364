//! A row of `given` → a record of NDJSON.

use serde_json::Value as Json;

use super::{TestChecker, datum, line_of};
use crate::ast::{Datum, Expr, ExprKind, RowItem, UnaryOperator};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use metricc_ir::text::{TextProblem, TextRules};
use metricc_ir::{Field, GivenRow, Kind, Source, Type, Value};
use metricc_ir::{calendar, expression_text};

impl TestChecker<'_> {
    pub(super) fn given_row(&mut self, source: &Source, row: &RowItem) -> Option<GivenRow> {
        let json = self.object(&source.fields, &format!("source `{}`", source.name), row)?;
        Some(GivenRow { line: line_of(self.text, row.span), json })
    }

    /// The JSON of a row or of a record in it, by the names of the language.
    fn object(&mut self, fields: &[Field], what: &str, row: &RowItem) -> Option<String> {
        self.names_once(row)?;
        let mut members = Vec::with_capacity(row.cells.len());
        let mut is_sound = true;
        for (name, value) in &row.cells {
            let Some(field) = fields.iter().find(|field| field.name == name.text) else {
                let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                self.unknown(name, format!("{what} has no field `{}`", name.text), &known);
                is_sound = false;
                continue;
            };
            match self.record_value(field, &field.ty, value) {
                Some(json) => members.push(format!("{}:{json}", Json::from(name.text.as_str()))),
                None => is_sound = false,
            }
        }
        let is_missing = |field: &&Field| {
            let is_given = row.cells.iter().any(|(name, _)| name.text == field.name);
            !is_given && !field.ty.optional && field.default.is_none()
        };
        let missing = fields.iter().filter(is_missing);
        let missing: Vec<String> = missing.map(|field| format!("`{}: {}`", field.name, field.ty)).collect();
        if !missing.is_empty() {
            let message = format!("the row lacks {}", missing.join(", "));
            let diagnostic = Diagnostic::new(Code::TestRow, message, row.span, "");
            self.report(diagnostic.help("give a value, or let the field be optional or have a default"));
            is_sound = false;
        }
        is_sound.then(|| format!("{{{}}}", members.join(",")))
    }

    /// The JSON of a value of a field, or of an element of its list.
    fn record_value(&mut self, field: &Field, ty: &Type, value: &Datum) -> Option<String> {
        match (value, &ty.kind) {
            (Datum::Value(expr), _) if matches!(expr.kind, ExprKind::None) => {
                let is_allowed = ty.optional || field.default.is_some();
                is_allowed.then(|| "null".to_owned()).or_else(|| {
                    self.report(datum::never_none(ty, expr.span));
                    None
                })
            }
            (Datum::List(elements, _), Kind::List(element)) => {
                let elements: Vec<_> =
                    elements.iter().map(|value| self.record_value(field, element, value)).collect();
                Some(format!("[{}]", elements.into_iter().collect::<Option<Vec<_>>>()?.join(",")))
            }
            (Datum::Value(Expr { kind: ExprKind::String(text), span }), kind) => {
                match text_of(field, kind, text) {
                    Reading::AsRecords => Some(Json::from(text.as_str()).to_string()),
                    Reading::AsLiteral => self.value(value, ty).map(|value| json(&value, kind)),
                    Reading::Refused(problem) => {
                        let message = format!("`{}` is no `{kind}`: {problem}", Json::from(text.as_str()));
                        let diagnostic = Diagnostic::new(Code::TypeMismatch, message, *span, "");
                        self.report(diagnostic.help(format!("write a value of type `{kind}`")));
                        None
                    }
                }
            }
            (Datum::Record(row), Kind::Record(_)) => {
                self.object(&field.fields, &format!("`{}`", field.name), row)
            }
            (Datum::Value(expr), Kind::Timestamp) => match &expr.kind {
                ExprKind::Number(number) if field.unit.is_some() && !number.point => {
                    Some(number.digits.to_string())
                }
                ExprKind::Unary { operator: UnaryOperator::Negate, operand } if field.unit.is_some() => {
                    match &operand.kind {
                        ExprKind::Number(number) if !number.point => Some(format!("-{}", number.digits)),
                        _ => self.value(value, ty).map(|value| json(&value, &ty.kind)),
                    }
                }
                _ => self.value(value, ty).map(|value| json(&value, &ty.kind)),
            },
            _ => self.value(value, ty).map(|value| json(&value, &ty.kind)),
        }
    }
}

/// How a text is taken as the value of a field.
enum Reading {
    /// As in records: the decoder reads it.
    AsRecords,
    /// As a literal of the language.
    AsLiteral,
    /// Not at all, with the reason.
    Refused(TextProblem),
}

/// A text is what it is in records; where these do not read it, messages are those of literals.
fn text_of(field: &Field, kind: &Kind, text: &str) -> Reading {
    let spelling = &field.spelling;
    let is_declared = match kind {
        _ if spelling.invalid_is_none || spelling.nulls.iter().any(|null| null == text) => true,
        Kind::Timestamp => field.zone.is_some() || !spelling.formats.is_empty(),
        Kind::Date => !spelling.formats.is_empty(),
        Kind::Bool => !spelling.truths.is_empty(),
        Kind::Int | Kind::Decimal { .. } | Kind::Float => {
            spelling.thousands.is_some() || spelling.point.is_some()
        }
        _ => false,
    };
    if is_declared {
        return Reading::AsRecords;
    }
    let Ok(rules) = TextRules::new(kind, spelling, field.zone.as_deref(), field.unit) else {
        return Reading::AsLiteral;
    };
    let read = match kind {
        Kind::Int => rules.int(text).map(drop),
        Kind::Decimal { precision, scale } => rules.decimal(text, *precision, *scale).map(drop),
        Kind::Float => rules.float(text).map(drop),
        Kind::Duration => rules.duration(text).map(drop),
        Kind::Date if rules.date(text).is_ok() => Ok(()),
        Kind::Timestamp if rules.timestamp(text).is_ok() => Ok(()),
        _ => return Reading::AsLiteral,
    };
    read.map_or_else(Reading::Refused, |()| Reading::AsRecords)
}

/// A value as records spell it.
fn json(value: &Value, kind: &Kind) -> String {
    let text = |text: &str| Json::from(text).to_string();
    match (value, kind) {
        (Value::None, _) => "null".to_owned(),
        (Value::String(value), _) => text(value),
        (Value::Enum(place), Kind::Enum(names)) => {
            text(names.get(*place as usize).map_or("", String::as_str))
        }
        (Value::Date(days), _) => text(&calendar::date_text(i64::from(*days))),
        (Value::Timestamp(micros), _) => text(&calendar::instant_text(*micros, None)),
        (Value::Duration(micros), _) => micros.to_string(),
        (Value::List(values), Kind::List(element)) => {
            let elements: Vec<String> = values.iter().map(|value| json(value, &element.kind)).collect();
            format!("[{}]", elements.join(","))
        }
        // Numbers and truths are spelled as they are here.
        _ => expression_text::value(value, kind),
    }
}
