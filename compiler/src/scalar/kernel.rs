//! One physical expression for all functions of the language.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion_common::{DataFusionError, Result as EngineResult, ScalarValue};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use metricc_ir::{Func, Kind, Type};

use super::function::{self, Prepared};
use super::lost_rows::{self, Traced};
use super::operand::{Body, Operand};
use super::{data_type, logic};
use crate::CompileError;

/// A function of the language applied to physical expressions.
#[derive(Clone)]
pub struct Kernel {
    func: Func,
    kinds: Vec<Kind>,
    args: Vec<Arc<dyn PhysicalExpr>>,
    result: Type,
    prepared: Prepared,
}

impl Kernel {
    /// A function of arguments of these kinds. Fails if it is not defined on them.
    pub fn try_new(
        func: Func,
        kinds: Vec<Kind>,
        args: Vec<Arc<dyn PhysicalExpr>>,
        result: Type,
    ) -> Result<Self, CompileError> {
        if kinds.len() != args.len() {
            return Err(CompileError::form(function::name(&func), "each argument has one kind"));
        }
        let prepared = function::prepare(&func, &kinds, &args, &result.kind)?;
        Ok(Kernel { func, kinds, args, result, prepared })
    }

    /// A user-defined function.
    pub(super) fn user_defined(
        func: Func,
        kinds: Vec<Kind>,
        args: Vec<Arc<dyn PhysicalExpr>>,
        result: Type,
        body: Body,
    ) -> Self {
        let prepared = Prepared::Body { n_evaluated: kinds.len(), body };
        Kernel { func, kinds, args, result, prepared }
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }

    fn apply(&self, n_evaluated: usize, body: &Body, batch: &RecordBatch) -> EngineResult<ColumnarValue> {
        let operands = self
            .args
            .iter()
            .take(n_evaluated)
            .map(|arg| arg.evaluate(batch).and_then(Operand::of))
            .collect::<EngineResult<Vec<_>>>()?;
        let (value, _) = self.applied(operands, body, batch.num_rows())?;
        let array = value.array();
        Ok(if value.is_scalar() {
            ColumnarValue::Scalar(ScalarValue::try_from_array(array, 0)?)
        } else {
            ColumnarValue::Array(array.clone())
        })
    }

    /// The body on evaluated arguments: what it gives, one value for all rows if they are, and the arguments
    /// again.
    fn applied(
        &self,
        operands: Vec<Operand>,
        body: &Body,
        n_rows: usize,
    ) -> EngineResult<(Operand, Vec<Operand>)> {
        if !operands.iter().all(Operand::is_scalar) {
            let array = self.checked(body(&operands, n_rows)?, n_rows)?;
            return Ok((Operand::column(array), operands));
        }
        let columns: Vec<Operand> = operands.into_iter().map(Operand::into_column).collect();
        let array = self.checked(body(&columns, 1)?, 1)?;
        let scalars = columns.into_iter().map(|column| Operand::scalar(column.array().clone()));
        Ok((Operand::scalar(array), scalars.collect()))
    }

    fn checked(&self, array: ArrayRef, n_rows: usize) -> EngineResult<ArrayRef> {
        if array.len() == n_rows {
            return Ok(array);
        }
        Err(DataFusionError::Internal(format!("{self} gave {} of {n_rows} rows", array.len())))
    }

    /// Its first arguments, with the rows of each that are lost.
    fn traced_args(&self, n_args: usize, batch: &RecordBatch) -> EngineResult<Vec<Traced>> {
        self.args.iter().take(n_args).map(|arg| trace(arg, batch)).collect()
    }

