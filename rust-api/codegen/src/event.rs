//! `#[derive(Event)]`: a struct is a source, an enum the type of fields.

use std::path::Path;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Data, DeriveInput, Fields};

use metricc_dsl::NoFiles;

use crate::attributes::{FieldAttributes, TypeAttributes, doc_lines};
use crate::definition::{Called, Definition, EnumDefinition, EventDefinition, export};
use crate::item_text::item_text;
use crate::language_text::LanguageText;
use crate::problem::Problems;
use crate::rust_type::{FieldType, last_name};
use crate::table::TableStruct;

/// What a struct stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role<'a> {
    /// A source.
    Event,
    /// The rows of a table; its file is beside this one, or beside the crate's `Cargo.toml`.
    Table(Option<&'a Path>),
}

impl Role<'_> {
    /// The word of its attributes.
    pub(crate) fn attribute(self) -> &'static str {
        if let Role::Event = self { "event" } else { "table" }
    }

    /// The item of the language.
    pub(crate) fn item(self) -> &'static str {
        if let Role::Event = self { "source" } else { "table" }
    }

    /// The macro that is called back with definitions.
    fn stage(self) -> Ident {
        quote::format_ident!("{}_stage", self.attribute())
    }
}

/// Expands `#[derive(Event)]`. `place` says where it stands, as a part of a name.
pub fn derive_event(input: TokenStream, place: &str) -> TokenStream {
    derive(input, place, Role::Event)
}

/// Called back with the definitions of the enums that a struct names, and the struct.
pub fn event_stage(input: TokenStream, place: &str) -> TokenStream {
    derive(input, place, Role::Event)
}

/// Expands the derive of a role: the struct, behind the definitions that it was called back with.
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

fn items(input: &DeriveInput, definitions: Vec<Definition>, place: &str, role: Role<'_>) -> TokenStream {
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
            Role::Event => of_enum(input, data, &attributes, place, &mut problems),
            Role::Table(_) => {
                let help =
                    "an enum is no table\n\nhelp: derive `Table` for a struct, whose fields are the columns";
                problems.push(data.enum_token.span, help);
                TokenStream::new()
            }
        },
        Data::Struct(data) => {
            of_struct(input, &data.fields, definitions, &attributes, (place, role), &mut problems)
        }
        Data::Union(data) => {
            problems.push(data.union_token.span, "a union is no event\n\nhelp: derive `Event` for a struct");
            TokenStream::new()
        }
    };
    let expansion = quote!(#problems #items);
    crate::debug::print(attributes.debug, &input.ident, &expansion);
    expansion
}

fn of_enum(
    input: &DeriveInput,
    data: &syn::DataEnum,
    attributes: &TypeAttributes,
    place: &str,
    problems: &mut Problems,
) -> TokenStream {
    if let Some(name) = &attributes.name {
        problems.push(name.span(), "an enum is no source: it has no name in the language");
    }
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            problems.push_on(
                &variant.fields,
                "a variant of an event's enum holds nothing\n\nhelp: give the event a field for it",
            );
        }
        let found = FieldAttributes::of_variant(&variant.attrs, problems);
        let name = found.rename.map_or_else(|| snake_case(&variant.ident), |name| name.value());
        variants.push((variant.ident.clone(), name));
    }
    let krate = attributes.krate();
    let ident = &input.ident;
    let arms = variants.iter().enumerate().map(|(place, (variant, _))| {
        let place = place as i32;
        quote!(#ident::#variant => #place)
    });
    let body = if !problems.is_empty() {
        quote!(0)
    } else if variants.is_empty() {
        quote!(match *self {})
    } else {
        quote!(match self { #(#arms),* })
    };
    let definition = Definition::Enum(EnumDefinition { ident: ident.clone(), variants });
    let export = export(ident, &input.vis, place, &definition);
    quote! {
        #[automatically_derived]
        impl #krate::event::Field for #ident {
            type Row = #krate::row::Choice<#ident>;
            fn cell(&self) -> #krate::event::Cell<'_> {
                #krate::event::Cell::Enum(#body)
            }
        }
        #export
    }
}

