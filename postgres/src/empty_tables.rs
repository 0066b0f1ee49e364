//! Queries over tables of the catalogue that are always empty here, such as those of indexes and constraints.
//!
//! Clients ask for what there is not with functions, arrays and correlated subqueries that the engine does not have.
//! A query that joins such a table has no rows whatever it computes, so its columns become nulls, and a subquery of
//! that kind becomes the null or the truth value that it gives.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, JoinOperator, Query, Select, SelectItem, SetExpr, SetOperator,
    TableFactor, TableWithJoins, Value, ValueWithSpan, Visit, Visitor, VisitorMut,
};

use crate::parsing::is_of_catalogue;

/// Tables without rows.
pub(crate) const EMPTY: [&str; 24] = [
    "pg_attrdef",
    "pg_auth_members",
    "pg_collation",
    "pg_constraint",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_inherits",
    "pg_partitioned_table",
    "pg_policy",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_sequence",
    "pg_shdescription",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_trigger",
    "pg_user_mapping",
    "pg_enum",
    "pg_extension",
];

/// Aggregates give a row even of no rows.
const AGGREGATES: [&str; 12] = [
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "array_agg",
    "string_agg",
    "json_agg",
    "jsonb_agg",
    "bool_and",
    "bool_or",
    "every",
];

/// Rewrites queries that have no rows.
pub(crate) struct WithoutEmptyTables;

impl VisitorMut for WithoutEmptyTables {
    type Break = Infallible;

    /// Inner queries come first.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
        if empty_body(&mut query.body) {
            query.with = None;
            query.order_by = None;
            query.limit_clause = None;
            query.fetch = None;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
        let value = match expr {
            Expr::Subquery(query) if is_nothing(query) => Value::Null,
            Expr::Exists { subquery, negated } if is_nothing(subquery) => Value::Boolean(*negated),
            Expr::InSubquery { subquery, negated, .. } if is_nothing(subquery) => Value::Boolean(*negated),
            _ => return ControlFlow::Continue(()),
        };
        *expr = literal(value);
        ControlFlow::Continue(())
    }
}

/// Makes the parts of a query that have no rows such by themselves; whether all of it has none.
fn empty_body(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => empty_select(select),
        SetExpr::SetOperation { op, left, right, .. } => {
            let (left, right) = (empty_body(left), empty_body(right));
            match op {
                SetOperator::Intersect => left || right,
                SetOperator::Except | SetOperator::Minus => left,
                SetOperator::Union => left && right,
            }
        }
        SetExpr::Query(query) => is_nothing(query),
        _ => false,
    }
}

fn empty_select(select: &mut Select) -> bool {
    let is_listed =
        |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    let has_no_rows = select.from.iter().any(joins_nothing);
    if !has_no_rows || !select.projection.iter().all(is_listed) || gives_a_row(select) {
        return false;
    }
    let null = |item: SelectItem| {
        let alias = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias,
            SelectItem::UnnamedExpr(expr) => Ident::with_quote('"', name_of(&expr)),
            other => return other,
        };
        SelectItem::ExprWithAlias { expr: literal(Value::Null), alias }
    };
    select.projection = std::mem::take(&mut select.projection).into_iter().map(null).collect();
    select.distinct = None;
    select.from = Vec::new();
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
    select.sort_by = Vec::new();
    select.selection = Some(literal(Value::Boolean(false)));
    true
}

/// Whether a query is one that was found to have no rows.
pub(crate) fn is_nothing(query: &Query) -> bool {
    matches!(&*query.body, SetExpr::Select(select)
        if select.from.is_empty() && matches!(&select.selection, Some(Expr::Value(value)) if value.value == Value::Boolean(false)))
}

/// Whether tables and what they are joined with have no rows together.
fn joins_nothing(tables: &TableWithJoins) -> bool {
    tables.joins.iter().fold(is_empty(&tables.relation), |so_far, join| match &join.join_operator {
        JoinOperator::Join(_)
        | JoinOperator::Inner(_)
        | JoinOperator::CrossJoin(_)
        | JoinOperator::CrossApply => so_far || is_empty(&join.relation),
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::OuterApply => so_far,
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => is_empty(&join.relation),
        JoinOperator::FullOuter(_) => so_far && is_empty(&join.relation),
        _ => false,
    })
}

fn is_empty(table: &TableFactor) -> bool {
    match table {
        TableFactor::Table { name, args: None, .. } => {
            let last = name.0.last().and_then(|part| Some(part.as_ident()?.value.to_lowercase()));
            is_of_catalogue(name) && last.is_some_and(|last| EMPTY.contains(&last.as_str()))
        }
        TableFactor::Derived { subquery, .. } => is_nothing(subquery),
        TableFactor::NestedJoin { table_with_joins, .. } => joins_nothing(table_with_joins),
        _ => false,
    }
}

/// Whether a query aggregates all rows to one.
fn gives_a_row(select: &Select) -> bool {
    let is_grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    };
    !is_grouped && aggregates(select)
}

/// Whether a query has an aggregate in its columns.
pub(crate) fn aggregates(select: &Select) -> bool {
    struct HasAggregate;
    impl Visitor for HasAggregate {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if function.over.is_none() && is_aggregate(function) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    select.projection.visit(&mut HasAggregate).is_break()
}

fn is_aggregate(function: &Function) -> bool {
    let name = function.name.0.last().and_then(|part| Some(part.as_ident()?.value.to_lowercase()));
    name.is_some_and(|name| AGGREGATES.contains(&name.as_str()))
}

/// The name that PostgreSQL gives to a column.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map_or_else(String::new, |name| name.value.clone()),
        Expr::Function(function) => {
            let last = function.name.0.last().and_then(|part| Some(part.as_ident()?.value.clone()));
            last.unwrap_or_default()
        }
        Expr::Cast { expr, .. } | Expr::Nested(expr) => name_of(expr),
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}

pub(crate) fn null() -> Expr {
    literal(Value::Null)
}

fn literal(value: Value) -> Expr {
    Expr::Value(ValueWithSpan::from(value))
}
