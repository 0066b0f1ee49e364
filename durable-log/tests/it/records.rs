//! Records and lists of records, read from paths of the data, are the same rows in the journal, in flushed
//! files and after the log is opened again: these hold rows by the names of the fields.

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use metricc_durable_log::sim_disk::SimDisk;
use metricc_durable_log::{DedupWindow, Disk, DurableLog, DurableOptions, LogId, Request, SourceOptions};
use metricc_ir::{Field, Kind, Path, RecordField, Source, Step, Type};
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
    let sources = [SourceOptions { source: source(), n_partitions: 1, window: DedupWindow::Positions(100) }];
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let fresh = LogId { id: 1, seed: 2 };
    DurableLog::open(disk, DurableOptions::default(), &sources, fresh, 7).unwrap().0
}

fn rows(log: &DurableLog) -> String {
    let log = whole(log);
    let interval = Interval::new(log.start(), log.end()).unwrap();
    let columns: Vec<usize> = (0..source().fields.len()).collect();
    let mut batches = Vec::new();
    for slice in interval.slices() {
        for batch in log.read(&slice, &columns, 2).unwrap() {
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
    let receipt = log.append(&[Request { events, key: None, digest: 7 }]).remove(0).unwrap();
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
