//! The Arrow form of typed rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use metricc_dsl::ir::{Kind, Source, Type};

/// The Arrow type of a kind, as [`Kind`] documents it.
pub fn arrow_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Int128 => DataType::Decimal128(38, 0),
        Kind::Decimal { precision, scale } => {
            DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        Kind::Float => DataType::Float64,
        Kind::String => DataType::Utf8View,
        Kind::Enum(_) => DataType::Int32,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Duration => DataType::Duration(TimeUnit::Microsecond),
        Kind::List(element) => DataType::List(Arc::new(element_field(element))),
    }
}

/// The Arrow field of a list's elements.
pub(crate) fn element_field(element: &Type) -> Field {
    Field::new("item", arrow_type(&element.kind), element.optional)
}

/// The schema of some fields of a source; indices that the source does not have are left out.
pub(crate) fn schema(source: &Source, columns: &[usize]) -> SchemaRef {
    let fields = columns.iter().filter_map(|&column| source.fields.get(column));
    let fields: Vec<_> =
        fields.map(|field| Field::new(&field.name, arrow_type(&field.ty.kind), field.ty.optional)).collect();
    Arc::new(Schema::new(fields))
}
