//! Calls over a row: Rust methods, functions and macros as functions of the language.

use metricc_ir::functions;
use proc_macro2::Span;
use syn::parse::Parser as _;
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, Lit};

use super::Writer;
use super::window::is_calendar_unit;
use crate::language_text::LanguageText;
use crate::rust_syntax::{listed, matched, range};
use crate::scope::Scope;

/// Methods whose function in the language has another name.
const RENAMED: [(&str, &str); 4] =
    [("to_lowercase", "lower"), ("to_uppercase", "upper"), ("len", "length"), ("hash", "hash64")];

/// Methods without a meaning in a language without references.
const SILENT: [&str; 9] =
    ["clone", "to_owned", "to_string", "as_str", "as_ref", "as_deref", "copied", "cloned", "into"];

impl Writer<'_> {
    pub(crate) fn method(&mut self, call: &ExprMethodCall, scope: &Scope, out: &mut LanguageText) {
        if self.group_call(call, scope, out) || self.offset(call, scope, out) {
            return;
        }
        let name = call.method.to_string();
        let arguments: Vec<&Expr> = call.args.iter().collect();
        match (name.as_str(), arguments.as_slice()) {
            (silent, []) if SILENT.contains(&silent) => self.value(&call.receiver, scope, out),
            ("is_some", []) => self.compared(&call.receiver, " != none", &call.method, scope, out),
            ("is_none", []) => self.compared(&call.receiver, " == none", &call.method, scope, out),
            ("unwrap_or", [other]) => {
                out.push("(", call.receiver.span());
                self.value(&call.receiver, scope, out);
                out.push(" ?? ", call.method.span());
                self.value(other, scope, out);
                out.push(")", other.span());
            }
            ("unwrap" | "expect" | "unwrap_or_default" | "unwrap_or_else", _) => {
                let help = format!(
                    "`{name}` is not part of the metric language\n\nhelp: give the value that replaces a none: `.unwrap_or(…)`"
                );
                self.problems.push(call.method.span(), &help);
            }
            ("is_some_and", [closure]) => {
                let given = scope.binding_of(&call.receiver, self.definition);
                let Some(given) = given else {
                    let help = "`is_some_and` works on a field or a name only\n\nhelp: name the expression with `let`";
                    return self.problems.push_on(&call.receiver, help);
                };
                let Some((inner, body)) = self.closure(closure, &given) else { return };
                let mut inner_scope = scope.clone();
                inner_scope.extend(inner);
                out.push("(", call.receiver.span());
                self.value(&call.receiver, scope, out);
                out.push(" != none and ", call.method.span());
                self.value(&body, &inner_scope, out);
                out.push(")", body.span());
            }
            ("contains", [wanted]) if listed(&call.receiver).is_some() => {
                let listed = listed(&call.receiver).into_iter().flatten().collect::<Vec<_>>();
                self.member(wanted, &listed, call.method.span(), scope, out);
            }
            ("contains", [wanted]) if range(&call.receiver).is_some() => {
                self.between(&call.receiver, wanted, scope, out);
            }
            _ => {
                let function =
                    RENAMED.iter().find(|(rust, _)| *rust == name).map_or(name.as_str(), |(_, own)| own);
                let mut all = vec![call.receiver.as_ref()];
                all.extend(&arguments);
                self.function(function, call.method.span(), &all, scope, out);
            }
        }
    }

    fn compared(
        &mut self,
        receiver: &Expr,
        with: &str,
        method: &syn::Ident,
        scope: &Scope,
        out: &mut LanguageText,
    ) {
        out.push("(", receiver.span());
        self.value(receiver, scope, out);
        out.push(with, method.span());
        out.push(")", method.span());
    }

    pub(crate) fn call(&mut self, call: &syn::ExprCall, scope: &Scope, out: &mut LanguageText) {
        let Expr::Path(path) = call.func.as_ref() else { return self.unsupported(&call.func) };
        let Some(name) = path.path.segments.last().map(|segment| &segment.ident) else { return };
        let arguments: Vec<&Expr> = call.args.iter().collect();
        match (name.to_string().as_str(), arguments.as_slice()) {
            ("Some", [inner]) => self.value(inner, scope, out),
            (function, arguments) => self.function(function, name.span(), arguments, scope, out),
        }
    }

    /// `function(a, b)`. A calendar unit or a zone, as the last argument of a function of time, becomes
    /// `in CALENDAR`.
    fn function(
        &mut self,
        function: &str,
        span: Span,
        arguments: &[&Expr],
        scope: &Scope,
        out: &mut LanguageText,
    ) {
        let mut calendar = None;
        // `hour_in("Asia/Kolkata")` is `hour(…) in CALENDAR`.
        let in_zone = function.strip_suffix("_in").filter(|function| functions::takes_calendar(function));
        let function = in_zone.unwrap_or(function);
        out.push("(", span);
        out.push(function, span);
        out.push("(", span);
        for (place, argument) in arguments.iter().enumerate() {
            match argument {
                Expr::Lit(syn::ExprLit { lit: Lit::Str(zone), .. }) if place == 1 && in_zone.is_some() => {
                    calendar = Some(self.calendar(&zone.value(), "monday", zone.span()));
                    continue;
                }
                _ if place > 0 => out.push(", ", argument.span()),
                _ => {}
            }
            match argument {
                unit if functions::is_width(function, place) && is_calendar_unit(unit) => {
                    let Some((unit, name)) = self.calendar_unit(unit) else { continue };
                    out.push(&unit.to_string(), unit.span());
                    calendar = Some(name);
                }
                argument => self.value(argument, scope, out),
            }
        }
        out.push(")", span);
        if let Some(calendar) = calendar {
            out.push(&format!(" in {calendar}"), span);
        }
        out.push(")", span);
    }

    /// `matches!(x, A | B)`, and decimals of other crates.
    pub(crate) fn macro_call(&mut self, call: &syn::ExprMacro, scope: &Scope, out: &mut LanguageText) {
        let name = call.mac.path.segments.last().map(|segment| segment.ident.to_string());
        match name.as_deref() {
            Some("matches") => match matched.parse2(call.mac.tokens.clone()) {
                Ok((wanted, listed)) => {
                    let listed: Vec<&Expr> = listed.iter().collect();
                    self.member(&wanted, &listed, call.mac.path.span(), scope, out);
                }
                Err(error) => self.problems.push_syn(&error),
            },
            Some("dec") => match call.mac.parse_body::<Expr>() {
                Ok(number) => self.value(&number, scope, out),
                Err(error) => self.problems.push_syn(&error),
            },
            _ => {
                let help = "not a macro of the metric language\n\nhelp: macros are `matches!(x, A | B)` and `dec!(1.50)`";
                self.problems.push_on(&call.mac.path, help);
            }
        }
    }

    fn member(&mut self, wanted: &Expr, listed: &[&Expr], span: Span, scope: &Scope, out: &mut LanguageText) {
        out.push("(", wanted.span());
        self.value(wanted, scope, out);
        out.push(" in (", span);
        for (place, one) in listed.iter().enumerate() {
            if place > 0 {
                out.push(", ", one.span());
            }
            self.value(one, scope, out);
        }
        out.push("))", span);
    }

    /// `(a..=b).contains(&x)`
    fn between(&mut self, bounds: &Expr, wanted: &Expr, scope: &Scope, out: &mut LanguageText) {
        let Some((from, to, is_closed)) = range(bounds) else { return };
        let mut sides: Vec<(&Expr, &str)> = Vec::new();
        sides.extend(from.map(|from| (from, " >= ")));
        sides.extend(to.map(|to| (to, if is_closed { " <= " } else { " < " })));
        out.push("(", bounds.span());
        for (place, (side, operator)) in sides.into_iter().enumerate() {
            if place > 0 {
                out.push(" and ", bounds.span());
            }
            self.value(wanted, scope, out);
            out.push(operator, bounds.span());
            self.value(side, scope, out);
        }
        out.push(")", bounds.span());
    }
}
