//! Typed rows that were decoded when records had fewer fields, or numbers fewer digits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::field_decoder::{ValueDecoder, ValueFormat};
use crate::schema::{arrow_type, element_field};

/// The values as they are declared now, with all fields of their records: those that they do not have are
/// absent.
pub(crate) fn completed(array: &ArrayRef, decoder: &ValueDecoder) -> Result<ArrayRef, ArrowError> {
    let wanted = arrow_type(&decoder.ty.kind);
    if *array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    Ok(match (&decoder.format, array.data_type(), wanted) {
        (ValueFormat::List(element), DataType::List(_), _) => {
            let lists = array.as_list::<i32>();
            let values = completed(lists.values(), element)?;
            let (item, offsets) = (Arc::new(element_field(&element.ty)), lists.offsets().clone());
            Arc::new(ListArray::try_new(item, offsets, values, lists.nulls().cloned())?)
        }
        (ValueFormat::Record(parts), DataType::Struct(_), DataType::Struct(fields)) => {
            let records = array.as_struct();
            let values = parts.iter().map(|part| match records.column_by_name(&part.name) {
                Some(values) => completed(values, &part.value),
                None => Ok(part.absent_column(records.len())),
            });
            let values = values.collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new(fields, values, records.nulls().cloned())?)
        }
        (_, DataType::Int64 | DataType::Decimal128(..), wanted @ DataType::Decimal128(..)) => {
            cast_with_options(array, &wanted, &CastOptions { safe: false, ..CastOptions::default() })?
        }
        (_, found, _) => {
            let problem = format!("a column of `{found}` where `{}` is declared", decoder.ty);
            return Err(ArrowError::SchemaError(problem));
        }
    })
}
