//! An older journal beside newer files, and a second process that writes to the same log.

use std::sync::Arc;

use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{Disk, DurableError, DurableLog, DurableOptions, LogId};

use crate::ledger::{Ledger, all_rows, event, flush, open_long, request, sources};

/// The bytes of the files in a folder.
fn files(disk: &SimDisk, folder: &str) -> Vec<(String, Vec<u8>)> {
    let paths = disk.paths().into_iter().filter(|path| path.starts_with(folder));
    paths.map(|path| (path.clone(), disk.bytes(&path))).collect()
}

/// Replaces the files of a folder.
fn put(disk: &SimDisk, folder: &str, with: &[(String, Vec<u8>)]) {
    files(disk, folder).iter().for_each(|(path, _)| disk.lose(path));
    with.iter().for_each(|(path, bytes)| disk.put(path, bytes));
}

#[test]
fn f34_an_older_journal_is_refused_where_flushed_files_have_later_events() {
    let (disk, mut ledger) = (SimDisk::default(), Ledger::default());
    let (mut log, _) = open_long(&disk).unwrap();
    assert!(ledger.send(&mut log, &[("r0", vec![event("a", 1)])]));
    let older = files(&disk, "journal");
    assert!(ledger.send(&mut log, &[("r1", vec![event("b", 2), event("c", 3)])]));
    flush(&mut log, &disk).unwrap();
    drop(log);
    let (newer, flushed) = (files(&disk, "journal"), files(&disk, "events"));
    put(&disk, "journal", &older);
    let error = open_long(&disk).unwrap_err();
    assert!(matches!(error, DurableError::OlderJournal { .. }), "{error}");
    assert!(error.to_string().contains("offsets 1 to 3 of partition 0 of source `events`"), "{error}");
    assert_eq!(files(&disk, "events"), flushed, "nothing is removed");
    put(&disk, "journal", &newer);
    ledger.check(&open_long(&disk).unwrap().0);
}

#[test]
fn f34_a_file_that_an_older_journal_does_not_know_is_there_again_for_the_newer_one() {
    let (disk, mut ledger) = (SimDisk::default(), Ledger::default());
    let (mut log, _) = open_long(&disk).unwrap();
    assert!(ledger.send(&mut log, &[("r0", vec![event("a", 1), event("b", 2)])]));
    let older = files(&disk, "journal");
    flush(&mut log, &disk).unwrap();
    let rows = all_rows(&log);
    drop(log);
    let (newer, flushed) = (files(&disk, "journal"), files(&disk, "events"));
    // The older journal has all events of the file itself.
    put(&disk, "journal", &older);
    assert_eq!(all_rows(&open_long(&disk).unwrap().0), rows);
    assert_eq!(files(&disk, "events"), []);
    put(&disk, "journal", &newer);
    assert_eq!(all_rows(&open_long(&disk).unwrap().0), rows);
    assert_eq!(files(&disk, "events"), flushed);
}

fn accept(disk: &SimDisk) -> DurableLog {
    let (fresh, options) =
        (LogId { id: 1, seed: 2 }, DurableOptions { accept_loss: true, ..DurableOptions::default() });
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DurableLog::open(disk, options, &sources(1), fresh, 8).unwrap().0
}

#[test]
fn f34_an_accepted_loss_moves_files_aside_once_its_epoch_is_durable_and_names_what_is_lost() {
    for is_journal_missing in [false, true] {
        let (disk, mut ledger) = (SimDisk::default(), Ledger::default());
        let (mut log, _) = open_long(&disk).unwrap();
        assert!(ledger.send(&mut log, &[("r0", vec![event("a", 1)])]));
        let older = if is_journal_missing { Vec::new() } else { files(&disk, "journal") };
        assert!(ledger.send(&mut log, &[("r1", vec![event("b", 2), event("c", 3)])]));
        flush(&mut log, &disk).unwrap();
        drop(log);
        let (newer, flushed) = (files(&disk, "journal"), files(&disk, "events"));
        let mut n_kept = 0;
        for round in 1..=3 {
            put(&disk, "journal", &older);
            let from = older.len().min(1);
            let lost = vec![format!("offsets {from} to 3 of partition 0 of source `events`")];
            assert_eq!(accept(&disk).losses(), lost);
            assert_eq!(files(&disk, "events"), flushed, "an acceptance that was not begun changes nothing");
            let before = if is_journal_missing { "their journal is missing" } else { "it is an older copy" };
            put(&disk, "journal", &older);
            let error = open_long(&disk).unwrap_err().to_string();
            assert!(error.contains(before), "{error}");
            let mut log = accept(&disk);
            log.begin_after_loss().unwrap();
            assert_eq!(files(&disk, "events"), []);
            drop(log);
            // It is not asked for again, and what was moved aside is not replaced by what comes later.
            assert_eq!(all_rows(&open_long(&disk).unwrap().0).len(), from);
            let aside = files(&disk, "orphans");
            assert!(aside.len() > n_kept, "round {round}");
            n_kept = aside.len();
            flushed.iter().for_each(|(path, bytes)| disk.put(path, bytes));
        }
        put(&disk, "events", &[]);
        put(&disk, "journal", &newer);
        ledger.check(&open_long(&disk).unwrap().0);
    }
}

#[test]
fn f33_a_log_stops_when_another_process_has_written_to_it() {
    let (disk, mut ledger) = (SimDisk::default(), Ledger::default());
    let (mut first, _) = open_long(&disk).unwrap();
    assert!(ledger.send(&mut first, &[("r0", vec![event("a", 1)])]));
    let (mut second, _) = open_long(&disk).unwrap();
    assert!(ledger.send(&mut second, &[("r1", vec![event("b", 2)])]));
    let error = first.append(&[request("r2", &[event("c", 3)])]).remove(0).unwrap_err();
    assert!(matches!(*error, DurableError::Stopped { .. }), "{error}");
    assert!(error.to_string().contains("another process has changed"), "{error}");
    assert!(first.reader().snapshot().stopped().is_some());
    // Nothing that the second acknowledged is destroyed.
    drop((first, second));
    ledger.check(&open_long(&disk).unwrap().0);
}
