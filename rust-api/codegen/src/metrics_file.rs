//! `metrics!("payments.metric")`: the sources of a `.metric` file as structs, its metrics as definitions.

use std::path::{Path, PathBuf};

use metricc_dsl::{Checked, Files, Severity, SourceText, check, check_with, render};
use metricc_ir::{Field, Kind, Package, Source, plain_file};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{LitStr, Token, Visibility};

use crate::definition::{FileContent, UsedFile};
use crate::metric_items::{MetricItems, docs, metric_items, scalar_type, variant_name};
use crate::names::{pascal_case, rust_name};
use crate::problem::Problems;

struct Input {
    path: LitStr,
    krate: Option<syn::Path>,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let path = input.parse()?;
        let mut krate = None;
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            krate = Some(input.call(syn::Path::parse_mod_style)?);
        }
        Ok(Input { path, krate })
    }
}

/// The files in a folder, which `use` finds there.
struct Folder<'a>(&'a Path);

impl Files for Folder<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        plain_file::read(&self.0.join(name), plain_file::MOST_TABLE).map_err(|error| error.to_string())
    }
}

/// The file beside the one that names it, or in the folder of the crate's `Cargo.toml`.
pub(crate) fn located(given: &str, caller: Option<&Path>) -> PathBuf {
    let given = PathBuf::from(given);
    let beside = caller.and_then(|file| Some(file.parent()?.join(&given)));
    if let Some(beside) = beside.and_then(|path| path.canonicalize().ok()) {
        return beside;
    }
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    folder.join(given)
}

