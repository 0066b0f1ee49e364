//! Paths and records: what stands where, what is absent, and what is quarantined with its place.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::fmt::Write as _;
use std::io::{Seek, SeekFrom, Write as _};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, Int64Builder, ListArray, MapBuilder, StringArray, StringBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Field as ArrowField, Fields};
use common::*;
use metricc_ir::{Field, Kind, Path, RecordField, Step, Type, Value};
use metricc_log::LogError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;

fn name(name: &str) -> Step {
    Step::Name(name.to_owned())
}

/// The field `v` at a path.
fn at(steps: &[Step], ty: Type) -> Field {
    Field { path: Path::new(steps.to_vec()), ..field("v", ty) }
}

fn record(fields: Vec<Field>) -> (Type, Vec<Field>) {
    let parts = fields.iter().map(|field| RecordField { name: field.name.clone(), ty: field.ty.clone() });
    (Type::of(Kind::Record(parts.collect())), fields)
}

/// The field `v`, a record of an int `n` (from `N.n`) and an optional string `s`.
fn pair() -> Field {
    let n = Field { path: Path::new(vec![name("N"), name("n")]), ..field("n", int()) };
    let (ty, fields) = record(vec![n, field("s", optional(Type::of(Kind::String)))]);
    Field { fields, ..field("v", ty) }
}

fn pairs() -> Field {
    let Field { ty, fields, .. } = pair();
    Field { fields, ..field("v", list(ty)) }
}

fn problem<T: std::fmt::Debug>(text: &str, at: &str) -> Result<T, String> {
    Err(if at.is_empty() { text.to_owned() } else { format!("{text}, at `{at}`") })
}

