//! The types of a metric's rows, the same for every engine and answer.

use serde::Serialize;

use super::{Derived, ExprKind, Key, Metric, OperandColumn, Output, RecordField, Type, Window};

/// The rows of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct RowType {
    /// Name of the metric.
    pub name: String,
    /// Its `///` text.
    pub doc: String,
    /// Its keys, in their order.
    pub keys: Vec<RecordField>,
    /// Its window.
    pub window: Window,
    /// Its values: one without a name, or a record of named ones.
    pub outputs: Vec<OutputType>,
    /// Its unit.
    pub unit: Option<String>,
}

/// One presented value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct OutputType {
    /// Field name in a record; `None` for a plain value.
    pub name: Option<String>,
    /// Its type.
    pub ty: Type,
    /// The relative error in millionths, if the output is the estimate of one sketch.
    pub error_ppm: Option<u32>,
}

impl RowType {
    /// Names of its outputs; `value` is a plain one.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|output| output.name.as_deref().unwrap_or("value"))
    }
}

/// The types of outputs; `error_ppm` is that of a column of their scope.
fn output_types(outputs: &[Output], error_ppm: impl Fn(usize) -> Option<u32>) -> Vec<OutputType> {
    let ty = |output: &Output| OutputType {
        name: output.name.clone(),
        ty: output.expr.ty.clone(),
        error_ppm: match output.expr.kind {
            ExprKind::Column(column) => error_ppm(column),
            _ => None,
        },
    };
    outputs.iter().map(ty).collect()
}

impl Metric {
    /// The type of its rows.
    pub fn row_type(&self) -> RowType {
        let key = |key: &Key| RecordField { name: key.name.clone(), ty: key.expr.ty.clone() };
        RowType {
            name: self.name.clone(),
            doc: self.doc.clone(),
            keys: self.keys.iter().map(key).collect(),
            window: self.window.clone(),
            outputs: output_types(&self.outputs, |column| self.aggregates[column].op.error_ppm()),
            unit: self.unit.clone(),
        }
    }
}

impl Derived {
    /// The type of its rows.
    pub fn row_type(&self) -> RowType {
        RowType {
            name: self.name.clone(),
            doc: self.doc.clone(),
            keys: self.keys.clone(),
            window: self.window.clone(),
            outputs: output_types(&self.outputs, |column| {
                let OperandColumn { operand, output } = self.columns[column];
                self.operands[operand].metric.row_type().outputs[output].error_ppm
            }),
            unit: self.unit.clone(),
        }
    }
}
