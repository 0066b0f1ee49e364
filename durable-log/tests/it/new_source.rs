//! A log that takes one more source while it is open: as if it had been opened with it.

use std::sync::Arc;

use metricc_durable_log::faulty_disk::{Dice, FAULTS, SimDisk};
use metricc_durable_log::{
    DedupWindow, Disk, DurableError, DurableLog, LogId, Receipt, Request, SourceOptions,
};
use metricc_ir::{Kind, Source, Type};
use metricc_log::EventDecoder;

use crate::ledger::{field, flush, options, source};

fn other() -> Arc<Source> {
    Arc::new(Source { name: "visits".into(), ..Source::clone(&source()) })
}

fn options_of(source: Arc<Source>) -> SourceOptions {
    SourceOptions { source, others: Vec::new(), n_partitions: 1, window: DedupWindow::Positions(100) }
}

fn open(disk: &SimDisk, sources: &[Arc<Source>]) -> Result<DurableLog, DurableError> {
    let sources: Vec<SourceOptions> = sources.iter().cloned().map(options_of).collect();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DurableLog::open(disk, options(), &sources, LogId { id: 1, seed: 2 }, 7).map(|(log, _)| log)
}

fn send(log: &mut DurableLog, source: &Arc<Source>, number: usize) -> Result<Receipt, Arc<DurableError>> {
    let body = format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{number}\",\"n\":{number}}}");
    let events = EventDecoder::new(source).unwrap().ndjson(body.as_bytes());
    let key = Some(format!("r{number}"));
    log.append(&[Request { events, key, digest: 7, read: None }]).remove(0)
}

fn end(log: &DurableLog, source: &Arc<Source>) -> u64 {
    log.snapshot().end(&source.name).n_positions()
}

#[test]
fn a_source_is_taken_left_and_taken_again() {
    let (disk, first, other) = (SimDisk::default(), source(), other());
    let mut log = open(&disk, std::slice::from_ref(&first)).unwrap();
    send(&mut log, &first, 0).unwrap();
    assert!(send(&mut log, &other, 0).unwrap_err().to_string().contains("no source `visits`"));
    let n_operations = disk.n_operations();
    log.take_source(&options_of(other.clone())).unwrap();
    log.take_source(&options_of(other.clone())).unwrap();
    log.leave_source("visits");
    assert!(send(&mut log, &other, 0).is_err());
    // One that is left means nothing for the next one.
    let another = Source { fields: other.fields[..2].to_vec(), ..Source::clone(&other) };
    let another = Arc::new(Source {
        fields: another.fields.into_iter().chain([field("n", Type::of(Kind::String))]).collect(),
        ..Source::clone(&other)
    });
    log.take_source(&options_of(another)).unwrap();
    log.leave_source("visits");
    log.take_source(&options_of(other.clone())).unwrap();
    for number in 0..5 {
        send(&mut log, &other, number).unwrap();
    }
    assert!(disk.n_operations() > n_operations);
    assert_eq!(send(&mut log, &other, 7).unwrap().accepted.n_accepted, 1);
    flush(&mut log, &disk).unwrap();
    drop(log);

    // Without it, and with it again: it knows its events, also their identities.
    let mut log = open(&disk, std::slice::from_ref(&first)).unwrap();
    assert_eq!((end(&log, &first), end(&log, &other)), (1, 6));
    assert!(send(&mut log, &other, 8).is_err());
    log.take_source(&options_of(other.clone())).unwrap();
    assert!(send(&mut log, &other, 3).unwrap().is_repeated);
    let body = "{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e3\",\"n\":3}";
    let events = EventDecoder::new(&other).unwrap().ndjson(body.as_bytes());
    let mut sent = log.append(&[Request { events, key: None, digest: 8, read: None }]);
    assert_eq!(sent.remove(0).unwrap().accepted.n_duplicates, 1);
    drop(log);
    let log = open(&disk, &[first.clone(), other.clone()]).unwrap();
    assert_eq!((end(&log, &first), end(&log, &other)), (1, 7));
}

#[test]
fn a_source_whose_events_are_others_is_not_taken() {
    let (disk, first, other) = (SimDisk::default(), source(), other());
    let mut log = open(&disk, &[first.clone(), other.clone()]).unwrap();
    send(&mut log, &other, 0).unwrap();
    drop(log);
    let mut log = open(&disk, std::slice::from_ref(&first)).unwrap();
    let mut fields = other.fields.clone();
    fields[2].ty = Type::of(Kind::String);
    let changed = Arc::new(Source { fields, ..Source::clone(&other) });
    let error = log.take_source(&options_of(changed)).unwrap_err();
    assert!(error.to_string().contains("field `n` was `int` and is `string`"), "{error}");
    send(&mut log, &first, 0).unwrap();
    log.take_source(&options_of(other.clone())).unwrap();
    send(&mut log, &other, 1).unwrap();
}

#[test]
fn flushed_events_that_the_journal_does_not_know_are_not_disowned() {
    let (disk, first, other) = (SimDisk::default(), source(), other());
    let mut log = open(&disk, std::slice::from_ref(&first)).unwrap();
    send(&mut log, &first, 0).unwrap();
    let of_other = "events/visits/0-00000000000000000000-00000000000000000009.parquet";
    disk.put(of_other, b"rows");
    let error = log.take_source(&options_of(other.clone())).unwrap_err();
    assert!(matches!(error, DurableError::OlderJournal { .. }), "{error}");
    assert!(send(&mut log, &other, 0).is_err());
    assert_eq!(disk.bytes(of_other), b"rows");
    disk.lose(of_other);
    log.take_source(&options_of(other.clone())).unwrap();
    send(&mut log, &other, 0).unwrap();
}

/// Events of both sources, the second of which is taken in between; how many of each were acknowledged.
fn life(disk: &SimDisk) -> (usize, usize) {
    let (first, other) = (source(), other());
    let Ok(mut log) = open(disk, std::slice::from_ref(&first)) else { return (0, 0) };
    let (mut n_first, mut n_other) = (0, 0);
    for number in 0..12 {
        if number == 4 && log.take_source(&options_of(other.clone())).is_err() {
            return (n_first, n_other);
        }
        if send(&mut log, &first, number).is_err() || disk.is_down() {
            return (n_first, n_other);
        }
        n_first += 1;
        if number >= 4 {
            if send(&mut log, &other, number).is_err() || disk.is_down() {
                return (n_first, n_other);
            }
            n_other += 1;
        }
    }
    (n_first, n_other)
}

#[test]
fn f1_with_every_fault_at_every_operation_both_sources_have_what_was_acknowledged() {
    let whole = SimDisk::default();
    assert_eq!(life(&whole), (12, 8));
    for at in 0..whole.n_operations() {
        for fault in FAULTS {
            let disk = SimDisk::default().with_faults(&[(at, fault)]);
            let (n_first, n_other) = life(&disk);
            let disk = disk.after_crash(&mut Dice::new(at));
            let (first, other) = (source(), other());
            for sources in [vec![first.clone()], vec![first.clone(), other.clone()]] {
                let log = open(&disk, &sources).unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
                let (of_first, of_other) = (end(&log, &first) as usize, end(&log, &other) as usize);
                assert!((n_first..=n_first + 1).contains(&of_first), "{fault:?} at {at}: {of_first}");
                assert!((n_other..=n_other + 1).contains(&of_other), "{fault:?} at {at}: {of_other}");
            }
        }
    }
}
