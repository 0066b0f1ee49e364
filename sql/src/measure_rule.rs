//! Gives measures their meaning: replaces each aggregate over an output of a metric by the output of the merged
//! rows, or refuses it.
//!
//! An output belongs to its window and keys. Only states merge, so an aggregate of SQL over outputs would be a sum
//! of quantiles or a mean of means, and is refused, unless it is what the output is declared with.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunctionDefinition};
use datafusion::logical_expr::{Aggregate, AggregateUDF, Expr, LogicalPlan, Window};
use datafusion::optimizer::AnalyzerRule;
use metricc_runtime_serve::{DeclaredAggregate, Mergeable, RowColumn};

use crate::MetricTable;
use crate::measure_function::{MergedOutput, NAMES};
use crate::metric_table::{NumberedRows, refused};
use crate::origin::{Origin, Path, of_column, of_expression};
use crate::row_numbers::{Numbered, numbered};

/// Gives measures their meaning.
#[derive(Debug)]
pub(crate) struct MeasureRule;

impl AnalyzerRule for MeasureRule {
    fn name(&self) -> &str {
        "measures"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut n_numbered = 0;
        let rewritten = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Aggregate(aggregate) => with_measures(aggregate, &mut n_numbered),
            LogicalPlan::Window(window) => {
                check_window(&window)?;
                Ok(Transformed::no(LogicalPlan::Window(window)))
            }
            // What is below may have other types.
            other => Ok(Transformed::no(other.recompute_schema()?)),
        });
        Ok(rewritten?.data)
    }
}

/// An aggregate that is an output of the merged rows of a scan.
struct Measured {
    table: Arc<MetricTable>,
    output: usize,
    path: Path,
}

fn with_measures(aggregate: Aggregate, n_numbered: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let input = aggregate.input.clone();
    let mut found = Vec::new();
    for expression in &aggregate.aggr_expr {
        found.push(measured(&input, &aggregate.group_expr, function_of(expression))?);
    }
    if found.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let mut input = input.as_ref().clone();
    let mut scans: Vec<(Path, Column, Arc<NumberedRows>)> = Vec::new();
    let mut expressions = Vec::with_capacity(found.len());
    for (expression, measured) in aggregate.aggr_expr.into_iter().zip(found) {
        let Some(measured) = measured else {
            expressions.push(expression);
            continue;
        };
        let known = scans.iter().position(|(path, ..)| *path == measured.path);
        let scan = match known {
            Some(known) => known,
            None => {
                // No identifier of a statement has a space unless it is quoted.
                let name = format!("row {n_numbered} of {}", measured.table.row_type().name);
                *n_numbered += 1;
                let Numbered { plan, column, rows } = numbered(&input, &measured.path, &name)?;
                input = plan;
                scans.push((measured.path.clone(), column, rows));
                scans.len() - 1
            }
        };
        let (_, column, rows) = &scans[scan];
        expressions.push(replaced(&expression, &measured, column, rows)?);
    }
    let plan = Aggregate::try_new(Arc::new(input), aggregate.group_expr, expressions)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(plan)))
}

/// The same expression, under its name, as the output of the rows that the column numbers.
fn replaced(
    expression: &Expr,
    measured: &Measured,
    column: &Column,
    rows: &Arc<NumberedRows>,
) -> Result<Expr> {
    let (relation, name) = expression.qualified_name();
    let Measured { table, output, .. } = measured;
    let named = (table.row_type().name.clone(), *output, table.output_name(*output).to_owned());
    let merged = MergedOutput::new(rows.clone(), named, table.output_type(*output));
    let filter = function_of(expression).and_then(|function| function.params.filter.clone());
    let function = Arc::new(AggregateUDF::new_from_impl(merged));
    let arguments = vec![Expr::Column(column.clone())];
    let merged = AggregateFunction::new_udf(function, arguments, false, filter, Vec::new(), None);
    Ok(Expr::AggregateFunction(merged).alias_qualified(relation, name))
}

/// The aggregate that an expression of an aggregation is.
fn function_of(expression: &Expr) -> Option<&AggregateFunction> {
    match expression {
        Expr::AggregateFunction(function) => Some(function),
        Expr::Alias(alias) => function_of(&alias.expr),
        _ => None,
    }
}

/// What an aggregate over an output means; `None` for an aggregate over anything else.
///
/// # Errors
/// If it means nothing.
fn measured(
    input: &LogicalPlan,
    groups: &[Expr],
    function: Option<&AggregateFunction>,
) -> Result<Option<Measured>> {
    let Some(function) = function else { return Ok(None) };
    let is_measure = is_measure(function.func.name());
    let arguments = &function.params.args;
    if let [Expr::Column(column)] = &arguments[..]
        && let Some(origin) = of_column(input, column)?
        && let Some((table, output)) = origin.output()
    {
        if !is_measure && !means(function, table.declared(output)) {
            return refused(other_aggregate(&sql_name(function), table, output, &column.name));
        }
        let Origin::Row { table, path, .. } = &origin else {
            return refused(rows_are_lost(table, output));
        };
        if is_measure && (function.params.distinct || !function.params.order_by.is_empty()) {
            return refused(format!("MEASURE({}) takes neither DISTINCT nor ORDER BY", column.name));
        }
        check_groups(input, groups, table, path)?;
        return Ok(Some(Measured { table: table.clone(), output, path: path.clone() }));
    }
    if is_measure {
        return refused(no_output(arguments));
    }
    let made = arguments.iter().find_map(|argument| of_expression(input, argument)?.merged_output());
    match made {
        Some((table, output)) => {
            let name = table.output_name(output).to_owned();
            refused(other_aggregate(&sql_name(function), &table, output, &name))
        }
        None => Ok(None),
    }
}

