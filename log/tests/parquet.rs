//! Typed columns: the types and layouts that are read, what is checked in them, and that it is
//! checked in columns that are not wanted too.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal32Array, Decimal64Array, DictionaryArray,
    DurationMillisecondArray, DurationNanosecondArray, FixedSizeListArray, Float64Array, Int8Array,
    Int32Array, Int64Array, LargeListArray, LargeStringArray, ListArray, NullArray, StringArray,
    StringViewArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Int32Type, Int64Type};
use common::*;
use metricc_ir::{Field, Kind, Type, Value};
use metricc_log::LogError;
use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::*;

/// The values of a column that decode, and the reasons of the others, with and without reading it.
fn column(v: Field, array: ArrayRef) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("v", array)], 2);
    let log = open(&source(vec![v]), &path).unwrap();
    let (rows, findings) = read_all(&log);
    let (unread, same) = read(&log, &whole(&log), &[]);
    assert_eq!((unread.len(), &same), (rows.len(), &findings));
    (
        rows.into_iter().flatten().collect(),
        findings.quarantined.into_iter().map(|record| record.problem).collect(),
    )
}

fn values(v: Field, array: ArrayRef) -> Vec<String> {
    let (values, problems) = column(v, array);
    assert_eq!(problems, Vec::<String>::new());
    values
}

fn refused(v: Field, array: ArrayRef) -> String {
    let folder = Folder::new();
    let error = open(&source(vec![v]), &folder.parquet("a.parquet", vec![("v", array)], 10)).unwrap_err();
    assert!(matches!(error, LogError::ColumnType { .. }), "{error}");
    error.help().unwrap()
}

fn v(ty: Type) -> Field {
    field("v", ty)
}

#[test]
fn narrower_numbers_are_read_as_the_declared_type() {
    assert_eq!(values(v(int()), Arc::new(Int8Array::from(vec![-1, 2]))), ["-1", "2"]);
    assert_eq!(values(v(int()), Arc::new(UInt32Array::from(vec![u32::MAX]))), ["4294967295"]);
    assert_eq!(values(v(Type::of(Kind::Float)), Arc::new(Int32Array::from(vec![7]))), ["7.0"]);
    let small = Decimal32Array::from(vec![-125, 5]).with_precision_and_scale(5, 2).unwrap();
    assert_eq!(values(v(decimal(38, 3)), Arc::new(small)), ["-1.250", "0.050"]);
    let medium = Decimal64Array::from(vec![120]).with_precision_and_scale(12, 2).unwrap();
    assert_eq!(values(v(decimal(4, 1)), Arc::new(medium)), ["1.2"]);
    let help = refused(v(int()), Arc::new(BooleanArray::from(vec![true])));
    assert_eq!(help, "declare `v: bool`, or write the column as `int`");
    let help = refused(v(Type::of(Kind::Float)), Arc::new(UInt64Array::from(vec![1])));
    assert_eq!(help, "declare `v: int`, or write the column as `float`");
    let help = refused(v(Type::of(Kind::Float)), Arc::new(Int64Array::from(vec![1])));
    assert_eq!(help, "declare `v: int`, or write the column as `float`");
    let help = refused(v(decimal(4, 2)), Arc::new(Float64Array::from(vec![1.0])));
    assert!(help.starts_with("a float is not an exact number"), "{help}");
    let help = refused(v(Type::of(Kind::Bool)), Arc::new(StringArray::from(vec!["yes"])));
    assert_eq!(help, "say which are which, as in `v: bool true \"1\" false \"0\"`");
    let help = refused(v(list(int())), Arc::new(StringArray::from(vec!["[1]"])));
    assert_eq!(help, "declare `v: string`, or write the column as `list<int>`");
}

