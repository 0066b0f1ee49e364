//! Records and lists of records, read from paths of the data, are the same rows in the journal, in flushed
//! files and after the log is opened again: these hold rows by the names of the fields.

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{
    DedupWindow, Disk, DurableError, DurableLog, DurableOptions, LogId, Request, SourceOptions,
};
use metricc_ir::{Field, Kind, Path, RecordField, Source, Step, Type, Value};
use metricc_log::{EventDecoder, Interval};

use crate::ledger::{enumeration, field, flush, keyed, optional, whole};

fn path(steps: &[&str]) -> Path {
    Path::new(steps.iter().map(|step| Step::Name((*step).to_owned())).collect())
}

/// A record of a text from `SKU`, an enum, and the time of a nested record.
fn record() -> (Kind, Vec<Field>) {
    let inner = Field { path: path(&["when", "At"]), ..field("at", Type::of(Kind::Timestamp)) };
    let fields = vec![
        Field { path: path(&["SKU"]), ..field("sku", Type::of(Kind::String)) },
        field("kind", optional(enumeration(&["small", "large"]))),
        inner,
    ];
    let parts = fields.iter().map(|field| RecordField { name: field.name.clone(), ty: field.ty.clone() });
    (Kind::Record(parts.collect()), fields)
}

fn source() -> Arc<Source> {
    let (kind, fields) = record();
    let items = Type::of(Kind::List(Box::new(Type::of(kind.clone()))));
    keyed(vec![
        Field { path: path(&["meta", "at"]), ..field("at", Type::of(Kind::Timestamp)) },
        Field { path: path(&["order id"]), ..field("id", Type::of(Kind::String)) },
        Field { fields: fields.clone(), path: path(&["Items"]), ..field("items", items) },
        Field { fields, ..field("gift", optional(kind)) },
    ])
}

fn open(disk: &SimDisk) -> DurableLog {
    open_as(disk, &source()).unwrap()
}

fn open_as(disk: &SimDisk, source: &Arc<Source>) -> Result<DurableLog, DurableError> {
    let source = Arc::clone(source);
    let sources =
        [SourceOptions { source, others: Vec::new(), n_partitions: 1, window: DedupWindow::Positions(100) }];
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let fresh = LogId { id: 1, seed: 2 };
    DurableLog::open(disk, DurableOptions::default(), &sources, fresh, 7).map(|(log, _)| log)
}

fn rows(log: &DurableLog) -> String {
    rows_of(log, &(0..source().fields.len()).collect::<Vec<_>>())
}

fn rows_of(log: &DurableLog, columns: &[usize]) -> String {
    let log = whole(log);
    let interval = Interval::new(log.start(), log.end()).unwrap();
    let mut batches = Vec::new();
    for slice in interval.slices() {
        for batch in log.read(&slice, columns, 2).unwrap() {
            batches.push(batch.unwrap().rows);
        }
    }
    pretty_format_batches(&batches).unwrap().to_string()
}

