//! The schema check: which changes of a source its log still reads. One rule holds for its fields and for
//! those of records in them, at every depth.

use std::collections::BTreeMap;
use std::mem::discriminant;

use metricc_ir::{Field, Kind, RecordField, Source, Type};

use crate::frame_payload::{FieldState, SourceState};
use crate::type_text;

/// What rows of a source have: those in the log, and those that come in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RowFields {
    /// All fields that rows have or had.
    pub(crate) fields: BTreeMap<String, FieldState>,
    /// The fields by which events are told apart; `None` if there are no rows, or this was not noted.
    pub(crate) identity: Option<Vec<String>>,
}

impl RowFields {
    /// Of the rows in the log; without fields if it has no records of the source.
    pub(crate) fn of(known: Option<&SourceState>) -> Self {
        match known {
            Some(known) if known.partitions.iter().any(|partition| partition.end > 0) => {
                RowFields { fields: known.fields.clone(), identity: known.identity.clone() }
            }
            _ => RowFields::default(),
        }
    }

    /// Of these rows and those that come in as a source is declared.
    pub(crate) fn declared(&self, source: &Source) -> Self {
        let known = &self.fields;
        let state = |field: &Field| {
            let before = known.get(&field.name);
            let ty = before.and_then(type_of);
            let ty = ty.map_or_else(|| field.ty.clone(), |before| united(&before, &field.ty));
            // The rows before a new field are without it.
            let was_gone = before.map_or(!known.is_empty(), |before| before.was_gone);
            (field.name.clone(), FieldState { was_gone, ..state_of(&ty) })
        };
        let is_gone = |name: &str| source.fields.iter().all(|field| field.name != name);
        let gone = known.iter().filter(|(name, _)| is_gone(name));
        let gone = gone.map(|(name, before)| {
            (name.clone(), FieldState { was_gone: true, is_gone: true, ..before.clone() })
        });
        let fields = source.fields.iter().map(state).chain(gone).collect();
        RowFields { fields, identity: Some(identity(source)) }
    }

    /// Checks that these rows, if there are any, can be read as a source is declared, and that their verdicts
    /// are those of its identity; otherwise, what has changed.
    pub(crate) fn check(&self, source: &Source) -> Result<(), String> {
        let now = identity(source);
        if let Some(before) = self.identity.as_ref().filter(|before| **before != now) {
            let shown = |names: &[String]| match names {
                [] => "none".to_owned(),
                names => format!("`{}`", names.join("`, `")),
            };
            let (before, now) = (shown(before), shown(&now));
            return Err(format!(
                "its `key` was {before} and is {now}; it was decided by the key which of its records are duplicates"
            ));
        }
        source.fields.iter().try_for_each(|field| self.check_one(field))?;
        source.identity.iter().try_for_each(|&field| self.check_key(&source.fields[field]))
    }

    fn check_one(&self, field: &Field) -> Result<(), String> {
        let name = &field.name;
        let Some(before) = self.fields.get(name) else {
            return if self.fields.is_empty() { Ok(()) } else { check_new(name, field) };
        };
        match type_of(before) {
            Some(ty) => check_field(name, &ty, field)?,
            None => {
                return Err(format!("field `{name}` was `{}`, which is no type of this version", before.ty));
            }
        }
        check_presence(before, field)
    }

    /// Checks that a field by which events are told apart has the type that it had: its values were hashed.
    fn check_key(&self, field: &Field) -> Result<(), String> {
        let before = self.fields.get(&field.name).and_then(type_of);
        match before.filter(|before| is_wider(&before.kind, &field.ty.kind)) {
            Some(Type { kind, .. }) => {
                Err(format!("field `{}` of its `key` was `{kind}` and is `{}`", field.name, field.ty.kind))
            }
            None => Ok(()),
        }
    }
}

/// Checks that a field which rows are without may be absent.
fn check_presence(before: &FieldState, field: &Field) -> Result<(), String> {
    let name = &field.name;
    match before.was_gone && !field.ty.optional && field.default.is_none() {
        true => Err(format!(
            "some events are without field `{name}`, since it was not always declared: it has to be optional, or to \
             have a default"
        )),
        false => Ok(()),
    }
}

/// The fields that the last events have and that the source does not declare any more.
pub(crate) fn gone(source: &Source, known: &SourceState) -> Vec<String> {
    let is_gone = |(name, field): &(&String, &FieldState)| {
        !field.is_gone && source.fields.iter().all(|known| known.name != **name)
    };
    known.fields.iter().filter(is_gone).map(|(name, _)| name.clone()).collect()
}

