//! F29: a log that was written before the ends of requests, the keys of duplicates and the identity of a
//! source were noted. Its files are in `tests/older`: two requests, `r0` with two events, a duplicate, a
//! record that does not decode and an event, flushed; and `r1` with an event, a conflict and an event, in the
//! journal.

use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{DurableError, JOURNAL_VERSION};
use metricc_log::{Frontier, Slice};

use crate::ledger::{all_rows, event, flush, open_long, request};

/// A file of version 1.
const JOURNAL: &str = "journal/00000000000000000003.journal";

fn older() -> SimDisk {
    let disk = SimDisk::default();
    let flushed = |suffix: &str| format!("events/events/0-{:020}-{:020}{suffix}", 0, 5);
    disk.put(JOURNAL, include_bytes!("../older/journal"));
    disk.put(&flushed(".parquet"), include_bytes!("../older/rows.parquet"));
    disk.put(&flushed(".exceptions.parquet"), include_bytes!("../older/exceptions.parquet"));
    disk
}

#[test]
fn f29_a_log_of_an_older_version_is_read_and_goes_on() {
    let disk = older();
    let row = |offset, id: &str, n| (0u32, offset, id.to_owned(), n);
    let mut rows = vec![row(0, "a", 1), row(1, "b", 2), row(4, "c", 3), row(5, "d", 4), row(7, "e", 5)];
    for is_flushed in [false, true] {
        let (mut log, cut) = open_long(&disk).unwrap();
        assert_eq!((all_rows(&log), cut), (rows.clone(), None));
        let end = log.snapshot().end("events");
        let records = log.snapshot().quarantine("events", &Slice { partition: 0, from: 0, to: end.0[0] });
        assert_eq!(records.read(10).unwrap().len(), 1);
        // What was not noted is not claimed: any frontier of the old file may be one, and no old verdict
        // differs.
        let verdicts = log.snapshot().derive_verdicts("events", &end).unwrap().unwrap();
        assert_eq!(verdicts.n_differences, 0);
        assert_eq!(verdicts.n_records + verdicts.n_unknown, end.0[0] - 1);
        for (at, below, above) in [(3, 3, 3), (5, 5, 5), (8, 8, 8)] {
            let around = log.snapshot().ends_around("events", &Frontier(vec![at])).unwrap();
            assert_eq!(around, (Frontier(vec![below]), Frontier(vec![above])), "{at}");
        }
        let (id, n) = if is_flushed { ("g", 7) } else { ("f", 6) };
        let receipt = log.append(&[request(id, &[event(id, n), event("e", 5)])]).remove(0).unwrap();
        assert_eq!((receipt.accepted.n_accepted, receipt.accepted.n_duplicates), (1, 1));
        rows.push(row(end.0[0], id, n));
        if !is_flushed {
            let there = disk.bytes(JOURNAL);
            assert_eq!(there, include_bytes!("../older/journal"), "a file of version 1 stays as it is");
        }
        flush(&mut log, &disk).unwrap();
    }
    let (log, _) = open_long(&disk).unwrap();
    assert_eq!(all_rows(&log), rows);
    let around = log.snapshot().ends_around("events", &Frontier(vec![11])).unwrap();
    assert_eq!(around, (Frontier(vec![10]), Frontier(vec![12])), "what came in since is noted");
}

#[test]
fn f29_what_is_written_is_of_this_version_and_a_newer_one_is_refused_with_both_named() {
    let disk = older();
    let (mut log, _) = open_long(&disk).unwrap();
    assert_eq!(
        disk.paths().iter().filter(|path| path.starts_with("journal/")).count(),
        1,
        "nothing is written"
    );
    log.append(&[request("g", &[event("g", 7)])]).remove(0).unwrap();
    drop(log);
    let journal = disk.paths().into_iter().rfind(|path| path.starts_with("journal/")).unwrap();
    assert_ne!(journal, JOURNAL);
    let mut bytes = disk.bytes(&journal);
    assert_eq!(bytes[..8], [b"metricc".as_slice(), &[JOURNAL_VERSION]].concat());
    bytes[7] = JOURNAL_VERSION + 1;
    disk.put(&journal, &bytes);
    let error = open_long(&disk).unwrap_err();
    assert!(matches!(error, DurableError::Foreign { .. }), "{error}");
    let versions =
        format!("of version {}, and this metricc reads versions up to {JOURNAL_VERSION}", bytes[7]);
    assert!(error.to_string().contains(&versions), "{error}");
}
