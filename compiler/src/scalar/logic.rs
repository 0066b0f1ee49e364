//! `and`, `or`, `not`: two-valued, with null as false.

use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use datafusion_common::{Result as EngineResult, ScalarValue};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;

use super::operand::{Body, Operand, bools, one};

/// `not`.
pub(super) fn not() -> Body {
    Arc::new(|operands, n_rows| Ok(bools(!&one(operands)?.plain_bools(n_rows)?)))
}

/// `and`, or `or`, of its arguments from left to right. Since expressions have neither effects nor
/// errors, the rest is left out as soon as every row is decided.
pub(super) fn chain(
    args: &[Arc<dyn PhysicalExpr>],
    is_or: bool,
    batch: &RecordBatch,
) -> EngineResult<ColumnarValue> {
    let n_rows = batch.num_rows();
    let mut decided: Option<BooleanBuffer> = None;
    for arg in args {
        let operand = Operand::of(arg.evaluate(batch)?)?;
        if operand.is_scalar() {
            let holds = operand.plain_bools(1)?.value(0);
            if holds == is_or {
                return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(is_or))));
            }
            continue;
        }
        let next = operand.plain_bools(n_rows)?;
        let joined = match decided {
            None => next,
            Some(so_far) if is_or => &so_far | &next,
            Some(so_far) => &so_far & &next,
        };
        let n_true = joined.count_set_bits();
        let is_decided = n_true == if is_or { n_rows } else { 0 };
        decided = Some(joined);
        if is_decided {
            break;
        }
    }
    Ok(match decided {
        Some(values) => ColumnarValue::Array(bools(values)),
        None => ColumnarValue::Scalar(ScalarValue::Boolean(Some(!is_or))),
    })
}
