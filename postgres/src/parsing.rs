//! Texts to statements.
//!
//! Clients ask the catalogue in a dialect that the engine does not have as a whole, so statements over the catalogue
//! are rewritten by `datafusion-pg-catalog`. Some of its rules give up an answer for being planned: a correlated
//! subquery becomes null. That is right for what a client lists, and wrong for numbers; so a statement that reads a
//! metric or a source keeps its meaning, and what cannot be planned is an error.

use std::collections::HashSet;
use std::fmt;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, TableFactor, Visit, VisitMut, Visitor};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use datafusion_pg_catalog::sql::rules::{
    AliasDuplicatedProjectionRewrite, CurrentUserVariableToSessionUserFunctionCall, FixArrayLiteral,
    ResolveUnqualifiedIdentifier, RewriteArrayAnyAllOperation, RewritePgCatalogOperator,
    SqlStatementRewriteRule, StripCallableQualifier, StripCollate,
};

use crate::catalogue_subqueries::CatalogueSubqueries;
use crate::empty_tables::WithoutEmptyTables;
use crate::escapes::WithoutEscapes;

/// Makes statements of texts.
pub(crate) struct Texts {
    of_catalogue: PostgresCompatibilityParser,
    /// Rules that leave the meaning of a statement as it is.
    of_all: [&'static dyn SqlStatementRewriteRule; 8],
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts")
    }
}

impl Texts {
    pub(crate) fn new() -> Self {
        Texts {
            of_catalogue: PostgresCompatibilityParser::new(),
            of_all: [
                &AliasDuplicatedProjectionRewrite,
                &ResolveUnqualifiedIdentifier,
                &RewriteArrayAnyAllOperation,
                &StripCallableQualifier,
                &FixArrayLiteral,
                &CurrentUserVariableToSessionUserFunctionCall,
                &StripCollate,
                &RewritePgCatalogOperator,
            ],
        }
    }

    /// The statements of a text.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn parse(&self, text: &str) -> Result<Vec<Statement>, ParserError> {
        let plain = Parser::parse_sql(&PostgreSqlDialect {}, text);
        // Whole texts that clients send are known there, and forms that the parser does not have.
        let of_catalogue = self.of_catalogue.parse(text);
        match (plain, of_catalogue) {
            (Ok(plain), Ok(of_catalogue)) if plain.len() == of_catalogue.len() => {
                let pairs = plain.into_iter().zip(of_catalogue);
                Ok(pairs.map(|(plain, rewritten)| self.either(plain, rewritten)).collect())
            }
            (Err(_), Ok(statements)) if statements.iter().all(reads_catalogue_alone) => {
                Ok(statements.into_iter().map(finished_of_catalogue).collect())
            }
            (Err(failed), _) | (_, Err(failed)) => Err(failed),
            (Ok(statements), Ok(_)) => {
                Ok(statements.into_iter().map(|statement| self.plain(statement)).collect())
            }
        }
    }

    fn either(&self, plain: Statement, rewritten: Statement) -> Statement {
        match reads_catalogue_alone(&plain) {
            true => finished_of_catalogue(rewritten),
            false => self.plain(plain),
        }
    }

    fn plain(&self, statement: Statement) -> Statement {
        finished(self.of_all.iter().fold(statement, |statement, rule| rule.rewrite(statement)))
    }
}

fn finished_of_catalogue(statement: Statement) -> Statement {
    let mut statement = finished(statement);
    let ControlFlow::Continue(()) = VisitMut::visit(&mut statement, &mut CatalogueSubqueries);
    statement
}

/// What holds for all statements, whoever has written them.
fn finished(mut statement: Statement) -> Statement {
    let ControlFlow::Continue(()) = VisitMut::visit(&mut statement, &mut WithoutEmptyTables);
    let ControlFlow::Continue(()) = VisitMut::visit(&mut statement, &mut WithoutEscapes);
    statement
}

