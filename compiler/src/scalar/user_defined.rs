//! User-defined functions over Arrow arrays: called row by row, with the same cells that events of a process
//! have.

use std::sync::Arc;

use arrow::array::Array;
use arrow::error::ArrowError;
use metricc_algebra::{CellBuilder, Cells};
use metricc_ir::user_defined::{Function, Imports};
use metricc_ir::{Import, Type};

use super::data_type;
use super::operand::{Body, Operand};
use crate::CompileError;
use crate::user_defined::{check_signature, not_brought};

/// The body of an imported function. A null in an argument that is not optional gives null, without a call.
pub(super) fn body(import: &Arc<Import>, imports: &Imports) -> Result<Body, CompileError> {
    let function = imports.function_named(&import.name).ok_or_else(|| not_brought(import))?.clone();
    check_signature(import, function.version(), function.arguments(), function.result())?;
    let takes_none: Vec<bool> = import.arguments.iter().map(|ty| ty.optional).collect();
    let result = import.result.clone();
    Ok(Arc::new(move |operands, n_rows| call(&*function, operands, n_rows, &takes_none, &result)))
}

fn call(
    function: &dyn Function,
    operands: &[Operand],
    n_rows: usize,
    takes_none: &[bool],
    result: &Type,
) -> super::operand::Result<arrow::array::ArrayRef> {
    let failed = |problem: &str| ArrowError::ComputeError(format!("`{}`: {problem}", function.name()));
    let arrays: Vec<_> = operands.iter().map(|operand| operand.array().clone()).collect();
    let read = |array| Cells::new(std::slice::from_ref(array));
    let columns: Vec<Cells> = arrays
        .iter()
        .map(read)
        .collect::<Option<_>>()
        .ok_or_else(|| failed("an argument is of a type that user-defined functions do not take"))?;
    let mut built =
        CellBuilder::new(&data_type(&result.kind)).ok_or_else(|| failed("a result of another type"))?;
    let mut cells = Vec::with_capacity(columns.len());
    for row in 0..n_rows {
        cells.clear();
        cells
            .extend(columns.iter().zip(operands).map(|(column, operand)| column.cell(0, operand.index(row))));
        let is_skipped = operands
            .iter()
            .zip(takes_none)
            .any(|(operand, takes_none)| !takes_none && operand.array().is_null(operand.index(row)));
        if is_skipped {
            built.append_none();
            continue;
        }
        let mut outcome = Err("it gives nothing");
        function.call(&cells, &mut |cell| outcome = built.append(&cell));
        outcome.map_err(failed)?;
    }
    Ok(built.finish())
}
