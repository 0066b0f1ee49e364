//! Duplicates by event time: recognised while no event is so much newer, also after a restart and from
//! flushed files.

use std::sync::Arc;

use metricc_durable_log::{DedupWindow, Disk, DurableLog, LogId, Request, SourceOptions, Verdict};
use metricc_ir::{Kind, Source, Type};
use metricc_log::EventDecoder;

use crate::ledger::{field, flush, keyed, options};
use metricc_durable_log::faulty_disk::{Dice, SimDisk};

const MINUTE: i64 = 60_000_000;

fn source() -> Arc<Source> {
    keyed(vec![field("at", Type::of(Kind::Timestamp)), field("id", Type::of(Kind::String))])
}

fn open(disk: &SimDisk, minutes: i64) -> DurableLog {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let window = DedupWindow::EventTime { micros: (minutes * MINUTE) as u64 };
    let sources = [SourceOptions { source: source(), others: Vec::new(), n_partitions: 1, window }];
    DurableLog::open(disk, options(), &sources, LogId { id: 1, seed: 2 }, 3).unwrap().0
}

/// Sends events of some minutes in one request; for each, whether it is an event.
fn send(log: &mut DurableLog, events: &[(&str, i64)]) -> Vec<bool> {
    let line = |(id, minute): &(&str, i64)| {
        let (hour, minute) = (minute / 60, minute % 60);
        format!("{{\"at\":\"2026-04-25T{hour:02}:{minute:02}:00Z\",\"id\":\"{id}\"}}\n")
    };
    let body: String = events.iter().map(line).collect();
    let events_of = EventDecoder::new(&source()).unwrap().ndjson(body.as_bytes());
    let receipt =
        log.append(&[Request { events: events_of, key: None, digest: 0, read: None }]).remove(0).unwrap();
    let mut accepted = vec![true; events.len()];
    for exception in receipt.exceptions {
        assert!(matches!(exception.verdict, Verdict::Duplicate | Verdict::Conflict), "{exception:?}");
        accepted[exception.record as usize] = false;
    }
    accepted
}

#[test]
fn an_event_is_remembered_until_one_is_so_much_newer() {
    for is_flushed in [false, true] {
        let disk = SimDisk::default();
        let mut log = open(&disk, 60);
        assert_eq!(send(&mut log, &[("a", 0), ("a", 0), ("b", 30), ("a", 0)]), [true, false, true, false]);
        // An hour after `a`, and a minute more.
        assert_eq!(send(&mut log, &[("c", 60), ("a", 0)]), [true, false]);
        assert_eq!(send(&mut log, &[("d", 61), ("b", 30), ("a", 0)]), [true, false, true]);
        if is_flushed {
            flush(&mut log, &disk).unwrap();
        }
        drop(log);
        let mut log = open(&disk, 60);
        assert_eq!(send(&mut log, &[("b", 30), ("d", 61), ("e", 2)]), [false, false, true]);
        assert_eq!(send(&mut log, &[("e", 2)]), [false], "it is less than an hour older than the newest");
    }
}

/// What a window means, in the simplest words.
fn oracle(minutes: i64, events: &[(String, i64)]) -> Vec<bool> {
    let mut accepted: Vec<(&str, i64)> = Vec::new();
    let mut all = Vec::new();
    for (id, at) in events {
        let newest = accepted.iter().map(|(_, at)| *at).max().unwrap_or(*at).max(*at);
        let is_new = !accepted.iter().any(|(known, known_at)| known == id && *known_at >= newest - minutes);
        if is_new {
            accepted.push((id, *at));
        }
        all.push(is_new);
    }
    all
}

#[test]
fn restarts_and_flushes_change_nothing_about_what_is_a_duplicate() {
    for seed in 0..40 {
        let mut dice = Dice::new(seed);
        let minutes = 5 + dice.below(60) as i64;
        let (disk, mut events, mut accepted) = (SimDisk::default(), Vec::new(), Vec::new());
        let mut log = open(&disk, minutes);
        for round in 0..30 {
            let group: Vec<(String, i64)> = (0..dice.below(6))
                .map(|_| (format!("e{}", dice.below(12)), (round * 20 + dice.below(90) as i64).min(1400)))
                .collect();
            let borrowed: Vec<(&str, i64)> = group.iter().map(|(id, at)| (id.as_str(), *at)).collect();
            if !borrowed.is_empty() {
                accepted.extend(send(&mut log, &borrowed));
            }
            events.extend(group);
            match dice.below(5) {
                0 => flush(&mut log, &disk).map(|_| ()).unwrap(),
                1 => {
                    drop(log);
                    log = open(&disk, minutes);
                }
                _ => {}
            }
        }
        assert_eq!(accepted, oracle(minutes, &events), "seed {seed}, {minutes} minutes");
    }
}
