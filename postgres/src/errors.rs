//! Errors in PostgreSQL's form: a code, and what went wrong.

use std::error::Error;

use datafusion::common::DataFusionError;
use metricc_client::ServingError;
use pgwire::error::{ErrorInfo, PgWireError};

/// Codes of PostgreSQL (its manual, appendix A).
pub(crate) mod code {
    /// `feature_not_supported`, which drivers take as a reason to prepare a statement again.
    pub(crate) const CHANGED_PLAN: &str = "0A000";
    /// The same, for what there is not.
    pub(crate) const UNSUPPORTED: &str = "0A000";
    /// `read_only_sql_transaction`.
    pub(crate) const READ_ONLY: &str = "25006";
    /// `invalid_password`.
    pub(crate) const INVALID_PASSWORD: &str = "28P01";
    /// `invalid_cursor_name`.
    pub(crate) const UNKNOWN_CURSOR: &str = "34000";
    /// `duplicate_cursor`.
    pub(crate) const DUPLICATE_CURSOR: &str = "42P03";
    /// `object_not_in_prerequisite_state`.
    pub(crate) const CURSOR: &str = "55000";
    /// `syntax_error`.
    pub(crate) const SYNTAX: &str = "42601";
    /// `undefined_table`.
    pub(crate) const UNKNOWN_TABLE: &str = "42P01";
    /// `undefined_column`.
    pub(crate) const UNKNOWN_COLUMN: &str = "42703";
    /// `syntax_error_or_access_rule_violation`.
    pub(crate) const REFUSED: &str = "42000";
    /// `too_many_connections`.
    pub(crate) const TOO_MANY: &str = "53300";
    /// `out_of_memory`.
    pub(crate) const MEMORY: &str = "53200";
    /// `program_limit_exceeded`.
    pub(crate) const LIMIT: &str = "54000";
    /// `query_canceled`.
    pub(crate) const CANCELED: &str = "57014";
    /// `cannot_connect_now`.
    pub(crate) const NOT_NOW: &str = "57P03";
    /// `internal_error`.
    pub(crate) const INTERNAL: &str = "XX000";
}

pub(crate) fn error(code: &str, message: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message.into())))
}

pub(crate) fn fatal(code: &str, message: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message.into())))
}

/// An error of a statement.
pub(crate) fn of_statement(failed: &DataFusionError) -> PgWireError {
    let message = metricc_sql::message(failed);
    error(code_of(failed, &message), message)
}

fn code_of(failed: &DataFusionError, message: &str) -> &'static str {
    match failed.find_root() {
        DataFusionError::SQL(..) => code::SYNTAX,
        DataFusionError::SchemaError(..) => code::UNKNOWN_COLUMN,
        DataFusionError::Plan(_) if message.starts_with("table '") => code::UNKNOWN_TABLE,
        DataFusionError::Plan(_) | DataFusionError::NotImplemented(_) => code::REFUSED,
        DataFusionError::ResourcesExhausted(_) => code::MEMORY,
        DataFusionError::External(failed) => of_serving(failed.as_ref()).unwrap_or(code::INTERNAL),
        _ => code::INTERNAL,
    }
}

fn of_serving(failed: &(dyn Error + Send + Sync + 'static)) -> Option<&'static str> {
    Some(match failed.downcast_ref::<ServingError>()? {
        ServingError::NotReady { .. } | ServingError::Backfilling { .. } => code::NOT_NOW,
        ServingError::TooManyRows { .. } => code::LIMIT,
        ServingError::Request(_) => code::REFUSED,
        _ => code::INTERNAL,
    })
}

/// An error of what is served.
pub(crate) fn of_reader(failed: &ServingError) -> PgWireError {
    let code = match failed {
        ServingError::NotReady { .. } | ServingError::Backfilling { .. } => code::NOT_NOW,
        _ => code::TOO_MANY,
    };
    error(code, failed.to_string())
}