fn of_struct(
    input: &DeriveInput,
    fields: &Fields,
    definitions: Vec<Definition>,
    attributes: &TypeAttributes,
    (place, role): (&str, Role<'_>),
    problems: &mut Problems,
) -> TokenStream {
    let Fields::Named(named) = fields else {
        problems.push(
            input.ident.span(),
            "its fields have no names\n\nhelp: write `struct Name { field: Type }`",
        );
        return TokenStream::new();
    };
    let mut parsed = Vec::new();
    for field in &named.named {
        let found = FieldAttributes::of_field(&field.attrs, role.attribute(), problems);
        match FieldType::of(&field.ty) {
            Ok(ty) => parsed.push(EventField { field, attributes: found, ty, role }),
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
            Definition::Enum(definition) => Some(definition),
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
    let definition = Definition::Event(EventDefinition {
        ident: input.ident.clone(),
        name: name.clone(),
        // A metric over a source with errors says nothing more.
        text: if problems.is_empty() { text.as_str().to_owned() } else { String::new() },
        fields: names.collect(),
        enums,
    });
    let export = export(&input.ident, &input.vis, place, &definition);
    let krate = attributes.krate();
    let implementation = if problems.is_empty() {
        implementation(input, &name, text.as_str(), &parsed, &krate)
    } else {
        broken(&input.ident, &krate)
    };
    quote!(#implementation #export)
}

pub(crate) struct EventField<'a> {
    pub(crate) field: &'a syn::Field,
    pub(crate) attributes: FieldAttributes,
    pub(crate) ty: FieldType,
    pub(crate) role: Role<'a>,
}

impl EventField<'_> {
    /// The field's name in the language.
    pub(crate) fn name(&self) -> String {
        let own = || self.field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
        self.attributes.rename.as_ref().map_or_else(own, syn::LitStr::value)
    }
}

fn unknown_enum<'a>(fields: &'a [EventField<'_>], definitions: &[Definition]) -> Option<&'a syn::Path> {
    let is_known = |path: &syn::Path| {
        definitions.iter().any(|definition| match definition {
            Definition::Enum(known) => last_name(path) == Some(&known.ident),
            _ => false,
        })
    };
    fields.iter().filter_map(|field| field.ty.enumeration()).find(|path| !is_known(path))
}

/// Asks the enum for its definition, to come back to [`event_stage`] with one more.
fn ask_for(
    path: &syn::Path,
    definitions: &[Definition],
    input: &DeriveInput,
    attributes: &TypeAttributes,
    role: Role<'_>,
) -> TokenStream {
    let (krate, stage) = (attributes.krate(), role.stage());
    quote! {
        #path! { [#krate::__private::#stage] #({ #definitions })* #input }
    }
}

fn implementation(
    input: &DeriveInput,
    name: &str,
    text: &str,
    fields: &[EventField<'_>],
    krate: &TokenStream,
) -> TokenStream {
    let ident = &input.ident;
    let row = quote::format_ident!("{}Row", ident);
    let idents: Vec<_> = fields.iter().filter_map(|field| field.field.ident.as_ref()).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.field.ty).collect();
    let docs = fields.iter().map(|field| {
        let lines = doc_lines(&field.field.attrs);
        quote!(#(#[doc = #lines])*)
    });
    let row_doc = format!("A `{ident}` in a closure of a metric: its fields as the language sees them.");
    quote! {
        const _: () = {
            #[doc = #row_doc]
            #[derive(Clone, Copy)]
            #[allow(dead_code, missing_docs)]
            pub struct #row { #(#docs pub #idents: <#types as #krate::event::Field>::Row),* }

            #[automatically_derived]
            impl #krate::Event for #ident {
                type Row = #row;
                const NAME: &'static str = #name;
                const SOURCE: &'static str = #text;
                fn cells<'a>(&'a self, cells: &mut ::std::vec::Vec<#krate::event::Cell<'a>>) {
                    #(cells.push(#krate::event::Field::cell(&self.#idents));)*
                }
            }
        };
    }
}

/// What an event with errors is, so that what names it is no error, too. Such a crate is never run.
fn broken(ident: &Ident, krate: &TokenStream) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl #krate::Event for #ident {
            type Row = ();
            const NAME: &'static str = "";
            const SOURCE: &'static str = "";
            fn cells<'a>(&'a self, _: &mut ::std::vec::Vec<#krate::event::Cell<'a>>) {}
        }
    }
}

/// `PaymentMethod` as `payment_method`.
pub(crate) fn snake_case(ident: &Ident) -> String {
    let mut name = String::new();
    let mut was_lower = false;
    for letter in ident.unraw().to_string().chars() {
        if letter.is_uppercase() && was_lower {
            name.push('_');
        }
        was_lower = !letter.is_uppercase() && letter != '_';
        name.extend(letter.to_lowercase());
    }
    name
}
