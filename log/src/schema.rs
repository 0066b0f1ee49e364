//! The Arrow schema of typed rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use metricc_ir::{Kind, Source, Type};

/// The Arrow type of a kind, as [`Kind`] documents it.
pub fn arrow_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Int128 => DataType::Decimal128(38, 0),
        Kind::Decimal { precision, scale } => {
            let scale = i8::try_from(*scale).unwrap_or(i8::MAX);
            match *precision {
                precision @ ..=38 => DataType::Decimal128(precision, scale),
                precision => DataType::Decimal256(precision, scale),
            }
        }
        Kind::Float => DataType::Float64,
        Kind::String => DataType::Utf8View,
        Kind::Enum(_) => DataType::Int32,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Duration => DataType::Duration(TimeUnit::Microsecond),
        Kind::List(element) => DataType::List(Arc::new(element_field(element))),
        Kind::Record(fields) => {
            let field = |field: &metricc_ir::RecordField| {
                Field::new(&field.name, arrow_type(&field.ty.kind), field.ty.optional)
            };
            DataType::Struct(fields.iter().map(field).collect())
        }
    }
}

/// The Arrow field of a list's elements.
pub(crate) fn element_field(element: &Type) -> Field {
    Field::new("item", arrow_type(&element.kind), element.optional)
}

/// The index of the column after the fields of a source: the position of each row in the order of the log, as
/// [`Position::to_order`](crate::Position::to_order) has it. It is read like a field.
pub fn position_column(source: &Source) -> usize {
    source.fields.len()
}

/// The Arrow type of the position column.
pub const POSITION_TYPE: DataType = DataType::Decimal128(38, 0);

/// The schema of some fields of a source; indices that the source does not have are left out.
pub fn row_schema(source: &Source, columns: &[usize]) -> SchemaRef {
    let field = |&column: &usize| match source.fields.get(column) {
        Some(field) => {
            let ty = field.row_type();
            Some(Field::new(&field.name, arrow_type(&ty.kind), ty.optional))
        }
        None if column == position_column(source) => Some(Field::new("position", POSITION_TYPE, false)),
        None => None,
    };
    Arc::new(Schema::new(columns.iter().filter_map(field).collect::<Vec<_>>()))
}

/// The fields among some columns, and whether the position follows them.
pub(crate) fn without_position<'a>(source: &Source, columns: &'a [usize]) -> (&'a [usize], bool) {
    match columns.split_last() {
        Some((last, fields)) if *last == position_column(source) => (fields, true),
        _ => (columns, false),
    }
}
