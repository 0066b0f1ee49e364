//! Subqueries of statements over the catalogue, in forms that the engine has.
//!
//! PostgreSQL checks when it runs that a scalar subquery gives one row at most; the engine wants to see it. Those of
//! the catalogue look something up by its identifier, so the first row is the only one.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    Query, Select, SelectItem, SetExpr, TableFactor, VisitorMut,
};

use crate::empty_tables::{aggregates, is_nothing, null};

/// Rewrites `ARRAY(SELECT …)`, and scalar subqueries that are no aggregates.
pub(crate) struct CatalogueSubqueries;

impl VisitorMut for CatalogueSubqueries {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        match expr {
            Expr::Subquery(query) => wrap(query, "first_value"),
            Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. })
                if name.to_string().eq_ignore_ascii_case("array") =>
            {
                *expr = match is_nothing(query) || !reads_tables_alone(query) {
                    true => null(),
                    false => {
                        wrap(query, "array_agg");
                        Expr::Subquery(query.clone())
                    }
                };
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Makes the one column of a query an aggregate of it, unless it is one.
fn wrap(query: &mut Query, aggregate: &str) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if aggregates(select) || select.from.is_empty() || !reads_tables(select) {
        return;
    }
    let [SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }] =
        &mut select.projection[..]
    else {
        return;
    };
    *column = call(aggregate, column.clone());
    select.distinct = None;
    query.order_by = None;
    query.limit_clause = None;
}

/// Whether a query reads tables and no functions of what is outside of it.
fn reads_tables_alone(query: &Query) -> bool {
    matches!(query.body.as_ref(), SetExpr::Select(select) if reads_tables(select))
}

fn reads_tables(select: &Select) -> bool {
    let is_table = |table: &TableFactor| matches!(table, TableFactor::Table { args: None, .. });
    select
        .from
        .iter()
        .all(|from| is_table(&from.relation) && from.joins.iter().all(|join| is_table(&join.relation)))
}

fn call(name: &str, argument: Expr) -> Expr {
    let args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))];
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
