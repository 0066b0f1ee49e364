//! The columns of a table, as they are given, as the log says them and as they are in the file.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    DurationMicrosecondArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, ListBuilder,
    StringArray, StringViewArray, StringViewBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimeUnit};
use serde_json::{Value, json};

use super::super::*;
use super::reader::{ROOT, batch, names, rows, seen, stamp, table, totals};

#[tokio::test]
async fn columns_that_tables_do_not_have_are_told() {
    let (number, float) = (array(Int64Array::from(vec![1])), array(Float32Array::from(vec![1.0])));
    let field = Arc::new(Field::new("deep", DataType::Float32, true));
    let nested = StructArray::from(vec![(field, float.clone())]);
    let local = array(TimestampMicrosecondArray::from(vec![0]));
    let both = [("total", number.clone(), true), ("Total", number.clone(), true)];
    let cases = [
        (batch("a", float), "`a` is a Float32: tables have no such type"),
        (batch("a", array(nested)), "`a.deep` is a Float32"),
        (batch("a", local), "`a` is a Timestamp"),
        (batch("a b", number.clone()), "`a b` cannot be the name"),
        (batch("", number), "`` cannot be the name"),
        (RecordBatch::try_from_iter_with_nullable(both).unwrap(), "two columns `Total`"),
        (RecordBatch::new_empty(Arc::new(Schema::empty())), "at least one column"),
    ];
    for (rows, expected) in cases {
        let table = table();
        match table.replace(&rows, &stamp("batch", 1)).await {
            Err(ViewError::Corrupt { path, source }) => {
                assert_eq!(path, ROOT);
                assert!(source.to_string().contains(expected), "{source}");
            }
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(names(&table).await, BTreeSet::new());
    }
    let far = table().replace(&totals(&[1]), &stamp("batch", u64::MAX)).await;
    assert!(matches!(far, Err(ViewError::Corrupt { .. })), "{far:?}");
}

fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}

/// Two rows with a column of each type.
pub(super) fn all_types() -> RecordBatch {
    let field = |name: &str, data_type: DataType| Arc::new(Field::new(name, data_type, true));
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut tags = ListBuilder::new(StringViewBuilder::new());
    tags.values().append_value("a tag that is not stored in its view");
    tags.values().append_null();
    tags.append(true);
    tags.append(false);
    let at = |values: Vec<i64>| array(TimestampMicrosecondArray::from(values).with_timezone("UTC"));
    let lasted = |values: Vec<i64>| array(DurationMicrosecondArray::from(values));
    let spans = StructArray::from(vec![
        (field("start", utc), at(vec![0, 1, 2])),
        (field("lasted", DataType::Duration(TimeUnit::Microsecond)), lasted(vec![5, 6, 7])),
    ]);
    let span = Arc::new(Field::new("item", spans.data_type().clone(), false));
    let spans = ListArray::new(span, OffsetBuffer::from_lengths([1, 2]), Arc::new(spans), None);
    let amounts = Decimal128Array::from(vec![12_345, -1]).with_precision_and_scale(20, 2).unwrap();
    let names = StringViewArray::from(vec![Some("a name that is not stored in its view"), None]);
    let countries: DictionaryArray<Int32Type> = ["DE", "FR"].into_iter().collect();
    RecordBatch::try_from_iter_with_nullable([
        ("paid", array(BooleanArray::from(vec![Some(true), None])), true),
        ("rank", array(Int32Array::from(vec![1, -1])), true),
        ("total", array(Int64Array::from(vec![i64::MAX, i64::MIN])), false),
        ("share", array(Float64Array::from(vec![0.5, -2.0])), true),
        ("day", array(Date32Array::from(vec![0, 20_000])), true),
        ("at", at(vec![0, 1_700_000_000_000_000]), true),
        ("amount", array(amounts), true),
        ("city", array(StringArray::from(vec!["Köln", ""])), true),
        ("name", array(names), true),
        ("country", array(countries), true),
        ("lasted", lasted(vec![1_500_000, -1]), true),
        ("tags", array(tags.finish()), true),
        ("spans", array(spans), true),
    ])
    .unwrap()
}

/// A column as the log says it.
fn field(name: &str, kind: impl Into<Value>, nullable: bool) -> Value {
    let kind: Value = kind.into();
    json!({ "name": name, "type": kind, "nullable": nullable, "metadata": {} })
}

fn plain(name: &str, kind: &str) -> Value {
    field(name, kind, true)
}

#[tokio::test]
async fn every_type_is_what_the_log_says() {
    let (table, given) = (table(), all_types());
    table.replace(&given, &stamp("batch", 1)).await.unwrap();
    let span = json!({ "type": "struct", "fields": [plain("start", "timestamp"), plain("lasted", "long")] });
    let tags = json!({ "type": "array", "elementType": "string", "containsNull": true });
    let spans = json!({ "type": "array", "elementType": span, "containsNull": false });
    let fields = [
        plain("paid", "boolean"),
        plain("rank", "integer"),
        field("total", "long", false),
        plain("share", "double"),
        plain("day", "date"),
        plain("at", "timestamp"),
        plain("amount", "decimal(20,2)"),
        plain("city", "string"),
        plain("name", "string"),
        plain("country", "string"),
        plain("lasted", "long"),
        field("tags", tags, true),
        field("spans", spans, true),
    ];
    assert_eq!(seen(&table).await.schema, json!({ "type": "struct", "fields": fields }));

    let read = rows(&table).await;
    let column = |name: &str| read.column_by_name(name).unwrap();
    for name in ["paid", "rank", "total", "share", "day", "at", "amount", "city"] {
        assert_eq!(column(name), given.column_by_name(name).unwrap());
    }
    let name = StringArray::from(vec![Some("a name that is not stored in its view"), None]);
    assert_eq!(column("name").as_string::<i32>(), &name);
    assert_eq!(column("country").as_string::<i32>(), &StringArray::from(vec!["DE", "FR"]));
    assert_eq!(column("lasted").as_primitive::<Int64Type>(), &Int64Array::from(vec![1_500_000, -1]));
    let tags = column("tags").as_list::<i32>();
    let expected = StringArray::from(vec![Some("a tag that is not stored in its view"), None]);
    assert_eq!((tags.value(0).as_string::<i32>(), tags.is_null(1)), (&expected, true));
    let spans = column("spans").as_list::<i32>().value(1);
    let lasted = spans.as_struct().column_by_name("lasted").unwrap();
    assert_eq!(lasted.as_primitive::<Int64Type>(), &Int64Array::from(vec![6, 7]));
}
