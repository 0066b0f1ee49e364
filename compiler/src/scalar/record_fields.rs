//! Fields of records.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use metricc_ir::Kind;

use super::operand::{Body, one, unexpected};

/// The field at an index; null where the record is. `None` if a record of this kind has no such field.
pub(super) fn field(index: usize, record: &Kind, result: &Kind) -> Option<Body> {
    let Kind::Record(fields) = record else { return None };
    fields.get(index).filter(|field| field.ty.kind == *result)?;
    Some(Arc::new(move |operands, n_rows| {
        let operand = one(operands)?;
        let records = operand.array().as_struct_opt().ok_or_else(|| unexpected(operand.array(), "Struct"))?;
        let values =
            records.columns().get(index).ok_or_else(|| unexpected(operand.array(), "another Struct"))?;
        let nulls = NullBuffer::union(values.nulls(), records.nulls());
        let values: ArrayRef = match &nulls {
            Some(nulls) if values.nulls() != Some(nulls) => {
                make_array(values.to_data().into_builder().nulls(Some(nulls.clone())).build()?)
            }
            _ => Arc::clone(values),
        };
        if operand.is_scalar() {
            take(&values, &UInt32Array::from(vec![0; n_rows]), None)
        } else {
            Ok(values)
        }
    }))
}
