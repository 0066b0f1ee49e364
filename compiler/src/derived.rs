//! The plan of a derived metric: it has no state of its own, and is computed from the presented values of its
//! operands.

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
    /// The hash of its meaning.
    pub hash: MetricHash,
    /// The plan of each operand, in their order; a metric that is read at several offsets occurs several
    /// times.
    pub operands: Vec<Arc<MetricPlan>>,
    /// One column per column of the metric; the scope of `outputs`.
    pub schema: SchemaRef,
    /// One expression per output of the metric, over `schema`.
    pub outputs: Vec<Arc<dyn PhysicalExpr>>,
}

impl DerivedPlan {
    /// Plans a derived metric. `plans` must contain the plans of its operands.
    ///
    /// # Errors
    /// If an operand has no plan, or an output cannot be compiled.
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
                    format!("its operand `{}` has no plan", operand.metric.name),
                )
            })
        };
        let operands = derived.operands.iter().map(plan_of).collect::<Result<Vec<_>, _>>()?;
        let field = |(index, column): (usize, &ir::OperandColumn)| -> Field {
            let output = &derived.operands[column.operand].metric.outputs[column.output];
            scalar::field(&format!("operand{index}"), &output.expr.ty)
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