#[test]
fn every_layout_of_text_is_text_and_names_an_enum() {
    let words = vec![Some("b"), Some("a"), None, Some("b")];
    let dictionary: DictionaryArray<Int32Type> = words.iter().copied().collect();
    let layouts: [ArrayRef; 4] = [
        Arc::new(StringArray::from(words.clone())),
        Arc::new(LargeStringArray::from(words.clone())),
        Arc::new(StringViewArray::from(words.clone())),
        Arc::new(dictionary),
    ];
    for layout in layouts {
        assert_eq!(values(v(Type::optional(Kind::String)), Arc::clone(&layout)), ["b", "a", "∅", "b"]);
        assert_eq!(values(v(optional(enumeration(&["a", "b"]))), Arc::clone(&layout)), ["1", "0", "∅", "1"]);
        let web = defaulted("v", Type::of(Kind::String), Value::String("web".into()));
        assert_eq!(values(web, Arc::clone(&layout)), ["b", "a", "web", "b"]);
        let (kept, problems) = column(v(enumeration(&["b"])), layout);
        assert_eq!(kept, ["0", "0"]);
        assert_eq!(
            problems,
            ["not one of the names of the enum", "absent or null, and `enum(\"b\")` is not optional"]
        );
    }
    let many: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    let names = enumeration(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(column(v(names), Arc::new(StringArray::from(vec!["n39", "n40", "n0"]))).0, ["39", "0"]);
}

#[test]
fn an_enum_that_nobody_reads_is_known_by_its_dictionary() {
    let words = || Arc::new(StringArray::from(vec!["b", "a", "b", "c"])) as ArrayRef;
    let folder = Folder::new();
    let columns = vec![("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef), ("v", words())];
    let path = folder.parquet("a.parquet", columns, 2);
    let fields = |names: &[&str]| source(vec![field("n", int()), v(enumeration(names))]);
    let expected = |names: &[&str]| {
        let log = open(&fields(names), &path).unwrap();
        read(&log, &whole(&log), &[0])
    };
    let [all, few] = [&["a", "b", "c"][..], &["a", "b"]].map(expected);
    assert_eq!(all.0, [["1"], ["2"], ["3"], ["4"]]);
    assert_eq!(
        (few.0, few.1.n_quarantined),
        (vec![vec!["1".to_owned()], vec!["2".into()], vec!["3".into()]], 1)
    );

    // Without its data pages, the column of all names is as good as ever.
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&File::open(&path).unwrap()).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    for group in metadata.row_groups() {
        let (from, to) = (group.column(1).data_page_offset(), group.column(1).byte_range());
        bytes[from as usize..(to.0 + to.1) as usize].fill(0xff);
    }
    std::fs::write(&path, bytes).unwrap();
    let log = open(&fields(&["a", "b", "c"]), &path).unwrap();
    assert_eq!(read(&log, &whole(&log), &[0]).0, all.0);
    let log = open(&fields(&["a", "b"]), &path).unwrap();
    let slice = whole(&log).slices().next().unwrap();
    assert!(log.read(&slice, &[0], 10).and_then(|reader| reader.collect::<Result<Vec<_>, _>>()).is_err());
}

#[test]
fn dates_and_durations_lose_nothing() {
    let (kept, problems) =
        column(v(Type::of(Kind::Date)), Arc::new(Date64Array::from(vec![86_400_000, 1, -86_400_000])));
    assert_eq!(
        (kept, problems),
        (vec!["1970-01-02".into(), "1969-12-31".into()], vec!["a time of day would be lost".into()])
    );
    let duration = || v(Type::of(Kind::Duration));
    assert_eq!(
        values(duration(), Arc::new(DurationMillisecondArray::from(vec![1]))),
        values(duration(), Arc::new(Int64Array::from(vec![1000])))
    );
    let (kept, problems) = column(duration(), Arc::new(DurationMillisecondArray::from(vec![i64::MAX])));
    assert_eq!((kept.len(), problems[0].as_str()), (0, "beyond the 64 bits of a duration in microseconds"));
    let (kept, problems) = column(duration(), Arc::new(DurationNanosecondArray::from(vec![1000, 1])));
    assert_eq!((kept.len(), problems[0].as_str()), (1, "digits beyond the microsecond would be lost"));
}

#[test]
fn lists_are_checked_element_by_element() {
    let lists = vec![
        Some(vec![Some(1), Some(2)]),
        Some(vec![]),
        None,
        Some(vec![None, Some(3)]),
        Some(vec![Some(4)]),
    ];
    let layouts: [ArrayRef; 2] = [
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists.clone())),
        Arc::new(LargeListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
    ];
    for layout in layouts {
        let loose = v(optional(list(optional(int()))));
        assert_eq!(values(loose, Arc::clone(&layout)), ["[1, 2]", "[]", "∅", "[, 3]", "[4]"]);
        let (kept, problems) = column(v(optional(list(int()))), Arc::clone(&layout));
        assert_eq!(kept, ["[1, 2]", "[]", "∅", "[4]"]);
        assert_eq!(problems, ["null in a list whose elements are not optional"]);
        let (kept, problems) = column(v(list(int())), Arc::clone(&layout));
        assert_eq!((kept.len(), problems.len()), (3, 2));
        let default = defaulted("v", list(int()), Value::List(vec![Value::Int(7)]));
        assert_eq!(column(default, layout).0, ["[1, 2]", "[]", "[7]", "[4]"]);
    }
    let pairs = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(
        [Some([Some(1), Some(2)]), Some([Some(3), Some(200)])],
        2,
    );
    assert_eq!(values(v(list(int())), Arc::new(pairs.clone())), ["[1, 2]", "[3, 200]"]);
    let (kept, problems) = column(v(list(decimal(2, 0))), Arc::new(pairs));
    assert_eq!(
        (kept, problems),
        (vec!["[1, 2]".to_owned()], vec!["more than 2 digits before the point".to_owned()])
    );
}

#[test]
fn a_column_of_nothing_is_one_that_is_absent() {
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    assert_eq!(values(v(optional(int())), Arc::clone(&nothing)), ["∅", "∅"]);
    assert_eq!(values(defaulted("v", int(), Value::Int(5)), Arc::clone(&nothing)), ["5", "5"]);
    refused(v(int()), nothing);
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("w", Arc::new(Int64Array::from(vec![1, 2, 3])))], 2);
    let log = open(&source(vec![defaulted("v", int(), Value::Int(5)), field("n", optional(int()))]), &path)
        .unwrap();
    assert_eq!(read_all(&log).0, [["5", "∅"], ["5", "∅"], ["5", "∅"]]);
}

