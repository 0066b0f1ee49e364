//! A chain of method calls as the clauses of a metric.
//!
//! `payments.filter(|p| …).key_by(|p| p.country).every(1h).sum(|p| p.amount)`: steps say which rows, in what
//! groups; the last call is the value. What a step is called and what an aggregate is called is all that is
//! known here; whether there is such an aggregate, and what it takes, the checker knows.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Block, Expr, ExprMethodCall, Pat, Stmt};

use crate::definition::EventDefinition;
use crate::language_text::LanguageText;
use crate::lookup::Table;
use crate::metric::Imported;
use crate::output::is_parameter;
use crate::problem::Problems;
use crate::scope::{Binding, Scope};

const STEPS: &str =
    "`filter`, `map`, `flat_map`, `lookup`, `key_by`, `every`, `over_last`, `session`, `unit`";

/// Writes one metric.
pub(crate) struct Writer<'a> {
    pub(crate) definition: &'a EventDefinition,
    pub(crate) imports: &'a [Imported<'a>],
    pub(crate) tables: &'a [Table<'a>],
    pub(crate) problems: &'a mut Problems,
    /// Calendars that are used: zone, and day on which weeks start.
    pub(crate) calendars: Vec<(String, String, Span)>,
    /// Clauses that have to keep their order: `each`, `let` and `lookup`.
    pub(crate) bindings: LanguageText,
    filters: Vec<LanguageText>,
    keys: Option<LanguageText>,
    pub(crate) window: Option<LanguageText>,
    pub(crate) unit: Option<LanguageText>,
    value: LanguageText,
    /// What a closure of the next step is given.
    pub(crate) row: Binding,
    /// Names that are taken in the scope of rows.
    taken: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        definition: &'a EventDefinition,
        imports: &'a [Imported<'a>],
        tables: &'a [Table<'a>],
        problems: &'a mut Problems,
    ) -> Self {
        Writer {
            taken: definition.fields.iter().map(|(_, name)| name.clone()).collect(),
            definition,
            imports,
            tables,
            problems,
            calendars: Vec::new(),
            bindings: LanguageText::default(),
            filters: Vec::new(),
            keys: None,
            window: None,
            unit: None,
            value: LanguageText::default(),
            row: Binding::Row,
        }
    }

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

    /// The calendars that are used.
    pub(crate) fn push_calendars(&self, text: &mut LanguageText) {
        for (place, (zone, week, span)) in self.calendars.iter().enumerate() {
            text.push(&format!("calendar calendar_{} {{ zone ", place + 1), *span);
            text.push_string(zone, *span);
            text.push(&format!(", week {week} }}\n"), *span);
        }
    }

    /// The one expression of a block; statements before it are a finding.
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
                    let help = format!("the value of a metric ends its chain\n\nhelp: put {STEPS} before it");
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

    /// The only argument of a step; a finding if there is another number of them.
    pub(crate) fn only_argument<'b>(&mut self, call: &'b ExprMethodCall) -> Option<&'b Expr> {
        if call.args.len() != 1 {
            let help = format!("`{}` takes one argument", call.method);
            self.problems.push(call.method.span(), &help);
        }
        call.args.first().filter(|_| call.args.len() == 1)
    }

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
    fn named(&mut self, name: &Ident, value: &Expr, scope: &Scope) -> Binding {
        let mut text = LanguageText::default();
        self.value(value, scope, &mut text);
        let unique = self.unique(&name.unraw().to_string());
        self.bindings.push(&format!("  let {unique} = "), name.span());
        self.bindings.append(&text);
        self.bindings.push("\n", name.span());
        Binding::Name(unique)
    }

    pub(crate) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut number = 2;
        while self.taken.contains(&unique) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        self.taken.push(unique.clone());
        unique
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
        self.row = Binding::Tuple(vec![row, Binding::Name(element)]);
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
                    let help = "a key that is no field needs a name\n\nhelp: write `Key { name: … }`";
                    self.problems.push_on(part, help);
                }
                _ => {}
            }
        }
        self.keys = Some(keys);
    }
}
