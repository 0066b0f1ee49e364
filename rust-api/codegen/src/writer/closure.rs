//! Closures over a row: what their parameter stands for, and their `let`s as `let` clauses of the metric.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{Expr, ExprMethodCall, Pat, Stmt};

use super::Writer;
use crate::language_text::LanguageText;
use crate::scope::{Binding, Scope};

impl Writer<'_> {
    /// Scope and body of the closure that a step is given.
    pub(crate) fn closure_of(&mut self, call: &ExprMethodCall, given: &Binding) -> Option<(Scope, Expr)> {
        let argument = self.only_argument(call)?;
        self.closure(argument, given)
    }

    /// Scope and body of a closure. Names that its block defines become `let` clauses.
    pub(crate) fn closure(&mut self, expr: &Expr, given: &Binding) -> Option<(Scope, Expr)> {
        let Expr::Closure(closure) = expr else {
            let help = "a closure is expected\n\nhelp: write `|p| …`, with `p` for the event";
            self.problems.push_on(expr, help);
            return None;
        };
        let mut scope = Scope::default();
        let mut parameters = closure.inputs.iter();
        match (parameters.next(), parameters.next()) {
            (Some(pattern), None) => scope.bind(pattern, given, self.problems),
            _ => {
                let help =
                    "the closure takes one parameter\n\nhelp: write `|p| …`, or `|(p, tag)| …` for a pair";
                self.problems.push_on(&closure.inputs, help);
                return None;
            }
        }
        let body = self.unblock(&closure.body, &mut scope)?;
        Some((scope, body))
    }

    /// The last expression of a block, after its `let`s were written as clauses.
    pub(crate) fn unblock(&mut self, body: &Expr, scope: &mut Scope) -> Option<Expr> {
        let Expr::Block(block) = body else { return Some(body.clone()) };
        let Some((Stmt::Expr(last, None), before)) = block.block.stmts.split_last() else {
            self.problems
                .push_on(block, "the block has no value\n\nhelp: end it with an expression, without `;`");
            return None;
        };
        for statement in before {
            match statement {
                Stmt::Local(local) if local.init.as_ref().is_some_and(|init| init.diverge.is_none()) => {
                    let value = local.init.as_ref().map(|init| init.expr.as_ref())?;
                    self.local(&local.pat, value, scope);
                }
                other => {
                    let help =
                        "a metric only computes\n\nhelp: a block holds `let name = …;` and an expression";
                    self.problems.push_on(other, help);
                }
            }
        }
        Some(last.clone())
    }

    fn local(&mut self, pattern: &Pat, value: &Expr, scope: &mut Scope) {
        let pattern = match pattern {
            Pat::Type(typed) => &typed.pat,
            pattern => pattern,
        };
        let Pat::Ident(name) = pattern else {
            let help = "a `let` of a metric has a plain name\n\nhelp: write `let name = …;`";
            return self.problems.push_on(pattern, help);
        };
        let binding = self.named(&name.ident, value, scope);
        scope.insert(&name.ident, binding);
    }

    /// A `let` clause for an expression, under the name or one like it.
    pub(super) fn named(&mut self, name: &Ident, value: &Expr, scope: &Scope) -> Binding {
        let mut text = LanguageText::default();
        self.value(value, scope, &mut text);
        let unique = self.unique(&name.unraw().to_string());
        self.bindings.push(&format!("  let {unique} = "), name.span());
        self.bindings.append(&text);
        self.bindings.push("\n", name.span());
        Binding::Name(unique)
    }
}
