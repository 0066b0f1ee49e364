//! What is written in a row → a value of its type.

use super::TestChecker;
use crate::ast::{Datum, ExprKind, RowItem};
use crate::check::literal;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::{Kind, RecordField, Type, Value};

/// `none` where there is always a value.
pub(super) fn never_none(ty: &Type, span: Span) -> Diagnostic {
    Diagnostic::new(Code::TypeMismatch, format!("`none` where `{ty}` is expected"), span, "")
        .help(format!("write a value of type `{ty}`"))
}

impl TestChecker<'_> {
    pub(super) fn value(&mut self, datum: &Datum, ty: &Type) -> Option<Value> {
        match (datum, &ty.kind) {
            (Datum::Value(expr), _) if matches!(expr.kind, ExprKind::None) => {
                if !ty.optional {
                    self.report(never_none(ty, expr.span));
                }
                ty.optional.then_some(Value::None)
            }
            (Datum::Value(expr), kind) => match literal::constant(expr, kind) {
                Ok(value) => Some(value),
                Err(problem) => {
                    self.is_sound = false;
                    self.found.extend(problem.map(|diagnostic| *diagnostic));
                    None
                }
            },
            (Datum::List(elements, _), Kind::List(element)) => {
                let values: Vec<_> = elements.iter().map(|datum| self.value(datum, element)).collect();
                values.into_iter().collect::<Option<_>>().map(Value::List)
            }
            (Datum::Record(row), Kind::Record(fields)) => self.record(row, fields),
            (datum, kind) => {
                let what = if matches!(datum, Datum::List(..)) { "a list" } else { "a record" };
                let message = format!("{what} where `{kind}` is expected");
                let diagnostic = Diagnostic::new(Code::TypeMismatch, message, datum.span(), "");
                self.report(diagnostic.help(format!("write a value of type `{kind}`")));
                None
            }
        }
    }

    fn record(&mut self, row: &RowItem, fields: &[RecordField]) -> Option<Value> {
        self.names_once(row)?;
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        for (name, _) in &row.cells {
            if !known.contains(&name.text.as_str()) {
                self.unknown(name, format!("the record has no field `{}`", name.text), &known);
                return None;
            }
        }
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let Some((_, datum)) = row.cells.iter().find(|(name, _)| name.text == field.name) else {
                let message = format!("the record lacks `{}`", field.name);
                let diagnostic = Diagnostic::new(Code::TestRow, message, row.span, "");
                self.report(
                    diagnostic.help(format!("its fields are {}", metricc_ir::suggest::all_of(&known))),
                );
                return None;
            };
            values.push(self.value(datum, &field.ty)?);
        }
        Some(Value::Record(values))
    }
}
