//! `#[derive(Event)]` and `#[derive(Table)]`: a struct is a source or the row of a table, an enum the type of
//! fields.

use std::path::Path;

use metricc_dsl::NoFiles;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields};

use crate::attributes::{FieldAttributes, TypeAttributes};
use crate::definition::{Called, EnumDefinition, EventDefinition, ItemDefinition, export};
use crate::event;
use crate::item_text::item_text;
use crate::language_text::LanguageText;
use crate::names::snake_case;
use crate::problem::Problems;
use crate::rust_type::{FieldType, last_name};
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
        Ok((definitions, input)) => items(&input, definitions, place, role),
        Err(error) => error.to_compile_error(),
    }
}

fn items(input: &DeriveInput, definitions: Vec<ItemDefinition>, place: &str, role: Role<'_>) -> TokenStream {
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
            Role::Event => event::of_enum(input, data, &attributes, place, &mut problems),
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
    definitions: Vec<ItemDefinition>,
    attributes: &TypeAttributes,
    (place, role): (&str, Role<'_>),
    problems: &mut Problems,
) -> TokenStream {
    let Fields::Named(named) = fields else {
        problems.push(input.ident.span(), "fields need names\n\nhelp: write `struct Name { field: Type }`");
        return TokenStream::new();
    };
    let mut parsed = Vec::new();
    for field in &named.named {
        let found = FieldAttributes::of_field(&field.attrs, role.attribute(), problems);
        match FieldType::of(&field.ty) {
            Ok(ty) => parsed.push(StructField { field, attributes: found, ty, role }),
            Err(error) => problems.push_syn(&error),
        }
    }
    if problems.is_empty()
        && let Some(path) = unknown_enum(&parsed, &definitions)
    {
        return ask_for(path, &definitions, input, attributes, role);
    }
    let enums: Vec<EnumDefinition> = definitions
        .into_iter()
        .filter_map(|definition| match definition {
            ItemDefinition::Enum(definition) => Some(definition),
            _ => None,
        })
        .collect();
    let name = attributes.name.as_ref().map_or_else(|| snake_case(&input.ident), syn::LitStr::value);
    let mut text = LanguageText::default();
    if problems.is_empty() {
        item_text(input, (&name, role), attributes, &parsed, &enums, problems, &mut text);
    }
    if let Role::Table(caller) = role {
        let table = TableStruct { input, name, attributes, text, fields: &parsed, enums, place };
        return table.items(caller, problems);
    }
    if problems.is_empty() {
        text.check(&input.ident.to_string(), &NoFiles, problems);
    }
    let names = parsed.iter().filter_map(|field| Some((field.field.ident.clone()?, field.name())));
    let definition = ItemDefinition::Event(EventDefinition {
        ident: input.ident.clone(),
        name: name.clone(),
        // A metric over a source with errors reports no further errors.
        text: if problems.is_empty() { text.as_str().to_owned() } else { String::new() },
        fields: names.collect(),
        enums,
    });
    let export = export(&input.ident, &input.vis, place, &definition);
    let krate = attributes.krate();
    let implementation = if problems.is_empty() {
        event::implementation(input, &name, text.as_str(), &parsed, &krate)
    } else {
        event::broken(&input.ident, &krate)
    };
    quote!(#implementation #export)
}

fn unknown_enum<'a>(fields: &'a [StructField<'_>], definitions: &[ItemDefinition]) -> Option<&'a syn::Path> {
    let is_known = |path: &syn::Path| {
        definitions.iter().any(|definition| match definition {
            ItemDefinition::Enum(known) => last_name(path) == Some(&known.ident),
            _ => false,
        })
    };
    fields.iter().filter_map(|field| field.ty.enumeration()).find(|path| !is_known(path))
}

/// Calls the enum's macro, which calls the derive back with one more definition.
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
