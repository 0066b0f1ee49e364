//! Where a column of a plan comes from: whether it is an output of a metric, and of which scan.

use std::sync::Arc;

use datafusion::common::{Column, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan};
use metricc_runtime_serve::RowColumn;

use crate::MetricTable;
use crate::metric_table::as_metric;

/// Where a scan stands in a plan: the numbers of the inputs on the way to it.
pub(crate) type Path = Vec<usize>;

/// What a column is.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// A column of the rows of a metric, which each row still has.
    Row { table: Arc<MetricTable>, column: RowColumn, path: Path },
    /// Something that was computed from an output, or is one of rows that are told apart no longer.
    MadeOf { table: Arc<MetricTable>, output: usize },
}

impl Origin {
    /// The output of a metric that it is or was made of.
    pub(crate) fn output(&self) -> Option<(&Arc<MetricTable>, usize)> {
        match self {
            Origin::Row { table, column: RowColumn::Output(output), .. } => Some((table, *output)),
            Origin::Row { .. } => None,
            Origin::MadeOf { table, output } => Some((table, *output)),
        }
    }

    /// The same, of rows that are told apart no longer.
    fn merged(self) -> Option<Self> {
        let (table, output) = self.output()?;
        Some(Origin::MadeOf { table: table.clone(), output })
    }

    fn below(self, input: usize) -> Self {
        match self {
            Origin::Row { table, column, mut path } => {
                path.insert(0, input);
                Origin::Row { table, column, path }
            }
            made => made,
        }
    }
}

/// Where a column that an expression names comes from.
pub(crate) fn of_column(plan: &LogicalPlan, column: &Column) -> Result<Option<Origin>> {
    Ok(of_index(plan, plan.schema().index_of_column(column)?))
}

/// Where an expression over a plan comes from.
pub(crate) fn of_expression(plan: &LogicalPlan, expression: &Expr) -> Option<Origin> {
    match expression {
        Expr::Column(column) => of_column(plan, column).ok().flatten(),
        Expr::Alias(alias) => of_expression(plan, &alias.expr),
        other => {
            let mut columns: Vec<&Column> = other.column_refs().into_iter().collect();
            columns.sort();
            columns.into_iter().find_map(|column| of_column(plan, column).ok().flatten()?.merged())
        }
    }
}

fn of_index(plan: &LogicalPlan, index: usize) -> Option<Origin> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source).ok()?;
            let table = as_metric(provider.as_ref())?;
            let index = scan.projection.as_ref().map_or(Some(index), |kept| kept.get(index).copied())?;
            let column = table.column(index)?;
            Some(Origin::Row { table: Arc::new(table.clone()), column, path: Path::new() })
        }
        LogicalPlan::SubqueryAlias(alias) => of_input(&alias.input, index, 0),
        LogicalPlan::Filter(filter) => of_input(&filter.input, index, 0),
        LogicalPlan::Sort(sort) => of_input(&sort.input, index, 0),
        LogicalPlan::Limit(limit) => of_input(&limit.input, index, 0),
        LogicalPlan::Projection(projection) => {
            Some(of_expression(&projection.input, projection.expr.get(index)?)?.below(0))
        }
        LogicalPlan::Window(window) => match window.input.schema().fields().len() {
            n_fields if index < n_fields => of_input(&window.input, index, 0),
            n_fields => of_expression(&window.input, window.window_expr.get(index - n_fields)?)?.merged(),
        },
        LogicalPlan::Join(join) => {
            let n_left = join.left.schema().fields().len();
            match join.join_type {
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                    of_input(&join.right, index, 1)
                }
                _ if index < n_left => of_input(&join.left, index, 0),
                _ => of_input(&join.right, index - n_left, 1),
            }
        }
        LogicalPlan::Distinct(Distinct::All(input)) => of_index(input, index)?.merged(),
        LogicalPlan::Distinct(Distinct::On(on)) => {
            of_expression(&on.input, on.select_expr.get(index)?)?.merged()
        }
        LogicalPlan::Union(union) => union.inputs.iter().find_map(|input| of_index(input, index)?.merged()),
        _ => None,
    }
}

fn of_input(input: &LogicalPlan, index: usize, number: usize) -> Option<Origin> {
    Some(of_index(input, index)?.below(number))
}
