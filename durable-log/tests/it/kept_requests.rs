//! Remembered requests in files of their own: what checkpoints do not repeat, damage, and what is forgotten.

use std::sync::Arc;

use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{Disk, DurableError, DurableLog, DurableOptions, LogId};

use crate::ledger::{event, flush, keep_requests, open, options, request, sources};

fn files(disk: &SimDisk, folder: &str) -> Vec<String> {
    disk.paths().into_iter().filter(|path| path.starts_with(folder)).collect()
}

fn send(log: &mut DurableLog, number: usize) -> bool {
    let (key, id) = (format!("r{number}"), format!("e{number}"));
    log.append(&[request(&key, &[event(&id, 1)])]).remove(0).unwrap().is_repeated
}

#[test]
fn a_checkpoint_does_not_repeat_requests_that_are_in_files() {
    let checkpoint = |keeps: bool| {
        let disk = SimDisk::default();
        let (mut log, _) = open(&disk).unwrap();
        for number in 0..60 {
            assert!(!send(&mut log, number));
        }
        if keeps {
            keep_requests(&mut log, &disk).unwrap();
        }
        flush(&mut log, &disk).unwrap();
        let journal = files(&disk, "journal/").pop().unwrap();
        let n_bytes = disk.bytes(&journal).len();
        drop(log);
        let (mut log, _) = open(&disk).unwrap();
        for number in 0..60 {
            assert!(send(&mut log, number), "r{number} is known");
        }
        assert!(!send(&mut log, 60));
        n_bytes
    };
    let (all, rest) = (checkpoint(false), checkpoint(true));
    // Names of thirty files instead of sixty requests.
    assert!(rest < all * 3 / 4, "{rest} of {all} bytes");
}

#[test]
fn files_of_forgotten_requests_are_removed_when_no_checkpoint_names_them() {
    let disk = SimDisk::default();
    let few = || {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let options = DurableOptions { max_requests: 7, ..options() };
        DurableLog::open(shared, options, &sources(1), LogId { id: 1, seed: 2 }, 3).unwrap().0
    };
    let mut log = few();
    for number in 0..40 {
        assert!(!send(&mut log, number));
        if number % 3 == 0 {
            keep_requests(&mut log, &disk).unwrap();
        }
        if number % 7 == 0 {
            flush(&mut log, &disk).unwrap();
        }
        if number % 11 == 0 {
            log = few();
        }
        assert!(files(&disk, "requests/").len() <= 9, "{:?}", files(&disk, "requests/"));
    }
    keep_requests(&mut log, &disk).unwrap();
    for _ in 0..2 {
        assert!(!send(&mut log, 100 + files(&disk, "requests/").len()));
        flush(&mut log, &disk).unwrap();
    }
    assert!((1..=4).contains(&files(&disk, "requests/").len()), "{:?}", files(&disk, "requests/"));
    assert_eq!(files(&disk, "orphans/"), Vec::<String>::new());
    drop(log);
    assert!(send(&mut few(), 39));
}

#[test]
fn f36_a_damaged_or_missing_file_of_requests_is_refused_with_its_name() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    for number in 0..5 {
        send(&mut log, number);
    }
    keep_requests(&mut log, &disk).unwrap();
    flush(&mut log, &disk).unwrap();
    drop(log);
    let kept = files(&disk, "requests/");
    assert_eq!(kept.len(), 2);
    let whole = disk.bytes(&kept[0]);
    let refused = |bytes: Option<&[u8]>| {
        let copy = disk.copy();
        match bytes {
            Some(bytes) => copy.put(&kept[0], bytes),
            None => copy.lose(&kept[0]),
        }
        let error = open(&copy).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(&kept[0]), "{error}");
        error
    };
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1 << (byte % 8);
        assert!(matches!(refused(Some(&damaged)), DurableError::Corrupt { .. }));
    }
    assert!(matches!(refused(Some(&whole[1..])), DurableError::Corrupt { .. }));
    assert!(matches!(refused(Some(&[&whole[..], b" "].concat())), DurableError::Corrupt { .. }));
    assert!(matches!(refused(None), DurableError::Io { .. }));
    assert!(send(&mut open(&disk).unwrap().0, 0));
}

#[test]
fn f34_a_file_that_an_older_journal_does_not_name_is_there_again_for_the_newer_one() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    for number in 0..4 {
        send(&mut log, number);
    }
    let bytes = |disk: &SimDisk| {
        let paths = files(disk, "journal/").into_iter();
        paths.map(|path| (path.clone(), disk.bytes(&path))).collect::<Vec<_>>()
    };
    let older = bytes(&disk);
    keep_requests(&mut log, &disk).unwrap();
    drop(log);
    let (newer, kept) = (bytes(&disk), files(&disk, "requests/"));
    let put = |journal: &[(String, Vec<u8>)]| {
        files(&disk, "journal/").iter().for_each(|path| disk.lose(path));
        journal.iter().for_each(|(path, bytes)| disk.put(path, bytes));
    };
    put(&older);
    assert!(send(&mut open(&disk).unwrap().0, 3));
    assert_eq!(files(&disk, "requests/"), Vec::<String>::new());
    put(&newer);
    assert!(send(&mut open(&disk).unwrap().0, 3));
    assert_eq!(files(&disk, "requests/"), kept);
}
