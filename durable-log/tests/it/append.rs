//! What is answered to requests, and what may change between two openings.

use std::sync::Arc;

use metricc_durable_log::{DedupWindow, Disk, DurableError, DurableLog, LogId, SourceOptions, Verdict};
use metricc_ir::{Kind, Source, Type};
use metricc_log::{EventDecoder, Frontier, Position, Slice};

use crate::ledger::{
    Ledger, Record, enumeration, event, field, keyed, open, optional, options, request, source,
};
use metricc_durable_log::faulty_disk::SimDisk;

#[test]
fn f18_a_request_that_comes_again_gets_the_same_positions_and_adds_nothing() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let first = log.append(&[request("k", &[event("a", 1), Record::Broken])]).remove(0).unwrap();
    assert!(!first.is_repeated);
    assert_eq!(first.exceptions.len(), 1);
    for _ in 0..2 {
        let again = log.append(&[request("k", &[event("a", 1), Record::Broken])]).remove(0).unwrap();
        assert!(again.is_repeated);
        assert_eq!(again.accepted, first.accepted);
        let other = log.append(&[request("k", &[event("b", 1)])]).remove(0).unwrap_err();
        assert_eq!(other.to_string(), "another request for source `events` had the key `k`");
        assert_eq!(log.snapshot().end("events").0, [2]);
        log = open(&disk).unwrap().0;
    }
}

#[test]
fn each_record_that_is_no_event_has_its_verdict_and_its_place() {
    let (mut log, _) = open(&SimDisk::default()).unwrap();
    let records = [event("a", 1), Record::Broken, event("a", 1), event("a", 2), event("b", 1)];
    let receipt = log.append(&[request("k", &records)]).remove(0).unwrap();
    let found: Vec<(u64, Position, &str)> = receipt
        .exceptions
        .iter()
        .map(|exception| {
            let verdict = match &exception.verdict {
                Verdict::Duplicate => "duplicate",
                Verdict::Conflict => "conflict",
                Verdict::Quarantined { field, problem } => {
                    assert_eq!(
                        (field.as_deref(), problem.as_str()),
                        (Some("id"), "a number where a string is expected")
                    );
                    "quarantined"
                }
            };
            (exception.record, exception.position, verdict)
        })
        .collect();
    let at = |offset| Position { partition: 0, offset };
    assert_eq!(found, [(1, at(1), "quarantined"), (2, at(2), "duplicate"), (3, at(3), "conflict")]);
    let stated = receipt.accepted;
    assert_eq!(
        (stated.n_accepted, stated.n_duplicates, stated.n_conflicts, stated.n_quarantined),
        (2, 2, 1, 1)
    );
    assert_eq!(stated.positions, [Slice { partition: 0, from: 0, to: 5 }]);
}

#[test]
fn requests_are_lines_or_an_array() {
    let decoder = EventDecoder::new(&source()).unwrap();
    let line = "{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"a\",\"n\":1}";
    for (body, n_records, n_rejected) in [
        (String::new(), 0, 0),
        ("\n\n".to_owned(), 0, 0),
        (line.to_owned(), 1, 0),
        (format!("{line}\r\n{line}\n"), 2, 0),
        (format!("{line}\n\n{line}"), 3, 1),
        (format!("{line}\n{{\"at\""), 2, 1),
        ("\u{0}\u{1}".to_owned(), 1, 1),
    ] {
        let events = decoder.ndjson(body.as_bytes());
        assert_eq!((events.n_records(), events.rejected().len()), (n_records, n_rejected), "{body:?}");
    }
    for (body, n_records, n_rejected) in [
        ("[]".to_owned(), 0, 0),
        (format!("[{line}]"), 1, 0),
        (format!(" [ {line} ,\n{line}, 5, {{}} ] "), 4, 2),
    ] {
        let events = decoder.json(body.as_bytes()).unwrap();
        assert_eq!((events.n_records(), events.rejected().len()), (n_records, n_rejected), "{body:?}");
    }
    // What is no JSON within the brackets of a record is rejected alone.
    for (body, n_records, n_rejected) in [
        ("".to_owned(), 0, 0),
        ("{}".to_owned(), 1, 1),
        (format!("\u{feff}[{line}]"), 1, 0),
        (format!("[{line},{{\"a\":1,\"a\":2}},{{\"a\" 1}}]"), 3, 2),
        (format!("{{\n}}\n{line} {line}"), 3, 1),
    ] {
        let events = decoder.json(body.as_bytes()).unwrap();
        assert_eq!((events.n_records(), events.rejected().len()), (n_records, n_rejected), "{body:?}");
    }
    for body in ["[", "[1,]", "[] []", "[{]", "[}]", "{\n"] {
        let problem = decoder.json(body.as_bytes()).unwrap_err().to_string();
        assert!(problem.starts_with("the body cannot be divided into events: line "), "{body:?}: {problem}");
    }
    assert_eq!(decoder.json(b"[\xff]").unwrap().rejected()[0].problem, "not UTF-8 at byte 0");
}

