//! `LIKE … ESCAPE 'c'` as a pattern whose escape is the backslash, the only one that the engine has.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    Value, ValueWithSpan, VisitorMut,
};

/// Rewrites patterns with an escape of their own.
pub(crate) struct WithoutEscapes;

impl VisitorMut for WithoutEscapes {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        let (Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. }) = expr
        else {
            return ControlFlow::Continue(());
        };
        let escape = match escape_char.as_ref().map(|escape| &escape.value) {
            Some(Value::SingleQuotedString(escape)) => escape.clone(),
            _ => return ControlFlow::Continue(()),
        };
        if escape.chars().count() == 1 && escape != "\\" {
            // A character that is escaped by itself stands for itself, and backslashes are plain here.
            let (own, aside) = (format!("{escape}{escape}"), "\u{1}");
            let plain = replaced(*pattern.clone(), "\\", "\\\\");
            let kept = replaced(plain, &own, aside);
            **pattern = replaced(replaced(kept, &escape, "\\"), aside, &escape);
            *escape_char = None;
        }
        ControlFlow::Continue(())
    }
}

/// `replace(text, from, to)`.
fn replaced(text: Expr, from: &str, to: &str) -> Expr {
    let literal = |text: &str| {
        let value = Value::SingleQuotedString(text.to_owned());
        Expr::Value(ValueWithSpan::from(value))
    };
    let args = [text, literal(from), literal(to)];
    let args = args.map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).into();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("replace")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