/// Expands `metrics!("file.metric")`. The path is relative to the file that names it, or to the folder of the
/// crate's `Cargo.toml`; `caller` is that file, if the compiler knows it.
pub fn metrics(input: TokenStream, caller: Option<&Path>) -> TokenStream {
    let input = match syn::parse2::<Input>(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let path = located(&input.path.value(), caller);
    let bytes = match plain_file::read(&path, plain_file::MOST_TEXT) {
        Ok(bytes) => bytes,
        Err(error) => {
            let mut problems = Problems::default();
            let help =
                "help: the path is relative to this file, or to the folder of the crate's `Cargo.toml`";
            problems.push(input.path.span(), &format!("`{}`: {error}\n\n{help}", input.path.value()));
            return quote!(#problems);
        }
    };
    let krate = input.krate.as_ref().map_or_else(|| quote!(::metricc), |path| quote!(#path));
    package(&path, &input.path, bytes, &krate)
}

fn package(path: &Path, literal: &LitStr, bytes: Vec<u8>, krate: &TokenStream) -> TokenStream {
    let shown = path.display().to_string();
    let text = SourceText { name: literal.value(), bytes };
    let folder = Folder(path.parent().unwrap_or(Path::new("")));
    let checked = check_with(&text, &folder);
    // The compiler rebuilds when a file changes.
    let used = checked.used.iter().map(|used| folder.0.join(&used.name));
    let used = used.filter(|path| path.exists()).map(|path| path.display().to_string());
    let tracked = quote!(
        const _: &[u8] = ::core::include_bytes!(#shown);
        #(const _: &[u8] = ::core::include_bytes!(#used);)*
    );
    if checked.has_errors() {
        let mut problems = Problems::default();
        problems.push(literal.span(), &rendered(&checked, &text));
        return quote!(#problems #tracked);
    }
    let text = String::from_utf8_lossy(&text.bytes).into_owned();
    let origin = format!("`metrics!` from `{}`", literal.value());
    let sources = checked
        .package
        .sources
        .iter()
        .map(|source| source_items(source, &defining(source, &text, &checked.used), &origin, krate));
    let files = checked.used.iter().map(|used| UsedFile {
        name: used.name.clone(),
        content: FileContent::Path(folder.0.join(&used.name).display().to_string()),
    });
    let metrics = items_of_metrics(&checked.package, &text, &files.collect::<Vec<_>>(), &origin, krate);
    quote!(#tracked #(#sources)* #metrics)
}

/// All errors of a file, each with its position.
fn rendered(checked: &Checked, text: &SourceText) -> String {
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let errors: Vec<_> = errors.cloned().collect();
    format!("`{}` has errors\n\n{}", text.name, render::full(&errors, text, false, 0))
}

/// The text that defines a source: that of the file, or of one that it uses.
fn defining(source: &Source, text: &str, used: &[SourceText]) -> String {
    let defines = |text: &SourceText| check(text).package.sources.iter().any(|known| **known == *source);
    let this = SourceText { name: String::new(), bytes: text.into() };
    let packages = used.iter().filter(|used| used.name.ends_with(".metric"));
    let defining = std::iter::once(&this).chain(packages).find(|text| defines(text));
    String::from_utf8_lossy(&defining.unwrap_or(&this).bytes).into_owned()
}

fn items_of_metrics(
    package: &Package,
    text: &str,
    files: &[UsedFile],
    origin: &str,
    krate: &TokenStream,
) -> TokenStream {
    let visibility: Visibility = syn::parse_quote!(pub);
    // What a file imports must be in scope at the macro call: a function by its name, an aggregate as a type.
    let brought = package.imports.iter().map(|import| match import.is_aggregate {
        true => {
            let ident = format_ident!("{}", pascal_case(&import.name));
            quote!(.aggregate(#ident))
        }
        false => {
            let ident = rust_name(&import.name);
            quote!(.function(#ident::Import))
        }
    });
    let imports = quote!(#krate::user_defined::Imports::new() #(#brought)*);
    let items = package.all_metrics().map(|metric| {
        let row = metric.row_type();
        let name = rust_name(&row.name);
        // Over several sources there is no one log to run it on.
        let event = match metric.only_source() {
            Some(source) => format_ident!("{}", pascal_case(&source.name)).to_token_stream(),
            None => quote!(()),
        };
        let docs: Vec<&str> = row.doc.lines().collect();
        let docs = docs.iter().map(|line| format!(" {line}"));
        let docs: Vec<syn::Attribute> = docs.map(|line| syn::parse_quote!(#[doc = #line])).collect();
        metric_items(&MetricItems {
            name: &name,
            visibility: &visibility,
            attributes: &docs,
            event: &event,
            metric: Some((&metric, text)),
            files,
            imports: &imports,
            origin,
            krate,
        })
    });
    quote!(#(#items)*)
}

/// The struct of a source, with an enum for each field of that type.
fn source_items(source: &Source, text: &str, origin: &str, krate: &TokenStream) -> TokenStream {
    let ident = format_ident!("{}", pascal_case(&source.name));
    let mut enums = Vec::new();
    let mut fields = Vec::new();
    let mut names = Vec::new();
    for field in &source.fields {
        let name = rust_name(&field.name);
        let ty = field_type(&pascal_case(&source.name), field, &mut enums, krate);
        let doc = if field.doc.is_empty() {
            format!("`{}`, of type `{}`.", field.name, field.ty)
        } else {
            field.doc.clone()
        };
        let doc = docs(&doc);
        fields.push(quote!(#doc pub #name: #ty));
        names.push(name);
    }
    let (name, doc) = (&source.name, &source.doc);
    let about = format!("An event of the source `{name}`.\n\nGenerated by {origin}.");
    let about = docs(&if doc.is_empty() { about } else { format!("{doc}\n\n{about}") });
    quote! {
        #(#enums)*
        #about
        #[derive(Debug, Clone, PartialEq)]
        pub struct #ident { #(#fields),* }

        #[automatically_derived]
        impl #krate::Event for #ident {
            type Row = ();
            const NAME: &'static str = #name;
            const SOURCE: &'static str = #text;
            fn cells<'a>(&'a self, cells: &mut ::std::vec::Vec<#krate::event::Cell<'a>>) {
                #(cells.push(#krate::event::Field::cell(&self.#names));)*
            }
        }
    }
}

/// `owner` is the type that the field is in; enums and records of it are named after both.
fn field_type(owner: &str, field: &Field, enums: &mut Vec<TokenStream>, krate: &TokenStream) -> TokenStream {
    let rust = kind_type(owner, field, &field.ty.kind, enums, krate);
    // Without a value, a field with a default has that.
    if field.ty.optional || field.default.is_some() { quote!(::core::option::Option<#rust>) } else { rust }
}

fn kind_type(
    owner: &str,
    field: &Field,
    kind: &Kind,
    enums: &mut Vec<TokenStream>,
    krate: &TokenStream,
) -> TokenStream {
    match kind {
        Kind::Enum(names) => {
            let ident = format_ident!("{}{}", owner, pascal_case(&field.name));
            enums.push(enumeration(&ident, &field.name, names, krate));
            quote!(#ident)
        }
        Kind::List(element) => {
            let inner = kind_type(owner, field, &element.kind, enums, krate);
            if element.optional {
                quote!(::std::vec::Vec<::core::option::Option<#inner>>)
            } else {
                quote!(::std::vec::Vec<#inner>)
            }
        }
        Kind::Record(_) => {
            let ident = format_ident!("{}{}", owner, pascal_case(&field.name));
            let item = record(&ident, field, enums, krate);
            enums.push(item);
            quote!(#ident)
        }
        kind => scalar_type(kind, krate),
    }
}

/// The struct of the records of a field.
fn record(ident: &Ident, of: &Field, items: &mut Vec<TokenStream>, krate: &TokenStream) -> TokenStream {
    let names: Vec<Ident> = of.fields.iter().map(|field| rust_name(&field.name)).collect();
    let owner = ident.to_string();
    let types: Vec<TokenStream> =
        of.fields.iter().map(|field| field_type(&owner, field, items, krate)).collect();
    let lines = of.fields.iter().map(|field| docs(&format!("`{}`, of type `{}`.", field.name, field.ty)));
    let doc = docs(&format!("A record of `{}`.", of.name));
    quote! {
        #doc
        #[derive(Debug, Clone, PartialEq)]
        pub struct #ident { #(#lines pub #names: #types),* }

        #[automatically_derived]
        impl #krate::event::Field for #ident {
            type Row = ();
            type Optional = ();
            fn cell(&self) -> #krate::event::Cell<'_> {
                #krate::event::Cell::Record(::std::vec![#(#krate::event::Field::cell(&self.#names)),*])
            }
        }
    }
}

fn enumeration(ident: &Ident, field: &str, names: &[String], krate: &TokenStream) -> TokenStream {
    let variants: Vec<Ident> =
        names.iter().enumerate().map(|(place, name)| variant_name(name, place)).collect();
    let named = names.iter().map(|name| docs(&format!("`{name}`")));
    let places = 0..names.len() as i32;
    let doc = docs(&format!("The values of `{field}`, in their order."));
    quote! {
        #doc
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum #ident { #(#named #variants),* }

        #[automatically_derived]
        impl #krate::event::Field for #ident {
            type Row = #krate::row::Choice<#ident>;
            type Optional = #krate::row::Opt<Self::Row>;
            fn cell(&self) -> #krate::event::Cell<'_> {
                #krate::event::Cell::Enum(match self { #(#ident::#variants => #places),* })
            }
        }
    }
}
