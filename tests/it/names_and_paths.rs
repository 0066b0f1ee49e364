//! Names and paths of the data, records and lists of records: in NDJSON, CSV and Parquet, through both
//! engines, at every cut. `tests/cases` has the cases from bug reports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Field, Fields, Float64Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::ipc::writer::StreamWriter;
use metricc::{Package, bind};
use metricc_ir::{self as ir, Kind, RecordField, Source, Step, Type, Value};
use metricc_log::{Binding, BodyFormat, BodyLimits, EventDecoder, Interval, Log};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{LogOptions, log};
use metricc_tests::generate::nested_sources::nested_source;
use metricc_tests::generate::parquet_files::{batch, write_parquet};
use parquet::arrow::ArrowWriter;

use crate::layers::{agreed, agreed_at, package};

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(case)
}

fn text(case: &str) -> String {
    std::fs::read_to_string(folder(case).join("case.metric")).expect("the case has a package")
}

fn line(metric: &str, value: &str) -> String {
    format!(r#"{{"metric":"{metric}","key":{{}},"window":null,"value":{value}}}"#)
}

/// Why a log does not open, with the help.
fn refused(text: &str, name: &str, data: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, data).expect("the log is written");
    let package: Package = package(text);
    let metrics = package.metrics(&[]).expect("the package has metrics");
    let binding = (metrics[0].source.name.clone(), Binding::new(path.to_string_lossy()));
    let error = bind(&package, &metrics, &[binding], &|_, _| ()).expect_err("the log does not open");
    let metricc::PackageError::Log { source, .. } = error else { panic!("{error}") };
    format!("{source}; {}", source.help().unwrap_or_default())
}

