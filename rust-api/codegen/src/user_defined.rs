//! `#[scalar]`, `#[monoid]` and `#[derive(State)]`: user-defined functions and aggregates.
//!
//! The first two also define a `macro_rules!` with the item's own name, as `#[derive(Event)]` does. It passes
//! the item to `#[metric(import(…))]` as an import of the language.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Expr, Fields, FnArg, GenericArgument, ImplItem, ItemFn, ItemImpl, Lit, LitInt, Pat,
    Path, PathArguments, ReturnType, Type, Visibility,
};

use crate::definition::{ImportDefinition, ItemDefinition, export};
use crate::problem::Problems;

/// Maximum number of arguments of a user-defined function or aggregate.
const MOST_ARGUMENTS: usize = 6;

const TYPES: &str = "help: arguments and results are `bool`, `i64`, `f64`, `String`, `jiff::civil::Date`, \
                     `jiff::Timestamp`, `jiff::SignedDuration`, or an `Option` of one; pass a decimal as \
                     `f64` with `.float()`, an enum as `String` with `.text()`";

/// The arguments of the attributes.
#[derive(Default)]
struct Settings {
    krate: Option<Path>,
    version: Option<u32>,
    visibility: Option<Visibility>,
    debug: bool,
}

impl Settings {
    fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::metricc), ToTokens::to_token_stream)
    }
}

impl Parse for Settings {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut found = Settings::default();
        while !input.is_empty() {
            if input.peek(syn::Token![crate]) {
                input.parse::<syn::Token![crate]>()?;
                input.parse::<syn::Token![=]>()?;
                found.krate = Some(input.call(Path::parse_mod_style)?);
            } else if input.peek(syn::Token![pub]) {
                found.visibility = Some(input.parse()?);
            } else {
                let name: Ident = input.parse()?;
                match name.to_string().as_str() {
                    "debug" => found.debug = true,
                    "version" => {
                        input.parse::<syn::Token![=]>()?;
                        found.version = Some(input.parse::<LitInt>()?.base10_parse()?);
                    }
                    _ => {
                        let help = "unknown setting\n\nhelp: settings are `version = 2`, `pub` (of `#[monoid]`), \
                                    `crate = path` and `debug`";
                        return Err(syn::Error::new(name.span(), help));
                    }
                }
            }
            input.parse::<Option<syn::Token![,]>>()?;
        }
        Ok(found)
    }
}

