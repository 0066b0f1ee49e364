//! What the fields of events and records are called, in Rust and in the language.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::Token;
use syn::parse::{Parse, ParseStream};

use crate::definition_tokens::{keyword, parsed, string};

/// What the fields of a record are called.
#[derive(Debug, Clone)]
pub(crate) struct RecordNames {
    pub(crate) ident: Ident,
    pub(crate) fields: Vec<FieldName>,
}

/// A field of an event or a record.
#[derive(Debug, Clone)]
pub(crate) struct FieldName {
    pub(crate) ident: Ident,
    /// Its name in the language.
    pub(crate) name: String,
    /// The record that it is, or that it is a list of.
    pub(crate) record: Option<Ident>,
}

impl ToTokens for RecordNames {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let RecordNames { ident, fields } = self;
        tokens.extend(quote!(record #ident (#(#fields),*)));
    }
}

impl ToTokens for FieldName {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let FieldName { ident, name, record } = self;
        tokens.extend(quote!(#ident = #name #record));
    }
}

impl Parse for RecordNames {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<keyword::record>()?;
        Ok(RecordNames { ident: input.parse()?, fields: parsed(input)? })
    }
}

impl Parse for FieldName {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ident: Ident = input.call(syn::ext::IdentExt::parse_any)?;
        input.parse::<Token![=]>()?;
        let name = string(input)?;
        let record = if input.is_empty() || input.peek(Token![,]) { None } else { Some(input.parse()?) };
        Ok(FieldName { ident, name, record })
    }
}
