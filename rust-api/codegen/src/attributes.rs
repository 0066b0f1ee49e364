//! The attributes `#[event(…)]` and `#[table(…)]` on types, fields and variants.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Path, UnOp};

use crate::language_text::string_literal;
use crate::problem::Problems;

/// An `#[event(…)]` on a struct or an enum, or a `#[table(…)]` on a struct.
#[derive(Debug, Default)]
pub(crate) struct TypeAttributes {
    pub(crate) name: Option<LitStr>,
    /// Of a table: the file with its rows.
    pub(crate) file: Option<LitStr>,
    pub(crate) krate: Option<Path>,
    pub(crate) debug: bool,
}

/// An `#[event(…)]` on a field or a variant, or a `#[table(…)]` on a field.
#[derive(Debug, Default)]
pub(crate) struct FieldAttributes {
    pub(crate) key: Option<Span>,
    pub(crate) time: Option<Span>,
    pub(crate) rename: Option<LitStr>,
    /// Text of the language, and its token.
    pub(crate) default: Option<(String, Span)>,
    pub(crate) decimal: Option<(u8, u8, Span)>,
    pub(crate) zone: Option<LitStr>,
}

impl TypeAttributes {
    pub(crate) fn of(attributes: &[Attribute], word: &'static str, problems: &mut Problems) -> Self {
        let mut found = TypeAttributes::default();
        parse(attributes, word, problems, |meta| match name_of(&meta).as_str() {
            "name" => set(&mut found.name, &meta),
            "file" if word == "table" => set(&mut found.file, &meta),
            "crate" => set_path(&mut found.krate, &meta),
            "debug" => {
                found.debug = true;
                Ok(())
            }
            other => {
                let all = ["name = \"…\"", "crate = path", "debug", "file = \"…\""];
                let known = if word == "table" { &all[..] } else { &all[..3] };
                Err(meta.error(unknown(word, other, known)))
            }
        });
        found
    }

    /// The path by which the generated code finds `metricc`.
    pub(crate) fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::metricc), |path| quote!(#path))
    }
}

impl FieldAttributes {
    pub(crate) fn of_field(attributes: &[Attribute], word: &'static str, problems: &mut Problems) -> Self {
        let mut found = FieldAttributes::default();
        parse(attributes, word, problems, |meta| match name_of(&meta).as_str() {
            "key" => mark(&mut found.key, &meta),
            "time" if word == "event" => mark(&mut found.time, &meta),
            "rename" => set(&mut found.rename, &meta),
            "zone" if word == "event" => set(&mut found.zone, &meta),
            "default" if word == "event" => {
                let value: Expr = meta.value()?.parse()?;
                found.default = Some(default(&value)?);
                Ok(())
            }
            "decimal" => {
                let content;
                syn::parenthesized!(content in meta.input);
                let precision: syn::LitInt = content.parse()?;
                content.parse::<syn::Token![,]>()?;
                let scale: syn::LitInt = content.parse()?;
                found.decimal = Some((
                    precision.base10_parse()?,
                    scale.base10_parse()?,
                    meta.path.segments[0].ident.span(),
                ));
                Ok(())
            }
            other => {
                let all = ["key", "rename = \"…\"", "decimal(p, s)", "time", "default = …", "zone = \"…\""];
                Err(meta.error(unknown(word, other, if word == "table" { &all[..3] } else { &all })))
            }
        });
        found
    }

    pub(crate) fn of_variant(attributes: &[Attribute], problems: &mut Problems) -> Self {
        let mut found = FieldAttributes::default();
        parse(attributes, "event", problems, |meta| match name_of(&meta).as_str() {
            "rename" => set(&mut found.rename, &meta),
            other => Err(meta.error(unknown("event", other, &["rename = \"…\""]))),
        });
        found
    }
}

fn parse(
    attributes: &[Attribute],
    word: &str,
    problems: &mut Problems,
    mut one: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(word)) {
        if let Err(error) = attribute.parse_nested_meta(&mut one) {
            problems.push_syn(&error);
        }
    }
}

fn name_of(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(Ident::to_string).unwrap_or_default()
}

fn set(to: &mut Option<LitStr>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    *to = Some(meta.value()?.parse()?);
    Ok(())
}

fn set_path(to: &mut Option<Path>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    *to = Some(meta.value()?.call(Path::parse_mod_style)?);
    Ok(())
}

fn mark(to: &mut Option<Span>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    *to = Some(meta.path.segments[0].ident.span());
    Ok(())
}

fn unknown(word: &str, found: &str, known: &[&str]) -> String {
    let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    format!("unknown setting `{found}` of `#[{word}]`\n\nhelp: settings are {}", known.join(", "))
}

/// A default as text of the language.
fn default(value: &Expr) -> syn::Result<(String, Span)> {
    let problem = "a default is a literal\n\nhelp: write a string, a number, `true` or `false`";
    match value {
        Expr::Lit(ExprLit { lit, .. }) => {
            let text = match lit {
                Lit::Str(text) => string_literal(&text.value()),
                Lit::Bool(value) => value.value.to_string(),
                Lit::Int(number) => number.base10_digits().to_owned(),
                Lit::Float(number) => number.base10_digits().to_owned(),
                _ => return Err(syn::Error::new_spanned(value, problem)),
            };
            Ok((text, lit.span()))
        }
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => {
            let (text, span) = default(&negated.expr)?;
            Ok((format!("-{text}"), span))
        }
        _ => Err(syn::Error::new_spanned(value, problem)),
    }
}

/// The text of the `///` lines, one line each.
pub(crate) fn doc_lines(attributes: &[Attribute]) -> Vec<String> {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    lines.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}
