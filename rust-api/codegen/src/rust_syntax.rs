//! Rust expressions that the metric language reads as a whole: lists, ranges, `matches!`, lengths of time,
//! `lookup::<T>`.

use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprMethodCall, GenericArgument, ItemFn, Lit, Path, RangeLimits, Type, UnOp};

/// The elements of a list that is written out.
pub(crate) fn listed(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Array(array) => Some(array.elems.iter().collect()),
        Expr::Paren(inner) => listed(&inner.expr),
        Expr::Reference(inner) => listed(&inner.expr),
        _ => None,
    }
}

pub(crate) type Bounds<'a> = (Option<&'a Expr>, Option<&'a Expr>, bool);

/// The bounds of a range that is written out, and whether the upper one belongs to it.
pub(crate) fn range(expr: &Expr) -> Option<Bounds<'_>> {
    match expr {
        Expr::Range(range) => {
            let is_closed = matches!(range.limits, RangeLimits::Closed(_));
            Some((range.start.as_deref(), range.end.as_deref(), is_closed))
        }
        Expr::Paren(inner) => range(&inner.expr),
        _ => None,
    }
}

/// `x, A | B` inside of `matches!`: patterns that are constants are expressions, too.
pub(crate) fn matched(input: syn::parse::ParseStream<'_>) -> syn::Result<(Expr, Vec<Expr>)> {
    let wanted: Expr = input.parse()?;
    input.parse::<syn::Token![,]>()?;
    input.parse::<Option<syn::Token![|]>>()?;
    let mut listed = Vec::new();
    loop {
        listed.push(constant(input)?);
        if input.parse::<Option<syn::Token![|]>>()?.is_none() {
            break;
        }
    }
    input.parse::<Option<syn::Token![,]>>()?;
    if !input.is_empty() {
        return Err(
            input.error("a guard is not part of the metric language\n\nhelp: write `matches!(…) && …`")
        );
    }
    Ok((wanted, listed))
}

/// A path or a literal, perhaps with a minus.
fn constant(input: syn::parse::ParseStream<'_>) -> syn::Result<Expr> {
    if input.peek(Lit) || (input.peek(syn::Token![-]) && input.peek2(Lit)) {
        let minus: Option<syn::Token![-]> = input.parse()?;
        let literal = Expr::Lit(input.parse()?);
        let negated = |minus| syn::ExprUnary {
            attrs: Vec::new(),
            op: UnOp::Neg(minus),
            expr: Box::new(literal.clone()),
        };
        return Ok(minus.map_or_else(|| literal.clone(), |minus| Expr::Unary(negated(minus))));
    }
    match input.call(Path::parse_mod_style) {
        Ok(path) => Ok(Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path })),
        Err(error) => Err(syn::Error::new(error.span(), "a name or a literal is expected")),
    }
}

/// Whether an integer has a unit of time after it.
pub(crate) fn is_duration(number: &syn::LitInt) -> bool {
    matches!(number.suffix(), "us" | "ms" | "s" | "m" | "h" | "d")
}

/// Whether a call is a parameter of the aggregate before it.
pub(crate) fn is_parameter(call: &ExprMethodCall) -> bool {
    call.method == "within" || call.method == "by_sum"
}

/// The types of `.lookup::<Type>(…)`, each once.
pub(crate) fn tables_of(function: &ItemFn) -> Vec<Path> {
    #[derive(Default)]
    struct Found(Vec<Path>);
    impl VisitMut for Found {
        fn visit_expr_method_call_mut(&mut self, call: &mut ExprMethodCall) {
            visit_mut::visit_expr_method_call_mut(self, call);
            if let Some(path) = table_path(call)
                && !self.0.contains(path)
            {
                self.0.push(path.clone());
            }
        }
    }
    let mut found = Found::default();
    found.visit_block_mut(&mut function.block.clone());
    found.0
}

/// The type of `.lookup::<Type>(…)`.
pub(crate) fn table_path(call: &ExprMethodCall) -> Option<&Path> {
    let arguments = &call.turbofish.as_ref().filter(|_| call.method == "lookup")?.args;
    match (arguments.first(), arguments.len()) {
        (Some(GenericArgument::Type(Type::Path(table))), 1) => Some(&table.path),
        _ => None,
    }
}
