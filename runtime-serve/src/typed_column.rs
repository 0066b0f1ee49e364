//! Presented values as columns for other programs.
//!
//! Invariant: columns of equal values have equal bytes. Engines hold equal values in different ways: what stands
//! in the place of a null, behind the end of a bitmap, or in the buffers of texts depends on how a column was
//! made. So columns are built anew from their values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ListArray, PrimitiveArray, StringArray,
    StringViewArray, StructArray, UInt64Array, downcast_primitive_array, make_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, TimestampMicrosecondType};
use arrow::error::ArrowError;
use metricc_compiler::scalar;
use metricc_ir as ir;

/// The column of a kind of values. Instants are in UTC, enums are text.
///
/// # Errors
/// [`ArrowError`] if the column is of another kind.
pub fn typed_column(kind: &ir::Kind, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match kind {
        ir::Kind::Enum(names) => {
            let texts = take(&StringArray::from_iter_values(names.iter()), column, None)?;
            Ok(Arc::new(texts.as_string::<i32>().iter().collect::<StringArray>()))
        }
        ir::Kind::String => {
            let texts = column.as_string_view_opt().ok_or_else(|| wrong(column, "texts"))?;
            Ok(Arc::new(texts.iter().collect::<StringViewArray>()))
        }
        ir::Kind::Timestamp => {
            let instants = column.as_primitive_opt::<TimestampMicrosecondType>();
            let instants = instants.ok_or_else(|| wrong(column, "instants"))?;
            Ok(Arc::new(of_values(instants).with_timezone("UTC")))
        }
        ir::Kind::List(element) => {
            list_column(element, column.as_list_opt().ok_or_else(|| wrong(column, "lists"))?)
        }
        ir::Kind::Record(fields) => {
            record_column(fields, column.as_struct_opt().ok_or_else(|| wrong(column, "records"))?)
        }
        _ => {
            debug_assert_eq!(*column.data_type(), scalar::data_type(kind));
            downcast_primitive_array! {
                column => Ok(Arc::new(of_values(column))),
                DataType::Boolean => Ok(Arc::new(column.as_boolean().iter().collect::<BooleanArray>())),
                _ => Err(wrong(column, "plain values")),
            }
        }
    }
}

fn list_column(element: &ir::Type, list: &ListArray) -> Result<ArrayRef, ArrowError> {
    let range = |row: usize| match list.is_valid(row) {
        true => list.value_offsets()[row]..list.value_offsets()[row + 1],
        false => 0..0,
    };
    let ranges = || (0..list.len()).map(range);
    let items = UInt64Array::from_iter_values(ranges().flatten().map(|item| u64::from(item.unsigned_abs())));
    let items = typed_column(&element.kind, &take(list.values(), &items, None)?)?;
    let offsets = OffsetBuffer::from_lengths(ranges().map(|range| range.len()));
    let item = Field::new("item", items.data_type().clone(), element.optional);
    Ok(Arc::new(ListArray::try_new(Arc::new(item), offsets, items, nulls(list))?))
}

fn record_column(fields: &[ir::RecordField], record: &StructArray) -> Result<ArrayRef, ArrowError> {
    let column = |(field, column): (&ir::RecordField, &ArrayRef)| {
        // What a field holds where there is no record is no value.
        let nulls = NullBuffer::union(record.nulls(), column.nulls());
        let masked = column.to_data().into_builder().nulls(nulls).build()?;
        let column = typed_column(&field.ty.kind, &make_array(masked))?;
        Ok((Field::new(&field.name, column.data_type().clone(), field.ty.optional), column))
    };
    let columns = fields.iter().zip(record.columns()).map(column).collect::<Result<Vec<_>, ArrowError>>()?;
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    Ok(Arc::new(StructArray::try_new(fields.into(), columns, nulls(record))?))
}

/// The same values; zeros stand in the places of nulls.
fn of_values<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>) -> PrimitiveArray<T> {
    let values = column.iter().map(Option::unwrap_or_default).collect::<Vec<T::Native>>();
    PrimitiveArray::new(values.into(), nulls(column)).with_data_type(column.data_type().clone())
}

/// Which values are none; nothing if all are there.
fn nulls(column: &dyn Array) -> Option<NullBuffer> {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(nulls.iter().collect::<Vec<bool>>().into())
}

