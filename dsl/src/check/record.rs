//! Records as types of fields, and the paths by which fields are read.

use std::sync::Arc;

use super::field::FieldChecker;
use super::{MOST_PARTS, Places, too_many, types};
use crate::ast::{FieldItem, MarkerKind, PathItem, TypeRef};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use metricc_ir::{Field, Kind, RecordField, Type};

/// How many steps a value may stand below its record: names, indices and lists.
const MOST_LEVELS: usize = 32;

/// The type of a field, and how the fields of its record are read.
pub(super) fn resolve(
    ty: &TypeRef,
    nulls: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<(Type, Vec<Field>)> {
    resolve_in(ty, Around { nulls, in_list: false }, found)
}

/// What is around a type.
#[derive(Clone, Copy)]
struct Around<'a> {
    /// What is none in all fields of the source.
    nulls: &'a [String],
    /// Whether there may be many values of the type in a record.
    in_list: bool,
}

fn resolve_in(ty: &TypeRef, around: Around<'_>, found: &mut Vec<Diagnostic>) -> Option<(Type, Vec<Field>)> {
    if let Some(parts) = &ty.fields {
        let fields = parts_of(ty, parts, around, found)?;
        let record =
            fields.iter().map(|field| RecordField { name: field.name.clone(), ty: field.ty.clone() });
        return Some((
            Type { kind: Kind::Record(record.collect::<Arc<[_]>>()), optional: ty.optional },
            fields,
        ));
    }
    match (&ty.element, ty.name.text.as_str()) {
        (Some(element), "list") => {
            let (element_type, fields) = resolve_in(element, Around { in_list: true, ..around }, found)?;
            let kind = types::list_of(ty, element_type, found)?;
            Some((Type { kind, optional: ty.optional }, fields))
        }
        _ => types::resolve(ty, found).map(|ty| (ty, Vec::new())),
    }
}

fn parts_of(
    ty: &TypeRef,
    parts: &[FieldItem],
    around: Around<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<Field>> {
    if parts.is_empty() {
        let diagnostic = Diagnostic::new(Code::TypeArguments, "a record without fields", ty.span, "");
        found.push(diagnostic.help("name what it has: `{ city: string, zip: string? }`"));
        return None;
    }
    let (mut places, mut fields) = (Places::default(), Vec::with_capacity(parts.len()));
    for part in parts {
        let resolved = resolve_in(&part.ty, around, found);
        places.define_field("field", part, resolved.as_ref().map(|(ty, _)| ty), found);
        let Some(checked) = FieldChecker::new(part, resolved, around.nulls, found).check() else { continue };
        if let Some(mark) = checked.mark {
            found.push(
                Diagnostic::new(Code::FieldMarker, "a mark of events on a field of a record", mark, "")
                    .help("only fields of the source are `key` or `time`; one of them may reach into the record with `from`"),
            );
            continue;
        }
        let default = part.markers.iter().find(|marker| matches!(marker.kind, MarkerKind::Default(_)));
        if let (Some(marker), true) = (default, around.in_list) {
            let name = &part.name.text;
            found.push(
                Diagnostic::new(Code::DefaultValue, "a default in the records of a list", marker.span, "")
                    .help(format!("let it be none with `?`, and say where it is read what that means: `item.{name} ?? …`")),
            );
            continue;
        }
        fields.push(checked.field);
    }
    (fields.len() == parts.len()).then_some(fields)
}

/// Whether the fields of a source, those of records included, are few enough and not too far below their
/// record.
pub(super) fn within_limits(items: &[FieldItem], found: &mut Vec<Diagnostic>) -> bool {
    let mut n_fields = 0;
    for item in items {
        let (n_own, levels) = extent(item);
        n_fields += n_own;
        let message = if n_fields > MOST_PARTS {
            too_many("fields in a source", item.name.span).help("columns that are not named are ignored")
        } else if levels > MOST_LEVELS {
            let message = format!("a value more than {MOST_LEVELS} levels below its record");
            Diagnostic::new(Code::LimitExceeded, message, item.name.span, "")
                .help("a step of a path, a list and a record are a level each: read a record further up, or shorten the path")
        } else {
            continue;
        };
        found.push(message);
        return false;
    }
    true
}

/// The number of fields, and the levels from the record down to the deepest value.
fn extent(item: &FieldItem) -> (usize, usize) {
    let own = item.path().map_or(1, |path| path.steps.len());
    let (mut lists, mut ty) = (0, &item.ty);
    while let Some(element) = &ty.element {
        (lists, ty) = (lists + 1, element);
    }
    let parts = ty.fields.iter().flatten().map(extent);
    let (n_fields, deepest) =
        parts.fold((1, 0), |(n_all, deepest), (n, levels)| (n_all + n, deepest.max(levels)));
    (n_fields, own + lists + deepest)
}

impl FieldItem {
    /// Where the value stands, if the field says so.
    pub(super) fn path(&self) -> Option<&PathItem> {
        self.markers.iter().find_map(|marker| match &marker.kind {
            MarkerKind::From(path) => Some(path),
            _ => None,
        })
    }
}
