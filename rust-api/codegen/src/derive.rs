//! `#[derive(Event)]` and `#[derive(Table)]`: a struct is a source or the row of a table, an enum the type of
//! fields.

use std::collections::BTreeSet;
use std::path::Path;

use metricc_dsl::NoFiles;
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Fields};

use crate::attributes::{FieldAttributes, TypeAttributes};
use crate::definition::{Called, EnumDefinition, EventDefinition, ItemDefinition, export};
use crate::event_impls;
use crate::field_names::{FieldName, RecordNames};
use crate::field_types::{FieldType, last_name};
use crate::item_text::item_text;
use crate::language_text::LanguageText;
use crate::names::snake_case;
use crate::problem::Problems;
use crate::record_impls::{self, KnownTypes};
use crate::struct_field::{Role, StructField};
use crate::table::TableStruct;

/// Expands `#[derive(Event)]`. `place` is the call site, as a part of a name.
pub fn derive_event(input: TokenStream, place: &str) -> TokenStream {
    derive(input, place, Role::Event)
}

/// Called back with the definitions of the enums that a struct names, and the struct.
pub fn event_stage(input: TokenStream, place: &str) -> TokenStream {
    derive(input, place, Role::Event)
}

/// Expands the derive of a role: the struct, after the definitions that it was called back with.
pub(crate) fn derive(input: TokenStream, place: &str, role: Role<'_>) -> TokenStream {
    let called = syn::parse2::<Called>(input).and_then(|called| {
        let input = syn::parse2::<DeriveInput>(called.rest)?;
        Ok((called.definitions, input))
    });
    match called {
        Ok((definitions, input)) => items(&input, &definitions, place, role),
        Err(error) => error.to_compile_error(),
    }
}

