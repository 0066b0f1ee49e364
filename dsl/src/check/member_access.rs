//! `item.price`, `address.city`: fields of records, columns of rows that were looked up, and parts of
//! metrics.

use super::checker::{Checker, NoneKind, Typed};
use crate::ast::Name;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::suggest;
use metricc_ir::{Func, Kind, RecordField};

/// The text of `value.field.field`, which is also its name among the facts.
pub(super) fn fact(value: &Name, fields: &[Name]) -> String {
    let mut text = value.text.clone();
    fields.iter().for_each(|field| text.extend([".", &field.text]));
    text
}

impl Checker<'_> {
    /// `value.field` in any metric.
    pub(super) fn dotted(&mut self, value: &Name, fields: &[Name], span: Span) -> Option<Typed> {
        let is_row = self.lookups.iter().any(|lookup| lookup.name.text == value.text);
        if let ([field], true) = (fields, self.operands.is_some()) {
            return self.operand(&value.text, Some(field), None, span);
        }
        if let ([field], true) = (fields, is_row) {
            return self.looked_up(value, field, span);
        }
        let is_known = self.columns.iter().any(|column| column.name == value.text)
            || self.lets.iter().any(|definition| definition.name.text == value.text);
        if is_known {
            return self.field_of_record(value, fields, span);
        }
        let [first, rest @ ..] = fields else { return None };
        if let (Some(deeper), true) = (rest.first(), is_row || self.operands.is_some()) {
            let message = format!("`{}.{}` is no record", value.text, first.text);
            let diagnostic = Diagnostic::new(Code::UnknownName, message, deeper.span, "");
            self.report(diagnostic.help("it is one value: write it without what follows"));
            return None;
        }
        self.no_member(value, first, &fact(value, fields))
    }

    /// A field of a field, an element or a `let` that is a record; none where the record is none.
    fn field_of_record(&mut self, value: &Name, fields: &[Name], span: Span) -> Option<Typed> {
        if self.is_output() {
            self.name(&value.text, value.span);
            return None;
        }
        let mut typed = self.name(&value.text, value.span)?;
        for (place, field) in fields.iter().enumerate() {
            let so_far = fact(value, &fields[..place]);
            let index = self.field_index(&typed, &so_far, field)??;
            let RecordField { ty, .. } = match typed.kind() {
                Kind::Record(parts) => parts[index].clone(),
                _ => return None,
            };
            let own = if ty.optional { NoneKind::Declared } else { NoneKind::Never };
            let mut none = typed.none.max(own);
            if none == NoneKind::Declared && self.facts.contains(&fact(value, &fields[..=place])) {
                none = NoneKind::Silent;
            }
            typed = self.apply(Func::Field(index), vec![typed], ty.kind, none, span)?;
        }
        Some(typed)
    }

    /// The index of a field in a record; what is wrong is reported.
    fn field_index(&mut self, typed: &Typed, so_far: &str, field: &Name) -> Option<Option<usize>> {
        let Kind::Record(parts) = typed.kind() else {
            let message = format!("`{so_far}` has no fields");
            let help = match typed.kind() {
                Kind::List(_) => {
                    format!("`each item in {so_far}` makes a row of each: then `item.{}`", field.text)
                }
                _ => format!("write `{so_far}`"),
            };
            let label = format!("`{so_far}` is `{}`", typed.kind());
            self.report(Diagnostic::new(Code::TypeMismatch, message, field.span, label).help(help));
            return None;
        };
        let index = parts.iter().position(|part| part.name == field.text);
        if index.is_none() {
            let known: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
            let message = format!("`{so_far}` has no field `{}`", field.text);
            let help = match suggest::nearest(&field.text, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("its fields are {}", suggest::all_of(&known)),
            };
            self.report(Diagnostic::new(Code::UnknownName, message, field.span, "").help(help));
        }
        Some(index)
    }

    /// A list or a record where one plain value is needed.
    pub(super) fn no_lists(&mut self, what: &str, typed: &Typed) -> Option<Typed> {
        let (noun, help) = match typed.kind() {
            Kind::Record(parts) => {
                let quoted = self.quote(typed.span);
                let name = quoted.trim_matches('`');
                let first = parts.first().map_or("…", |part| part.name.as_str());
                ("record", format!("a record has no order: name a field of it, such as `{name}.{first}`"))
            }
            _ => (
                "list",
                "`contains(list, x)` looks into a list; `each x in list` makes a row of each element"
                    .to_owned(),
            ),
        };
        let message = format!("{what} on a {noun}");
        self.report(Diagnostic::new(Code::TypeMismatch, message, typed.span, "").help(help));
        None
    }
}

/// Whether a value is one, and not made of several.
pub(super) fn is_plain(kind: &Kind) -> bool {
    !matches!(kind, Kind::List(_) | Kind::Record(_))
}
