//! Definitions that one macro exports to macros that are expanded later.
//!
//! A macro sees tokens, not types. So `#[derive(Event)]` also defines a `macro_rules!` with the type's own
//! name; another macro calls that with the path of a macro to call back and tokens to pass through:
//!
//! `Payment! { [::metricc::__private::metric_stage] anything }` becomes
//! `::metricc::__private::metric_stage! { { the definition } anything }`.
//!
//! Types and macros have separate namespaces, so importing the type imports the macro as well.

use std::path::Path;

use metricc_ir::plain_file;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{LitStr, Token, Visibility, braced, parenthesized};

use crate::definition_tokens::{keyword, parsed, string};
use crate::field_names::{FieldName, RecordNames};

/// An exported definition.
#[derive(Debug, Clone)]
pub(crate) enum ItemDefinition {
    /// A struct: a source.
    Event(EventDefinition),
    /// An enum: the type of fields.
    Enum(EnumDefinition),
    /// A struct with `#[event(record)]`: the type of fields.
    Record(RecordDefinition),
    /// A function or an aggregate.
    Import(ImportDefinition),
    /// A struct: the row of a table.
    Table(TableDefinition),
    /// A function with `#[metric]`.
    Metric(MetricDefinition),
}

/// A metric that derived metrics read.
#[derive(Debug, Clone)]
pub(crate) struct MetricDefinition {
    /// Its name in the language.
    pub(crate) name: String,
    /// Its package; empty if it has errors.
    pub(crate) text: String,
    /// The files that the package uses.
    pub(crate) files: Vec<UsedFile>,
    /// How far it is visible: see [`reach`].
    pub(crate) reach: u8,
}

/// A file that a package uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsedFile {
    pub(crate) name: String,
    pub(crate) content: FileContent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileContent {
    Text(String),
    /// Its path: large contents are not passed from macro to macro.
    Path(String),
}

impl UsedFile {
    pub(crate) fn read(&self) -> Result<Vec<u8>, String> {
        match &self.content {
            FileContent::Text(text) => Ok(text.clone().into_bytes()),
            FileContent::Path(path) => {
                plain_file::read(Path::new(path), plain_file::MOST_TABLE).map_err(|error| {
                    match error.kind() {
                        std::io::ErrorKind::NotFound => {
                            "there is no such file beside this one or beside the crate's `Cargo.toml`"
                                .to_owned()
                        }
                        _ => error.to_string(),
                    }
                })
            }
        }
    }

