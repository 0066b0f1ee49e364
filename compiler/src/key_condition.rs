//! A condition over the keys of a metric, evaluated on its states: which groups are meant.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_physical_expr::PhysicalExpr;
use metricc_ir::Expr;
use metricc_ir::user_defined::Imports;

use crate::scalar::{compile, field};
use crate::{CompileError, MetricPlan};

/// A condition that was checked against the keys of a metric.
#[derive(Debug)]
pub struct KeyCondition {
    schema: SchemaRef,
    expr: Arc<dyn PhysicalExpr>,
}

impl KeyCondition {
    /// # Errors
    /// If the condition was not checked against these keys.
    pub fn new(plan: &MetricPlan, condition: &Expr) -> Result<Self, CompileError> {
        let keys = plan.metric.row_type().keys;
        // Tables of states allow nulls in every column.
        let fields = keys.iter().map(|key| field(&key.name, &key.ty).with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let expr = compile(condition, &schema, &|column| column, &Imports::default())?;
        Ok(KeyCondition { schema, expr })
    }

    /// One flag for each group of a table of states of the metric.
    ///
    /// # Errors
    /// If the states are not those of the metric.
    pub fn kept(&self, plan: &MetricPlan, states: &RecordBatch) -> Result<BooleanArray, CompileError> {
        let (name, end, n_rows) = (&plan.metric.name, plan.form.n_group_columns, states.num_rows());
        let keys = states.columns()[end - plan.metric.keys.len()..end].to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), keys, &options)
            .map_err(|error| CompileError::engine(name, error))?;
        let kept = self.expr.evaluate(&rows).and_then(|kept| kept.into_array(n_rows));
        let kept = kept.map_err(|error| CompileError::engine(name, error))?;
        let kept = kept.as_boolean_opt();
        kept.cloned().ok_or_else(|| CompileError::form(name, "has a condition that is no bool"))
    }
}
