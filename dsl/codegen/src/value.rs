//! Expressions over a row: Rust spelling → text of the language. Thin on purpose: names, types and whether there
//! is such a function are the checker's to judge.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprMethodCall, Lit, Member, RangeLimits, UnOp};

use crate::chain::Writer;
use crate::language_text::LanguageText;
use crate::scope::{Binding, Scope};

/// Methods that say the same as a function of another name.
const RENAMED: [(&str, &str); 4] =
    [("to_lowercase", "lower"), ("to_uppercase", "upper"), ("len", "length"), ("hash", "hash64")];

/// Methods that say nothing in a language without references.
const SILENT: [&str; 9] =
    ["clone", "to_owned", "to_string", "as_str", "as_ref", "as_deref", "copied", "cloned", "into"];

/// Functions of a time that may be asked of a zone.
const OF_TIME: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "weekday", "date"];

impl Writer<'_> {
    /// Writes an expression over a row. What cannot be said is a finding on its token.
    pub(crate) fn value(&mut self, expr: &Expr, scope: &Scope, out: &mut LanguageText) {
        match expr {
            Expr::Paren(inner) => self.value(&inner.expr, scope, out),
            Expr::Group(inner) => self.value(&inner.expr, scope, out),
            Expr::Reference(inner) => self.value(&inner.expr, scope, out),
            Expr::Lit(literal) => self.literal(&literal.lit, out),
            Expr::Unary(unary) => match unary.op {
                UnOp::Not(token) => self.enclosed("not ", token.span(), &unary.expr, scope, out),
                UnOp::Neg(token) => self.negated(token.span(), &unary.expr, scope, out),
                _ => self.value(&unary.expr, scope, out),
            },
            Expr::Binary(binary) => self.binary(&binary.left, &binary.op, &binary.right, scope, out),
            Expr::If(branch) => self.branch(branch, scope, out),
            Expr::Block(_) => {
                let mut inner = scope.clone();
                if let Some(last) = self.unblock(expr, &mut inner) {
                    self.value(&last, &inner, out);
                }
            }
            Expr::Cast(cast) => self.cast(cast, scope, out),
            Expr::Path(path) => self.path(path, scope, out),
            Expr::Field(field) => self.field(field, scope, out),
            Expr::MethodCall(call) => self.method(call, scope, out),
            Expr::Call(call) => self.call(call, scope, out),
            Expr::Macro(call) => self.macro_call(call, scope, out),
            other => self.unsupported(other),
        }
    }

    fn unsupported(&mut self, expr: &Expr) {
        let what = match expr {
            Expr::Match(_) => {
                "`match` is not part of the metric language\n\nhelp: write `if`, or `matches!(x, A | B)`"
            }
            Expr::Let(_) => {
                "`if let` is not part of the metric language\n\nhelp: write `.unwrap_or(…)` or `.is_some()`"
            }
            Expr::Loop(_) | Expr::While(_) | Expr::ForLoop(_) => {
                "loops are not part of the metric language\n\nhelp: `flat_map` gives a row per element of a list"
            }
            Expr::Index(_) => {
                "a list has no places in the metric language\n\nhelp: `flat_map` gives a row per element"
            }
            Expr::Try(_) => {
                "`?` is not part of the metric language\n\nhelp: an operation that fails gives none: write `.unwrap_or(…)`"
            }
            Expr::Assign(_) => "a metric changes nothing\n\nhelp: write `let name = …;`",
            Expr::Await(_) | Expr::Async(_) => "a metric waits for nothing",
            Expr::Return(_) => "a closure of a metric has no `return`\n\nhelp: write `if … { … } else { … }`",
            Expr::Closure(_) => "a closure is no value of an event",
            Expr::Array(_) => "a list is written out only in `[…].contains(&x)`",
            Expr::Struct(_) => {
                "a struct is no value of an event\n\nhelp: `Key { … }` names keys, `Value { … }` names values"
            }
            Expr::Unsafe(_) => "`unsafe` is not part of the metric language",
            _ => {
                "this is not part of the metric language\n\nhelp: closures hold fields, literals, operators, `if`, `let` and functions"
            }
        };
        self.problems.push_on(expr, what);
    }

    fn enclosed(&mut self, word: &str, span: Span, expr: &Expr, scope: &Scope, out: &mut LanguageText) {
        out.push("(", span);
        out.push(word, span);
        self.value(expr, scope, out);
        out.push(")", span);
    }

    /// A literal with a minus is one number.
    fn negated(&mut self, span: Span, expr: &Expr, scope: &Scope, out: &mut LanguageText) {
        out.push("(-", span);
        self.value(expr, scope, out);
        out.push(")", span);
    }

    fn binary(&mut self, left: &Expr, operator: &BinOp, right: &Expr, scope: &Scope, out: &mut LanguageText) {
        let Some(text) = operator_text(operator) else {
            let help = "no operator of the metric language\n\nhelp: operators are `+ - * / %`, comparisons, `&&`, `||` and `!`";
            return self.problems.push_on(operator, help);
        };
        out.push("(", left.span());
        self.value(left, scope, out);
        out.push(&format!(" {text} "), operator.span());
        self.value(right, scope, out);
        out.push(")", right.span());
    }

    fn branch(&mut self, branch: &syn::ExprIf, scope: &Scope, out: &mut LanguageText) {
        let Some((_, otherwise)) = &branch.else_branch else {
            let help = "an `if` of a metric has an `else`\n\nhelp: write `if … { … } else { … }`";
            return self.problems.push(branch.if_token.span, help);
        };
        out.push("(if ", branch.if_token.span);
        self.value(&branch.cond, scope, out);
        out.push(" then ", branch.if_token.span);
        let block =
            Expr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block: branch.then_branch.clone() });
        self.value(&block, scope, out);
        out.push(" else ", branch.if_token.span);
        self.value(otherwise, scope, out);
        out.push(")", branch.if_token.span);
    }

    fn cast(&mut self, cast: &syn::ExprCast, scope: &Scope, out: &mut LanguageText) {
        let function = match cast.ty.as_ref() {
            syn::Type::Path(path) if path.path.is_ident("f64") => "float",
            syn::Type::Path(path) if path.path.is_ident("i64") => "int",
            other => {
                let help = "no number of the metric language\n\nhelp: write `as i64` or `as f64`";
                return self.problems.push_on(other, help);
            }
        };
        out.push(&format!("{function}("), cast.ty.span());
        self.value(&cast.expr, scope, out);
        out.push(")", cast.ty.span());
    }

    fn path(&mut self, path: &syn::ExprPath, scope: &Scope, out: &mut LanguageText) {
        if let Some(name) = path.path.get_ident() {
            return match scope.get(name) {
                Some(Binding::Name(text)) => out.push(text, name.span()),
                Some(Binding::Row) => {
                    self.problems.push(name.span(), "an event is no value\n\nhelp: name one of its fields");
                }
                Some(Binding::Tuple(_)) => {
                    self.problems.push(name.span(), "a tuple is no value\n\nhelp: name one of its parts");
                }
                Some(Binding::Group(_)) => self.problems.push(
                    name.span(),
                    "a group of rows is no value\n\nhelp: take an aggregate of it, such as `.count()`",
                ),
                None if name == "None" => out.push("none", name.span()),
                None => {
                    let help = format!(
                        "`{name}` is not known to the metric\n\nhelp: a metric depends on the event alone: \
                         write the literal, or a field of the event"
                    );
                    self.problems.push(name.span(), &help);
                }
            };
        }
        let mut segments = path.path.segments.iter().rev();
        let (variant, enumeration) = (segments.next(), segments.next());
        if let (Some(variant), Some(enumeration)) = (variant, enumeration)
            && let Some(known) = self.definition.enumeration(&enumeration.ident)
        {
            match known.variants.iter().find(|(ident, _)| *ident == variant.ident) {
                Some((_, name)) => out.push_string(name, variant.ident.span()),
                None => {
                    let names: Vec<String> =
                        known.variants.iter().map(|(ident, _)| format!("`{ident}`")).collect();
                    let help =
                        format!("`{}` has no such variant\n\nhelp: it has {}", known.ident, names.join(", "));
                    self.problems.push(variant.ident.span(), &help);
                }
            }
            return;
        }
        let help = "a path that is no variant of a field's enum\n\nhelp: a metric depends on the event alone: write the literal";
        self.problems.push_on(&path.path, help);
    }

    fn field(&mut self, field: &syn::ExprField, scope: &Scope, out: &mut LanguageText) {
        let base = scope.binding_of(&field.base, self.definition);
        match (base, &field.member) {
            // A name that is no field is the checker's to find: it knows what else was meant.
            (Some(Binding::Row), Member::Named(name)) => {
                let text = name.unraw().to_string();
                let known = self.definition.field(name).unwrap_or(&text);
                out.push(known, name.span());
            }
            (Some(Binding::Tuple(parts)), Member::Unnamed(index)) => match parts.get(index.index as usize) {
                Some(Binding::Name(name)) => out.push(name, index.span),
                Some(_) => {
                    self.problems.push(index.span, "an event is no value\n\nhelp: name one of its fields");
                }
                None => self.problems.push(index.span, &format!("the row has {} parts", parts.len())),
            },
            (Some(Binding::Tuple(parts)), Member::Named(name)) => {
                let help = format!(
                    "the row is a tuple of {} here\n\nhelp: name its parts: `|(p, element)| …`",
                    parts.len()
                );
                self.problems.push(name.span(), &help);
            }
            _ => self.problems.push_on(&field.member, "a value has no fields\n\nhelp: only the event has"),
        }
    }

    fn method(&mut self, call: &ExprMethodCall, scope: &Scope, out: &mut LanguageText) {
        if self.group_call(call, scope, out) {
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
                    "`{name}` is not part of the metric language\n\nhelp: say what a none counts as: `.unwrap_or(…)`"
                );
                self.problems.push(call.method.span(), &help);
            }
            ("is_some_and", [closure]) => {
                let given = scope.binding_of(&call.receiver, self.definition);
                let Some(given) = given else {
                    let help = "only a field or a name is tested so\n\nhelp: name the expression with `let`";
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

    fn call(&mut self, call: &syn::ExprCall, scope: &Scope, out: &mut LanguageText) {
        let Expr::Path(path) = call.func.as_ref() else { return self.unsupported(&call.func) };
        let Some(name) = path.path.segments.last().map(|segment| &segment.ident) else { return };
        let arguments: Vec<&Expr> = call.args.iter().collect();
        match (name.to_string().as_str(), arguments.as_slice()) {
            ("Some", [inner]) => self.value(inner, scope, out),
            (function, arguments) => self.function(function, name.span(), arguments, scope, out),
        }
    }

    /// `function(a, b)`. A calendar's unit or a zone as last argument of a function of time stands behind it.
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
        let in_zone = function.strip_suffix("_in").filter(|function| OF_TIME.contains(function));
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
                Expr::Call(unit) if function == "truncate" && place == 1 => {
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
    fn macro_call(&mut self, call: &syn::ExprMacro, scope: &Scope, out: &mut LanguageText) {
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
                let help =
                    "no macro of the metric language\n\nhelp: it knows `matches!(x, A | B)` and `dec!(1.50)`";
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

    /// A literal where nothing else may stand.
    pub(crate) fn literal_only(&mut self, expr: &Expr, out: &mut LanguageText) {
        match expr {
            Expr::Lit(literal) => self.literal(&literal.lit, out),
            other => {
                let help = "a literal is expected\n\nhelp: write a duration, such as `5m`, `1h` or `24h`";
                self.problems.push_on(other, help);
            }
        }
    }

    pub(crate) fn literal(&mut self, literal: &Lit, out: &mut LanguageText) {
        match literal {
            Lit::Str(text) => out.push_string(&text.value(), text.span()),
            Lit::Bool(value) => out.push(if value.value { "true" } else { "false" }, value.span()),
            Lit::Int(number) => {
                let unit = if is_duration(number) { number.suffix() } else { "" };
                out.push(&format!("{}{unit}", number.base10_digits()), number.span());
            }
            Lit::Float(number) => out.push(number.base10_digits(), number.span()),
            other => {
                let help = "no literal of the metric language\n\nhelp: it has numbers, strings, bools and durations such as `5m`";
                self.problems.push(other.span(), help);
            }
        }
    }
}

/// Whether an integer has a unit of time behind it.
pub(crate) fn is_duration(number: &syn::LitInt) -> bool {
    matches!(number.suffix(), "us" | "ms" | "s" | "m" | "h" | "d")
}

pub(crate) fn operator_text(operator: &BinOp) -> Option<&'static str> {
    Some(match operator {
        BinOp::Add(_) => "+",
        BinOp::Sub(_) => "-",
        BinOp::Mul(_) => "*",
        BinOp::Div(_) => "/",
        BinOp::Rem(_) => "%",
        BinOp::And(_) => "and",
        BinOp::Or(_) => "or",
        BinOp::Eq(_) => "==",
        BinOp::Ne(_) => "!=",
        BinOp::Lt(_) => "<",
        BinOp::Le(_) => "<=",
        BinOp::Gt(_) => ">",
        BinOp::Ge(_) => ">=",
        _ => return None,
    })
}

/// The elements of a list that is written out.
pub(crate) fn listed(expr: &Expr) -> Option<Vec<&Expr>> {
    match expr {
        Expr::Array(array) => Some(array.elems.iter().collect()),
        Expr::Paren(inner) => listed(&inner.expr),
        Expr::Reference(inner) => listed(&inner.expr),
        _ => None,
    }
}

type Bounds<'a> = (Option<&'a Expr>, Option<&'a Expr>, bool);

/// The bounds of a range that is written out, and whether the upper one belongs to it.
fn range(expr: &Expr) -> Option<Bounds<'_>> {
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
    match input.call(syn::Path::parse_mod_style) {
        Ok(path) => Ok(Expr::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path })),
        Err(error) => Err(syn::Error::new(error.span(), "a name or a literal is expected")),
    }
}