fn items(input: &DeriveInput, definitions: &[ItemDefinition], place: &str, role: Role<'_>) -> TokenStream {
    let mut problems = Problems::default();
    let attributes = TypeAttributes::of(&input.attrs, role.attribute(), &mut problems);
    if let Some(parameter) = input.generics.params.first() {
        let help =
            format!("an {} has no parameters\n\nhelp: write out the types of its fields", role.attribute());
        problems.push_on(parameter, &help.replace("an table", "a table"));
    }
    let items = match &input.data {
        _ if !problems.is_empty() => TokenStream::new(),
        Data::Enum(data) => match role {
            Role::Event => event_impls::of_enum(input, data, &attributes, place, &mut problems),
            Role::Table(_) => {
                let help = "an enum cannot be a table\n\nhelp: derive `Table` for a struct, whose fields are the columns";
                problems.push(data.enum_token.span, help);
                TokenStream::new()
            }
        },
        Data::Struct(data) => {
            of_struct(input, &data.fields, definitions, &attributes, (place, role), &mut problems)
        }
        Data::Union(data) => {
            problems.push(
                data.union_token.span,
                "a union cannot be an event\n\nhelp: derive `Event` for a struct",
            );
            TokenStream::new()
        }
    };
    let expansion = quote!(#problems #items);
    crate::debug::print(attributes.debug, &input.ident, &expansion);
    expansion
}

/// Expands `#[derive(Table)]`. `place` is the call site, as a part of a name; `caller` is the file that it is
/// in, if the compiler knows it.
pub fn derive_table(input: TokenStream, place: &str, caller: Option<&Path>) -> TokenStream {
    derive(input, place, Role::Table(caller))
}

/// Called back with the definitions of the enums that a struct names, and the struct.
pub fn table_stage(input: TokenStream, place: &str, caller: Option<&Path>) -> TokenStream {
    derive(input, place, Role::Table(caller))
}

fn of_struct(
    input: &DeriveInput,
    fields: &Fields,
    definitions: &[ItemDefinition],
    attributes: &TypeAttributes,
    (place, role): (&str, Role<'_>),
    problems: &mut Problems,
) -> TokenStream {
    let Fields::Named(named) = fields else {
        problems.push(input.ident.span(), "fields need names\n\nhelp: write `struct Name { field: Type }`");
        return TokenStream::new();
    };
    let mut parsed: Vec<StructField<'_>> = Vec::new();
    for field in &named.named {
        let found = FieldAttributes::of_field(&field.attrs, role.attribute(), problems);
        match FieldType::of(&field.ty) {
            Ok(ty) => parsed.push(StructField { field, attributes: found, ty, role }),
            Err(error) => problems.push_syn(&error),
        }
    }
    for path in parsed.iter().filter_map(|field| field.ty.named()) {
        not_a_field(path, &input.ident, definitions, role, problems);
    }
    if problems.is_empty()
        && let Some(path) = unknown_type(&parsed, definitions)
    {
        return ask_for(path, definitions, input, attributes, role);
    }
    let (enums, records) = types_of(definitions);
    // Its own derive reports what is wrong with a record.
    let has_broken = definitions
        .iter()
        .any(|known| matches!(known, ItemDefinition::Record(record) if record.text.is_empty()));
    if let Some(span) = attributes.record {
        let names = RecordNames { ident: input.ident.clone(), fields: field_names(&parsed, &records) };
        let known = KnownTypes { definitions, enums, records, has_broken };
        return record_impls::items(input, names, &parsed, (span, attributes, place), known, problems);
    }
    let name = attributes.name.as_ref().map_or_else(|| snake_case(&input.ident), syn::LitStr::value);
    let mut text = LanguageText::default();
    if problems.is_empty() {
        item_text(input, (&name, role), attributes, &parsed, definitions, problems, &mut text);
    }
    if let Role::Table(caller) = role {
        let table = TableStruct { input, name, attributes, text, fields: &parsed, enums, place };
        return table.items(caller, problems);
    }
    if problems.is_empty() && !has_broken {
        text.check(&input.ident.to_string(), &NoFiles, problems);
    }
    let is_sound = problems.is_empty() && !has_broken;
    let definition = ItemDefinition::Event(EventDefinition {
        ident: input.ident.clone(),
        name: name.clone(),
        // A metric over a source with errors reports no further errors.
        text: if is_sound { text.as_str().to_owned() } else { String::new() },
        fields: field_names(&parsed, &records),
        enums,
        records,
    });
    let export = export(&input.ident, &input.vis, place, &definition);
    let krate = attributes.krate();
    let implementation = if is_sound {
        event_impls::implementation(input, &name, text.as_str(), &parsed, &krate)
    } else {
        event_impls::broken(&input.ident, &krate)
    };
    quote!(#implementation #export)
}

/// The enums and records of definitions, and those of these records, each once.
fn types_of(definitions: &[ItemDefinition]) -> (Vec<EnumDefinition>, Vec<RecordNames>) {
    let (mut enums, mut records) = (Vec::new(), Vec::new());
    for definition in definitions {
        match definition {
            ItemDefinition::Enum(known) => enums.push(known.clone()),
            ItemDefinition::Record(known) => {
                records.push(known.names.clone());
                records.extend(known.records.iter().cloned());
                enums.extend(known.enums.iter().cloned());
            }
            _ => {}
        }
    }
    let (mut seen, mut seen_records) = (BTreeSet::new(), BTreeSet::new());
    enums.retain(|known| seen.insert(known.ident.to_string()));
    records.retain(|known| seen_records.insert(known.ident.to_string()));
    (enums, records)
}

fn field_names(fields: &[StructField<'_>], records: &[RecordNames]) -> Vec<FieldName> {
    let record = |field: &StructField<'_>| {
        let name = last_name(field.ty.named()?)?;
        records.iter().find(|known| known.ident == *name).map(|known| known.ident.clone())
    };
    let name = |field: &StructField<'_>| {
        Some(FieldName { ident: field.field.ident.clone()?, name: field.name(), record: record(field) })
    };
    fields.iter().filter_map(name).collect()
}

/// Reports a type that fields cannot have.
fn not_a_field(
    path: &syn::Path,
    own: &Ident,
    definitions: &[ItemDefinition],
    role: Role<'_>,
    problems: &mut Problems,
) {
    let Some(name) = last_name(path) else { return };
    if path.get_ident() == Some(own) {
        return problems.push_on(
            path,
            "a record cannot have itself inside\n\nhelp: name what is inside by its own struct",
        );
    }
    for definition in definitions {
        match definition {
            ItemDefinition::Event(event) if event.ident == *name => {
                let help =
                    "a source is not the type of a field\n\nhelp: write `#[event(record)]` on that struct";
                problems.push_on(path, help);
            }
            ItemDefinition::Record(record)
                if record.names.ident == *name && matches!(role, Role::Table(_)) =>
            {
                let help = "a column of a table is no record\n\nhelp: give each value a column";
                problems.push_on(path, help);
            }
            _ => {}
        }
    }
}

fn unknown_type<'a>(fields: &'a [StructField<'_>], definitions: &[ItemDefinition]) -> Option<&'a syn::Path> {
    let is_known = |path: &syn::Path| {
        definitions.iter().any(|known| known.field_type().is_some() && known.field_type() == last_name(path))
    };
    fields.iter().filter_map(|field| field.ty.named()).find(|path| !is_known(path))
}

/// Calls the type's macro, which calls the derive back with one more definition.
fn ask_for(
    path: &syn::Path,
    definitions: &[ItemDefinition],
    input: &DeriveInput,
    attributes: &TypeAttributes,
    role: Role<'_>,
) -> TokenStream {
    let (krate, stage) = (attributes.krate(), role.stage());
    quote! {
        #path! { [#krate::__private::#stage] #({ #definitions })* #input }
    }
}
