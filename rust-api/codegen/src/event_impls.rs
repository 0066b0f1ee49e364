//! What `#[derive(Event)]` generates: `Field` for an enum, `Event` for a struct.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{DeriveInput, Fields};

use crate::attributes::{FieldAttributes, TypeAttributes, doc_lines};
use crate::definition::{EnumDefinition, ItemDefinition, export};
use crate::names::snake_case;
use crate::problem::Problems;
use crate::struct_field::StructField;

pub(crate) fn of_enum(
    input: &DeriveInput,
    data: &syn::DataEnum,
    attributes: &TypeAttributes,
    place: &str,
    problems: &mut Problems,
) -> TokenStream {
    if let Some(span) = attributes.record {
        problems.push(span, "an enum is no record\n\nhelp: it is the type of fields as it is");
    }
    if let Some(name) = &attributes.name {
        problems.push(name.span(), "an enum has no name in the language: it is not a source");
    }
    let mut variants = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            problems.push_on(
                &variant.fields,
                "variants of an event's enum cannot have fields\n\nhelp: give the event a field for it",
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
    let definition = ItemDefinition::Enum(EnumDefinition { ident: ident.clone(), variants });
    let export = export(ident, &input.vis, place, &definition);
    quote! {
        #[automatically_derived]
        impl #krate::event::Field for #ident {
            type Row = #krate::row::Choice<#ident>;
            type Optional = #krate::row::Opt<Self::Row>;
            fn cell(&self) -> #krate::event::Cell<'_> {
                #krate::event::Cell::Enum(#body)
            }
        }
        #export
    }
}

pub(crate) fn implementation(
    input: &DeriveInput,
    name: &str,
    text: &str,
    fields: &[StructField<'_>],
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

/// The implementation for an event with errors, so that code that names it has no further errors. Such a
/// crate never runs.
pub(crate) fn broken(ident: &Ident, krate: &TokenStream) -> TokenStream {
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
