//! What `#[derive(Event)]` generates for a struct with `#[event(record)]`: the type of fields that are
//! records, or lists of them.
//!
//! The type is checked alone, in a source of its own, so that an error is reported once and on the record's
//! tokens.

use metricc_dsl::NoFiles;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::DeriveInput;

use crate::attributes::{TypeAttributes, doc_lines};
use crate::definition::{EnumDefinition, ItemDefinition, RecordDefinition, export};
use crate::field_names::RecordNames;
use crate::item_text::record_text;
use crate::language_text::LanguageText;
use crate::problem::Problems;
use crate::struct_field::StructField;

/// What is known of the types that a struct names.
pub(crate) struct KnownTypes<'a> {
    pub(crate) definitions: &'a [ItemDefinition],
    pub(crate) enums: Vec<EnumDefinition>,
    pub(crate) records: Vec<RecordNames>,
    /// Whether one of the records has errors.
    pub(crate) has_broken: bool,
}

pub(crate) fn items(
    input: &DeriveInput,
    names: RecordNames,
    fields: &[StructField<'_>],
    (span, attributes, place): (Span, &TypeAttributes, &str),
    known: KnownTypes<'_>,
    problems: &mut Problems,
) -> TokenStream {
    if let Some(name) = &attributes.name {
        problems.push(name.span(), "a record has no name in the language: it is not a source");
    }
    if let Some(null) = &attributes.null {
        problems
            .push(null.span, "a record says nothing for all of its fields\n\nhelp: write it on the event");
    }
    let ident = &input.ident;
    let mut text = LanguageText::default();
    if problems.is_empty() && !known.has_broken {
        record_text(ident, fields, known.definitions, problems, &mut text);
    }
    if problems.is_empty() && !known.has_broken {
        let mut alone = LanguageText::default();
        alone.push("source record {\n  at: timestamp time\n  value: ", span);
        alone.append(&text);
        alone.push("\n}\n", span);
        alone.check(&ident.to_string(), &NoFiles, problems);
    }
    let is_sound = problems.is_empty() && !known.has_broken;
    let krate = attributes.krate();
    let implementation = if is_sound { implementation(input, fields, &krate) } else { broken(input, &krate) };
    let KnownTypes { enums, records, .. } = known;
    let text = if is_sound { text.as_str().to_owned() } else { String::new() };
    let definition = ItemDefinition::Record(RecordDefinition { names, text, enums, records });
    let export = export(ident, &input.vis, place, &definition);
    quote!(#implementation #export)
}

fn implementation(input: &DeriveInput, fields: &[StructField<'_>], krate: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (row, optional) = (format_ident!("{}Row", ident), format_ident!("{}OptionalRow", ident));
    let idents: Vec<_> = fields.iter().filter_map(|field| field.field.ident.as_ref()).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.field.ty).collect();
    let docs: Vec<TokenStream> = fields
        .iter()
        .map(|field| {
            let lines = doc_lines(&field.field.attrs);
            quote!(#(#[doc = #lines])*)
        })
        .collect();
    let row_doc = format!("A `{ident}` in a closure of a metric: its fields as the language sees them.");
    let optional_doc = format!("A `{ident}` that may be none: then each of its fields is none.");
    quote! {
        const _: () = {
            #[doc = #row_doc]
            #[derive(Clone, Copy)]
            #[allow(dead_code, missing_docs)]
            pub struct #row { #(#docs pub #idents: <#types as #krate::event::Field>::Row),* }

            #[doc = #optional_doc]
            #[derive(Clone, Copy)]
            #[allow(dead_code, missing_docs)]
            pub struct #optional { #(#docs pub #idents: <#types as #krate::event::Field>::Optional),* }

            #[allow(dead_code, missing_docs)]
            impl #optional {
                pub fn is_some(self) -> bool { false }
                pub fn is_none(self) -> bool { false }
            }

            #[automatically_derived]
            impl #krate::event::Field for #ident {
                type Row = #row;
                type Optional = #optional;
                fn cell(&self) -> #krate::event::Cell<'_> {
                    #krate::event::Cell::Record(::std::vec![#(#krate::event::Field::cell(&self.#idents)),*])
                }
            }
        };
    }
}

/// The implementation for a record with errors, so that code that names it has no further errors.
fn broken(input: &DeriveInput, krate: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    quote! {
        #[automatically_derived]
        impl #krate::event::Field for #ident {
            type Row = ();
            type Optional = ();
            fn cell(&self) -> #krate::event::Cell<'_> { #krate::event::Cell::None }
        }
    }
}
