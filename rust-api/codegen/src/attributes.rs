//! The attributes `#[event(…)]` and `#[table(…)]` on types, fields and variants.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Path, Token, UnOp};

use crate::language_text::string_literal;
use crate::problem::Problems;

/// An `#[event(…)]` on a struct or an enum, or a `#[table(…)]` on a struct.
#[derive(Debug, Default)]
pub(crate) struct TypeAttributes {
    pub(crate) name: Option<LitStr>,
    /// Of a table: the file with its rows.
    pub(crate) file: Option<LitStr>,
    /// What is none in all fields.
    pub(crate) null: Option<SpelledAttribute>,
    /// It is the type of fields, not a source.
    pub(crate) record: Option<Span>,
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
    /// What its values look like, in the order of the attributes.
    pub(crate) spelled: Vec<SpelledAttribute>,
    /// Where the value stands in the data: the parts of a path of the language, each with its token.
    pub(crate) from: Option<Vec<(String, Span)>>,
}

/// A marker that says what values look like: its text in the language, and its strings.
#[derive(Debug)]
pub(crate) struct SpelledAttribute {
    pub(crate) word: &'static str,
    pub(crate) span: Span,
    pub(crate) texts: Vec<LitStr>,
}

/// The settings that say what values look like, as they are in the language.
const SPELLED: [(&str, &str); 7] = [
    ("null", "null"),
    ("format", "format"),
    ("true_as", "true"),
    ("false_as", "false"),
    ("thousands", "thousands"),
    ("point", "point"),
    ("invalid_as_none", "invalid as none"),
];

impl TypeAttributes {
    pub(crate) fn of(attributes: &[Attribute], word: &'static str, problems: &mut Problems) -> Self {
        let mut found = TypeAttributes::default();
        parse(attributes, word, problems, |meta| match name_of(&meta).as_str() {
            "name" => set(&mut found.name, &meta),
            "file" if word == "table" => set(&mut found.file, &meta),
            "record" if word == "event" => mark(&mut found.record, &meta),
            "null" => {
                found.null = Some(spelled(&meta, "null")?);
                Ok(())
            }
            "crate" => set_path(&mut found.krate, &meta),
            "debug" => {
                found.debug = true;
                Ok(())
            }
            other => {
                let own = if word == "table" { "file = \"…\"" } else { "record" };
                let known = ["name = \"…\"", "crate = path", "debug", "null(\"…\")", own];
                Err(meta.error(unknown(word, other, &known)))
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
            "zone" => set(&mut found.zone, &meta),
            "from" => {
                found.from = Some(path(meta.value()?)?);
                Ok(())
            }
            name if SPELLED.iter().any(|(known, _)| *known == name) => {
                let word = SPELLED.iter().find(|(known, _)| *known == name).map_or("", |(_, word)| word);
                found.spelled.push(spelled(&meta, word)?);
                Ok(())
            }
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
                let all = [
                    "key",
                    "rename = \"…\"",
                    "from = \"…\"",
                    "decimal(p, s)",
                    "zone = \"…\"",
                    "null(\"…\")",
                    "format(\"…\")",
                    "true_as(\"…\")",
                    "false_as(\"…\")",
                    "thousands = \"…\"",
                    "point = \"…\"",
                    "invalid_as_none",
                    "time",
                    "default = …",
                ];
                Err(meta.error(unknown(word, other, if word == "table" { &all[..12] } else { &all })))
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

/// The strings of `name("…", "…")` or `name = "…"`; none of a name alone.
fn spelled(meta: &ParseNestedMeta<'_>, word: &'static str) -> syn::Result<SpelledAttribute> {
    let span = meta.path.segments[0].ident.span();
    let texts = if meta.input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in meta.input);
        let texts = syn::punctuated::Punctuated::<LitStr, syn::Token![,]>::parse_terminated(&content)?;
        texts.into_iter().collect()
    } else if word == "invalid as none" {
        Vec::new()
    } else {
        vec![meta.value()?.parse()?]
    };
    Ok(SpelledAttribute { word, span, texts })
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

/// `"order total"`, `properties.revenue` or `"line items"[0].sku`: as the language writes it.
fn path(input: ParseStream<'_>) -> syn::Result<Vec<(String, Span)>> {
    let name = |parts: &mut Vec<(String, Span)>| -> syn::Result<()> {
        parts.push(if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            (string_literal(&text.value()), text.span())
        } else {
            let word = input.call(Ident::parse_any).map_err(|error| {
                syn::Error::new(error.span(), "a name of the data is expected\n\nhelp: write it in quotes")
            })?;
            (word.unraw().to_string(), word.span())
        });
        Ok(())
    };
    let mut parts = Vec::new();
    name(&mut parts)?;
    loop {
        if input.peek(Token![.]) {
            let dot: Token![.] = input.parse()?;
            parts.push((".".to_owned(), dot.spans[0]));
            name(&mut parts)?;
        } else if input.peek(syn::token::Bracket) {
            let content;
            syn::bracketed!(content in input);
            let index: syn::LitInt = content.parse()?;
            parts.push((format!("[{}]", index.base10_digits()), index.span()));
        } else {
            return Ok(parts);
        }
    }
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