/// The names of the fields by which the events of a source are told apart.
fn identity(source: &Source) -> Vec<String> {
    source.identity.iter().map(|&field| source.fields[field].name.clone()).collect()
}

fn state_of(ty: &Type) -> FieldState {
    let (text, names) = match &ty.kind {
        Kind::Enum(names) => ("enum".to_owned(), names.to_vec()),
        kind => (Type { kind: kind.clone(), optional: false }.to_string(), Vec::new()),
    };
    FieldState { ty: text, names, optional: ty.optional, was_gone: false, is_gone: false }
}

/// The type of a field; `None` if its text is no type of this version.
fn type_of(state: &FieldState) -> Option<Type> {
    let kind = match state.ty.as_str() {
        "enum" => Kind::Enum(state.names.as_slice().into()),
        text => type_text::parse(text)?.kind,
    };
    Some(Type { kind, optional: state.optional })
}

/// The type as it is declared now. Records keep the fields that have gone: the rows with them are still
/// there, and those without them may come.
fn united(before: &Type, now: &Type) -> Type {
    let kind = match (&before.kind, &now.kind) {
        (Kind::List(before), Kind::List(now)) => Kind::List(Box::new(united(before, now))),
        (Kind::Record(before), Kind::Record(now)) => {
            let staying = now.iter().map(|field| match named(before, &field.name) {
                Some(known) => RecordField { ty: united(&known.ty, &field.ty), ..field.clone() },
                None => field.clone(),
            });
            let gone = before.iter().filter(|field| named(now, &field.name).is_none()).map(|field| {
                let ty = Type { optional: true, ..field.ty.clone() };
                RecordField { ty, ..field.clone() }
            });
            Kind::Record(staying.chain(gone).collect())
        }
        (_, now) => now.clone(),
    };
    Type { kind, optional: now.optional }
}

fn named<'f>(fields: &'f [RecordField], name: &str) -> Option<&'f RecordField> {
    fields.iter().find(|field| field.name == name)
}

/// Checks that the rows without a field can be read with it.
fn check_new(path: &str, field: &Field) -> Result<(), String> {
    if field.ty.optional || field.default.is_some() {
        return Ok(());
    }
    Err(format!("field `{path}` is new, and neither optional nor has a default for events without it"))
}

/// Checks that rows with a field as it was can be read as it is, and the fields of its records.
fn check_field(path: &str, before: &Type, field: &Field) -> Result<(), String> {
    check_kind(path, &before.kind, &field.ty.kind, &field.fields)?;
    if before.optional && !field.ty.optional {
        return Err(format!("field `{path}` was optional, and events may be without it"));
    }
    Ok(())
}

/// Whether a type has all values of another one, as the same numbers.
fn is_wider(before: &Kind, now: &Kind) -> bool {
    /// Digits before the point of the greatest `int`.
    const DIGITS_OF_INT: u8 = 19;
    match (before, now) {
        (Kind::Int, Kind::Decimal { precision, scale }) => precision.saturating_sub(*scale) >= DIGITS_OF_INT,
        (Kind::Decimal { precision: p, scale: s }, Kind::Decimal { precision, scale }) => {
            before != now && scale >= s && precision.saturating_sub(*scale) >= p.saturating_sub(*s)
        }
        _ => false,
    }
}

fn check_kind(path: &str, before: &Kind, now: &Kind, parts: &[Field]) -> Result<(), String> {
    match (before, now) {
        (Kind::List(old), Kind::List(new)) if discriminant(&old.kind) == discriminant(&new.kind) => {
            check_kind(path, &old.kind, &new.kind, parts)?;
            if old.optional && !new.optional {
                return Err(format!("field `{path}` was `{before}` and is `{now}`"));
            }
        }
        (Kind::Record(before), Kind::Record(_)) => {
            for part in parts {
                let path = format!("{path}.{}", part.name);
                match named(before, &part.name) {
                    Some(before) => check_field(&path, &before.ty, part)?,
                    None => check_new(&path, part)?,
                }
            }
        }
        (Kind::Enum(before), Kind::Enum(now)) if !now.starts_with(before) => {
            let (before, now) = (before.join(", "), now.join(", "));
            return Err(format!(
                "field `{path}` was one of {before} and is one of {now}: names may only be added at the end"
            ));
        }
        (Kind::Enum(_), Kind::Enum(_)) => {}
        (before, now) if is_wider(before, now) => {}
        (before, now) if before != now => {
            return Err(format!("field `{path}` was `{before}` and is `{now}`"));
        }
        _ => {}
    }
    Ok(())
}