fn wrong(column: &dyn Array, expected: &str) -> ArrowError {
    ArrowError::SchemaError(format!("`{}` where {expected} are expected", column.data_type()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array, RecordBatch};
    use arrow::buffer::{BooleanBuffer, ScalarBuffer};
    use arrow::ipc::writer::StreamWriter;

    use super::*;

    fn bytes(kind: &ir::Kind, column: &ArrayRef) -> Vec<u8> {
        let column = typed_column(kind, column).expect("a column of its kind");
        let batch = RecordBatch::try_from_iter_with_nullable([("k", column, true)]).expect("a batch");
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
        writer.write(&batch).expect("it is written");
        writer.into_inner().expect("it is finished")
    }

    fn are_equal(kind: &ir::Kind, left: impl Array + 'static, right: impl Array + 'static) {
        let [left, right]: [ArrayRef; 2] = [Arc::new(left), Arc::new(right)];
        assert_eq!(&left, &right, "{kind}: equal values");
        assert_eq!(bytes(kind, &left), bytes(kind, &right), "{kind}");
    }

    fn present(flags: &[bool]) -> Option<NullBuffer> {
        Some(flags.to_vec().into())
    }

    #[test]
    fn equal_texts_are_equal_bytes_whatever_their_buffers() {
        let texts = ["b", "a text that is longer than a view", "c"];
        let plain: StringViewArray = texts.iter().map(|text| Some(*text)).collect();
        let longer = ["another text that is longer than a view"];
        let wider: StringViewArray = longer.iter().chain(&texts).map(|text| Some(*text)).collect();
        let slice = wider.slice(1, texts.len());
        assert_ne!(plain.data_buffers(), slice.data_buffers());
        are_equal(&ir::Kind::String, plain, slice);
    }

    #[test]
    fn nulls_are_equal_bytes_whatever_stands_in_their_places() {
        let ints =
            |hidden: i64| Int64Array::new(ScalarBuffer::from(vec![3, hidden]), present(&[true, false]));
        are_equal(&ir::Kind::Int, ints(0), ints(i64::MIN));
        let instants = |hidden: i64| {
            let values = ScalarBuffer::from(vec![3, hidden]);
            PrimitiveArray::<TimestampMicrosecondType>::new(values, present(&[true, false]))
        };
        are_equal(&ir::Kind::Timestamp, instants(0), instants(7));
        let bools = |hidden: bool| {
            BooleanArray::new(BooleanBuffer::from(vec![true, hidden]), present(&[true, false]))
        };
        are_equal(&ir::Kind::Bool, bools(false), bools(true));
        let names = ir::Kind::Enum(["low".to_owned(), "high".to_owned()].into());
        let codes =
            |hidden: i32| Int32Array::new(ScalarBuffer::from(vec![1, hidden]), present(&[true, false]));
        are_equal(&names, codes(0), codes(1));
    }

    #[test]
    fn what_lies_before_and_behind_a_column_is_no_part_of_it() {
        let own = Int64Array::from(vec![Some(1), None, Some(3)]);
        let wider = Int64Array::from(vec![None, Some(1), None, Some(3), Some(4), None]);
        are_equal(&ir::Kind::Int, own, wider.slice(1, 3));
        // All values are there, and one column has a bitmap all the same.
        let with_bitmap = Int64Array::new(ScalarBuffer::from(vec![1, 2]), present(&[true, true]));
        are_equal(&ir::Kind::Int, Int64Array::from(vec![1, 2]), with_bitmap);
        let bools = BooleanArray::from(vec![true, true, false, true]);
        are_equal(&ir::Kind::Bool, BooleanArray::from(vec![true, false]), bools.slice(1, 2));
    }

    #[test]
    fn parts_of_what_is_not_there_are_no_part_of_it() {
        let item = Arc::new(Field::new("item", DataType::Int64, false));
        let list = |items: Vec<i64>, offsets: Vec<i32>| {
            let (offsets, items) = (OffsetBuffer::new(offsets.into()), Arc::new(Int64Array::from(items)));
            ListArray::new(item.clone(), offsets, items, present(&[true, false, true]))
        };
        let kind = ir::Kind::List(Box::new(ir::Type::of(ir::Kind::Int)));
        are_equal(&kind, list(vec![1, 2, 3], vec![0, 2, 2, 3]), list(vec![1, 2, 9, 9, 3], vec![0, 2, 4, 5]));
        let fields: Arc<[ir::RecordField]> =
            [ir::RecordField { name: "a".to_owned(), ty: ir::Type::of(ir::Kind::Int) }].into();
        let record = |hidden: i64| {
            let field = Field::new("a", DataType::Int64, false);
            let values: ArrayRef = Arc::new(Int64Array::from(vec![5, hidden]));
            StructArray::new(vec![field].into(), vec![values], present(&[true, false]))
        };
        are_equal(&ir::Kind::Record(fields), record(0), record(8));
    }
}