    /// The text as a Rust expression. `include_str!` makes the compiler rebuild when a file changes.
    pub(crate) fn expression(&self) -> TokenStream {
        match &self.content {
            FileContent::Text(text) => quote!(#text),
            FileContent::Path(path) => quote!(::core::include_str!(#path)),
        }
    }
}

impl ToTokens for UsedFile {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let name = &self.name;
        tokens.extend(match &self.content {
            FileContent::Text(text) => quote!(#name text #text),
            FileContent::Path(path) => quote!(#name path #path),
        });
    }
}

impl Parse for UsedFile {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = string(input)?;
        let is_path = input.parse::<Ident>()? == "path";
        let content = string(input)?;
        let content = if is_path { FileContent::Path(content) } else { FileContent::Text(content) };
        Ok(UsedFile { name, content })
    }
}

/// How far an item is visible: 0 in its module, 3 everywhere.
pub(crate) fn reach(visibility: &Visibility) -> u8 {
    match visibility {
        Visibility::Inherited => 0,
        Visibility::Restricted(restricted) if restricted.path.is_ident("crate") => 2,
        Visibility::Restricted(restricted) if restricted.path.is_ident("self") => 0,
        Visibility::Restricted(_) => 1,
        Visibility::Public(_) => 3,
    }
}

/// A struct that derives `Table`.
#[derive(Debug, Clone)]
pub(crate) struct TableDefinition {
    pub(crate) ident: Ident,
    /// Name of the table.
    pub(crate) name: String,
    /// The `table` item; empty if it has errors.
    pub(crate) text: String,
    /// The path of its rows.
    pub(crate) path: String,
    /// Rust name and language name of each field.
    pub(crate) fields: Vec<(Ident, String)>,
    pub(crate) enums: Vec<EnumDefinition>,
}

/// A function with `#[scalar]`, or a type with `#[monoid]`.
#[derive(Debug, Clone)]
pub(crate) struct ImportDefinition {
    /// Its name in Rust.
    pub(crate) ident: Ident,
    /// Its name in the language.
    pub(crate) name: String,
    pub(crate) is_aggregate: bool,
    /// The `import` item.
    pub(crate) text: String,
}

/// A struct that derives `Event`.
#[derive(Debug, Clone)]
pub(crate) struct EventDefinition {
    pub(crate) ident: Ident,
    /// Name of the source.
    pub(crate) name: String,
    /// The `source` item.
    pub(crate) text: String,
    pub(crate) fields: Vec<FieldName>,
    /// The enums of its fields, and of those of its records.
    pub(crate) enums: Vec<EnumDefinition>,
    /// The records of its fields, and of those of these records.
    pub(crate) records: Vec<RecordNames>,
}

/// A struct that derives `Event` with `#[event(record)]`.
#[derive(Debug, Clone)]
pub(crate) struct RecordDefinition {
    pub(crate) names: RecordNames,
    /// The type in the language, in its braces; empty if it has errors.
    pub(crate) text: String,
    pub(crate) enums: Vec<EnumDefinition>,
    pub(crate) records: Vec<RecordNames>,
}

/// An enum that derives `Event`.
#[derive(Debug, Clone)]
pub(crate) struct EnumDefinition {
    pub(crate) ident: Ident,
    /// Rust name and language name of each variant, in order.
    pub(crate) variants: Vec<(Ident, String)>,
}

impl EventDefinition {
    /// A field by its name in Rust.
    pub(crate) fn field(&self, ident: &Ident) -> Option<&FieldName> {
        self.fields.iter().find(|field| field.ident == *ident)
    }

    /// A field of a record.
    pub(crate) fn field_of(&self, record: &Ident, ident: &Ident) -> Option<&FieldName> {
        let record = self.records.iter().find(|known| known.ident == *record)?;
        record.fields.iter().find(|field| field.ident == *ident)
    }
}

impl ItemDefinition {
    /// The name of an enum or record.
    pub(crate) fn field_type(&self) -> Option<&Ident> {
        match self {
            ItemDefinition::Enum(known) => Some(&known.ident),
            ItemDefinition::Record(known) => Some(&known.names.ident),
            _ => None,
        }
    }
}

impl ToTokens for ItemDefinition {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            ItemDefinition::Enum(definition) => quote!(#definition),
            ItemDefinition::Import(ImportDefinition { ident, name, is_aggregate, text }) => {
                quote!(import #ident #name #is_aggregate #text)
            }
            ItemDefinition::Metric(MetricDefinition { name, text, files, reach }) => {
                quote!(metric #name #text (#(#files),*) #reach)
            }
            ItemDefinition::Table(TableDefinition { ident, name, text, path, fields, enums }) => {
                let fields = fields.iter().map(|(ident, name)| quote!(#ident = #name));
                quote!(table #ident #name #text #path (#(#fields),*) (#(#enums),*))
            }
            ItemDefinition::Event(EventDefinition { ident, name, text, fields, enums, records }) => {
                let records = (!records.is_empty()).then(|| quote!((#(#records),*)));
                quote!(event #ident #name #text (#(#fields),*) (#(#enums),*) #records)
            }
            ItemDefinition::Record(RecordDefinition { names, text, enums, records }) => {
                quote!(#names #text (#(#enums),*) (#(#records),*))
            }
        });
    }
}

impl ToTokens for EnumDefinition {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let EnumDefinition { ident, variants } = self;
        let variants = variants.iter().map(|(ident, name)| quote!(#ident = #name));
        tokens.extend(quote!(enum #ident (#(#variants),*)));
    }
}

impl Parse for ItemDefinition {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![enum]) {
            return input.parse().map(ItemDefinition::Enum);
        }
        if input.peek(keyword::import) {
            input.parse::<keyword::import>()?;
            let ident = input.call(syn::ext::IdentExt::parse_any)?;
            let (name, is_aggregate) =
                (input.parse::<LitStr>()?.value(), input.parse::<syn::LitBool>()?.value());
            let text = input.parse::<LitStr>()?.value();
            return Ok(ItemDefinition::Import(ImportDefinition { ident, name, is_aggregate, text }));
        }
        if input.peek(keyword::metric) {
            input.parse::<keyword::metric>()?;
            let (name, text) = (string(input)?, string(input)?);
            let files;
            parenthesized!(files in input);
            let files = Punctuated::<UsedFile, Token![,]>::parse_terminated(&files)?.into_iter().collect();
            let reach = input.parse::<syn::LitInt>()?.base10_parse()?;
            return Ok(ItemDefinition::Metric(MetricDefinition { name, text, files, reach }));
        }
        if input.peek(keyword::table) {
            input.parse::<keyword::table>()?;
            let (ident, name, text) = (input.parse()?, string(input)?, string(input)?);
            let path = string(input)?;
            let (fields, enums) = (names(input)?, enumerations(input)?);
            return Ok(ItemDefinition::Table(TableDefinition { ident, name, text, path, fields, enums }));
        }
        if input.peek(keyword::record) {
            let (names, text) = (input.parse()?, string(input)?);
            let (enums, records) = (enumerations(input)?, parsed(input)?);
            return Ok(ItemDefinition::Record(RecordDefinition { names, text, enums, records }));
        }
        input.parse::<keyword::event>()?;
        let (ident, name, text) = (input.parse()?, string(input)?, string(input)?);
        let (fields, enums) = (parsed(input)?, enumerations(input)?);
        let records = if input.peek(syn::token::Paren) { parsed(input)? } else { Vec::new() };
        Ok(ItemDefinition::Event(EventDefinition { ident, name, text, fields, enums, records }))
    }
}

fn enumerations(input: ParseStream<'_>) -> syn::Result<Vec<EnumDefinition>> {
    parsed(input)
}

impl Parse for EnumDefinition {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<Token![enum]>()?;
        Ok(EnumDefinition { ident: input.parse()?, variants: names(input)? })
    }
}

/// `(a = "x", b = "y")`
fn names(input: ParseStream<'_>) -> syn::Result<Vec<(Ident, String)>> {
    let names;
    parenthesized!(names in input);
    let one = |input: ParseStream<'_>| {
        let ident: Ident = input.call(syn::ext::IdentExt::parse_any)?;
        input.parse::<Token![=]>()?;
        Ok((ident, input.parse::<LitStr>()?.value()))
    };
    Ok(Punctuated::<_, Token![,]>::parse_terminated_with(&names, one)?.into_iter().collect())
}

/// The input of a macro that is called back: definitions in braces, then the tokens passed through.
pub(crate) struct Called {
    pub(crate) definitions: Vec<ItemDefinition>,
    pub(crate) rest: TokenStream,
}

impl Parse for Called {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut definitions = Vec::new();
        while input.peek(syn::token::Brace) {
            let definition;
            braced!(definition in input);
            definitions.push(definition.parse()?);
        }
        Ok(Called { definitions, rest: input.parse()? })
    }
}

/// The macro that returns the definition of `ident`. `place` makes its name unique: the macro of a public
/// type is visible to other crates, and stands at the root of its crate, where types of one name would
/// collide.
pub(crate) fn export(
    ident: &Ident,
    visibility: &Visibility,
    place: &str,
    definition: &ItemDefinition,
) -> TokenStream {
    let name = format_ident!("__metricc_definition_of_{}_{}", ident, place, span = Span::call_site());
    let exported = matches!(visibility, Visibility::Public(_)).then(|| quote!(#[macro_export]));
    quote! {
        #[doc(hidden)]
        #[allow(unused_macros)]
        #exported
        macro_rules! #name {
            ([$($callback:tt)*] $($rest:tt)*) => { $($callback)* ! { { #definition } $($rest)* } };
        }
        #[doc(hidden)]
        #[allow(unused_imports)]
        #visibility use #name as #ident;
    }
}