impl Origin {
    fn merged_output(self) -> Option<(Arc<MetricTable>, usize)> {
        self.output().map(|(table, output)| (table.clone(), output))
    }
}

fn is_measure(name: &str) -> bool {
    NAMES.contains(&name)
}

fn sql_name(function: &AggregateFunction) -> String {
    let distinct = if function.params.distinct { " DISTINCT" } else { "" };
    format!("{}{distinct}", function.func.name().to_uppercase())
}

/// Whether an aggregate of SQL is what an output is declared with.
fn means(function: &AggregateFunction, declared: Option<DeclaredAggregate>) -> bool {
    let is_distinct = function.params.distinct;
    match (function.func.name(), declared) {
        ("sum", Some(DeclaredAggregate::Sum | DeclaredAggregate::Count)) => !is_distinct,
        ("count", Some(DeclaredAggregate::Count)) => !is_distinct,
        ("min", Some(DeclaredAggregate::Min)) | ("max", Some(DeclaredAggregate::Max)) => true,
        ("count", Some(DeclaredAggregate::CountDistinct)) => is_distinct,
        ("approx_distinct", Some(DeclaredAggregate::CountDistinct)) => true,
        _ => false,
    }
}

/// Checks that rows are merged only where that has a meaning.
fn check_groups(input: &LogicalPlan, groups: &[Expr], table: &MetricTable, path: &Path) -> Result<()> {
    let has = |wanted: RowColumn| {
        groups.iter().any(|group| match of_expression(input, group) {
            Some(Origin::Row { column, path: of_group, .. }) => column == wanted && of_group == *path,
            _ => false,
        })
    };
    let metric = &table.row_type().name;
    let has_window = || has(RowColumn::WindowStart) || has(RowColumn::WindowEnd);
    match table.mergeable() {
        Mergeable::Rows => Ok(()),
        Mergeable::RowsOfWindow if has_window() => Ok(()),
        Mergeable::RowsOfWindow => refused(format!(
            "windows of metric `{metric}` overlap or look at others, so only rows of one window merge: \
             add `window_start` to GROUP BY"
        )),
        Mergeable::Nothing => {
            let has_keys = (0..table.row_type().keys.len()).all(|key| has(RowColumn::Key(key)));
            if has(RowColumn::WindowStart) && has_keys {
                return Ok(());
            }
            refused(format!(
                "metric `{metric}` has sessions of each key, which do not merge: add `window_start` and all keys \
                 to GROUP BY, or read its rows without MEASURE"
            ))
        }
    }
}

fn other_aggregate(function: &str, table: &MetricTable, output: usize, column: &str) -> String {
    let (metric, output) = (&table.row_type().name, table.output_name(output));
    let of =
        if column == output { format!("`{output}`") } else { format!("`{column}`, which is `{output}`") };
    format!(
        "{function} of {of} of metric `{metric}` has no meaning: each value is of its own window and keys, and only \
         their states merge. Write MEASURE({output}), or for {function} of values of groups, first group with \
         MEASURE({output}) in a subquery"
    )
}

fn rows_are_lost(table: &MetricTable, output: usize) -> String {
    let (metric, output) = (&table.row_type().name, table.output_name(output));
    format!(
        "`{output}` of metric `{metric}` is computed from here, or its rows are told apart no longer (DISTINCT, \
         UNION): group with MEASURE({output}) before that, in a subquery"
    )
}

fn no_output(arguments: &[Expr]) -> String {
    let given = arguments.first().map_or_else(String::new, |argument| format!("; `{argument}` is none"));
    format!("MEASURE takes an output of a metric as it is{given}")
}

/// Aggregates over windows of rows see numbers, not states: those that an output is declared with may be summed up
/// so, and no others.
fn check_window(window: &Window) -> Result<()> {
    for expression in &window.window_expr {
        let Expr::WindowFunction(function) = unaliased(expression) else { continue };
        let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun else { continue };
        if is_measure(aggregate.name()) {
            let problem =
                "MEASURE has no OVER: group with MEASURE in a subquery, and use window functions over it";
            return refused(problem.to_owned());
        }
        let made = |argument: &Expr| of_expression(&window.input, argument)?.merged_output();
        let Some((table, output)) = function.params.args.iter().find_map(made) else { continue };
        let plain = AggregateFunction::new_udf(
            aggregate.clone(),
            function.params.args.clone(),
            function.params.distinct,
            None,
            Vec::new(),
            None,
        );
        let is_declared = means(&plain, table.declared(output)) && table.mergeable() == Mergeable::Rows;
        let is_sum =
            matches!(table.declared(output), Some(declared) if declared != DeclaredAggregate::CountDistinct);
        if !(is_declared && is_sum) {
            let name = table.output_name(output).to_owned();
            return refused(other_aggregate(&sql_name(&plain), &table, output, &name));
        }
    }
    Ok(())
}

fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
