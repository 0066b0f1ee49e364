//! F2, F3, F4, F8, F9, F10, F29: a journal whose bytes are not what was written.

use metricc_durable_log::{Disk, DurableError};

use crate::ledger::{Ledger, event, flush, open, open_long, open_with, request};
use metricc_durable_log::faulty_disk::SimDisk;

fn journal(disk: &SimDisk) -> String {
    let journals: Vec<String> = disk.paths().into_iter().filter(|path| path.ends_with(".journal")).collect();
    journals.last().unwrap().clone()
}

/// Three requests, and where the file ended after each.
fn three() -> (SimDisk, Ledger, Vec<usize>) {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open_long(&disk).unwrap();
    let mut ends = Vec::new();
    for (key, id) in [("r0", "a"), ("r1", "b"), ("r2", "c")] {
        assert!(ledger.send(&mut log, &[(key, vec![event(id, 1)])]));
        ends.push(disk.bytes(&journal(&disk)).len());
    }
    (disk, ledger, ends)
}

/// Whether the log opens with the first `n` requests, and what was cut off.
fn opens_with(disk: &SimDisk, ledger: &Ledger, n: usize) -> u64 {
    let (mut log, cut) = open_long(disk).unwrap();
    let keys = ["r0", "r1", "r2"];
    let mut left = Ledger::default();
    for key in &keys[..n] {
        left.sent.insert((*key).to_owned(), ledger.sent[*key].clone());
        left.receipts.insert((*key).to_owned(), ledger.receipts[*key].clone());
    }
    left.check(&log);
    assert!(left.send(&mut log, &[("r9", vec![event("z", 9)])]), "it goes on");
    left.check(&log);
    let (log, second) = open_long(disk).unwrap();
    left.check(&log);
    assert_eq!(second, None, "a cut is made once");
    cut.map_or(0, |cut| cut.n_bytes)
}

#[test]
fn f2_a_journal_cut_at_any_byte_of_its_last_record_goes_on_behind_the_one_before() {
    let (disk, ledger, ends) = three();
    let (path, whole) = (journal(&disk), disk.bytes(&journal(&disk)));
    assert_eq!(whole.len(), ends[2]);
    for length in ends[1]..ends[2] {
        let copy = disk.copy();
        copy.put(&path, &whole[..length]);
        assert_eq!(opens_with(&copy, &ledger, 2), (length - ends[1]) as u64);
    }
    opens_with(&disk, &ledger, 3);
}

#[test]
fn f3_a_tail_of_zeros_or_garbage_is_cut_off() {
    let (disk, ledger, ends) = three();
    let (path, whole) = (journal(&disk), disk.bytes(&journal(&disk)));
    let garbage: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (length, n_requests) in [(ends[2], 3), (ends[1], 2), (ends[1] + 9, 2)] {
        for tail in [&[0u8; 4096][..], &garbage, b"MTF1", &[0u8; 1]] {
            let copy = disk.copy();
            copy.put(&path, &[&whole[..length], tail].concat());
            let n_cut = opens_with(&copy, &ledger, n_requests);
            let kept = if n_requests == 3 { ends[2] } else { ends[1] };
            assert_eq!(n_cut, (length + tail.len() - kept) as u64);
        }
    }
}

#[test]
fn f4_a_flipped_bit_with_sound_records_behind_it_is_refused_with_its_place() {
    let (disk, ledger, ends) = three();
    let (path, whole) = (journal(&disk), disk.bytes(&journal(&disk)));
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1 << (byte % 8);
        let copy = disk.copy();
        copy.put(&path, &damaged);
        if byte >= ends[1] {
            // In the last record it cannot be distinguished from a torn write.
            opens_with(&copy, &ledger, 2);
            continue;
        }
        let error = open_long(&copy).unwrap_err();
        let place = match &error {
            DurableError::Corrupt { path: named, from, to, .. } => {
                assert_eq!(*named, path);
                (*from as usize, *to as usize)
            }
            DurableError::Foreign { path: named, .. } if byte < 8 && *named == path => (0, 40),
            error => panic!("byte {byte}: {error}"),
        };
        assert!((place.0..place.1).contains(&byte), "byte {byte} is not in {place:?}: {error}");
        assert_eq!(copy.bytes(&path), damaged, "nothing is changed");
    }
}

/// Several files of the journal, none of them dropped.
fn many_files() -> (SimDisk, Ledger) {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open(&disk).unwrap();
    for number in 0..12 {
        let (key, id) = (format!("r{number}"), format!("id{number}"));
        assert!(ledger.send(&mut log, &[(&key, vec![event(&id, number)])]));
    }
    (disk, ledger)
}

#[test]
fn f9_a_file_of_the_journal_that_vanishes_is_a_hole_with_its_offsets() {
    let (disk, ledger) = many_files();
    let journals: Vec<String> = disk.paths();
    assert!(journals.len() > 3, "{journals:?}");
    for path in &journals[..journals.len() - 1] {
        let copy = disk.copy();
        copy.lose(path);
        let error = open(&copy).unwrap_err();
        let DurableError::Hole { origin, from, to, .. } = &error else { panic!("{path}: {error}") };
        assert_eq!(origin, "events");
        assert!(from < to && *to <= 12, "{error}");
    }
    ledger.check(&open(&disk).unwrap().0);
}