#[test]
fn case_13_fields_inside_of_objects_and_structs() {
    let expected = [line("revenue", "\"41.00\""), line("record", "41.0"), line("countries", "2")];
    assert_eq!(agreed_at(&text("13-nested-fields"), &folder("13-nested-fields").join("ev.ndjson")), expected);

    let properties = Fields::from(vec![Field::new("revenue", DataType::Float64, true)]);
    let revenues: ArrayRef = Arc::new(Float64Array::from(vec![39.95, 1.05]));
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1]).with_timezone("UTC"))),
        ("properties", Arc::new(StructArray::new(properties, vec![revenues], None))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ev.parquet");
    let file = std::fs::File::create(&path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
    let floats = text("13-nested-fields").replace("decimal(8, 2)", "float");
    let expected = [line("revenue", "41.0"), line("record", "41.0"), line("countries", "0")];
    assert_eq!(agreed_at(&floats, &path), expected);
}

#[test]
fn case_15_columns_with_capitals_blanks_and_dots() {
    let text = text("15-names-of-columns");
    let folder = folder("15-names-of-columns");
    let expected = [line("users", "1"), line("total", "\"2.5\""), line("sizes", "0")];
    assert_eq!(agreed_at(&text, &folder.join("ev.ndjson")), expected);
    let quoted = text.replace("order.total", "order total");
    let expected = [line("users", "1"), line("total", "\"2.5\""), line("sizes", "1")];
    assert_eq!(agreed_at(&quoted, &folder.join("ev.csv")), expected);
}

#[test]
fn case_15_a_missing_column_says_the_path_to_write() {
    let text = "source ev { user_id: int key  event_time: timestamp time }\nmetric n = count() { from ev }";
    let told = refused(text, "ev.csv", "UserID,EventTime\n7,2026-01-01T00:00:00Z\n");
    assert!(told.contains("did you mean `UserID`? write `user_id: int from UserID`"), "{told}");
}

const BASKETS: &str = "source baskets {
  id: int key
  at: timestamp time from meta.time
  items: list<{ sku: string from \"SKU\", price: decimal(8, 2) from price.amount, gift: bool? }>
  address: { city: string, zip: string? }?
  first: string? from items[0].SKU
}
";

const RECORDS: [&str; 4] = [
    r#"{"id":1,"meta":{"time":"2026-04-25T10:00:00Z"},"address":{"city":"Berlin","zip":null,"x":1},"items":[{"SKU":"a","price":{"amount":2.50}},{"price":{"amount":5,"currency":"EUR"},"SKU":"b","gift":true}]}"#,
    r#"{"items":[],"meta":{"x":[{}],"time":"2026-04-25T11:00:00Z"},"id":2,"address":null}"#,
    r#"{"id":3,"meta":{"time":"2026-04-25T12:00:00Z"},"items":[{"SKU":"a","price":{"amount":1}}],"address":{"zip":"1","city":"Bonn"}}"#,
    r#"{"id":1,"meta":{"time":"2026-04-25T10:00:00Z"},"items":[]}"#,
];

#[test]
fn records_and_lists_of_records_go_through_both_engines() {
    let text = format!(
        "{BASKETS}
metric per_sku = {{ n: count(), money: sum(item.price) }} {{ from baskets  each item in items  by item.sku }}
metric by_city = count() {{ from baskets  by address.city ?? \"nowhere\" as city }}
metric gifts = count() where item.gift ?? false {{ from baskets  each item in items }}
metric homeless = count() {{ from baskets  where address == none }}
metric same = count() {{ from baskets  each item in items  where contains(items, item) and item == item }}
metric first = count() {{ from baskets  by first }}
metric zips = set(address.zip) {{ from baskets }}
metric either = count() {{ from baskets  let a = if id == 1 then address else none  where a.city != none }}
"
    );
    let row = |metric: &str, key: &str, value: &str| {
        format!(r#"{{"metric":"{metric}","key":{key},"window":null,"value":{value}}}"#)
    };
    let expected = [
        row("per_sku", r#"{"sku":"a"}"#, r#"{"n":2,"money":"3.50"}"#),
        row("per_sku", r#"{"sku":"b"}"#, r#"{"n":1,"money":"5.00"}"#),
        row("by_city", r#"{"city":"Berlin"}"#, "1"),
        row("by_city", r#"{"city":"Bonn"}"#, "1"),
        row("by_city", r#"{"city":"nowhere"}"#, "1"),
        line("gifts", "1"),
        line("homeless", "1"),
        line("same", "3"),
        row("first", r#"{"first":null}"#, "1"),
        row("first", r#"{"first":"a"}"#, "2"),
        line("zips", r#"["1"]"#),
        line("either", "1"),
    ];
    assert_eq!(agreed(&text, &RECORDS), expected);
}

/// A decoded value, read from its column.
fn value_at(array: &ArrayRef, row: usize, ty: &Type) -> Value {
    if array.is_null(row) {
        return Value::None;
    }
    match &ty.kind {
        Kind::Bool => Value::Bool(array.as_boolean().value(row)),
        Kind::Int => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        Kind::Int128 | Kind::Decimal { .. } => {
            Value::Decimal(array.as_primitive::<Decimal128Type>().value(row))
        }
        Kind::Float => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        Kind::String => Value::String(array.as_string_view().value(row).to_owned()),
        Kind::Enum(_) => {
            Value::Enum(u32::try_from(array.as_primitive::<Int32Type>().value(row)).expect("an index"))
        }
        Kind::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        Kind::Timestamp => Value::Timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        Kind::Duration => Value::Duration(array.as_primitive::<DurationMicrosecondType>().value(row)),
        Kind::List(element) => {
            let elements = array.as_list::<i32>().value(row);
            Value::List((0..elements.len()).map(|place| value_at(&elements, place, element)).collect())
        }
        Kind::Record(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            Value::Record(parts.map(|(field, part)| value_at(part, row, &field.ty)).collect())
        }
    }
}

/// As the decoder has it: one zero, and none for what is not finite.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Float(value) if !value.is_finite() => Value::None,
        Value::Float(value) => Value::Float(value + 0.0),
        Value::List(values) => Value::List(values.iter().map(canonical).collect()),
        Value::Record(values) => Value::Record(values.iter().map(canonical).collect()),
        value => value.clone(),
    }
}

fn rows(source: &Source, columns: &[ArrayRef]) -> Vec<Vec<Value>> {
    let n_rows = columns.first().map_or(0, |column| column.len());
    let row = |row: usize| {
        source.fields.iter().zip(columns).map(|(field, column)| value_at(column, row, &field.ty)).collect()
    };
    (0..n_rows).map(row).collect()
}

/// All rows of a log, of which no record is quarantined.
fn read_back(source: &Arc<Source>, path: &Path) -> Vec<Vec<Value>> {
    let log = Log::open(source, &Binding::new(path.to_string_lossy()))
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{source:#?}", error.help()));
    let all = Interval::new(log.start(), log.end()).expect("the whole log");
    let columns: Vec<usize> = (0..source.fields.len()).collect();
    let mut found = Vec::new();
    for slice in log.slices(&all, 1).into_iter().flatten() {
        for batch in log.read(&slice, &columns, 7).expect("the log is read") {
            let batch = batch.expect("a batch");
            assert_eq!(batch.read_stats.quarantined, [], "{source:#?}");
            found.extend(rows(source, batch.rows.columns()));
        }
    }
    found
}

#[test]
fn random_records_at_random_paths_read_back_alike_from_every_format() {
    for seed in 0..150 {
        let source = nested_source(seed);
        let events = log(&source, &LogOptions::new(seed, 30));
        let expected: Vec<Vec<Value>> = events
            .iter()
            .map(|event| source.fields.iter().map(|field| canonical(&event[&field.name])).collect())
            .collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout { seed, n_files: 1, is_hostile: false };
        let json = write_ndjson(folder.path(), &source, &events, &layout).expect("files");
        assert_eq!(read_back(&source, &json.paths[0]), expected, "NDJSON, seed {seed}: {source:#?}");
        let parquet = write_parquet(folder.path(), &source, &events, &layout, 11).expect("files");
        assert_eq!(read_back(&source, &parquet.paths[0]), expected, "Parquet, seed {seed}: {source:#?}");

        let columns = batch(&source, &events).expect("columns");
        let mut writer = StreamWriter::try_new(Vec::new(), &columns.schema()).expect("a writer");
        writer.write(&columns).expect("rows");
        let body = writer.into_inner().expect("a stream");
        let decoder = EventDecoder::new(&source).expect("a decoder");
        let limits = BodyLimits { records: 1_000, bytes: 1 << 24 };
        let events = decoder.decode(BodyFormat::Arrow, &body, &limits).expect("events");
        assert_eq!(events.rejected().len(), 0, "seed {seed}: {source:#?}");
        assert_eq!(rows(&source, events.rows()), expected, "Arrow, seed {seed}: {source:#?}");
    }
}

#[test]
fn one_column_of_a_nested_source_is_the_same_read_alone() {
    for seed in 0..60 {
        let source = nested_source(seed);
        let events = log(&source, &LogOptions::new(seed, 20));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout { seed, n_files: 1, is_hostile: false };
        let written = write_parquet(folder.path(), &source, &events, &layout, 7).expect("files");
        let log = Log::open(&source, &Binding::new(written.paths[0].to_string_lossy())).expect("it opens");
        let all = Interval::new(log.start(), log.end()).expect("the whole log");
        let slice = log.slices(&all, 1).into_iter().flatten().next().expect("a slice");
        for (column, field) in source.fields.iter().enumerate() {
            let mut found = Vec::new();
            for batch in log.read(&slice, &[column], 6).expect("the log is read") {
                let rows = batch.expect("a batch").rows;
                found.extend((0..rows.num_rows()).map(|row| value_at(rows.column(0), row, &field.ty)));
            }
            let expected: Vec<Value> = events.iter().map(|event| canonical(&event[&field.name])).collect();
            assert_eq!(found, expected, "seed {seed}, {}: {source:#?}", field.name);
        }
    }
}

#[test]
fn a_struct_of_arrow_that_is_null_hides_what_is_inside() {
    let part = RecordField { name: "n".to_owned(), ty: Type::of(Kind::Int) };
    let steps = ["s", "n"].map(|step| Step::Name(step.to_owned())).to_vec();
    let fields = vec![
        ir::Field::new("at", Type::of(Kind::Timestamp)),
        ir::Field { path: ir::Path::new(steps), ..ir::Field::new("v", Type::optional(Kind::Int)) },
        ir::Field::new("s", Type::optional(Kind::Record([part].into()))),
    ];
    let name = "nested".to_owned();
    let source = Arc::new(Source { name, doc: String::new(), fields, time: 0, identity: Vec::new() });
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
    let inside = Fields::from(vec![Field::new("n", DataType::Int64, true)]);
    let nulls = NullBuffer::from(vec![true, false]);
    let columns: [(&str, ArrayRef); 2] = [
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1]).with_timezone("UTC"))),
        ("s", Arc::new(StructArray::new(inside, vec![numbers], Some(nulls)))),
    ];
    let columns = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut writer = StreamWriter::try_new(Vec::new(), &columns.schema()).expect("a writer");
    writer.write(&columns).expect("rows");
    let body = writer.into_inner().expect("a stream");
    let limits = BodyLimits { records: 1_000, bytes: 1 << 24 };
    let decoder = EventDecoder::new(&source).expect("a decoder");
    let events = decoder.decode(BodyFormat::Arrow, &body, &limits).expect("events");
    let found: Vec<Vec<Value>> = rows(&source, events.rows());
    let record = Value::Record(vec![Value::Int(7)]);
    assert_eq!(found[0][1..], [Value::Int(7), record]);
    assert_eq!(found[1][1..], [Value::None, Value::None]);
}

/// A source with records in Rust: a struct for each.
mod in_rust {
    use metricc::jiff::Timestamp;
    use metricc::{Event, EventLog, Events, Metric, Run, metric};

    metricc::metrics!("fixtures/baskets.metric");

    #[test]
    fn records_are_structs_of_their_own() {
        let item = |sku: &str, price: &str| BasketsItems {
            sku: sku.to_owned(),
            kind: Some(BasketsItemsKind::Used),
            price: price.parse().expect("a decimal"),
        };
        let basket = Baskets {
            id: 1,
            at: Timestamp::UNIX_EPOCH,
            items: vec![item("a", "2.50"), item("b", "1.00"), item("a", "0.50")],
            address: Some(BasketsAddress { city: "Bonn".to_owned(), zip: None }),
        };
        let empty = Baskets { id: 2, items: Vec::new(), address: None, ..basket.clone() };
        let log = EventLog::of_events(&[basket, empty]).expect("a log");
        let found = per_sku().batch(&log).expect("batch");
        let sums: Vec<(String, String)> = found
            .rows
            .iter()
            .map(|row| (row.key.sku.clone(), row.value.map(|sum| sum.to_string()).unwrap_or_default()))
            .collect();
        assert_eq!(sums, [("a".to_owned(), "3.00".to_owned()), ("b".to_owned(), "1.00".to_owned())]);
        assert_eq!(cities().batch(&log).expect("batch").rows.len(), 2);
    }

    #[derive(Event)]
    struct Visit {
        #[event(time, from = "Time")]
        at: Timestamp,
        #[event(from = user."full name"[0])]
        name: String,
    }

    #[metric]
    fn names(visits: Events<Visit>) -> Metric {
        visits.distinct(|v| v.name)
    }

    #[test]
    fn a_derived_event_says_where_its_fields_stand() {
        assert_eq!(
            Visit::SOURCE,
            "source visit {\n  at: timestamp time from \"Time\"\n  name: string from user.\"full name\"[0]\n}\n"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("visits.ndjson");
        let line = r#"{"Time":"2026-01-01T00:00:00Z","user":{"full name":["Ada","Lovelace"]}}"#;
        std::fs::write(&path, format!("{line}\n{line}\n")).expect("the log is written");
        let log = EventLog::<Visit>::open(path.to_string_lossy()).expect("a log");
        assert_eq!(names().batch(&log).expect("batch").rows[0].value, 1);
    }
}
