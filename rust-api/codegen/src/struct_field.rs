//! What a struct stands for, and its fields with their attributes and types.

use std::path::Path;

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

use crate::attributes::FieldAttributes;
use crate::field_types::FieldType;

/// What a struct stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role<'a> {
    /// A source.
    Event,
    /// The rows of a table; the file with the rows is beside the calling file, or beside the crate's
    /// `Cargo.toml`.
    Table(Option<&'a Path>),
}

impl Role<'_> {
    /// The name of its attribute.
    pub(crate) fn attribute(self) -> &'static str {
        if let Role::Event = self { "event" } else { "table" }
    }

    /// The keyword of its item in the language.
    pub(crate) fn item(self) -> &'static str {
        if let Role::Event = self { "source" } else { "table" }
    }

    /// The macro that is called back with definitions.
    pub(crate) fn stage(self) -> Ident {
        quote::format_ident!("{}_stage", self.attribute())
    }
}

/// A field of the struct.
pub(crate) struct StructField<'a> {
    pub(crate) field: &'a syn::Field,
    pub(crate) attributes: FieldAttributes,
    pub(crate) ty: FieldType,
    pub(crate) role: Role<'a>,
}

impl StructField<'_> {
    /// The field's name in the language.
    pub(crate) fn name(&self) -> String {
        let own = || self.field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
        self.attributes.rename.as_ref().map_or_else(own, syn::LitStr::value)
    }
}
