//! What definitions consist of as tokens: keywords, texts and lists.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{LitStr, Token, parenthesized};

pub(crate) mod keyword {
    syn::custom_keyword!(event);
    syn::custom_keyword!(import);
    syn::custom_keyword!(metric);
    syn::custom_keyword!(record);
    syn::custom_keyword!(table);
}

/// `(…, …)`
pub(crate) fn parsed<T: Parse>(input: ParseStream<'_>) -> syn::Result<Vec<T>> {
    let items;
    parenthesized!(items in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&items)?.into_iter().collect())
}

pub(crate) fn string(input: ParseStream<'_>) -> syn::Result<String> {
    Ok(input.parse::<LitStr>()?.value())
}