#[test]
fn f9_a_flushed_file_that_vanishes_or_is_cut_is_a_hole_with_its_offsets() {
    let (disk, _) = many_files();
    let (mut log, _) = open(&disk).unwrap();
    flush(&mut log, &disk).unwrap();
    let flushed = disk.paths().into_iter().find(|path| path.ends_with(".parquet")).unwrap();
    let whole = disk.bytes(&flushed);
    for damaged in [None, Some(&whole[..whole.len() - 1])] {
        let copy = disk.copy();
        match damaged {
            None => copy.lose(&flushed),
            Some(bytes) => copy.put(&flushed, bytes),
        }
        let error = open(&copy).unwrap_err();
        assert!(matches!(&error, DurableError::Hole { from: 0, to: 12, .. }), "{error}");
        assert!(error.to_string().contains(&flushed), "{error}");
    }
}

#[test]
fn f4_a_flipped_bit_in_a_flushed_file_is_refused_when_it_is_read() {
    let (disk, _) = many_files();
    let (mut log, _) = open(&disk).unwrap();
    flush(&mut log, &disk).unwrap();
    let flushed = disk.paths().into_iter().find(|path| path.ends_with(".parquet")).unwrap();
    let mut bytes = disk.bytes(&flushed);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    disk.put(&flushed, &bytes);
    // The identities of the last positions are read when it is opened.
    let error = open(&disk).unwrap_err().to_string();
    assert!(error.contains(&flushed) && error.contains("checksum mismatch"), "{error}");
}

#[test]
fn f29_a_journal_of_another_version_is_refused() {
    let (disk, ..) = three();
    let path = journal(&disk);
    let mut bytes = disk.bytes(&path);
    bytes[7] = 9;
    disk.put(&path, &bytes);
    let error = open(&disk).unwrap_err().to_string();
    assert!(error.contains("is a journal of version 9, and this metricc reads versions up to"), "{error}");
}

#[test]
fn f10_files_of_two_logs_do_not_mix() {
    let (disk, ..) = three();
    let (other, _) = many_files();
    let path = journal(&disk);
    let mut bytes = disk.bytes(&path);
    bytes[8] ^= 1;
    // The checksum of the start makes it damage, not another log.
    other.put("journal/00000000000000000099.journal", &bytes);
    let error = open(&other).unwrap_err();
    assert!(matches!(error, DurableError::Corrupt { from: 0, .. }), "{error}");
}

#[test]
fn f9_flushed_events_without_their_journal_are_not_disowned() {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open(&disk).unwrap();
    assert!(ledger.send(&mut log, &[("r0", vec![event("a", 1), event("b", 2)])]));
    flush(&mut log, &disk).unwrap();
    drop(log);
    let flushed: Vec<String> = disk.paths().into_iter().filter(|path| path.starts_with("events/")).collect();
    for path in disk.paths().into_iter().filter(|path| path.ends_with(".journal")) {
        disk.remove(&path).unwrap();
    }
    for _ in 0..2 {
        let error = open(&disk).unwrap_err();
        assert!(matches!(error, DurableError::JournalMissing { .. }), "{error}");
        assert!(error.to_string().contains("their journal is missing"), "{error}");
        let lost = "it had offsets 0 to 2 of partition 0 of source `events`";
        assert!(error.to_string().ends_with(lost), "{error}");
        assert!(error.help().unwrap().contains("from a backup"));
        assert_eq!(disk.paths(), flushed, "nothing is made, and nothing removed");
    }
}

#[test]
fn f6_many_requests_to_many_partitions_do_not_make_a_checkpoint_that_fills_the_journal() {
    let disk = SimDisk::default();
    let (mut log, _) = open_with(&disk, 8).unwrap();
    let mut ledger = Ledger::default();
    for round in 0..600 {
        let events = (0..12).map(|number| event(&format!("{round}-{number}"), number)).collect();
        assert!(ledger.send(&mut log, &[(&format!("r{round}"), events)]));
        if round % 100 == 99 {
            flush(&mut log, &disk).unwrap();
        }
    }
    // Each request has a slice in each partition; 250 of them take the memory of 1000 requests.
    let receipts = |number: u64| {
        let events: Vec<_> = (0..12).map(|n| event(&format!("{number}-{n}"), n)).collect();
        request(&format!("r{number}"), &events)
    };
    let again = log.append(&[receipts(599), receipts(360)]);
    assert!(again.iter().all(|answer| answer.as_ref().unwrap().is_repeated));
    let forgotten = log.append(&[receipts(0)]).remove(0).unwrap();
    assert!(!forgotten.is_repeated);
    // The journal starts another file when frames have come, however long its checkpoint is.
    let files = disk.paths().iter().filter(|path| path.ends_with(".journal")).count();
    assert!(files < 110, "{files} files");
    drop(log);
    let (mut log, _) = open_with(&disk, 8).unwrap();
    assert!(log.append(&[receipts(599)]).remove(0).unwrap().is_repeated);
}
