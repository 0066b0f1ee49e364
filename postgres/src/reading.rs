//! What a statement has read, as an access log states it.

use std::sync::Arc;
use std::time::Instant;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use pgwire::error::PgWireError;

use crate::door::Reader;
use crate::tables_of_plan::name_of;

/// A statement that has ended.
#[derive(Debug, Clone)]
pub struct ReadStatement {
    /// Its text.
    pub text: String,
    /// The metrics and sources that it reads; those of a statement that was refused may not be known.
    pub tables: Vec<String>,
    /// Rows that were sent.
    pub n_rows: u64,
    /// The bytes of their values, as they were sent.
    pub n_bytes: u64,
    /// PostgreSQL's code of the error that it has ended with.
    pub code: Option<String>,
    /// Whether the reader has got all rows.
    pub is_complete: bool,
    /// When it began.
    pub since: Instant,
}

/// A statement that runs. When it is dropped, the reader's log has it.
pub(crate) struct Reading {
    reader: Arc<dyn Reader>,
    statement: ReadStatement,
}

impl Reading {
    pub(crate) fn begin(reader: &Arc<dyn Reader>, text: &str) -> Self {
        let statement = ReadStatement {
            text: text.to_owned(),
            tables: Vec::new(),
            n_rows: 0,
            n_bytes: 0,
            code: None,
            is_complete: false,
            since: Instant::now(),
        };
        Reading { reader: reader.clone(), statement }
    }

    /// Notes the tables of its plan.
    pub(crate) fn planned(&mut self, plan: &LogicalPlan) {
        let tables = &mut self.statement.tables;
        let noted = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(name) = name_of(source_as_provider(&scan.source)?.as_ref())
                && !tables.contains(&name)
            {
                tables.push(name);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(noted.is_ok(), "every table of a plan has a provider");
    }

    /// Notes the one table of a statement that takes no plan.
    pub(crate) fn reads(&mut self, table: &str) {
        self.statement.tables = vec![table.to_owned()];
    }

    pub(crate) fn sent(&mut self, n_rows: u64, n_bytes: u64) {
        self.statement.n_rows += n_rows;
        self.statement.n_bytes += n_bytes;
    }

    pub(crate) fn complete(&mut self) {
        self.statement.is_complete = true;
    }

    pub(crate) fn failed(&mut self, failed: &PgWireError) {
        let code = match failed {
            PgWireError::UserError(info) => info.code.clone(),
            _ => crate::errors::code::INTERNAL.to_owned(),
        };
        self.statement.code = Some(code);
    }

    /// Notes an error, and hands it on.
    pub(crate) fn noted<T>(&mut self, result: Result<T, PgWireError>) -> Result<T, PgWireError> {
        result.inspect_err(|failed| self.failed(failed))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // What reads the catalogue alone is about nobody's numbers.
        if !self.statement.tables.is_empty() || self.statement.code.is_some() {
            self.reader.log(&self.statement);
        }
    }
}
