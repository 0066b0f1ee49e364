//! Names of the language as Rust names, and the reverse.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt as _;

/// A field of this name; a keyword becomes a raw name, and what cannot be raw gets a `_`.
pub(crate) fn rust_name(name: &str) -> Ident {
    match syn::parse_str::<Ident>(name) {
        Ok(_) => Ident::new(name, Span::call_site()),
        Err(_) if matches!(name, "self" | "super" | "crate" | "Self" | "_") => {
            Ident::new(&format!("{name}_"), Span::call_site())
        }
        Err(_) => Ident::new_raw(name, Span::call_site()),
    }
}

/// `payment_method` and `payment-method` as `PaymentMethod`.
pub(crate) fn pascal_case(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let capitalised = words.filter(|word| !word.is_empty()).map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    capitalised.collect()
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
