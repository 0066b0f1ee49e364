//! Reads of the rows of one combination of keys, which need no plan.
//!
//! Services prepare such a statement once and execute it thousands of times a second, each with other values. An
//! index has the rows, so planning would cost many times what reading does. What is answered here is what the plan
//! would give: columns as they are, of the rows that equal values of all keys and bounds of `window_start` select.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use metricc_runtime_serve::RowColumn;

use crate::MetricTable;
use crate::metric_table::{as_metric, failed};
use crate::origin::{Origin, of_expression};
use crate::pushed_filters::exact_request;

/// A statement of this form.
#[derive(Debug)]
pub struct PointRead {
    metric: String,
    columns: Vec<RowColumn>,
    schema: SchemaRef,
    conditions: Vec<(RowColumn, Operator, Operand)>,
}

/// What a column is compared with.
#[derive(Debug, Clone)]
enum Operand {
    Literal(ScalarValue),
    /// `$1` is 0.
    Parameter(usize),
}

impl PointRead {
    /// A plan as a statement of this form, if it is one.
    pub fn of(plan: &LogicalPlan) -> Option<Self> {
        let LogicalPlan::Projection(projection) = plan else { return None };
        let mut columns = Vec::with_capacity(projection.expr.len());
        let mut metric = None;
        for expression in &projection.expr {
            let Origin::Row { table, column, .. } = of_expression(&projection.input, expression)? else {
                return None;
            };
            metric = Some(table);
            columns.push(column);
        }
        let table = metric?;
        let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return None };
        if !is_rows_of_metric(&filter.input) {
            return None;
        }
        let conditions = split_conjunction(&filter.predicate).into_iter();
        let conditions: Vec<_> =
            conditions.map(|part| condition(&filter.input, part)).collect::<Option<_>>()?;
        let n_keys = table.row_type().keys.len();
        let is_given = |key: usize| {
            conditions.iter().any(|(column, op, _)| *column == RowColumn::Key(key) && *op == Operator::Eq)
        };
        let is_point = n_keys > 0 && (0..n_keys).all(is_given);
        let schema = Arc::new(plan.schema().as_arrow().clone());
        let metric = table.row_type().name.clone();
        is_point.then_some(PointRead { metric, columns, schema, conditions })
    }

    /// The metric that it reads.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The rows, with these values of the parameters; `None` if a value needs the rules of the engine.
    ///
    /// # Errors
    /// If rows cannot be computed.
    pub fn read(&self, table: &MetricTable, parameters: &[ScalarValue]) -> Result<Option<RecordBatch>> {
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for (column, op, operand) in &self.conditions {
            let value = match operand {
                Operand::Literal(value) => Some(value),
                Operand::Parameter(number) => parameters.get(*number),
            };
            let Some(value) = value.and_then(|value| as_column(table, *column, value)) else {
                return Ok(None);
            };
            conditions.push((*column, *op, value));
        }
        let Some(request) = exact_request(table.row_type(), &conditions) else { return Ok(None) };
        let Ok(query) = table.served().query(request) else { return Ok(None) };
        let rows = query.measured(table.served().published()).map_err(failed)?;
        let columns = rows.columns(0..rows.n_rows(), &self.columns).map_err(failed)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.n_rows()));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?))
    }
}

/// Whether a plan is the rows of a metric, as they are.
fn is_rows_of_metric(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => is_rows_of_metric(&alias.input),
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source);
            scan.filters.is_empty()
                && scan.fetch.is_none()
                && provider.is_ok_and(|provider| as_metric(provider.as_ref()).is_some())
        }
        _ => false,
    }
}

fn condition(input: &LogicalPlan, part: &Expr) -> Option<(RowColumn, Operator, Operand)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else { return None };
    let operand = |expression: &Expr| match expression {
        Expr::Literal(value, _) => Some(Operand::Literal(value.clone())),
        Expr::Placeholder(placeholder) => {
            let number: usize = placeholder.id.trim_start_matches('$').parse().ok()?;
            Some(Operand::Parameter(number.checked_sub(1)?))
        }
        _ => None,
    };
    let (column, op, operand) = match (operand(left), operand(right)) {
        (None, Some(operand)) => (left, *op, operand),
        (Some(operand), None) => (right, op.swap()?, operand),
        _ => return None,
    };
    let Expr::Column(_) = column.as_ref() else { return None };
    let Some(Origin::Row { column, .. }) = of_expression(input, column) else { return None };
    let is_understood = match column {
        RowColumn::Key(_) => op == Operator::Eq,
        RowColumn::WindowStart => {
            matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
        }
        RowColumn::WindowEnd | RowColumn::Output(_) => false,
    };
    is_understood.then_some((column, op, operand))
}

/// A value as one of a column's type. A number or a text is one; anything else is left to the engine.
fn as_column(table: &MetricTable, column: RowColumn, value: &ScalarValue) -> Option<ScalarValue> {
    let ty = table.type_of(column);
    let is_text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let is_plain = match (&value.data_type(), ty) {
        (given, wanted) if is_text(given) && is_text(wanted) => true,
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(..)) => true,
        (DataType::Int64 | DataType::Int32 | DataType::Int16, DataType::Int64) => true,
        (DataType::Boolean, DataType::Boolean) => true,
        // A time as text, with its offset.
        (given, DataType::Timestamp(..)) if is_text(given) => true,
        _ => false,
    };
    if value.is_null() || !is_plain {
        return None;
    }
    value.cast_to(ty).ok()
}
