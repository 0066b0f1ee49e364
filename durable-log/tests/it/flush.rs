//! Flushed files: other programs read them, and the log reads the same rows as before.

use std::sync::Arc;

use metricc_durable_log::{DedupWindow, Disk, DurableLog, LocalDisk, LogId, Request, SourceOptions};
use metricc_ir::{Field, Kind, Spelling, Type, Value};
use metricc_log::{Bound, EventDecoder, FieldCondition, Frontier, Slice, ValueRange, WantedRows};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::ledger::{
    Ledger, Record, all_rows, event, field, flush, keyed, open, open_with, options, sources,
};
use metricc_durable_log::faulty_disk::SimDisk;

#[test]
fn the_journal_goes_when_its_rows_are_flushed_and_nothing_else_changes() {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open(&disk).unwrap();
    for round in 0..4i64 {
        for number in 0..5i64 {
            let key = format!("r{round}-{number}");
            let id = format!("id{}", round * 3 + number);
            assert!(
                ledger.send(
                    &mut log,
                    &[(&key, vec![event(&id, number), Record::Broken, event("same", round)])]
                )
            );
        }
        let before = all_rows(&log);
        let open_before = log.snapshot().log("events", &Frontier(vec![0])).unwrap();
        flush(&mut log, &disk).unwrap();
        ledger.check(&log);
        assert_eq!(all_rows(&log), before);
        // A reader that has them open goes on reading files that were removed.
        let end = open_before.end().0[0];
        let rows = crate::ledger::rows_of(&open_before, &Slice { partition: 0, from: 0, to: end }, 100);
        assert_eq!(rows, before);
        let journals = disk.paths().iter().filter(|path| path.ends_with(".journal")).count();
        assert_eq!(journals, 1, "{:?}", disk.paths());
        ledger.check(&open(&disk).unwrap().0);
    }
    let records =
        log.snapshot().quarantine("events", &Slice { partition: 0, from: 2, to: 9 }).read(10).unwrap();
    let offsets: Vec<u64> = records.iter().map(|record| record.position.offset).collect();
    assert_eq!(offsets, [4, 7]);
    assert!(records.iter().all(|record| record.raw == b"{\"id\": 5}"));
    assert!(
        records.iter().all(|record| record.problem == "a number where a string is expected"),
        "{records:?}"
    );
}

#[test]
fn flushed_rows_that_nobody_wants_move_no_other_row() {
    let disk = SimDisk::default();
    let (mut log, mut ledger) = (open(&disk).unwrap().0, Ledger::default());
    for (round, n) in [5, 500, 5, 5, 700].into_iter().enumerate() {
        let events = (0..7).map(|number| event(&format!("{round}-{number}"), n)).collect();
        assert!(ledger.send(&mut log, &[(&format!("r{round}"), events)]));
        flush(&mut log, &disk).unwrap();
    }
    let all = all_rows(&log);
    let range = ValueRange { least: Some(Bound::Int(100)), greatest: None };
    let wanted = Arc::new(WantedRows::any_of(vec![vec![FieldCondition { field: 2, ranges: vec![range] }]]));
    let is_wanted = |rows: &[(u32, u64, String, i64)]| -> Vec<(u32, u64, String, i64)> {
        rows.iter().filter(|row| row.3 >= 100).cloned().collect()
    };
    for batch_rows in [1, 3, 8, 100] {
        for (from, to) in [(0, 35), (3, 30), (15, 20)] {
            let slice = Slice { partition: 0, from, to };
            let rows =
                crate::ledger::wanted_rows_of(&crate::ledger::whole(&log), &slice, &wanted, batch_rows);
            let of_slice: Vec<_> = all.iter().filter(|row| (from..to).contains(&row.1)).cloned().collect();
            assert_eq!(is_wanted(&rows), is_wanted(&of_slice), "{batch_rows} {from} {to}");
        }
    }
}

#[test]
fn sealed_files_are_a_log_of_their_own_for_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(folder.path()));
    let fresh = LogId { id: 1, seed: 2 };
    let (mut log, _) = DurableLog::open(disk.clone(), options(), &sources(1), fresh, 3).unwrap();
    let mut ledger = Ledger::default();
    assert!(
        ledger.send(&mut log, &[("r0", vec![event("a", 1), Record::Broken, event("b", 2), event("a", 5)])])
    );
    let slice = Slice { partition: 0, from: 0, to: 4 };
    log.commit_flush(&log.snapshot().write_flush(&disk, "events", &slice).unwrap()).unwrap();
    ledger.check(&log);
    let name = format!("{:020}-{:020}.parquet", 0, 4);
    let path = folder.path().join(format!("events/events/0-{name}"));
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let rows: Vec<_> = reader.map(Result::unwrap).collect();
    let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    insta::assert_snapshot!(text, @r"
    +----------------------+----+---+-------+---------+
    | at                   | id | n | kind  | _offset |
    +----------------------+----+---+-------+---------+
    | 2026-04-25T10:00:00Z | a  | 1 | large | 0       |
    | 2026-04-25T10:00:00Z | b  | 2 | large | 2       |
    +----------------------+----+---+-------+---------+
    ");
}

