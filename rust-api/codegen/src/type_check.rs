//! The user's function as Rust that is compiled and never run, so that completion, rename and the types of
//! closures work in an editor. What is not Rust (`5m`), or would need types that only the metric has
//! (`Key { … }`), is replaced by an expression of the same shape, and literals by values of the language's
//! types.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::Parser as _;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ItemFn, Lit, parse_quote_spanned};

use crate::rust_syntax::{is_duration, listed, matched, table_path};
use crate::writer::Imported;

/// The function, hidden. If it has errors, only editors see its body, since the compiler would report them
/// twice.
pub(crate) fn function(
    function: &ItemFn,
    is_sound: bool,
    imports: &[Imported<'_>],
    krate: &TokenStream,
) -> TokenStream {
    let mut checked = function.clone();
    checked.attrs.clear();
    checked.vis = syn::Visibility::Inherited;
    Rewrite { krate, imports }.visit_block_mut(&mut checked.block);
    if !is_sound {
        return only_signature(function, &quote!(#checked));
    }
    quote! {
        const _: () = {
            #[allow(dead_code, unused_variables, unused_parens, unused_comparisons, clippy::all, clippy::pedantic)]
            #checked
        };
    }
}

/// A function with errors: editors see the body, the compiler only the signature, so that the names in it
/// count as used.
pub(crate) fn only_signature(function: &ItemFn, written: &TokenStream) -> TokenStream {
    let signature = &function.sig;
    quote! {
        #[allow(unexpected_cfgs, dead_code, unused_variables, unused_mut, clippy::all, clippy::pedantic)]
        const _: () = {
            #[cfg(rust_analyzer)]
            #written
            #[cfg(not(rust_analyzer))]
            #signature { ::core::unreachable!() }
        };
    }
}

struct Rewrite<'a> {
    krate: &'a TokenStream,
    imports: &'a [Imported<'a>],
}

impl VisitMut for Rewrite<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let krate = self.krate;
        let span = expr.span();
        let replaced: Option<Expr> = match &*expr {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(number) if is_duration(number) => {
                    Some(parse_quote_spanned!(span=> #krate::row::Length))
                }
                Lit::Int(_) | Lit::Float(_) => Some(parse_quote_spanned!(span=> #krate::row::Num)),
                Lit::Str(_) => Some(parse_quote_spanned!(span=> #krate::row::Text)),
                _ => None,
            },
            Expr::Macro(call) if call.mac.path.is_ident("dec") => {
                Some(parse_quote_spanned!(span=> { let _ = #call; #krate::row::Num }))
            }
            // A user-defined function takes plain Rust types: a value of its result type replaces the call.
            Expr::Call(call) if self.is_imported(&call.func) => {
                let (function, arguments) = (&call.func, &call.args);
                Some(parse_quote_spanned!(span=> {
                    let _ = #function;
                    let _ = (#arguments,);
                    <<#function::Import as #krate::user_defined::Typed>::Row as #krate::row::Shape>::SHAPE
                }))
            }
            Expr::Struct(record) => {
                let values = record.fields.iter().map(|field| &field.expr);
                Some(parse_quote_spanned!(span=> (#(#values,)*)))
            }
            // The compiler infers the type of the keys.
            Expr::MethodCall(call) if table_path(call).is_some() => {
                let mut call = call.clone();
                if let Some(turbofish) = &mut call.turbofish {
                    turbofish.args.push(parse_quote_spanned!(span=> _));
                }
                Some(Expr::MethodCall(call))
            }
            Expr::MethodCall(call) if call.method == "contains" && call.args.len() == 1 => {
                listed(&call.receiver).and_then(|listed| any_of(&call.args[0], &listed))
            }
            Expr::Macro(call) if call.mac.path.is_ident("matches") => {
                matched.parse2(call.mac.tokens.clone()).ok().and_then(|(wanted, mut listed)| {
                    listed.iter_mut().for_each(|one| self.visit_expr_mut(one));
                    any_of(&wanted, &listed.iter().collect::<Vec<_>>())
                })
            }
            Expr::Cast(cast) => {
                let value = &cast.expr;
                Some(match quote!(#cast).to_string().ends_with("f64") {
                    true => parse_quote_spanned!(span=> (#value).float()),
                    false => parse_quote_spanned!(span=> (#value).int()),
                })
            }
            _ => None,
        };
        if let Some(replaced) = replaced {
            *expr = replaced;
        }
    }
}

impl Rewrite<'_> {
    fn is_imported(&self, function: &Expr) -> bool {
        let Expr::Path(path) = function else { return false };
        let last = path.path.segments.last();
        self.imports.iter().any(|import| {
            !import.definition.is_aggregate && last.is_some_and(|last| last.ident == import.definition.ident)
        })
    }
}

/// `x == a || x == b`
fn any_of(wanted: &Expr, listed: &[&Expr]) -> Option<Expr> {
    let wanted = match wanted {
        Expr::Reference(inner) => inner.expr.as_ref(),
        wanted => wanted,
    };
    let one = |one: &&Expr| quote_spanned!(one.span()=> (#wanted == #one));
    let all: Vec<TokenStream> = listed.iter().map(one).collect();
    (!all.is_empty()).then(|| parse_quote_spanned!(wanted.span()=> (#(#all)||*)))
}
