//! The text of a struct as a `source` or a `table` item.

use proc_macro2::Ident;
use syn::DeriveInput;

use crate::attributes::{SpelledAttribute, TypeAttributes, doc_lines};
use crate::definition::ItemDefinition;
use crate::field_types::{FieldType, last_name};
use crate::language_text::{LanguageText, string_literal};
use crate::problem::Problems;
use crate::struct_field::{Role, StructField};

/// Writes the item.
pub(crate) fn item_text(
    input: &DeriveInput,
    (name, role): (&str, Role<'_>),
    attributes: &TypeAttributes,
    fields: &[StructField<'_>],
    known: &[ItemDefinition],
    problems: &mut Problems,
    text: &mut LanguageText,
) {
    let span = attributes.name.as_ref().map_or_else(|| input.ident.span(), syn::LitStr::span);
    doc_lines(&input.attrs).iter().for_each(|line| text.push(&format!("///{line}\n"), span));
    text.push(&format!("{} ", role.item()), span);
    text.push(name, span);
    text.push(" {\n", input.ident.span());
    if let Some(null) = &attributes.null {
        spelled_text(null, text);
        text.push("\n", null.span);
    }
    for field in fields {
        let ident = ident_span(field);
        doc_lines(&field.field.attrs).iter().for_each(|line| text.push(&format!("  ///{line}\n"), ident));
        text.push("  ", ident);
        field_text(field, known, problems, text);
        text.push("\n", ident);
    }
    text.push("}\n", input.ident.span());
}

/// Writes the type of a record.
pub(crate) fn record_text(
    ident: &Ident,
    fields: &[StructField<'_>],
    known: &[ItemDefinition],
    problems: &mut Problems,
    text: &mut LanguageText,
) {
    text.push("{ ", ident.span());
    for (place, field) in fields.iter().enumerate() {
        text.push(if place == 0 { "" } else { ", " }, ident.span());
        field_text(field, known, problems, text);
    }
    text.push(" }", ident.span());
}

fn ident_span(field: &StructField<'_>) -> proc_macro2::Span {
    field.field.ident.as_ref().map_or_else(proc_macro2::Span::call_site, Ident::span)
}

fn field_text(
    field: &StructField<'_>,
    known: &[ItemDefinition],
    problems: &mut Problems,
    text: &mut LanguageText,
) {
    let ident = ident_span(field);
    let name_span = field.attributes.rename.as_ref().map_or(ident, syn::LitStr::span);
    text.push(&field.name(), name_span);
    text.push(": ", ident);
    // With a default the value is always there, also where the Rust field is an `Option`.
    match (&field.ty, &field.attributes.default) {
        (FieldType::Optional(inner), Some(_)) => type_text(inner, field, known, problems, text),
        (ty, _) => type_text(ty, field, known, problems, text),
    }
    if let Some(span) = field.attributes.key {
        text.push(" key", span);
    }
    if let Some(span) = field.attributes.time {
        text.push(" time", span);
    }
    if let Some(parts) = &field.attributes.from {
        let first = parts.first().map_or(ident, |(_, span)| *span);
        text.push(" from ", first);
        parts.iter().for_each(|(part, span)| text.push(part, *span));
    }
    if let Some(zone) = &field.attributes.zone {
        text.push(" zone ", zone.span());
        text.push_string(&zone.value(), zone.span());
    }
    field.attributes.spelled.iter().for_each(|attribute| spelled_text(attribute, text));
    if let Some((default, span)) = &field.attributes.default {
        text.push(" = ", *span);
        text.push(default, *span);
    }
    if let (Some((.., span)), false) = (&field.attributes.decimal, field.ty.is_decimal()) {
        problems.push(*span, "`decimal(p, s)` on a field that is not a `Decimal`");
    }
}

/// ` word "…", "…"`.
fn spelled_text(attribute: &SpelledAttribute, text: &mut LanguageText) {
    text.push(&format!(" {}", attribute.word), attribute.span);
    if attribute.texts.is_empty() && attribute.word == "null" {
        text.push(" none", attribute.span);
    }
    for (place, string) in attribute.texts.iter().enumerate() {
        text.push(if place == 0 { " " } else { ", " }, attribute.span);
        text.push_string(&string.value(), string.span());
    }
}

fn type_text(
    ty: &FieldType,
    field: &StructField<'_>,
    known: &[ItemDefinition],
    problems: &mut Problems,
    text: &mut LanguageText,
) {
    let span = syn::spanned::Spanned::span(&field.field.ty);
    match ty {
        FieldType::Scalar(name, span) => text.push(name, *span),
        FieldType::Decimal(span) => match field.attributes.decimal {
            Some((precision, scale, span)) => text.push(&format!("decimal({precision}, {scale})"), span),
            None => problems.push(
                *span,
                &format!(
                    "the digits of the decimal are missing\n\nhelp: write `#[{}(decimal(12, 2))]` for 12 digits, 2 of them \
                     after the point",
                    field.role.attribute()
                ),
            ),
        },
        FieldType::Named(path) => {
            let known = known.iter().find(|known| known.field_type() == last_name(path));
            let written = match known {
                Some(ItemDefinition::Record(record)) => record.text.clone(),
                Some(ItemDefinition::Enum(known)) => {
                    let names = known.variants.iter().map(|(_, name)| string_literal(name));
                    format!("enum({})", names.collect::<Vec<_>>().join(", "))
                }
                _ => String::new(),
            };
            text.push(&written, syn::spanned::Spanned::span(path));
        }
        FieldType::List(element) => {
            text.push("list<", span);
            type_text(element, field, known, problems, text);
            text.push(">", span);
        }
        FieldType::Optional(inner) => {
            type_text(inner, field, known, problems, text);
            text.push("?", span);
        }
    }
}
