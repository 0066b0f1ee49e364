//! The plan of a metric that is made of metrics: it keeps nothing; it is computed from what they present.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use metricc_ir as ir;
use metricc_ir::user_defined::Imports;

use crate::{CompileError, MetricHash, MetricPlan, scalar};

/// The plan of a derived metric.
#[derive(Debug)]
pub struct DerivedPlan {
    /// The typed metric.
    pub derived: Arc<ir::Derived>,
    /// What it means.
    pub hash: MetricHash,
    /// The plan of each operand, in their order; one that is read at several offsets is there several times.
    pub operands: Vec<Arc<MetricPlan>>,
    /// One column per column of the metric; the scope of `outputs`.
    pub schema: SchemaRef,
    /// One expression per output of the metric, over `schema`.
    pub outputs: Vec<Arc<dyn PhysicalExpr>>,
}

impl DerivedPlan {
    /// Plans a derived metric over the plans of those that it is made of, which are among `plans`.
    ///
    /// # Errors
    /// When one of them is not there, or the outputs cannot be compiled.
    pub fn new(
        derived: &Arc<ir::Derived>,
        plans: &[&Arc<MetricPlan>],
        imports: &Imports,
    ) -> Result<Self, CompileError> {
        let plan_of = |operand: &ir::Operand| {
            let plan = plans.iter().find(|plan| plan.metric == operand.metric);
            plan.map(|plan| (*plan).clone()).ok_or_else(|| {
                CompileError::form(
                    &derived.name,
                    format!("`{}`, which it is made of, has no plan", operand.metric.name),
                )
            })
        };
        let operands = derived.operands.iter().map(plan_of).collect::<Result<Vec<_>, _>>()?;
        let field = |(place, column): (usize, &ir::OperandColumn)| -> Field {
            let output = &derived.operands[column.operand].metric.outputs[column.output];
            scalar::field(&format!("operand{place}"), &output.expr.ty)
        };
        let fields: Vec<Field> = derived.columns.iter().enumerate().map(field).collect();
        let schema = Arc::new(Schema::new(fields));
        let outputs = derived
            .outputs
            .iter()
            .map(|output| scalar::compile(&output.expr, &schema, &|column| column, imports))
            .collect::<Result<_, _>>()?;
        let hash = MetricHash::of_derived(derived, operands.iter().map(|plan| plan.hash));
        Ok(DerivedPlan { derived: derived.clone(), hash, operands, schema, outputs })
    }
}
