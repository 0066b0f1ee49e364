//! `#[derive(Table)]`: a struct is the row of a table whose rows are in a CSV file.

use std::path::{Path, PathBuf};

use metricc_dsl::Files;
use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::attributes::{TypeAttributes, doc_lines};
use crate::definition::{EnumDefinition, FileContent, ItemDefinition, TableDefinition, UsedFile, export};
use crate::field_types::FieldType;
use crate::language_text::LanguageText;
use crate::metrics_file::located;
use crate::problem::Problems;
use crate::struct_field::StructField;

/// The files of the tables that a definition looks up.
pub(crate) struct TableFiles(pub(crate) Vec<UsedFile>);

impl TableFiles {
    pub(crate) fn of<'a>(tables: impl IntoIterator<Item = &'a TableDefinition>) -> Self {
        let mut files: Vec<UsedFile> = Vec::new();
        for table in tables {
            let file = UsedFile {
                name: format!("{}.csv", table.name),
                content: FileContent::Path(table.path.clone()),
            };
            if !files.contains(&file) {
                files.push(file);
            }
        }
        TableFiles(files)
    }
}

impl Files for TableFiles {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let file = self.0.iter().find(|file| file.name == name);
        file.ok_or_else(|| "there is no such file".to_owned())?.read()
    }
}

/// A struct with its parsed fields.
pub(crate) struct TableStruct<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) name: String,
    pub(crate) attributes: &'a TypeAttributes,
    /// The `table` item.
    pub(crate) text: LanguageText,
    pub(crate) fields: &'a [StructField<'a>],
    pub(crate) enums: Vec<EnumDefinition>,
    pub(crate) place: &'a str,
}

impl TableStruct<'_> {
    /// The items of the struct; its rows are checked.
    pub(crate) fn items(self, caller: Option<&Path>, problems: &mut Problems) -> TokenStream {
        let TableStruct { input, name, attributes, text, fields, enums, place } = self;
        let krate = attributes.krate();
        let file = attributes.file.as_ref().map_or_else(|| format!("{name}.csv"), syn::LitStr::value);
        let ident = &input.ident;
        let path: PathBuf = located(&file, caller);
        let fields_of = fields.iter().filter_map(|field| Some((field.field.ident.clone()?, field.name())));
        let mut definition = TableDefinition {
            ident: ident.clone(),
            name: name.clone(),
            text: text.as_str().to_owned(),
            path: path.display().to_string(),
            fields: fields_of.collect(),
            enums,
        };
        if problems.is_empty() {
            text.check(&ident.to_string(), &TableFiles::of([&definition]), problems);
        }
        // The compiler rebuilds when the file changes.
        let tracked = path.exists().then(|| path.display().to_string());
        let tracked = tracked.map(|path| {
            quote!(
                const _: &[u8] = ::core::include_bytes!(#path);
            )
        });
        let implementation = if problems.is_empty() {
            implementation(input, &name, text.as_str(), fields, &krate)
        } else {
            // Metrics that look it up report no further errors.
            definition.text = String::new();
            quote! {
                #[automatically_derived]
                impl #krate::Table for #ident {
                    type Row = ();
                    const NAME: &'static str = "";
                    const TABLE: &'static str = "";
                }
            }
        };
        let export = export(ident, &input.vis, place, &ItemDefinition::Table(definition));
        quote!(#tracked #implementation #export)
    }
}

fn implementation(
    input: &DeriveInput,
    name: &str,
    text: &str,
    fields: &[StructField<'_>],
    krate: &TokenStream,
) -> TokenStream {
    let ident = &input.ident;
    let row = quote::format_ident!("{}Row", ident);
    let columns = fields.iter().map(|field| {
        let lines = doc_lines(&field.field.attrs);
        let (name, ty) = (&field.field.ident, &field.field.ty);
        // There may be no row of the key.
        let ty = match field.ty {
            FieldType::Optional(_) => quote!(#ty),
            _ => quote!(::core::option::Option<#ty>),
        };
        quote!(#(#[doc = #lines])* pub #name: <#ty as #krate::event::Field>::Row)
    });
    let row_doc =
        format!("A row of `{name}` in a closure of a metric: its columns as the language sees them.");
    let types = fields.iter().map(|field| &field.field.ty);
    let names = fields.iter().filter_map(|field| field.field.ident.as_ref());
    quote! {
        const _: () = {
            #[doc = #row_doc]
            #[derive(Clone, Copy)]
            #[allow(dead_code, missing_docs)]
            pub struct #row { #(#columns),* }

            #[automatically_derived]
            impl #krate::Table for #ident {
                type Row = #row;
                const NAME: &'static str = #name;
                const TABLE: &'static str = #text;
            }

            // The rows are in the file: nothing else may read the fields.
            #[allow(dead_code)]
            fn read(row: &#ident) -> (#(&#types,)*) { (#(&row.#names,)*) }
        };
    }
}