#[test]
fn the_first_field_that_does_not_decode_is_the_reason() {
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("b", Arc::new(Date32Array::from(vec![i32::MAX, i32::MAX, 1]))),
        ("a", Arc::new(Int64Array::from(vec![None, Some(1), Some(2)]))),
    ];
    let path = folder.parquet("a.parquet", columns, 10);
    let log = open(&source(vec![field("a", int()), field("b", Type::of(Kind::Date))]), &path).unwrap();
    let (rows, findings) = read(&log, &whole(&log), &[0]);
    assert_eq!(rows, [["2"]]);
    let fields: Vec<_> =
        findings.quarantined.iter().map(|record| (record.field.as_deref(), record.line)).collect();
    assert_eq!(fields, [(Some("a"), None), (Some("b"), None)]);
    assert_eq!(findings.quarantined[1].excerpt, i32::MAX.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Row groups differ in what their statistics prove.
    #[test]
    fn what_is_quarantined_does_not_depend_on_what_is_read(
        rows in prop::collection::vec((prop::option::weighted(0.9, -3i64..3), prop::option::weighted(0.9, -3i64..3)), 1..30),
        group_rows in 1usize..6,
    ) {
        // Most instants are near the end of the range, some after it.
        let instant = |n: i64| 253_402_300_799_999_998 + n;
        let times = rows.iter().map(|(time, _)| time.map(instant));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("at", Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))),
            ("n", Arc::new(Int64Array::from_iter(rows.iter().map(|(_, n)| *n)))),
        ];
        let folder = Folder::new();
        let path = folder.parquet("a.parquet", columns, group_rows);
        let log = open(&source(vec![field("at", Type::of(Kind::Timestamp)), field("n", int())]), &path).unwrap();
        let wanted: Vec<u64> = (0u64..)
            .zip(&rows)
            .filter(|(_, (time, n))| n.is_none() || time.is_none_or(|time| time > 1))
            .map(|(offset, _)| offset)
            .collect();
        for columns in [&[][..], &[0], &[1], &[0, 1]] {
            let (read, findings) = read(&log, &whole(&log), columns);
            prop_assert_eq!(read.len(), rows.len() - wanted.len());
            let found: Vec<u64> = findings.quarantined.iter().map(|record| record.position.offset).collect();
            prop_assert_eq!(&found, &wanted);
        }
    }
}