fn ok(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

#[test]
fn a_missing_step_or_null_on_the_way_is_absent() {
    let deep = || at(&[name("a"), name("b c"), name("d.e")], optional(int()));
    for (line, found) in [
        (r#"{"a":{"b c":{"d.e":7}}}"#, "7"),
        (r#"{"x":{"b c":1},"a":{"y":[{"d.e":1}],"b c":{"d":{"e":1},"d.e":7}}}"#, "7"),
        (r#"{"a":{"b c":{}}}"#, "∅"),
        (r#"{"a":{"b c":null}}"#, "∅"),
        (r#"{"a":null}"#, "∅"),
        (r#"{"a.b c.d.e":7}"#, "∅"),
        ("{}", "∅"),
        ("{\"\\u0061\":{\"b c\":{\"d\\u002ee\":7}}}", "7"),
    ] {
        assert_eq!(ndjson_record(deep(), line), ok(found), "{line}");
    }
    let required = at(&[name("a"), name("b")], int());
    let missing = problem("absent or null, and `int` is not optional", "a.b");
    for line in [r#"{"a":{}}"#, r#"{"a":null}"#, "{}", r#"{"a":{"b":null}}"#] {
        assert_eq!(ndjson_record(required.clone(), line), missing, "{line}");
    }
    let defaulted = Field { default: Some(Value::Int(5)), ..required };
    assert_eq!(ndjson_record(defaulted.clone(), r#"{"a":null}"#), ok("5"));
    assert_eq!(ndjson_record(defaulted, "{}"), ok("5"));
}

#[test]
fn something_else_on_the_way_is_quarantined_with_its_place() {
    let deep = || at(&[name("a"), name("b")], optional(int()));
    for (value, found) in
        [("1", "a number"), ("\"x\"", "a string"), ("[{\"b\":1}]", "an array"), ("true", "a bool")]
    {
        let text = format!("{found} where an object is expected on the way");
        assert_eq!(ndjson_record(deep(), format!("{{\"a\":{value}}}")), problem(&text, "a.b"), "{value}");
    }
    let element = at(&[name("a"), Step::Index(0)], optional(int()));
    let text = "an object where an array is expected on the way";
    assert_eq!(ndjson_record(element, r#"{"a":{"0":1}}"#), problem(text, "a[0]"));
    assert_eq!(
        ndjson_record(deep(), r#"{"a":{"b":{}}}"#),
        problem("an object where an int is expected", "a.b")
    );
}

#[test]
fn elements_are_counted_from_the_start() {
    let second = || at(&[name("a"), Step::Index(1), name("x")], optional(int()));
    for (line, found) in [
        (r#"{"a":[{"x":1},{"x":2},{"x":3}]}"#, "2"),
        (r#"{"a":[{"x":1}]}"#, "∅"),
        (r#"{"a":[1,null]}"#, "∅"),
        (r#"{"a":[[],{}]}"#, "∅"),
        (r#"{"a":[]}"#, "∅"),
    ] {
        assert_eq!(ndjson_record(second(), line), ok(found), "{line}");
    }
    let far = at(&[name("a"), Step::Index(u32::MAX)], optional(int()));
    assert_eq!(ndjson_record(far, r#"{"a":[1,2]}"#), ok("∅"));
}

#[test]
fn several_fields_may_read_one_place_and_what_is_around_it() {
    let (ty, fields) = record(vec![field("x", optional(int()))]);
    let around = Field { fields, path: Path::of_name("a"), ..field("r", optional(ty)) };
    let inside = at(&[name("a"), name("x")], optional(int()));
    let again = Field { path: inside.path.clone(), ..field("w", optional(Type::of(Kind::Float))) };
    let source = source(vec![around, inside, again]);
    let folder = Folder::new();
    let text = "{\"a\":{\"x\":1}}\n{\"a\":null}\n{\"a\":{\"x\":\"one\"}}\n{\"a\":{\"x\":1,\"x\":2}}\n";
    let (rows, findings) = read_all(&open(&source, &folder.write("a.ndjson", text)).unwrap());
    assert_eq!(rows, [["{x: 1}", "1", "1.0"], ["∅", "∅", "∅"]]);
    let told: Vec<_> = findings
        .quarantined
        .iter()
        .map(|record| format!("{} {}", record.field.as_deref().unwrap_or(""), record.problem))
        .collect();
    assert!(told[0].starts_with("r.x not a number"), "{told:?}");
    assert!(told[1].contains("a key occurs twice"), "{told:?}");
}

#[test]
fn a_value_in_a_record_is_quarantined_with_its_name_and_place() {
    let folder = Folder::new();
    let told = |line: &str| {
        let log = open(&source(vec![pairs()]), &folder.write("a.ndjson", line)).unwrap();
        let (rows, findings) = read_all(&log);
        assert_eq!(rows.len(), 0, "{line}");
        let record = &findings.quarantined[0];
        format!("{}: {}: {}", record.field.as_deref().unwrap_or(""), record.problem, record.excerpt)
    };
    for (line, expected) in [
        (r#"{"v":[{"N":{"n":1}},{"N":{"n":"x"}}]}"#, "v.n: not a number, at `v[].N.n`: \"x\""),
        (r#"{"v":[{"N":{"n":1},"s":7}]}"#, "v.s: a number where a string is expected: 7"),
        (r#"{"v":[{}]}"#, "v.n: absent or null, and `int` is not optional, at `v[].N.n`: "),
        (r#"{"v":[{"N":3}]}"#, "v.n: a number where an object is expected on the way, at `v[].N.n`: 3"),
        (r#"{"v":[null]}"#, "v: null in a list whose elements are not optional: null"),
        (r#"{"v":[3]}"#, "v: a number where a record is expected: 3"),
        (r#"{"v":{"N":{"n":1}}}"#, "v: an object where a list is expected: {\"N\":{\"n\":1}}"),
    ] {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[test]
fn a_rejected_record_leaves_no_trace_in_the_columns() {
    let folder = Folder::new();
    let mut text = String::new();
    for number in 0..40 {
        let good = format!(r#"{{"N":{{"n":{number}}},"s":"t{number}"}}"#);
        let bad = if number % 3 == 0 { r#",{"s":"lost","N":{"n":1.5}}"# } else { "" };
        writeln!(text, r#"{{"v":[{good}{bad},{good}]}}"#).unwrap();
    }
    let (rows, findings) = read_all(&open(&source(vec![pairs()]), &folder.write("a.ndjson", text)).unwrap());
    assert_eq!(findings.n_quarantined, 14);
    let expected: Vec<_> = (0..40)
        .filter(|number| number % 3 != 0)
        .map(|number| vec![format!("[{{n: {number}, s: t{number}}}, {{n: {number}, s: t{number}}}]")])
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn hostile_depth_and_width_are_quarantined() {
    let deep = |n: usize| at(&vec![name("a"); n], optional(int()));
    let nested = |n: usize| format!("{}7{}", "{\"a\":".repeat(n), "}".repeat(n));
    assert_eq!(ndjson_record(deep(60), nested(60)), ok("7"));
    for n in [65, 5_000, 100_000] {
        let found = ndjson_record(deep(60), nested(n));
        assert!(
            found.as_ref().is_err_and(|problem| problem.contains("nested more than 64 deep")),
            "{found:?}"
        );
        let lists = format!("{{\"v\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(ndjson_record(pairs(), lists).is_err());
        let records = format!("{{\"v\":[{}]}}", "{\"N\":".repeat(n));
        assert!(ndjson_record(pairs(), records).is_err());
    }
    // Absent values cost memory and no text.
    let wide: Vec<Field> = (0..200).map(|index| field(&format!("f{index}"), optional(int()))).collect();
    let (ty, fields) = record(wide);
    let many = || Field { fields: fields.clone(), ..field("v", list(ty.clone())) };
    let records = |n: usize| format!("{{\"v\":[{}]}}", vec!["{}"; n].join(","));
    assert!(ndjson_record(many(), records(40)).is_ok());
    let found = ndjson_record(many(), records(300_000));
    assert_eq!(found, Err("more values than a record of this size may have".to_owned()));
    let long = format!("{{\"v\":[{}]}}", vec!["{\"f0\":1,\"f1\":2}"; 20].join(","));
    assert!(ndjson_record(many(), long).is_ok());
}

#[test]
fn csv_has_columns_of_dotted_names_and_no_objects() {
    let folder = Folder::new();
    let deep = at(&[name("order"), name("total"), Step::Index(0)], optional(int()));
    let path = folder.write("a.csv", "order.total[0],v\n7,1\n,2\n");
    let (rows, _) = read_all(&open(&source(vec![deep.clone()]), &path).unwrap());
    assert_eq!(rows, [["7"], ["∅"]]);
    let path = folder.write("b.csv", "order,v\n7,1\n");
    let error = open(&source(vec![deep]), &path).unwrap_err();
    assert!(matches!(error, LogError::NoObjects { .. }), "{error}");
    assert!(error.to_string().ends_with(
        "has no column `order.total[0]`, and CSV has no objects that field `v: int?` could be read from"
    ));
    assert_eq!(
        error.help().unwrap(),
        "its columns are `order`, `v`; name one, such as `v: int? from \"…\"`, or use NDJSON or Parquet"
    );
    let blank = at(&[name("order total")], int());
    let path = folder.write("c.csv", "v,order total\n1,7\n");
    assert_eq!(read_all(&open(&source(vec![blank.clone()]), &path).unwrap()).0, [["7"]]);
    let path = folder.write("d.csv", "v,Order Total\n1,7\n");
    let error = open(&source(vec![blank]), &path).unwrap_err();
    assert_eq!(error.help().unwrap(), "did you mean `\"Order Total\"`? write `v: int from \"Order Total\"`");
    let error = open(&source(vec![pair()]), &path).unwrap_err();
    assert_eq!(error.help().as_deref(), Some("CSV has no records: use NDJSON or Parquet"));
}

fn structs(columns: Vec<(&str, ArrayRef)>, nulls: Option<Vec<bool>>) -> ArrayRef {
    let fields =
        columns.iter().map(|(name, column)| ArrowField::new(*name, column.data_type().clone(), true));
    let fields: Fields = fields.collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    Arc::new(StructArray::new(fields, columns, nulls.map(NullBuffer::from)))
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[test]
fn structs_lists_and_maps_of_parquet_are_followed() {
    let inner =
        structs(vec![("b", ints(&[Some(1), Some(2), None, Some(4)]))], Some(vec![true, false, true, true]));
    let outer = structs(vec![("x", ints(&[None; 4])), ("a", inner)], Some(vec![true, true, true, false]));
    let lists = ListArray::new(
        Arc::new(ArrowField::new("item", outer.data_type().clone(), true)),
        OffsetBuffer::from_lengths([2, 0, 1, 1]),
        outer.clone(),
        None,
    );
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for entries in [&[("k", 1), ("l", 2)][..], &[], &[("K", 3)], &[("k", 5), ("k", 6)]] {
        for (key, value) in entries {
            map.keys().append_value(key);
            map.values().append_value(*value);
        }
        map.append(true).unwrap();
    }
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> =
        vec![("o", outer), ("l", Arc::new(lists)), ("m", Arc::new(map.finish()))];
    let path = folder.parquet("a.parquet", columns, 3);
    let values = |field: Field| {
        let (rows, findings) = read_all(&open(&source(vec![field]), &path).unwrap());
        let problems: Vec<_> = findings.quarantined.into_iter().map(|record| record.problem).collect();
        (rows.into_iter().flatten().collect::<Vec<_>>(), problems)
    };
    let none = Vec::<String>::new;
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let through = |steps: &[Step]| values(at(steps, optional(int())));
    assert_eq!(through(&[name("o"), name("a"), name("b")]), (texts(&["1", "∅", "∅", "∅"]), none()));
    assert_eq!(
        through(&[name("l"), Step::Index(0), name("a"), name("b")]),
        (texts(&["1", "∅", "∅", "∅"]), none())
    );
    assert_eq!(through(&[name("l"), Step::Index(7), name("x")]), (texts(&["∅"; 4]), none()));
    let (found, problems) = through(&[name("m"), name("k")]);
    assert_eq!((found, problems), (texts(&["1", "∅", "∅"]), vec!["a key occurs twice, at `m.k`".to_owned()]));
    let (ty, fields) = record(vec![field("l", optional(int()))]);
    let of_map = Field { path: Path::of_name("m"), fields, ..field("v", ty) };
    assert_eq!(values(of_map).0, texts(&["{l: 2}", "{l: }", "{l: }", "{l: }"]));
    let required = at(&[name("o"), name("a"), name("b")], int());
    assert_eq!(values(required).1.len(), 3);

    let refused = |steps: &[Step]| open(&source(vec![at(steps, int())]), &path).unwrap_err();
    let error = refused(&[name("o"), name("x"), name("y")]);
    assert!(error.to_string().contains("column `o.x` of"), "{error}");
    assert!(error.help().unwrap().contains("has nothing inside that `v: int` could be read from"), "{error}");
    let error = refused(&[name("o"), name("A")]);
    assert_eq!(error.help().unwrap(), "did you mean `o.a`? write `v: int from o.a`");
    assert!(matches!(refused(&[name("o"), Step::Index(0)]), LogError::ColumnType { .. }));
}

#[test]
fn of_a_struct_only_the_leaves_that_are_declared_are_read() {
    let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100_000), "y".repeat(100_000)]));
    let column =
        structs(vec![("long", long), ("n", ints(&[Some(1), Some(2)])), ("m", ints(&[Some(3), None]))], None);
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("o", column)], 10);
    // Whoever reads the leaf `long` fails.
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let reader = SerializedFileReader::new(file.try_clone().unwrap()).unwrap();
    let (start, length) = reader.metadata().row_group(0).column(0).byte_range();
    file.seek(SeekFrom::Start(start)).unwrap();
    file.write_all(&vec![0xee; usize::try_from(length).unwrap()]).unwrap();
    file.flush().unwrap();

    let n = at(&[name("o"), name("n")], int());
    let (ty, fields) = record(vec![field("m", optional(int()))]);
    let parts = Field { path: Path::of_name("o"), fields, ..field("r", ty) };
    let (rows, findings) = read_all(&open(&source(vec![n, parts]), &path).unwrap());
    assert_eq!(findings.n_quarantined, 0);
    assert_eq!(rows, [["1", "{m: 3}"], ["2", "{m: }"]]);
    let long = at(&[name("o"), name("long")], Type::of(Kind::String));
    let log = open(&source(vec![long]), &path).unwrap();
    assert!(read_slices(&log, &whole(&log).slices().collect::<Vec<_>>(), &[0], 10).is_err());
}

#[test]
fn a_record_of_parquet_is_checked_as_one_of_json() {
    let n = structs(vec![("n", ints(&[Some(1), None, Some(3), None]))], Some(vec![true, true, true, false]));
    let column = structs(vec![("N", n)], Some(vec![true, true, true, false]));
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("v", column)], 10);
    let (rows, findings) = read_all(&open(&source(vec![pair()]), &path).unwrap());
    assert_eq!(rows, [["{n: 1, s: }"], ["{n: 3, s: }"]]);
    let told: Vec<_> = findings.quarantined.iter().map(|record| record.problem.clone()).collect();
    let missing = "absent or null, and `int` is not optional, at `v.N.n`".to_owned();
    let record = pair().ty.to_string();
    assert_eq!(told, [missing, format!("absent or null, and `{record}` is not optional")]);
    let may_be = Field { ty: optional(pair().ty), ..pair() };
    let (rows, _) = read_all(&open(&source(vec![may_be]), &path).unwrap());
    assert_eq!(rows, [["{n: 1, s: }"], ["{n: 3, s: }"], ["∅"]]);

    let wrong = structs(vec![("N", ints(&[Some(1)]))], None);
    let error =
        open(&source(vec![pair()]), &folder.parquet("b.parquet", vec![("v", wrong)], 10)).unwrap_err();
    assert!(error.help().unwrap().contains("has nothing inside that `n: int` could be read from"), "{error}");
    let none = structs(vec![("M", ints(&[Some(1)]))], None);
    let error = open(&source(vec![pair()]), &folder.parquet("c.parquet", vec![("v", none)], 10)).unwrap_err();
    assert!(error.help().unwrap().starts_with("there is no `N`"), "{error}");
}