/// Expands `#[scalar]`.
pub fn scalar(arguments: TokenStream, item: &TokenStream, place: &str) -> TokenStream {
    let parsed = syn::parse2::<Settings>(arguments)
        .and_then(|settings| syn::parse2::<ItemFn>(item.clone()).map(|function| (settings, function)));
    match parsed {
        Ok((settings, function)) => {
            let expansion = scalar_items(&settings, &function, place);
            crate::debug::print(settings.debug, &function.sig.ident, &expansion);
            expansion
        }
        Err(error) => {
            let mut problems = Problems::default();
            problems.push_syn(&error);
            quote!(#problems #item)
        }
    }
}

fn scalar_items(settings: &Settings, function: &ItemFn, place: &str) -> TokenStream {
    let mut problems = Problems::default();
    let (name, visibility, krate) = (&function.sig.ident, &function.vis, settings.krate());
    plain_signature(function, &mut problems);
    let types: Vec<&Type> =
        function.sig.inputs.iter().filter_map(|input| argument_type(input, &mut problems)).collect();
    let texts: Vec<Option<String>> = types.iter().map(|ty| known_type(ty, &mut problems)).collect();
    let result = match &function.sig.output {
        ReturnType::Type(_, ty) => known_type(ty, &mut problems).map(|text| (ty.as_ref(), text)),
        ReturnType::Default => {
            problems.push(name.span(), &format!("the function returns nothing\n\n{TYPES}"));
            None
        }
    };
    if types.is_empty() || types.len() > MOST_ARGUMENTS {
        let help = format!(
            "the function takes {} arguments\n\nhelp: a user-defined function takes 1 to {MOST_ARGUMENTS}",
            types.len()
        );
        problems.push(name.span(), &help);
    }
    let (Some(texts), Some((result, result_text)), true) =
        (texts.into_iter().collect::<Option<Vec<_>>>(), result, problems.is_empty())
    else {
        return quote!(#problems #function);
    };
    let version = settings.version.unwrap_or(1);
    let spoken = name.to_string();
    let text = format!("import function {spoken}({}): {result_text} version {version}\n", texts.join(", "));
    let definition = ItemDefinition::Import(ImportDefinition {
        ident: name.clone(),
        name: spoken.clone(),
        is_aggregate: false,
        text,
    });
    let exported = export(name, visibility, place, &definition);
    let implementation = scalar_impl(name, &types, result, version, &krate);
    quote! {
        #function

        #[doc(hidden)]
        #[allow(unreachable_pub)]
        #visibility mod #name {
            /// The function as the engines take it.
            #[derive(Debug, Clone, Copy)]
            pub struct Import;
        }

        #implementation
        #exported
    }
}

/// What the engines call, for the type `Import` in the module of the function.
fn scalar_impl(
    name: &Ident,
    types: &[&Type],
    result: &Type,
    version: u32,
    krate: &TokenStream,
) -> TokenStream {
    let spoken = name.to_string();
    let given: Vec<Ident> = (0..types.len()).map(|place| format_ident!("argument{}", place)).collect();
    let own = quote!(#krate::user_defined);
    quote! {
        #[automatically_derived]
        impl #own::Typed for #name::Import {
            type Row = <#result as #krate::event::Field>::Row;
        }

        #[automatically_derived]
        impl #own::Function for #name::Import {
            fn name(&self) -> &'static str { #spoken }
            fn version(&self) -> u32 { #version }
            fn arguments(&self) -> &'static [&'static str] { <(#(#types,)*) as #own::Arguments>::TYPES }
            fn result(&self) -> &'static str { <#result as #own::Value>::TYPE }
            fn call(
                &self,
                arguments: &[#krate::event::Cell<'_>],
                result: &mut dyn ::core::ops::FnMut(#krate::event::Cell<'_>),
            ) {
                match <(#(#types,)*) as #own::Arguments>::from_cells(arguments) {
                    ::core::option::Option::Some((#(#given,)*)) => {
                        result(#krate::event::Field::cell(&#name(#(#given),*)));
                    }
                    ::core::option::Option::None => {
                        result(#krate::event::Cell::Improper("arguments of other types"));
                    }
                }
            }
        }
    }
}

fn plain_signature(function: &ItemFn, problems: &mut Problems) {
    let signature = &function.sig;
    let wrong = [
        signature.asyncness.map(|token| token.span),
        signature.unsafety.map(|token| token.span),
        signature.generics.params.first().map(Spanned::span),
    ];
    for span in wrong.into_iter().flatten() {
        problems.push(span, "a user-defined function is plain: not async, not unsafe, not generic");
    }
}

fn argument_type<'a>(input: &'a FnArg, problems: &mut Problems) -> Option<&'a Type> {
    match input {
        FnArg::Typed(typed) if matches!(typed.pat.as_ref(), Pat::Ident(_) | Pat::Wild(_) | Pat::Tuple(_)) => {
            Some(typed.ty.as_ref())
        }
        other => {
            problems.push_on(other, "an argument of a user-defined function is a plain name");
            None
        }
    }
}

/// The language's name of a Rust type of user-defined code; an error for others.
fn known_type(ty: &Type, problems: &mut Problems) -> Option<String> {
    let found = text_of(ty);
    if found.is_none() {
        problems.push_on(ty, &format!("a type that user-defined code cannot take or return\n\n{TYPES}"));
    }
    found
}

fn text_of(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let text = match (last.ident.to_string().as_str(), &last.arguments) {
        ("bool", PathArguments::None) => "bool",
        ("i64", PathArguments::None) => "int",
        ("f64", PathArguments::None) => "float",
        ("String", PathArguments::None) => "string",
        ("Date", PathArguments::None) => "date",
        ("Timestamp", PathArguments::None) => "timestamp",
        ("SignedDuration", PathArguments::None) => "duration",
        ("Option", PathArguments::AngleBracketed(arguments)) => {
            let Some(GenericArgument::Type(inner)) = arguments.args.first() else { return None };
            return text_of(inner).filter(|text| !text.ends_with('?')).map(|text| format!("{text}?"));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// Expands `#[monoid]`.
pub fn monoid(arguments: TokenStream, item: &TokenStream, place: &str) -> TokenStream {
    let parsed = syn::parse2::<Settings>(arguments)
        .and_then(|settings| syn::parse2::<ItemImpl>(item.clone()).map(|item| (settings, item)));
    match parsed {
        Ok((settings, implementation)) => monoid_items(&settings, &implementation, place),
        Err(error) => {
            let mut problems = Problems::default();
            problems.push_syn(&error);
            quote!(#problems #item)
        }
    }
}

fn monoid_items(settings: &Settings, item: &ItemImpl, place: &str) -> TokenStream {
    let mut problems = Problems::default();
    let ident = match item.self_ty.as_ref() {
        Type::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    };
    let is_monoid = item
        .trait_
        .as_ref()
        .is_some_and(|(_, path, _)| path.segments.last().is_some_and(|segment| segment.ident == "Monoid"));
    let (Some(ident), true) = (ident, is_monoid) else {
        problems.push_on(
            &item.self_ty,
            "`#[monoid]` belongs on `impl Monoid for` a struct without type parameters\n\nhelp: write `struct Mean; \
             #[monoid] impl Monoid for Mean { … }`",
        );
        return quote!(#problems #item);
    };
    let inputs = match associated(item, "Input") {
        Some(Type::Tuple(tuple)) => tuple.elems.iter().collect(),
        Some(ty) => vec![ty],
        None => Vec::new(),
    };
    let texts: Vec<Option<String>> = inputs.iter().map(|ty| known_type(ty, &mut problems)).collect();
    let result = associated(item, "Output").and_then(|ty| known_type(ty, &mut problems));
    let name = constant(item, "NAME").and_then(|expr| match literal(expr)? {
        Lit::Str(name) => Some(name.value()),
        _ => None,
    });
    let version = match constant(item, "VERSION") {
        None => Some(1),
        Some(expr) => match literal(expr) {
            Some(Lit::Int(version)) => version.base10_parse::<u32>().ok(),
            _ => None,
        },
    };
    let (Some(texts), Some(result), Some(name), Some(version), true) =
        (texts.into_iter().collect::<Option<Vec<_>>>(), result, name, version, problems.is_empty())
    else {
        if problems.is_empty() {
            let help = "`#[monoid]` reads `type Input`, `type Output`, `const NAME` and `const VERSION`\n\nhelp: write \
                        them out, as types of values and literals";
            problems.push(ident.span(), help);
        }
        return quote!(#problems #item);
    };
    let text = format!("import aggregate {name}({}): {result} version {version}\n", texts.join(", "));
    let definition =
        ItemDefinition::Import(ImportDefinition { ident: ident.clone(), name, is_aggregate: true, text });
    let visibility = settings.visibility.clone().unwrap_or_else(|| syn::parse_quote!(pub(crate)));
    let exported = export(&ident, &visibility, place, &definition);
    let expansion = quote!(#item #exported);
    crate::debug::print(settings.debug, &ident, &expansion);
    expansion
}

fn associated<'a>(item: &'a ItemImpl, name: &str) -> Option<&'a Type> {
    item.items.iter().find_map(|part| match part {
        ImplItem::Type(ty) if ty.ident == name => Some(&ty.ty),
        _ => None,
    })
}

fn constant<'a>(item: &'a ItemImpl, name: &str) -> Option<&'a Expr> {
    item.items.iter().find_map(|part| match part {
        ImplItem::Const(constant) if constant.ident == name => Some(&constant.expr),
        _ => None,
    })
}

fn literal(expr: &Expr) -> Option<&Lit> {
    match expr {
        Expr::Lit(literal) => Some(&literal.lit),
        _ => None,
    }
}

/// `#[state(crate = path)]`
fn crate_of(attributes: &[syn::Attribute]) -> syn::Result<TokenStream> {
    let settings = attributes.iter().find(|attribute| attribute.path().is_ident("state"));
    settings
        .map_or_else(|| Ok(Settings::default()), |settings| settings.parse_args::<Settings>())
        .map(|found| found.krate())
}

/// Expands `#[derive(State)]`: the product of the fields' states, merged field by field.
pub fn derive_state(item: TokenStream) -> TokenStream {
    let parsed = syn::parse2::<DeriveInput>(item);
    let input = match parsed {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            _ => None,
        },
        _ => None,
    };
    let Some(fields) = fields.filter(|fields| !fields.is_empty()) else {
        let mut problems = Problems::default();
        let help = "`State` is derived for a struct with named fields\n\nhelp: write `struct Both { n: Sum, least: Least }`";
        problems.push(input.ident.span(), help);
        return quote!(#problems);
    };
    let krate = match crate_of(&input.attrs) {
        Ok(krate) => krate,
        Err(error) => return error.to_compile_error(),
    };
    let state = quote!(#krate::user_defined::State);
    let ident = &input.ident;
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    quote! {
        #[automatically_derived]
        impl #state for #ident {
            const LAWS: #krate::user_defined::Laws = #krate::user_defined::Laws::NONE #(.and(<#types as #state>::LAWS))*;

            fn combine(&mut self, other: &Self) {
                #(#state::combine(&mut self.#names, &other.#names);)*
            }
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                #(#state::encode(&self.#names, out);)*
            }
            fn decode(bytes: &mut &[u8]) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(#ident { #(#names: <#types as #state>::decode(bytes)?),* })
            }
            fn size(&self) -> usize {
                0 #(+ #state::size(&self.#names))*
            }
        }
    }
}
