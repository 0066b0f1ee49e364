//! Readers and the writer: a snapshot does not change, and taking one never waits for a write.

use std::time::{Duration, Instant};

use metricc_durable_log::faulty_disk::SimDisk;
use metricc_log::{Frontier, Slice};

use crate::ledger::{event, flush, open, request, rows_of};

#[test]
fn a_snapshot_stays_as_it_is_while_the_log_goes_on() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    let reader = log.reader().clone();
    let mut snapshots = vec![reader.snapshot()];
    // More chunks than a block has, with flushes between.
    for number in 0..700i64 {
        log.append(&[request(&format!("r{number}"), &[event(&format!("e{number}"), number)])])
            .remove(0)
            .unwrap();
        snapshots.push(reader.snapshot());
        if number % 300 == 299 {
            flush(&mut log, &disk).unwrap();
            assert_eq!(reader.snapshot().flushed_to("events"), reader.snapshot().end("events"));
        }
    }
    for (end, snapshot) in (0u64..).zip(&snapshots).step_by(50) {
        assert_eq!(snapshot.end("events").0, [end]);
        let log = snapshot.log("events", &Frontier(vec![0])).unwrap();
        let rows = rows_of(&log, &Slice { partition: 0, from: 0, to: end }, 8192);
        let ns: Vec<i64> = rows.into_iter().map(|(.., n)| n).collect();
        assert_eq!(ns, (0..end as i64).collect::<Vec<_>>());
    }
}

#[test]
fn reading_does_not_wait_for_an_fsync() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    log.append(&[request("r0", &[event("a", 1)])]).remove(0).unwrap();
    let reader = log.reader().clone();
    disk.delay_syncs(Duration::from_secs(1));
    let writing = std::thread::spawn(move || log.append(&[request("r1", &[event("b", 2)])]).remove(0));
    let (mut n_reads, mut longest) = (0, Duration::ZERO);
    while !writing.is_finished() {
        let started = Instant::now();
        let snapshot = reader.snapshot();
        let end = snapshot.end("events");
        let log = snapshot.log("events", &Frontier(vec![0])).unwrap();
        rows_of(&log, &Slice { partition: 0, from: 0, to: end.0[0] }, 100);
        longest = longest.max(started.elapsed());
        n_reads += 1;
    }
    writing.join().unwrap().unwrap();
    assert!(n_reads > 10, "{n_reads} reads");
    assert!(longest < Duration::from_millis(500), "{longest:?}");
    assert_eq!(reader.snapshot().end("events").0, [2]);
}