    fn render(
        &self,
        f: &mut fmt::Formatter<'_>,
        arg: impl Fn(&Arc<dyn PhysicalExpr>, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let (start, separator, end) = function::punctuation(&self.func, &self.result);
        f.write_str(&start)?;
        for (place, expr) in self.args.iter().enumerate() {
            if place > 0 {
                f.write_str(&separator)?;
            }
            arg(expr, f)?;
        }
        f.write_str(&end)
    }
}

/// The rows of an expression that is `lost`, with the values that it has computed on the way: of its
/// condition and of each argument. `None`: it is another expression.
pub(crate) fn lost_with_values(
    expr: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
) -> Option<EngineResult<(ArrayRef, Vec<ArrayRef>)>> {
    let any: &dyn Any = expr.as_ref();
    let kernel = any.downcast_ref::<Kernel>().filter(|kernel| matches!(kernel.prepared, Prepared::Lost))?;
    let n_rows = batch.num_rows();
    let evaluated = || {
        let traced = kernel.traced_args(kernel.args.len(), batch)?;
        let lost = lost_rows::rows_of(&traced, n_rows)?;
        let array = |arg: Traced| match arg.operand.is_scalar() {
            true => ScalarValue::try_from_array(arg.operand.array(), 0)?.to_array_of_size(n_rows),
            false => Ok(arg.operand.array().clone()),
        };
        Ok((lost, traced.into_iter().map(array).collect::<EngineResult<_>>()?))
    };
    Some(evaluated())
}

/// Evaluates an expression with the rows that are lost.
fn trace(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> EngineResult<Traced> {
    let any: &dyn Any = expr.as_ref();
    let Some(kernel) = any.downcast_ref::<Kernel>() else {
        return Ok(Traced::whole(Operand::of(expr.evaluate(batch)?)?));
    };
    let n_rows = batch.num_rows();
    match &kernel.prepared {
        Prepared::Lost => Ok(Traced::whole(Operand::of(expr.evaluate(batch)?)?)),
        Prepared::Chain { is_or } => {
            lost_rows::chain(&kernel.traced_args(kernel.args.len(), batch)?, *is_or, n_rows)
        }
        Prepared::Body { n_evaluated, body } => {
            let args = kernel.traced_args(*n_evaluated, batch)?;
            let (operands, lost): (Vec<_>, Vec<_>) =
                args.into_iter().map(|arg| (arg.operand, arg.lost)).unzip();
            let (value, operands) = kernel.applied(operands, body, n_rows)?;
            let args: Vec<Traced> =
                operands.into_iter().zip(lost).map(|(operand, lost)| Traced { operand, lost }).collect();
            let lost = lost_rows::lost_of(&kernel.func, &args, &value, n_rows)?;
            Ok(Traced { operand: value, lost })
        }
    }
}

impl PhysicalExpr for Kernel {
    fn data_type(&self, _: &Schema) -> EngineResult<DataType> {
        Ok(data_type(&self.result.kind))
    }

    fn nullable(&self, _: &Schema) -> EngineResult<bool> {
        Ok(self.result.optional)
    }

    fn evaluate(&self, batch: &RecordBatch) -> EngineResult<ColumnarValue> {
        match &self.prepared {
            Prepared::Chain { is_or } => logic::chain(&self.args, *is_or, batch),
            Prepared::Lost => {
                let traced = self.traced_args(self.args.len(), batch)?;
                Ok(ColumnarValue::Array(lost_rows::rows_of(&traced, batch.num_rows())?))
            }
            Prepared::Body { n_evaluated, body } => self.apply(*n_evaluated, body, batch),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.args.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> EngineResult<Arc<dyn PhysicalExpr>> {
        // A body that evaluates all of its arguments depends on their kinds alone, and these stay.
        if let Prepared::Body { n_evaluated, .. } = &self.prepared
            && *n_evaluated == self.kinds.len()
        {
            return Ok(Arc::new(Kernel { args: children, ..Kernel::clone(&self) }));
        }
        let kernel = Kernel::try_new(self.func.clone(), self.kinds.clone(), children, self.result.clone())
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(Arc::new(kernel))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.render(f, |arg, f| arg.fmt_sql(f))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.render(f, |arg, f| write!(f, "{arg}"))
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({self}: {})", self.result)
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.func == other.func
            && self.kinds == other.kinds
            && self.result == other.result
            && self.args == other.args
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.func.hash(state);
        self.kinds.hash(state);
        self.result.hash(state);
        self.args.hash(state);
    }
}
