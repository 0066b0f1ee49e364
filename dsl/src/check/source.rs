//! `source NAME { … }` → [`Source`].

use std::sync::Arc;

use super::field::FieldChecker;
use super::{Places, record, value_spelling};
use crate::ast::{FieldItem, MarkerKind, SourceItem};
use crate::code::{Code, Severity};
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::Source;

/// The source; `None` if it has errors.
pub(super) fn check(item: &SourceItem, found: &mut Vec<Diagnostic>) -> Option<Arc<Source>> {
    let n_before = found.len();
    let mut places = Places::default();
    let mut fields = Vec::new();
    let mut identity = Vec::new();
    let mut times: Vec<(usize, Span)> = Vec::new();
    let nulls = value_spelling::texts(&item.nulls);
    if !record::within_limits(&item.fields, found) {
        return None;
    }
    for (index, field) in item.fields.iter().enumerate() {
        let resolved = record::resolve(&field.ty, &nulls, found);
        places.define_field("field", field, resolved.as_ref().map(|(ty, _)| ty), found);
        let Some(checked) = FieldChecker::new(field, resolved, &nulls, found).check() else {
            if let Some(span) = marker(field, |kind| matches!(kind, MarkerKind::Time)) {
                times.push((index, span));
            }
            continue;
        };
        if checked.is_key {
            identity.push(index);
        }
        if let Some(span) = checked.time {
            times.push((index, span));
        }
        fields.push(checked.field);
    }
    let time = one_time(item, &times, found);
    let is_sound = found[n_before..].iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    (is_sound && !item.damaged).then_some(())?;
    let source =
        Source { name: item.name.text.clone(), doc: item.doc.clone(), fields, time: time?, identity };
    Some(Arc::new(source))
}

fn marker(field: &FieldItem, wanted: impl Fn(&MarkerKind) -> bool) -> Option<Span> {
    field.markers.iter().find(|marker| wanted(&marker.kind)).map(|marker| marker.span)
}

/// The index of the one field marked `time`.
fn one_time(item: &SourceItem, times: &[(usize, Span)], found: &mut Vec<Diagnostic>) -> Option<usize> {
    match times {
        [(index, _)] => Some(*index),
        [] => {
            let message = format!("source `{}` has no event time", item.name.text);
            let diagnostic = Diagnostic::new(Code::TimeField, message, item.name.span, "");
            let candidate =
                item.fields.iter().find(|field| matches!(field.ty.name.text.as_str(), "timestamp" | "date"));
            found.push(match candidate {
                Some(field) => diagnostic.help(format!(
                    "mark the field that says when it happened: `{}: {} time`",
                    field.name.text, field.ty.name.text
                )),
                None => diagnostic.help("add the field that says when it happened: `at: timestamp time`"),
            });
            None
        }
        [(_, first), rest @ ..] => {
            for (_, span) in rest {
                found.push(
                    Diagnostic::new(Code::TimeField, "two fields are marked `time`", *span, "again here")
                        .also(*first, "first here")
                        .help("an event has one time: keep the mark on the field that windows go by"),
                );
            }
            None
        }
    }
}