#[test]
fn records_are_the_same_rows_in_journal_and_files() {
    let item =
        |sku: &str, kind: &str| format!(r#"{{"when":{{"At":"2026-04-25T10:00:00Z"}},"SKU":"{sku}"{kind}}}"#);
    let (plain, large) = (item("a", ""), item("b", r#","kind":"large""#));
    let event = |id: &str, items: &str, more: &str| {
        format!(r#"{{"meta":{{"at":"2026-04-25T10:00:00Z"}},"order id":"{id}","Items":[{items}]{more}}}"#)
    };
    let body = [
        event("1", "", ""),
        event("2", &format!("{plain},{large}"), &format!(r#","gift":{large}"#)),
        event("3", &plain, r#","gift":null"#),
        event("2", &format!("{plain},{plain}"), ""),
        event("4", "{}", ""),
    ]
    .join("\n");
    let disk = SimDisk::default();
    let mut log = open(&disk);
    let events = EventDecoder::new(&source()).unwrap().ndjson(body.as_bytes());
    let receipt = log.append(&[Request { events, key: None, digest: 7, read: None }]).remove(0).unwrap();
    let taken = &receipt.accepted;
    assert_eq!((taken.n_accepted, taken.n_duplicates, taken.n_conflicts, taken.n_quarantined), (3, 1, 1, 1));
    let before = rows(&log);
    let (a, b) = ("{sku: a, kind: , at: 2026-04-25T10:00:00}", "{sku: b, kind: 1, at: 2026-04-25T10:00:00}");
    for cells in [format!("| [{a}, {b}] | {b} |"), format!("| [{a}]"), "| []".to_owned()] {
        let without_blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(without_blanks(&before).contains(&without_blanks(&cells)), "{cells}\n{before}");
    }
    assert_eq!(rows(&open(&disk)), before);
    flush(&mut log, &disk).unwrap();
    assert_eq!(rows(&log), before);
    let again = open(&disk);
    assert_eq!(rows(&again), before);
}

/// A record type, and how each of its fields is read.
fn record_of(fields: Vec<Field>) -> (Kind, Vec<Field>) {
    let parts = fields.iter().map(|field| RecordField { name: field.name.clone(), ty: field.ty.clone() });
    (Kind::Record(parts.collect()), fields)
}

fn list_of(kind: Kind) -> Type {
    Type::of(Kind::List(Box::new(Type::of(kind))))
}

/// A source whose events have `items`, a list of records of these fields, each with `box`, a record of those.
fn with_items(item: Vec<Field>, inner: Vec<Field>) -> Arc<Source> {
    let (kind, inner) = record_of(inner);
    let inner = Field { fields: inner, ..field("box", optional(kind)) };
    let (kind, fields) = record_of(item.into_iter().chain([inner]).collect());
    keyed(vec![
        field("at", Type::of(Kind::Timestamp)),
        field("id", Type::of(Kind::String)),
        Field { fields, ..field("items", list_of(kind)) },
    ])
}

fn append(log: &mut DurableLog, source: &Arc<Source>, id: &str, items: &str) {
    let body = format!(r#"{{"at":"2026-04-25T10:00:00Z","id":"{id}","items":[{items}]}}"#);
    let events = EventDecoder::new(source).unwrap().ndjson(body.as_bytes());
    let receipt = log.append(&[Request { events, key: None, digest: 7, read: None }]).remove(0).unwrap();
    assert_eq!(receipt.accepted.n_accepted, 1, "{body}");
}

/// Fields of such items, in three states of a source.
fn sku() -> Field {
    field("sku", Type::of(Kind::String))
}

fn kind(names: &[&str]) -> Field {
    field("kind", optional(enumeration(names)))
}

fn weight() -> Field {
    field("weight", Type::of(Kind::Int))
}

fn price() -> Field {
    Field { default: Some(Value::Int(5)), ..field("price", Type::of(Kind::Int)) }
}

fn wider() -> Arc<Source> {
    let tags = field("tags", Type { optional: true, ..list_of(Kind::String) });
    let item = vec![tags, price(), sku(), kind(&["a\"\u{1}", "b", "c"])];
    with_items(item, vec![field("color", optional(Kind::String)), weight()])
}

#[test]
fn records_may_gain_fields_at_every_depth() {
    let first = with_items(vec![sku(), kind(&["a\"\u{1}", "b"])], vec![weight()]);
    let disk = SimDisk::default();
    let mut log = open_as(&disk, &first).unwrap();
    append(&mut log, &first, "1", r#"{"sku":"x","kind":"b","box":{"weight":3}},{"sku":"y"}"#);
    append(&mut log, &first, "2", "");
    drop(log);
    let wider = wider();
    let mut log = open_as(&disk, &wider).unwrap();
    let more = r#"{"tags":["t"],"price":9,"sku":"z","kind":"c","box":{"color":"red","weight":4}}"#;
    append(&mut log, &wider, "3", more);
    let before = rows_of(&log, &[1, 2]);
    insta::assert_snapshot!(before, @r"
    +----+-------------------------------------------------------------------------------------------------------------+
    | id | items                                                                                                       |
    +----+-------------------------------------------------------------------------------------------------------------+
    | 1  | [{tags: , price: 5, sku: x, kind: 1, box: {color: , weight: 3}}, {tags: , price: 5, sku: y, kind: , box: }] |
    | 2  | []                                                                                                          |
    | 3  | [{tags: [t], price: 9, sku: z, kind: 2, box: {color: red, weight: 4}}]                                      |
    +----+-------------------------------------------------------------------------------------------------------------+
    ");
    flush(&mut log, &disk).unwrap();
    assert_eq!(rows_of(&log, &[1, 2]), before);
    assert_eq!(rows_of(&open_as(&disk, &wider).unwrap(), &[1, 2]), before);
}

#[test]
fn files_of_records_that_have_gained_fields_are_read() {
    let first = with_items(vec![sku(), kind(&["a\"\u{1}", "b"])], vec![weight()]);
    let disk = SimDisk::default();
    let mut log = open_as(&disk, &first).unwrap();
    append(&mut log, &first, "1", r#"{"sku":"x","kind":"b","box":{"weight":3}},{"sku":"y"}"#);
    append(&mut log, &first, "2", "");
    let in_journal = rows_of(&open_as(&disk, &wider()).unwrap(), &[1, 2]);
    flush(&mut log, &disk).unwrap();
    drop(log);
    assert_eq!(rows_of(&open_as(&disk, &wider()).unwrap(), &[1, 2]), in_journal);
}

#[test]
fn other_changes_of_records_are_refused_with_the_path_of_the_field() {
    let names = ["a\"\u{1}", "b"];
    let first = with_items(vec![sku(), kind(&names)], vec![weight()]);
    let disk = SimDisk::default();
    let mut log = open_as(&disk, &first).unwrap();
    append(&mut log, &first, "1", r#"{"sku":"x","kind":"b","box":{"weight":3}},{"sku":"y"}"#);
    drop(log);
    let of = |name: &str, kind: Kind| field(name, Type::of(kind));
    for (item, inner, problem) in [
        (vec![of("sku", Kind::Int), kind(&names)], vec![weight()], "`items.sku` was `string` and is `int`"),
        (vec![sku(), of("new", Kind::Int)], vec![weight()], "field `items.new` is new"),
        (vec![sku()], vec![weight(), of("new", Kind::Int)], "field `items.box.new` is new"),
        (vec![sku()], vec![of("weight", Kind::Float)], "`items.box.weight` was `int` and is `float`"),
        (vec![sku(), kind(&["b"])], vec![weight()], "`items.kind` was one of "),
        (vec![sku(), of("kind", enumeration(&names))], vec![weight()], "`items.kind` was optional"),
    ] {
        let error = open_as(&disk, &with_items(item, inner)).unwrap_err();
        let is_declaration = matches!(error, DurableError::Declaration { .. });
        assert!(is_declaration && error.to_string().contains(problem), "{problem}: {error}");
    }
    // What has gone is still known when it comes back.
    drop(open_as(&disk, &with_items(vec![sku()], vec![weight()])).unwrap());
    let back = with_items(vec![sku(), of("kind", Kind::String)], vec![weight()]);
    let error = open_as(&disk, &back).unwrap_err().to_string();
    assert!(error.contains("field `items.kind` was "), "{error}");
    let strings = keyed(vec![
        field("at", Type::of(Kind::Timestamp)),
        field("id", Type::of(Kind::String)),
        field("items", list_of(Kind::String)),
    ]);
    let error = open_as(&disk, &strings).unwrap_err().to_string();
    assert!(error.contains("field `items` was ") && error.contains(" and is `list<string>`"), "{error}");
}

#[test]
fn a_field_that_was_gone_for_a_while_is_none_or_its_default_in_the_rows_without_it() {
    let (at, id) = (|| field("at", Type::of(Kind::Timestamp)), || field("id", Type::of(Kind::String)));
    let n = |ty: Type| keyed(vec![at(), id(), field("n", ty)]);
    let (with, without) = (n(Type::of(Kind::Int)), keyed(vec![at(), id()]));
    let event = |id: &str, n: &str| format!(r#"{{"at":"2026-04-25T10:00:00Z","id":"{id}"{n}}}"#);
    let disk = SimDisk::default();
    let send = |source: &Arc<Source>, body: &str| {
        let mut log = open_as(&disk, source).unwrap();
        let events = EventDecoder::new(source).unwrap().ndjson(body.as_bytes());
        log.append(&[Request { events, key: None, digest: 7, read: None }]).remove(0).unwrap();
    };
    send(&with, &event("1", r#","n":5"#));
    // Nothing came in without it.
    assert_eq!(open_as(&disk, &without).unwrap().gone_fields(&without), ["n"]);
    assert_eq!(open_as(&disk, &with).unwrap().gone_fields(&with), [""; 0]);
    send(&without, &event("2", ""));
    let error = open_as(&disk, &with).unwrap_err().to_string();
    assert!(error.contains("some events are without field `n`, since it was not always declared"), "{error}");
    let values = |source: &Arc<Source>| {
        let rows = rows_of(&open_as(&disk, source).unwrap(), &[2]);
        rows.split(['|', '\n']).map(str::trim).filter(|cell| !cell.starts_with('+')).collect::<String>()
    };
    assert_eq!(values(&n(optional(Kind::Int))), "n5");
    let default = Field { default: Some(Value::Int(7)), ..field("n", Type::of(Kind::Int)) };
    assert_eq!(values(&keyed(vec![at(), id(), default])), "n57");
}
