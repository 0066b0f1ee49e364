//! Expressions over a row: Rust spelling → text of the language. Thin on purpose: the checker decides about
//! names, types and functions.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{BinOp, Expr, Lit, Member, UnOp};

use super::Writer;
use crate::language_text::LanguageText;
use crate::rust_syntax::is_duration;
use crate::scope::{Binding, Scope};

impl Writer<'_> {
    /// Writes an expression over a row. What the language does not have is an error on its token.
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

    pub(crate) fn unsupported(&mut self, expr: &Expr) {
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
                "lists are not indexed in the metric language\n\nhelp: `flat_map` gives a row per element"
            }
            Expr::Try(_) => {
                "`?` is not part of the metric language\n\nhelp: a failing operation gives none: write `.unwrap_or(…)`"
            }
            Expr::Assign(_) => "a metric assigns nothing\n\nhelp: write `let name = …;`",
            Expr::Await(_) | Expr::Async(_) => "`async` and `await` are not part of the metric language",
            Expr::Return(_) => "a closure of a metric has no `return`\n\nhelp: write `if … { … } else { … }`",
            Expr::Closure(_) => "a closure is not a value of an event",
            Expr::Array(_) => "a list is written out only in `[…].contains(&x)`",
            Expr::Struct(_) => {
                "a struct is not a value of an event\n\nhelp: `Key { … }` names keys, `Value { … }` names values"
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
            let help = "not an operator of the metric language\n\nhelp: operators are `+ - * / %`, comparisons, `&&`, `||` and `!`";
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
                let help = "not a number type of the metric language\n\nhelp: write `as i64` or `as f64`";
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
                Some(Binding::Name(text) | Binding::Metric(text) | Binding::Record { text, .. }) => {
                    out.push(text, name.span());
                }
                Some(Binding::Row) => {
                    self.problems
                        .push(name.span(), "an event is not a value\n\nhelp: name one of its fields");
                }
                Some(Binding::Found { .. }) => {
                    self.problems.push(
                        name.span(),
                        "a row of a table is not a value\n\nhelp: name one of its columns",
                    );
                }
                Some(Binding::Tuple(_)) => {
                    self.problems.push(name.span(), "a tuple is not a value\n\nhelp: name one of its parts");
                }
                Some(Binding::Group(_)) => self.problems.push(
                    name.span(),
                    "a group of rows is not a value\n\nhelp: take an aggregate of it, such as `.count()`",
                ),
                None if name == "None" => out.push("none", name.span()),
                None => {
                    let help = format!(
                        "`{name}` is unknown here\n\nhelp: a metric depends on the event alone: \
                         write a literal, or a field of the event"
                    );
                    self.problems.push(name.span(), &help);
                }
            };
        }
        let mut segments = path.path.segments.iter().rev();
        let (variant, enumeration) = (segments.next(), segments.next());
        if let (Some(variant), Some(enumeration)) = (variant, enumeration)
            && let Some(known) = self.enumeration(&enumeration.ident).cloned()
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
        let help =
            "not a variant of a field's enum\n\nhelp: a metric depends on the event alone: write a literal";
        self.problems.push_on(&path.path, help);
    }

    fn field(&mut self, field: &syn::ExprField, scope: &Scope, out: &mut LanguageText) {
        let base = scope.binding_of(&field.base, self.definition);
        match (base, &field.member) {
            // The checker reports a name that is not a field: it knows similar names.
            (Some(Binding::Row), Member::Named(name)) => {
                let text = name.unraw().to_string();
                let known = self.definition.field(name).map_or(text.as_str(), |field| &field.name);
                out.push(known, name.span());
            }
            // Only the checker knows which values are records.
            (Some(Binding::Name(record)), Member::Named(name)) => {
                out.push(&format!("{record}.{}", name.unraw()), name.span());
            }
            (Some(Binding::Record { text, record }), Member::Named(name)) => {
                let own = name.unraw().to_string();
                let known = self.definition.field_of(&record, name).map_or(own.as_str(), |field| &field.name);
                out.push(&format!("{text}.{known}"), name.span());
            }
            (Some(Binding::Metric(metric)), Member::Named(name)) => {
                out.push(&format!("{metric}.{}", name.unraw()), name.span());
            }
            // Likewise a name that is not a column.
            (Some(Binding::Found { name: row, fields }), Member::Named(name)) => {
                let known = fields.iter().find(|(known, _)| known == name);
                let text = known.map_or_else(|| name.unraw().to_string(), |(_, column)| column.clone());
                out.push(&format!("{row}.{text}"), name.span());
            }
            (Some(Binding::Tuple(parts)), Member::Unnamed(index)) => match parts.get(index.index as usize) {
                Some(Binding::Name(name) | Binding::Record { text: name, .. }) => out.push(name, index.span),
                Some(_) => {
                    self.problems.push(index.span, "an event is not a value\n\nhelp: name one of its fields");
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
            _ => self.problems.push_on(
                &field.member,
                "a value has no fields\n\nhelp: only the event, records and rows of tables have fields",
            ),
        }
    }

    /// A literal, where nothing else is allowed.
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
                let help = "not a literal of the metric language\n\nhelp: literals are numbers, strings, bools and durations such as `5m`";
                self.problems.push(other.span(), help);
            }
        }
    }
}

fn operator_text(operator: &BinOp) -> Option<&'static str> {
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
