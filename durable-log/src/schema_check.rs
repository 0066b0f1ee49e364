//! The schema check: which changes of a source its log still reads.

use std::collections::BTreeMap;

use metricc_ir::{Field, Kind, Source, Type};

use crate::entry::{FieldState, SourceState};

/// The fields of a source, as its rows have them.
pub(crate) fn fields(source: &Source) -> BTreeMap<String, FieldState> {
    source.fields.iter().map(|field| (field.name.clone(), state_of(field))).collect()
}

/// The names of the fields by which the events of a source are told apart.
pub(crate) fn identity(source: &Source) -> Vec<String> {
    source.identity.iter().map(|&field| source.fields[field].name.clone()).collect()
}

fn state_of(field: &Field) -> FieldState {
    let (ty, names) = match &field.ty.kind {
        Kind::Enum(names) => ("enum".to_owned(), names.to_vec()),
        kind => (Type { kind: kind.clone(), optional: false }.to_string(), Vec::new()),
    };
    FieldState { ty, names, optional: field.ty.optional }
}

/// Checks that rows in the log, if there are any, can be read as the source is declared now, and that their
/// verdicts are those of its identity; otherwise, what has changed.
pub(crate) fn check(known: &SourceState, source: &Source) -> Result<(), String> {
    if known.partitions.iter().all(|partition| partition.end == 0) {
        return Ok(());
    }
    let now = identity(source);
    if let Some(before) = known.identity.as_ref().filter(|before| **before != now) {
        let shown = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => format!("`{}`", names.join("`, `")),
        };
        let (before, now) = (shown(before), shown(&now));
        return Err(format!(
            "its `key` was {before} and is {now}; it was decided by the key which of its records are duplicates"
        ));
    }
    for field in &source.fields {
        let (name, now) = (&field.name, state_of(field));
        let Some(before) = known.fields.get(name) else {
            if !known.fields.is_empty() && !now.optional && field.default.is_none() {
                return Err(format!(
                    "field `{name}` is new, and neither optional nor has a default for events without it"
                ));
            }
            continue;
        };
        if before.ty != now.ty {
            return Err(format!("field `{name}` was `{}` and is `{}`", before.ty, now.ty));
        }
        if !now.names.starts_with(&before.names) {
            let (before, now) = (before.names.join(", "), now.names.join(", "));
            return Err(format!(
                "field `{name}` was one of {before} and is one of {now}: names may only be added at the end"
            ));
        }
        if before.optional && !now.optional {
            return Err(format!("field `{name}` was optional, and events may be without it"));
        }
    }
    Ok(())
}
