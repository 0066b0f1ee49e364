//! Statements: what they name, and their rows.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser;

use crate::metric_table::refused;
use crate::session_state;

/// The names of the tables whose rows a statement reads, without their schemas. One that only describes tables
/// reads none.
///
/// # Errors
/// If the text is no statement.
pub fn tables_of(statement: &str) -> Result<Vec<String>> {
    let state = session_state(SessionConfig::new()).build();
    let parsed = state.sql_to_statement(statement, &state.config_options().sql_parser.dialect)?;
    let reads = match &parsed {
        Statement::Statement(statement) => matches!(statement.as_ref(), sqlparser::ast::Statement::Query(_)),
        Statement::Explain(explain) => explain.options.analyze,
        _ => false,
    };
    if !reads {
        return Ok(Vec::new());
    }
    let tables = state.resolve_table_references(&parsed)?;
    Ok(tables.into_iter().map(|table| table.table().to_owned()).collect())
}

/// Plans a statement of a session, which may only read.
///
/// # Errors
/// If it is no statement, or would change something.
pub async fn plan(context: &SessionContext, statement: &str) -> Result<LogicalPlan> {
    let state = context.state();
    let parsed = state.sql_to_statement(statement, &state.config_options().sql_parser.dialect)?;
    if !only_reads(&parsed) {
        return refused("statements here only read: write SELECT, EXPLAIN, DESCRIBE or SHOW TABLES");
    }
    let plan = state.statement_to_plan(parsed).await?;
    // Whatever is below.
    let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads.verify_plan(&plan)?;
    Ok(plan)
}

/// Whether a statement is one that reads. A query may still have parts that write, which its plan shows.
fn only_reads(statement: &Statement) -> bool {
    use sqlparser::ast::Statement as Parsed;
    match statement {
        Statement::Statement(statement) => matches!(
            statement.as_ref(),
            Parsed::Query(_)
                | Parsed::ExplainTable { .. }
                | Parsed::ShowTables { .. }
                | Parsed::ShowColumns { .. }
                | Parsed::ShowVariable { .. }
                | Parsed::ShowFunctions { .. }
        ),
        Statement::Explain(explain) => only_reads(&explain.statement),
        _ => false,
    }
}

/// The rows of a statement, as they are computed.
///
/// # Errors
/// As [`plan`]; and if rows cannot be computed, which later batches may say as well.
pub async fn rows(context: &SessionContext, statement: &str) -> Result<SendableRecordBatchStream> {
    let plan = plan(context, statement).await?;
    DataFrame::new(context.state(), plan).execute_stream().await
}

/// What an error says, without the layers that it has passed through.
pub fn message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Context(_, error) | DataFusionError::Diagnostic(_, error) => message(error),
        DataFusionError::Shared(error) => message(&Arc::clone(error)),
        DataFusionError::Plan(problem) | DataFusionError::Execution(problem) => without_backtrace(problem),
        DataFusionError::External(error) => error.to_string(),
        DataFusionError::SQL(error, _) => error.to_string(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    }
}

fn without_backtrace(problem: &str) -> String {
    problem.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(problem).to_owned()
}
