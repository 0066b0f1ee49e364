//! The tables of a prepared statement are those of the moment at which it is executed.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::LogicalPlan;
use metricc_sql::{MetricTable, SourceTable, Tables};
use pgwire::error::PgWireResult;

use crate::errors::{code, error, of_statement};

/// The same plan over the tables of now.
///
/// # Errors
/// With code 0A000 if a table is gone or has other columns: the statement has to be prepared again.
pub(crate) fn at_now(plan: LogicalPlan, tables: &Tables) -> PgWireResult<LogicalPlan> {
    let mut changed = None;
    let replaced = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::TableScan(mut scan) => {
            let before = source_as_provider(&scan.source)?;
            let Some(name) = name_of(before.as_ref()) else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            match table_of(tables, &name) {
                Some(now) if now.schema() == before.schema() => {
                    scan.source = provider_as_source(now);
                }
                _ => changed = Some(name),
            }
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    });
    let replaced: Result<LogicalPlan> = replaced.map(|replaced| replaced.data);
    match (changed, replaced) {
        (Some(name), _) => Err(error(
            code::CHANGED_PLAN,
            format!(
                "cached plan must not change result type: `{name}` was deployed anew, prepare the statement again"
            ),
        )),
        (None, replaced) => replaced.map_err(|failed| of_statement(&failed)),
    }
}

/// The name of a metric or source; `None` of another table.
pub(crate) fn name_of(table: &dyn TableProvider) -> Option<String> {
    let table = table as &dyn std::any::Any;
    let metric = table.downcast_ref::<MetricTable>().map(|table| table.row_type().name.clone());
    metric.or_else(|| table.downcast_ref::<SourceTable>().map(|table| table.name().to_owned()))
}

fn table_of(tables: &Tables, name: &str) -> Option<Arc<dyn TableProvider>> {
    tables.find(name)
}