#[test]
fn partitions_hold_each_identity_in_one_place() {
    let disk = SimDisk::default();
    let (mut log, _) = open_with(&disk, 3).unwrap();
    let records: Vec<Record> = (0..60).map(|n| event(&format!("id{}", n % 40), n % 40)).collect();
    let mut n_accepted = 0;
    for (number, chunk) in records.chunks(7).enumerate() {
        let request = crate::ledger::request(&format!("r{number}"), chunk);
        let receipt = log.append(&[request]).remove(0).unwrap();
        n_accepted += receipt.accepted.n_accepted;
        let n_positions: u64 = receipt.accepted.positions.iter().map(Slice::n_positions).sum();
        assert_eq!(n_positions, chunk.len() as u64);
    }
    let rows = all_rows(&log);
    assert_eq!(rows.len() as u64, n_accepted);
    let mut places = std::collections::HashMap::new();
    for (partition, _, id, _) in &rows {
        assert_eq!(places.entry(id.clone()).or_insert(*partition), partition);
    }
    assert_eq!(places.len(), 40);
    assert!(log.snapshot().end("events").0.iter().all(|end| *end > 0));
    flush(&mut log, &disk).unwrap();
    assert_eq!(all_rows(&log), rows);
    assert_eq!(all_rows(&open_with(&disk, 3).unwrap().0), rows);
    let error = open_with(&disk, 2).unwrap_err().to_string();
    assert!(error.contains("it has 3 partitions, and 2 are configured"), "{error}");
}

#[test]
fn floats_that_are_none_and_texts_that_are_spelled_are_the_same_rows_after_a_flush() {
    let spelled = |nulls: &[&str]| Spelling {
        nulls: nulls.iter().map(|null| (*null).to_owned()).collect(),
        ..Spelling::default()
    };
    let source = |spelling: Spelling| {
        let text = Field { spelling, ..field("id", Type::of(Kind::String)) };
        let score = Field { default: Some(Value::Float(1.0)), ..field("score", Type::of(Kind::Float)) };
        keyed(vec![field("at", Type::of(Kind::Timestamp)), text, field("v", Type::of(Kind::Float)), score])
    };
    let sources = |spelling| {
        vec![SourceOptions {
            source: source(spelling),
            others: Vec::new(),
            n_partitions: 1,
            window: DedupWindow::Positions(8),
        }]
    };
    let disk = SimDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let fresh = LogId { id: 1, seed: 2 };
    let (mut log, _) =
        DurableLog::open(shared.clone(), options(), &sources(spelled(&["NA"])), fresh, 3).unwrap();
    let body = br#"{"at":"2026-04-25T10:00:00Z","id":"-","v":NaN,"score":-Infinity}
{"at":"2026-04-25T10:00:01Z","id":"NA","v":2,"score":3}
{"at":"2026-04-25T10:00:02Z","id":"x","v":"2.5"}
"#;
    let events = EventDecoder::new(&source(spelled(&["NA"]))).unwrap().ndjson(body);
    assert_eq!(events.none_values().iter().map(|(field, ..)| field).collect::<Vec<_>>(), ["score", "v"]);
    log.append(&[Request { events, key: None, digest: 7, read: None }]).remove(0).unwrap();
    let rows = |log: &DurableLog| -> Vec<String> {
        let slice = Slice { partition: 0, from: 0, to: log.snapshot().end("events").0[0] };
        let log = log.snapshot().log("events", &Frontier(vec![0])).unwrap();
        let shown = |batch: metricc_log::Batch| {
            arrow::util::pretty::pretty_format_batches(&[batch.rows]).unwrap().to_string()
        };
        log.read(&slice, &[1, 2, 3], 10).unwrap().map(|batch| shown(batch.unwrap())).collect()
    };
    let before = rows(&log);
    assert!(
        before[0].contains("| -  |     |       |") && before[0].contains("| x  | 2.5 | 1.0   |"),
        "{before:?}"
    );
    flush(&mut log, &disk).unwrap();
    assert_eq!(rows(&log), before);
    // What is declared later is about later records.
    drop(log);
    let (log, _) = DurableLog::open(shared, options(), &sources(spelled(&["-"])), fresh, 3).unwrap();
    assert_eq!(rows(&log), before);
}
