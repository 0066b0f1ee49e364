//! A chain of method calls as the clauses of a metric.
//!
//! `payments.filter(|p| …).key_by(|p| p.country).every(1h).sum(|p| p.amount)`: the steps select and group
//! rows, the last call is the value. Only the names of the steps are known here; any other method is taken
//! for an aggregate, and the checker decides whether there is one.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Block, Expr, ExprMethodCall, Stmt};

use super::Writer;
use crate::language_text::LanguageText;
use crate::rust_syntax::is_parameter;
use crate::scope::{Binding, Scope};

const STEPS: &str =
    "`filter`, `map`, `flat_map`, `lookup`, `key_by`, `every`, `over_last`, `session`, `unit`";

impl Writer<'_> {
    /// The whole package of the metric: source, calendars, metric.
    pub(crate) fn package(
        mut self,
        name: &Ident,
        docs: &[String],
        events: &Ident,
        body: &Block,
    ) -> LanguageText {
        if let Some(chain) = self.only_expression(body) {
            self.chain(chain, events);
        }
        let mut text = LanguageText::default();
        text.push(&self.definition.text, name.span());
        for import in self.imports {
            text.push(&import.definition.text, import.path.span());
        }
        for (place, table) in self.tables.iter().enumerate() {
            // Two paths may lead to one table.
            if self.tables[..place].iter().all(|other| other.definition.text != table.definition.text) {
                text.push(&table.definition.text, name.span());
            }
        }
        self.push_calendars(&mut text);
        docs.iter().for_each(|line| text.push(&format!("///{line}\n"), name.span()));
        text.push("metric ", name.span());
        text.push(&name.unraw().to_string(), name.span());
        text.push(" = ", name.span());
        text.append(&self.value);
        text.push(&format!(" {{\n  from {}\n", self.definition.name), events.span());
        text.append(&self.bindings);
        for (place, filter) in self.filters.iter().enumerate() {
            text.push(if place == 0 { "  where " } else { " and " }, name.span());
            text.append(filter);
        }
        if !self.filters.is_empty() {
            text.push("\n", name.span());
        }
        for clause in [&self.keys, &self.window, &self.unit].into_iter().flatten() {
            text.append(clause);
            text.push("\n", name.span());
        }
        text.push("}\n", name.span());
        text
    }

    /// The one expression of a block; statements before it are an error.
    pub(crate) fn only_expression<'b>(&mut self, block: &'b Block) -> Option<&'b Expr> {
        match block.stmts.as_slice() {
            [Stmt::Expr(expr, None)] => Some(expr),
            [] => {
                let help = "the body of a metric is empty\n\nhelp: write a chain, such as `events.count()`";
                self.problems.push_on(block, help);
                None
            }
            [first, ..] => {
                let help = "the body of a metric is one chain\n\nhelp: names for expressions go into closures: \
                            `.filter(|p| { let net = p.amount - p.fee; net > 0 })`";
                self.problems.push_on(first, help);
                None
            }
        }
    }

    fn chain(&mut self, chain: &Expr, events: &Ident) {
        let mut calls: Vec<&ExprMethodCall> = Vec::new();
        let mut at = chain;
        loop {
            match at {
                Expr::MethodCall(call) => {
                    calls.push(call);
                    at = &call.receiver;
                }
                Expr::Paren(inner) => at = &inner.expr,
                Expr::Path(path) if path.path.is_ident(events) => break,
                other => {
                    let help =
                        format!("a metric starts with its events\n\nhelp: begin the chain with `{events}`");
                    return self.problems.push_on(other, &help);
                }
            }
        }
        calls.reverse();
        if calls.is_empty() {
            let help = "a metric has a value\n\nhelp: end the chain with an aggregate, such as `.count()`";
            return self.problems.push_on(chain, help);
        }
        self.steps(&calls);
        if self.value.is_empty() && self.problems.is_empty() {
            let last = calls.last().map_or_else(Span::call_site, |call| call.method.span());
            let help = "a metric has a value\n\nhelp: end the chain with an aggregate, such as `.count()`";
            self.problems.push(last, help);
        }
    }

    fn steps(&mut self, calls: &[&ExprMethodCall]) {
        let mut calls = calls.iter().peekable();
        while let Some(call) = calls.next() {
            let has_value = !self.value.is_empty();
            match call.method.to_string().as_str() {
                "unit" => self.unit(call),
                _ if has_value => {
                    let help =
                        format!("nothing may follow the value of a metric\n\nhelp: put {STEPS} before it");
                    self.problems.push(call.method.span(), &help);
                }
                "filter" => self.filter(call),
                "map" => self.map(call),
                "flat_map" => self.flat_map(call),
                "lookup" => self.lookup(call),
                "key_by" => self.key_by(call),
                "every" => self.every(call),
                "over_last" => self.sliding(call, "over last ", " step "),
                "session" => self.sliding(call, "session gap ", ""),
                "aggregate" => {
                    if let Some((scope, body)) =
                        self.closure_of(call, &Binding::Group(Box::new(self.row.clone())))
                    {
                        let mut value = LanguageText::default();
                        self.output(&body, &scope, &mut value);
                        self.value = value;
                    }
                }
                _ => {
                    let behind = calls.next_if(|next| is_parameter(next));
                    let mut value = LanguageText::default();
                    let row = self.row.clone();
                    self.aggregate(call, behind.copied(), None, &row, &mut value);
                    self.value = value;
                }
            }
        }
    }

    fn filter(&mut self, call: &ExprMethodCall) {
        let row = self.row.clone();
        if let Some((scope, body)) = self.closure_of(call, &row) {
            let mut filter = LanguageText::default();
            filter.push("(", body.span());
            self.value(&body, &scope, &mut filter);
            filter.push(")", body.span());
            self.filters.push(filter);
        }
    }

    fn map(&mut self, call: &ExprMethodCall) {
        let row = self.row.clone();
        let Some((scope, body)) = self.closure_of(call, &row) else { return };
        self.row = self.mapped(&body, &scope, "value");
    }

    /// What the next closure is given when this expression is the row.
    fn mapped(&mut self, body: &Expr, scope: &Scope, name: &str) -> Binding {
        match body {
            Expr::Tuple(tuple) => {
                let parts = tuple.elems.iter().map(|element| self.mapped(element, scope, name));
                Binding::Tuple(parts.collect())
            }
            _ => match scope.binding_of(body, self.definition) {
                Some(binding) => binding,
                None => self.named(&Ident::new(name, body.span()), body, scope),
            },
        }
    }

    fn flat_map(&mut self, call: &ExprMethodCall) {
        let row = self.row.clone();
        let Some((scope, body)) = self.closure_of(call, &row) else { return };
        let mut list = LanguageText::default();
        self.value(&body, &scope, &mut list);
        let element = self.unique("element");
        self.bindings.push(&format!("  each {element} in "), call.method.span());
        self.bindings.append(&list);
        self.bindings.push("\n", call.method.span());
        let element = match scope.binding_of(&body, self.definition) {
            Some(Binding::Record { record, .. }) => Binding::Record { text: element, record },
            _ => Binding::Name(element),
        };
        self.row = Binding::Tuple(vec![row, element]);
    }

    fn key_by(&mut self, call: &ExprMethodCall) {
        let row = self.row.clone();
        let Some((scope, body)) = self.closure_of(call, &row) else { return };
        let mut keys = self.keys.take().unwrap_or_default();
        let parts: Vec<(&Expr, Option<&Ident>)> = match &body {
            Expr::Tuple(tuple) => tuple.elems.iter().map(|part| (part, None)).collect(),
            Expr::Struct(named) => {
                let names = named.fields.iter().map(|field| match &field.member {
                    syn::Member::Named(name) => (&field.expr, Some(name)),
                    syn::Member::Unnamed(_) => (&field.expr, None),
                });
                names.collect()
            }
            single => vec![(single, None)],
        };
        for (part, name) in parts {
            keys.push(if keys.is_empty() { "  by " } else { ", " }, call.method.span());
            self.value(part, &scope, &mut keys);
            let is_field = matches!(part, Expr::Field(_));
            match name {
                Some(name)
                    if !is_field
                        || scope.text_of(part, self.definition) != Some(name.unraw().to_string()) =>
                {
                    keys.push(&format!(" as {}", name.unraw()), name.span());
                }
                None if scope.binding_of(part, self.definition).is_none() => {
                    let help = "a key that is not a field needs a name\n\nhelp: write `Key { name: … }`";
                    self.problems.push_on(part, help);
                }
                _ => {}
            }
        }
        self.keys = Some(keys);
    }
}
