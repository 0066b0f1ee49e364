//! The value of a metric: aggregates over the rows of a group, and arithmetic over them.

use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, Lit, Member};

use super::Writer;
use crate::language_text::LanguageText;
use crate::rust_syntax::{is_duration, is_parameter, listed};
use crate::scope::{Binding, Scope};

impl Writer<'_> {
    /// Writes what `aggregate` presents: a record of values, or one.
    pub(crate) fn output(&mut self, expr: &Expr, scope: &Scope, out: &mut LanguageText) {
        let Expr::Struct(record) = expr else { return self.output_value(expr, scope, out) };
        if let Some(rest) = &record.rest {
            self.problems.push_on(rest, "`..` is not allowed: a record names all of its values");
        }
        out.push("{ ", record.path.span());
        for (place, field) in record.fields.iter().enumerate() {
            if place > 0 {
                out.push(", ", field.span());
            }
            match &field.member {
                Member::Named(name) => out.push(&format!("{}: ", name.unraw()), name.span()),
                Member::Unnamed(index) => self.problems.push(index.span, "a value of a record needs a name"),
            }
            self.output_value(&field.expr, scope, out);
        }
        out.push(" }", record.path.span());
    }

    fn output_value(&mut self, expr: &Expr, scope: &Scope, out: &mut LanguageText) {
        match expr {
            Expr::Block(block) if block.block.stmts.len() > 1 => {
                let help = "`let` is not allowed in the value of a group\n\nhelp: write the value out";
                self.problems.push_on(&block.block.stmts[0], help);
            }
            other => self.value(other, scope, out),
        }
    }

    /// `e.filter(|p| …).sum(|p| …).within(0.01)`; false if the call is not on a group, or is a function of
    /// its value.
    pub(crate) fn group_call(
        &mut self,
        call: &ExprMethodCall,
        scope: &Scope,
        out: &mut LanguageText,
    ) -> bool {
        let mut calls = vec![call];
        let mut at = call.receiver.as_ref();
        while let Expr::MethodCall(inner) = at {
            calls.push(inner);
            at = &inner.receiver;
        }
        let Some(Binding::Group(row)) = scope.binding_of(at, self.definition) else { return false };
        calls.reverse();
        let n_filters = calls.iter().take_while(|call| call.method == "filter").count();
        let (filters, rest) = calls.split_at(n_filters);
        let (aggregate, behind) = match rest {
            [] => {
                let help =
                    "a group of rows is not a value\n\nhelp: take an aggregate of it, such as `.count()`";
                self.problems.push(call.method.span(), help);
                return true;
            }
            [aggregate] => (*aggregate, None),
            [aggregate, behind] if is_parameter(behind) => (*aggregate, Some(*behind)),
            _ => return false,
        };
        let mut condition = LanguageText::default();
        for step in filters {
            let Some(argument) = self.only_argument(step) else { continue };
            let Some((inner, body)) = self.closure(argument, &row) else { continue };
            condition.push(if condition.is_empty() { "(" } else { " and (" }, step.method.span());
            self.value(&body, &inner, &mut condition);
            condition.push(")", step.method.span());
        }
        self.aggregate(aggregate, behind, Some(&condition).filter(|all| !all.is_empty()), &row, out);
        true
    }

    /// `name(arguments, within: …) where condition`. Closures among the arguments are over rows.
    pub(crate) fn aggregate(
        &mut self,
        call: &ExprMethodCall,
        behind: Option<&ExprMethodCall>,
        condition: Option<&LanguageText>,
        row: &Binding,
        out: &mut LanguageText,
    ) {
        if call.method == "user_defined" {
            return self.user_defined(call, condition, row, out);
        }
        let name = &call.method;
        if !call.args.is_empty() && !call.args.iter().any(|argument| matches!(argument, Expr::Closure(_))) {
            let help =
                "an aggregate needs a closure\n\nhelp: say what it aggregates, such as `.sum(|p| p.amount)`";
            self.problems.push_on(&call.args, help);
        }
        out.push("(", name.span());
        out.push(&name.to_string(), name.span());
        out.push("(", name.span());
        for (place, argument) in call.args.iter().enumerate() {
            if place > 0 {
                out.push(", ", argument.span());
            }
            match argument {
                Expr::Closure(_) => {
                    let Some((inner, body)) = self.closure(argument, row) else { continue };
                    match listed(&body).filter(|_| name == "funnel") {
                        // Each step of a funnel is one argument.
                        Some(steps) => self.arguments(&steps, &inner, out),
                        None => self.value(&body, &inner, out),
                    }
                }
                Expr::Array(list) => {
                    out.push("[", list.span());
                    self.arguments(&list.elems.iter().collect::<Vec<_>>(), &Scope::default(), out);
                    out.push("]", list.span());
                }
                other => self.value(other, &Scope::default(), out),
            }
        }
        if let Some(behind) = behind {
            if !call.args.is_empty() {
                out.push(", ", behind.method.span());
            }
            self.parameter(behind, row, out);
        }
        out.push(")", name.span());
        if let Some(condition) = condition {
            out.push(" where ", name.span());
            out.append(condition);
        }
        out.push(")", name.span());
    }

    /// `.user_defined(GeometricMean, |p| p.amount)` is `geometric_mean(amount)`; a tuple is several
    /// arguments.
    fn user_defined(
        &mut self,
        call: &ExprMethodCall,
        condition: Option<&LanguageText>,
        row: &Binding,
        out: &mut LanguageText,
    ) {
        let span = call.method.span();
        let mut arguments = call.args.iter();
        let (Some(Expr::Path(monoid)), Some(closure), None) =
            (arguments.next(), arguments.next(), arguments.next())
        else {
            let help = "`user_defined` takes an aggregate and a closure\n\nhelp: write `.user_defined(GeometricMean, |p| p.amount)`";
            return self.problems.push(span, help);
        };
        let last = monoid.path.segments.last();
        let import =
            self.imports.iter().find(|import| last.is_some_and(|last| last.ident == import.definition.ident));
        let Some(import) = import else {
            let help = "the aggregate is not imported\n\nhelp: name it in `#[metric(import(…))]`";
            return self.problems.push_on(monoid, help);
        };
        let name = import.definition.name.clone();
        let Some((inner, body)) = self.closure(closure, row) else { return };
        out.push("(", span);
        out.push(&name, monoid.span());
        out.push("(", span);
        match &body {
            Expr::Tuple(tuple) => self.arguments(&tuple.elems.iter().collect::<Vec<_>>(), &inner, out),
            value => self.value(value, &inner, out),
        }
        out.push(")", span);
        if let Some(condition) = condition {
            out.push(" where ", span);
            out.append(condition);
        }
        out.push(")", span);
    }

    /// Values, with commas between them.
    fn arguments(&mut self, values: &[&Expr], scope: &Scope, out: &mut LanguageText) {
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                out.push(", ", value.span());
            }
            self.value(value, scope, out);
        }
    }

    /// A parameter after an aggregate: `.within(0.01)` is `within: 1%`, `.by_sum(|p| p.x)` is `by: sum(x)`.
    fn parameter(&mut self, call: &ExprMethodCall, row: &Binding, out: &mut LanguageText) {
        let Some(argument) = self.only_argument(call) else { return };
        if call.method == "by_sum" {
            let Some((inner, body)) = self.closure(argument, row) else { return };
            out.push("by: sum(", call.method.span());
            self.value(&body, &inner, out);
            return out.push(")", call.method.span());
        }
        out.push("within: ", call.method.span());
        match argument {
            Expr::Lit(syn::ExprLit { lit: Lit::Int(length), .. }) if is_duration(length) => {
                self.literal_only(argument, out);
            }
            argument => self.percent(argument, out),
        }
    }

    fn percent(&mut self, argument: &Expr, out: &mut LanguageText) {
        let number = match argument {
            Expr::Lit(syn::ExprLit { lit: Lit::Float(number), .. }) => {
                Some(number.base10_digits().to_owned())
            }
            Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => Some(number.base10_digits().to_owned()),
            _ => None,
        };
        match number.as_deref().and_then(hundredfold) {
            Some(percent) => out.push(&format!("{percent}%"), argument.span()),
            None => {
                let help =
                    "the relative error is a plain number\n\nhelp: write `.within(0.01)` for one percent";
                self.problems.push_on(argument, help);
            }
        }
    }
}

/// A decimal number times one hundred, digit by digit.
fn hundredfold(number: &str) -> Option<String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !whole.chars().chain(fraction.chars()).all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{fraction:0<2}");
    let (moved, rest) = padded.split_at(2);
    let whole = format!("{whole}{moved}");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let rest = rest.trim_end_matches('0');
    Some(if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") })
}

#[cfg(test)]
mod tests {
    use super::hundredfold;

    #[test]
    fn shares_are_percents() {
        for (share, percent) in
            [("0.01", "1"), ("0.005", "0.5"), ("0.1", "10"), ("1", "100"), ("0.", "0"), ("0.0125", "1.25")]
        {
            assert_eq!(hundredfold(share).as_deref(), Some(percent));
        }
        assert_eq!(hundredfold("1e-2"), None);
    }
}
