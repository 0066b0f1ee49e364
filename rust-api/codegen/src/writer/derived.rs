//! What only a derived metric has: keys by name, and `offset`.

use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, Member};

use super::Writer;
use crate::language_text::LanguageText;
use crate::scope::Scope;

/// Units of `offset` in Rust and in the language.
const UNITS: [(&str, &str); 5] =
    [("days", "day"), ("weeks", "week"), ("months", "month"), ("quarters", "quarter"), ("years", "year")];

impl Writer<'_> {
    /// Writes the clauses after a value, `.key_by(|k| k.shop)`, `.every(…)`, `.unit(…)`, and returns the
    /// value.
    pub(crate) fn clauses<'b>(&mut self, body: &'b Expr, keys: &mut LanguageText) -> &'b Expr {
        let Expr::MethodCall(call) = body else { return body };
        match call.method.to_string().as_str() {
            "unit" => self.unit(call),
            "every" => self.every(call),
            "key_by" => self.keys_of_metrics(call, keys),
            _ => return body,
        }
        self.clauses(&call.receiver, keys)
    }

    /// `.key_by(|k| (k.country, k.shop))`: names of keys.
    fn keys_of_metrics(&mut self, call: &ExprMethodCall, keys: &mut LanguageText) {
        let help =
            "keys are taken by name\n\nhelp: write `.key_by(|k| k.shop)`, or `|k| (k.shop, k.country)`";
        let Some(Expr::Closure(closure)) = self.only_argument(call) else {
            return self.problems.push(call.method.span(), help);
        };
        let mut body = closure.body.as_ref();
        while let Expr::Paren(inner) = body {
            body = &inner.expr;
        }
        let parts: Vec<&Expr> = match body {
            Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            single => vec![single],
        };
        for (place, part) in parts.into_iter().enumerate() {
            let Expr::Field(syn::ExprField { member: Member::Named(name), .. }) = part else {
                self.problems.push_on(part, help);
                continue;
            };
            keys.push(if place == 0 { "  by " } else { ", " }, part.span());
            keys.push(&name.unraw().to_string(), name.span());
        }
        keys.push("\n", call.method.span());
    }

    /// `metric.offset(days(7))`, `metric.offset(168h)`; false for other calls.
    pub(crate) fn offset(&mut self, call: &ExprMethodCall, scope: &Scope, out: &mut LanguageText) -> bool {
        if call.method != "offset" {
            return false;
        }
        let Some(argument) = self.only_argument(call) else { return true };
        out.push("(", call.method.span());
        self.value(&call.receiver, scope, out);
        out.push(" offset ", call.method.span());
        match argument {
            Expr::Call(units) => self.units(units, out),
            length => self.literal_only(length, out),
        }
        out.push(")", call.method.span());
        true
    }

    /// `days(7)`
    fn units(&mut self, units: &syn::ExprCall, out: &mut LanguageText) {
        let known = match units.func.as_ref() {
            Expr::Path(path) => UNITS.iter().find(|(rust, _)| path.path.is_ident(rust)),
            _ => None,
        };
        let (Some((_, unit)), Some(number), 1) = (known, units.args.first(), units.args.len()) else {
            let help = "the distance is missing\n\nhelp: write `.offset(168h)`, or `days(7)`, `weeks(1)`, `months(1)`, `quarters(1)` or \
                        `years(1)`";
            return self.problems.push_on(units, help);
        };
        self.literal_only(number, out);
        out.push(&format!(" {unit}"), units.func.span());
    }
}