fn open_as(disk: &SimDisk, source: &Arc<Source>) -> Result<DurableLog, DurableError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let sources = [SourceOptions {
        source: source.clone(),
        others: Vec::new(),
        n_partitions: 1,
        window: DedupWindow::Positions(6),
    }];
    DurableLog::open(disk, options(), &sources, LogId { id: 1, seed: 2 }, 3).map(|(log, _)| log)
}

#[test]
fn f23_fields_may_come_and_go_but_not_change_their_type() {
    let at = || field("at", Type::of(Kind::Timestamp));
    let id = || field("id", Type::of(Kind::String));
    let kind = |names: &[&str]| field("kind", optional(enumeration(names)));
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open(&disk).unwrap();
    assert!(ledger.send(&mut log, &[("r0", vec![event("a", 1)])]));
    drop(log);
    let with = |fields| keyed(fields);
    let more = with(vec![at(), id(), kind(&["small", "large", "huge"]), field("more", optional(Kind::Int))]);
    let mut log = open_as(&disk, &more).unwrap();
    let body = "{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"b\",\"kind\":\"huge\",\"more\":4}";
    let events = EventDecoder::new(&more).unwrap().ndjson(body.as_bytes());
    let request = metricc_durable_log::Request { events, key: None, digest: 0, read: None };
    log.append(&[request]).remove(0).unwrap();
    let readable = log.snapshot().log("events", &Frontier(vec![0])).unwrap();
    let batches = readable.read(&Slice { partition: 0, from: 0, to: 2 }, &[1, 2, 3], 10).unwrap();
    let rows: Vec<_> = batches.map(|batch| batch.unwrap().rows).collect();
    let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    insta::assert_snapshot!(text, @r"
    +----+------+------+
    | id | kind | more |
    +----+------+------+
    | a  | 1    |      |
    | b  | 2    | 4    |
    +----+------+------+
    ");
    drop(log);
    for (fields, problem) in [
        (vec![at(), id(), field("n", Type::of(Kind::Float))], "field `n` was `int` and is `float`"),
        (vec![at(), id(), field("new", Type::of(Kind::Int))], "field `new` is new"),
        (vec![at(), id(), kind(&["large", "small"])], "names may only be added at the end"),
        (vec![at(), id(), field("more", Type::of(Kind::Int))], "field `more` was optional"),
        (vec![at(), id(), field("more", Type::of(Kind::String))], "field `more` was `int` and is `string`"),
    ] {
        let error = open_as(&disk, &with(fields)).unwrap_err();
        assert!(
            matches!(error, DurableError::Declaration { .. }) && error.to_string().contains(problem),
            "{error}"
        );
    }
    open_as(&disk, &with(vec![at(), id()])).unwrap();
}

#[test]
fn epochs_tell_times_with_one_past_apart() {
    let disk = SimDisk::default();
    let open_at = |epoch: u128| {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let sources = crate::ledger::sources(1);
        DurableLog::open(disk, options(), &sources, LogId { id: 1, seed: 2 }, epoch).unwrap().0
    };
    let mut log = open_at(1);
    Ledger::default().send(&mut log, &[("r0", vec![event("a", 1), event("b", 1)])]);
    // A time in which nothing was written leaves no trace.
    drop(open_at(2));
    let mut log = open_at(3);
    Ledger::default().send(&mut log, &[("r1", vec![event("c", 1)])]);
    let epochs: Vec<(u128, Vec<u64>)> = open_at(4)
        .snapshot()
        .epochs("events")
        .into_iter()
        .map(|(id, from)| (u128::from_str_radix(&id, 16).unwrap(), from.0))
        .collect();
    assert_eq!(epochs, [(1, vec![0]), (3, vec![2])]);
}