/// Whether all tables that a statement reads are of the catalogue.
fn reads_catalogue_alone(statement: &Statement) -> bool {
    let mut tables = TablesOf::default();
    let ControlFlow::Continue(()) = statement.visit(&mut tables);
    tables.read.iter().all(|name| is_of_catalogue(name) || tables.defined.contains(&name.to_string()))
}

/// Whether a table is one of the catalogue, with or without its schema.
pub(crate) fn is_of_catalogue(name: &ObjectName) -> bool {
    let parts: Vec<String> =
        name.0.iter().filter_map(|part| Some(part.as_ident()?.value.to_lowercase())).collect();
    match &parts[..] {
        [table] => table.starts_with("pg_"),
        [.., schema, _] => schema == "pg_catalog" || schema == "information_schema",
        [] => false,
    }
}

/// The tables of a statement.
#[derive(Default)]
struct TablesOf {
    read: Vec<ObjectName>,
    /// By `WITH`.
    defined: HashSet<String>,
}

impl Visitor for TablesOf {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let defined = query.with.iter().flat_map(|with| &with.cte_tables);
        self.defined.extend(defined.map(|table| table.alias.name.to_string()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Self::Break> {
        // Functions that give rows read no table.
        if let TableFactor::Table { name, args: None, .. } = table {
            self.read.push(name.clone());
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        let statements = Texts::new().parse(text).unwrap();
        statements.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn statements_over_metrics_keep_their_subqueries() {
        for text in [
            "SELECT (SELECT count(*) FROM orders AS o WHERE o.country = r.country) FROM revenue AS r",
            "SELECT (SELECT country FROM orders)",
            "SELECT EXISTS (SELECT 1 FROM orders WHERE orders.country = r.country) FROM revenue AS r",
            "WITH pg_like AS (SELECT 1) SELECT (SELECT max(n) FROM orders AS o WHERE o.k = p.k) FROM pg_like AS p, orders",
        ] {
            assert_eq!(parsed(text), text);
        }
    }

    #[test]
    fn what_reads_empty_tables_has_no_rows() {
        for (text, expected) in [
            (
                "SELECT a.attname, (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d WHERE d.adrelid = a.attrelid) AS x FROM pg_catalog.pg_attribute AS a",
                "SELECT a.attname, NULL AS x FROM pg_catalog.pg_attribute AS a",
            ),
            (
                "SELECT i.indexrelid, unnest(i.indkey), upper('x') AS y FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid GROUP BY 1 HAVING count(*) > 1 ORDER BY c.relname LIMIT 3",
                "SELECT NULL AS \"indexrelid\", NULL AS \"unnest\", NULL AS y WHERE false",
            ),
            (
                "SELECT c.relname FROM pg_catalog.pg_class AS c WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid)",
                "SELECT c.relname FROM pg_catalog.pg_class AS c WHERE true",
            ),
        ] {
            assert_eq!(parsed(text), expected);
        }
    }

    #[test]
    fn what_may_have_rows_is_left() {
        for text in [
            "SELECT count(*) FROM pg_catalog.pg_index",
            "SELECT * FROM pg_catalog.pg_index",
            "SELECT c.relname FROM pg_catalog.pg_class AS c LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid",
            "SELECT n FROM pg_index_of_mine.pg_index",
        ] {
            assert_eq!(parsed(text), text);
        }
    }

    #[test]
    fn patterns_escape_with_backslashes() {
        assert_eq!(
            parsed("SELECT a LIKE 'x/_y' ESCAPE '/' FROM t"),
            "SELECT a LIKE replace(replace(replace(replace('x/_y', '\\', '\\\\'), '//', '\u{1}'), '/', '\\'), '\u{1}', '/') FROM t"
        );
        assert_eq!(parsed("SELECT a LIKE 'x' FROM t"), "SELECT a LIKE 'x' FROM t");
    }
}
