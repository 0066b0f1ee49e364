//! Hands the numbers of a metric's rows up through a plan, to where rows are grouped.

use std::sync::Arc;

use datafusion::common::{Column, DataFusionError, Result, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, SubqueryAlias, TableScan, TableScanBuilder};

use crate::metric_table::{NumberedRows, as_metric};

/// A plan in which the rows of a scan have their numbers.
pub(crate) struct Numbered {
    pub(crate) plan: LogicalPlan,
    /// The column of the numbers.
    pub(crate) column: Column,
    /// The rows that they are the numbers of.
    pub(crate) rows: Arc<NumberedRows>,
}

/// The plan with the numbers of the rows of the scan at the end of a path, in a column of this name.
///
/// # Errors
/// If the path does not lead to the scan of a metric, or through a node that does not keep rows: see
/// [`of_column`](crate::origin::of_column), which makes paths.
pub(crate) fn numbered(plan: &LogicalPlan, path: &[usize], name: &str) -> Result<Numbered> {
    let Some((input, rest)) = path.split_first() else { return numbered_scan(plan, name) };
    let inputs = plan.inputs();
    let below = inputs.get(*input).ok_or_else(|| lost("an input is missing"))?;
    let Numbered { plan: below, column, rows } = numbered(below, rest, name)?;
    match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            let column = Column::new(Some(alias.alias.clone()), name);
            let plan = SubqueryAlias::try_new(Arc::new(below), alias.alias.clone())?;
            Ok(Numbered { plan: LogicalPlan::SubqueryAlias(plan), column, rows })
        }
        LogicalPlan::Projection(projection) => {
            let mut expressions = projection.expr.clone();
            expressions.push(Expr::Column(column.clone()));
            let plan = LogicalPlan::Projection(Projection::try_new(expressions, Arc::new(below))?);
            Ok(Numbered { plan, column, rows })
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Join(_) => {
            let mut inputs: Vec<LogicalPlan> = inputs.into_iter().cloned().collect();
            inputs[*input] = below;
            Ok(Numbered { plan: plan.with_new_exprs(plan.expressions(), inputs)?, column, rows })
        }
        _ => Err(lost("rows are not kept")),
    }
}

fn numbered_scan(plan: &LogicalPlan, name: &str) -> Result<Numbered> {
    let LogicalPlan::TableScan(scan) = plan else { return Err(lost("there is no scan")) };
    let provider = source_as_provider(&scan.source)?;
    let table = as_metric(provider.as_ref()).ok_or_else(|| lost("the scan is of no metric"))?;
    let n_columns = table_columns(scan);
    let (table, rows) = table.numbered(name);
    let projection = scan.projection.clone().map(|mut kept| {
        kept.push(n_columns);
        kept
    });
    let source = provider_as_source(Arc::new(table));
    let table_name: TableReference = scan.table_name.clone();
    let column = Column::new(Some(table_name.clone()), name);
    let scan = TableScanBuilder::new(table_name, source)
        .with_projection(projection)
        .with_filters(scan.filters.clone())
        .with_fetch(scan.fetch)
        .build()?;
    Ok(Numbered { plan: LogicalPlan::TableScan(scan), column, rows })
}

/// The number of columns of the table of a scan.
fn table_columns(scan: &TableScan) -> usize {
    scan.source.schema().fields().len()
}

fn lost(why: &str) -> DataFusionError {
    DataFusionError::Internal(format!("rows of a metric cannot be numbered: {why}"))
}
