//! Row expressions as DataFusion physical expressions.
//!
//! An expression of the typed metric is compiled once, and both engines evaluate the same object on Arrow
//! batches, so they cannot disagree on a cast, a null or a rounding. DataFusion's own operators are not used,
//! since they wrap, raise errors or follow three-valued logic; here each [`Func`] is one [`Kernel`] over
//! Arrow arrays that does exactly what the function's doc comment says.
//!
//! Invariants:
//! - **Total.** No row makes a kernel fail or panic; an operation without a result gives null. The one error
//!   at run time is a batch of texts larger than Arrow's 2 GiB, which is a limit of memory and not of a
//!   value.
//! - **Row by row.** The result for a row depends on that row alone: batches may be split anywhere.
//! - **Canonical.** Results that are floats are finite and never -0.0; logic and comparisons never give null.
//! - A constant argument stays one value (a scalar) and is not repeated for every row.

mod cast;
mod choose;
mod compare;
mod decimal;
mod float;
mod function;
mod hash;
mod integer;
mod kernel;
mod list;
mod literal;
mod logic;
mod lookup;
mod lost_rows;
mod membership;
mod operand;
mod ratio;
mod record_fields;
mod text;
mod time;
mod user_defined;
mod wide_arithmetic;
mod window;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{Column, Literal};
use metricc_ir::exact::may_leave_its_type;
use metricc_ir::user_defined::Imports;
use metricc_ir::{Expr, ExprKind, Func, Type};

use crate::CompileError;

pub use kernel::Kernel;
pub(crate) use kernel::lost_with_values;
pub use metricc_log::arrow_type as data_type;
pub use window::WindowRule;

/// How deep an expression may nest: a text's 512 levels, with a cast at each. `and` and `or` chains count as
/// one level.
const MAX_DEPTH: usize = 1040;

/// A column of typed rows: it may hold nulls only if the type is optional.
pub fn field(name: &str, ty: &Type) -> Field {
    Field::new(name, data_type(&ty.kind), ty.optional)
}

/// Compiles an expression. `column` maps a column of the expression's scope to its index in `schema`;
/// `imports` has the functions that the program brings.
///
/// Fails if the expression is not of the form that a checked metric has: a column that is not there
/// or of another type, a function on kinds it is not defined for, a pattern or a zone that was not
/// checked, or nesting deeper than any source text can be.
pub fn compile(
    expr: &Expr,
    schema: &Schema,
    column: &dyn Fn(usize) -> usize,
    imports: &Imports,
) -> Result<Arc<dyn PhysicalExpr>, CompileError> {
    compile_at(expr, schema, column, imports, 0)
}

fn compile_at(
    expr: &Expr,
    schema: &Schema,
    column: &dyn Fn(usize) -> usize,
    imports: &Imports,
    depth: usize,
) -> Result<Arc<dyn PhysicalExpr>, CompileError> {
    if depth > MAX_DEPTH {
        return Err(CompileError::form("expression", format!("it nests deeper than {MAX_DEPTH} levels")));
    }
    match &expr.kind {
        ExprKind::Column(scope_column) => compile_column(column(*scope_column), &expr.ty, schema),
        ExprKind::Literal(value) => Ok(Arc::new(Literal::new(literal::scalar(value, &expr.ty.kind)?))),
        ExprKind::Call(func, args) => {
            let args = match func {
                Func::And | Func::Or => chain(func, args),
                _ => args.iter().collect(),
            };
            let compiled = args
                .iter()
                .map(|arg| compile_at(arg, schema, column, imports, depth + 1))
                .collect::<Result<Vec<_>, _>>()?;
            let kinds = args.iter().map(|arg| arg.ty.kind.clone()).collect();
            if let Func::UserDefined(import) = func {
                let body = user_defined::body(import, imports)?;
                return Ok(Arc::new(Kernel::user_defined(
                    func.clone(),
                    kinds,
                    compiled,
                    expr.ty.clone(),
                    body,
                )));
            }
            folded(Kernel::try_new(func.clone(), kinds, compiled, expr.ty.clone())?)
        }
    }
}

fn compile_column(index: usize, ty: &Type, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>, CompileError> {
    let Some(field) = schema.fields().get(index) else {
        let problem = format!("there is no column {index} among {}", schema.fields().len());
        return Err(CompileError::form("column", problem));
    };
    if !field.data_type().equals_datatype(&data_type(&ty.kind)) {
        let problem = format!("it is {} where the metric reads `{ty}`", field.data_type());
        return Err(CompileError::form(format!("column `{}`", field.name()), problem));
    }
    Ok(Arc::new(Column::new(field.name(), index)))
}

/// The operands of `a and b and c` (or `or`), however it is bracketed, from left to right.
fn chain<'a>(func: &Func, args: &'a [Expr]) -> Vec<&'a Expr> {
    let mut operands = Vec::new();
    let mut open: Vec<&Expr> = args.iter().rev().collect();
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Call(inner, args) if inner == func => open.extend(args.iter().rev()),
            _ => operands.push(expr),
        }
    }
    operands
}

/// A kernel over constants is a constant, unless it leaves its type, which is seen at run time.
fn folded(kernel: Kernel) -> Result<Arc<dyn PhysicalExpr>, CompileError> {
    let is_literal = |arg: &&Arc<dyn PhysicalExpr>| literal_of(arg).is_some();
    if !kernel.children().iter().all(is_literal) {
        return Ok(Arc::new(kernel));
    }
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    let value = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &one_row)
        .map_err(Into::into)
        .and_then(|batch| kernel.evaluate(&batch))
        .map_err(|error| CompileError::engine(&kernel, error))?;
    match value {
        ColumnarValue::Scalar(value) if value.is_null() && may_leave_its_type(kernel.func()) => {
            Ok(Arc::new(kernel))
        }
        ColumnarValue::Scalar(value) => Ok(Arc::new(Literal::new(value))),
        ColumnarValue::Array(_) => Ok(Arc::new(kernel)),
    }
}

/// The expression as a constant, if it is one.
fn literal_of(expr: &Arc<dyn PhysicalExpr>) -> Option<&Literal> {
    let expr: &dyn Any = expr.as_ref();
    expr.downcast_ref()
}
