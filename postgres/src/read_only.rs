//! Which statements there are: those that read, and what clients say around them.

use datafusion::sql::sqlparser::ast::Statement;
use pgwire::error::PgWireResult;

use crate::errors::{code, error};

/// Checks that a statement changes nothing.
///
/// # Errors
/// With code 25006 if it would.
pub(crate) fn check(statement: &Statement) -> PgWireResult<()> {
    match statement {
        Statement::Query(_)
        | Statement::Explain { .. }
        | Statement::ExplainTable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowSchemas { .. }
        | Statement::ShowDatabases { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ShowVariable { .. }
        | Statement::ShowVariables { .. }
        | Statement::ShowStatus { .. }
        | Statement::ShowCatalogs { .. }
        | Statement::Set(_)
        | Statement::Reset(_)
        | Statement::Discard { .. }
        | Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. }
        // What it writes to is checked with its options.
        | Statement::Copy { .. }
        | Statement::Declare { .. }
        | Statement::Fetch { .. }
        | Statement::Close { .. }
        | Statement::Deallocate { .. } => Ok(()),
        other => {
            let name = other.to_string().split_whitespace().next().unwrap_or_default().to_uppercase();
            Err(error(code::READ_ONLY, format!("cannot execute {name}: statements here only read")))
        }
    }
}

/// Statements that clients send to clean up, and which have nothing to do here: their tag.
pub(crate) fn without_effect(statement: &Statement) -> Option<&'static str> {
    Some(match statement {
        Statement::Reset(_) => "RESET",
        Statement::Discard { .. } => "DISCARD ALL",
        Statement::Savepoint { .. } => "SAVEPOINT",
        Statement::ReleaseSavepoint { .. } => "RELEASE",
        Statement::Deallocate { .. } => "DEALLOCATE",
        _ => return None,
    })
}
