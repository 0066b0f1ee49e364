//! Archives: a log that is restored from what was flushed has that, once, and takes the rest again.

use std::collections::HashMap;
use std::sync::Arc;

use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{
    Archive, ArchivedFile, Disk, DurableError, DurableLog, InputRead, Request, restore,
};
use metricc_log::ReadAt;

use crate::ledger::{Record, Rows, all_rows, event, flush, open_with, request};

const INPUT: &str = "topic/0";

fn bytes(disk: &Arc<dyn Disk>, file: &ArchivedFile) -> Vec<u8> {
    let opened = disk.open(&file.path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.n_bytes).unwrap()];
    let opened: &dyn ReadAt = &*opened;
    opened.read_exact_at(0, &mut bytes).unwrap();
    assert!(file.is(&bytes), "{}", file.path);
    bytes
}

/// The files of an archive, as an object store keeps them.
fn copied(disk: &SimDisk, archive: &Archive) -> HashMap<ArchivedFile, Vec<u8>> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let files = archive.files().into_iter().chain(archive.request_files());
    files.map(|file| (file.clone(), bytes(&disk, &file))).collect()
}

/// A new disk with what an archive has.
fn restored(archive: &Archive, files: &HashMap<ArchivedFile, Vec<u8>>) -> SimDisk {
    let sim = SimDisk::default();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    for file in archive.files() {
        let folder = file.path.rsplit_once('/').unwrap().0.to_owned();
        disk.create_folder(&folder).unwrap();
        disk.write_whole(&file.path, &files[&file]).unwrap();
    }
    let manifest = archive.to_bytes().unwrap();
    let archive = Archive::parse(&manifest, "manifest").unwrap();
    let mut request_file = |file: &ArchivedFile| Ok(files[file].clone());
    restore(&disk, &[archive], &mut request_file, (0xabcd, 99)).unwrap();
    sim
}

fn before(rows: &Rows, archive: &Archive) -> Rows {
    let ends = archive.flushed_to().0;
    rows.iter().filter(|(partition, offset, ..)| *offset < ends[*partition as usize]).cloned().collect()
}

fn records(round: i64) -> Vec<Record> {
    let id = |n: i64| format!("id{}", round * 4 + n);
    vec![
        event(&id(0), round),
        Record::Broken,
        event(&id(1), round),
        event("again", round),
        event(&id(2), round),
    ]
}

fn send(log: &mut DurableLog, round: i64) -> bool {
    let answers = log.append(&[request(&format!("r{round}"), &records(round))]);
    answers[0].as_ref().unwrap().is_repeated
}

#[test]
fn what_was_flushed_is_there_once_and_the_rest_is_taken_again() {
    for n_partitions in [1, 3] {
        for (n_flushed, n_rounds) in [(1, 1), (3, 7), (12, 12), (12, 17)] {
            let disk = SimDisk::default();
            let (mut log, _) = open_with(&disk, n_partitions).unwrap();
            assert!(log.archive("events").is_none());
            for round in 0..n_rounds {
                assert!(!send(&mut log, round));
                if round + 1 == n_flushed || round == 1 {
                    flush(&mut log, &disk).unwrap();
                }
            }
            let archive = log.archive("events").unwrap();
            let rows = all_rows(&log);
            assert_eq!(archive.journal_end(), log.snapshot().end("events"));
            let new = restored(&archive, &copied(&disk, &archive));
            let (mut log, truncated) = open_with(&new, n_partitions).unwrap();
            assert!(truncated.is_none());
            assert_eq!(log.snapshot().end("events"), archive.flushed_to());
            assert_eq!(all_rows(&log), before(&rows, &archive));
            // A cursor or receipt of before may name positions that are given out again.
            assert_ne!(log.snapshot().epoch_of_positions(), format!("{:032x}", log.snapshot().id()));
            for round in 0..n_rounds {
                assert_eq!(send(&mut log, round), round < n_flushed.max(2), "round {round} of {n_rounds}");
            }
            let ids = |rows: Rows| {
                let mut ids: Vec<_> = rows.into_iter().map(|(.., id, n)| (id, n)).collect();
                ids.sort();
                ids
            };
            if n_partitions == 1 {
                assert_eq!(all_rows(&log), rows);
            } else {
                // Requests go to partitions in turn, which begins again.
                assert!(ids(all_rows(&log)).len() >= ids(rows).len() - 3);
            }
            let (again, _) = open_with(&new, n_partitions).unwrap();
            assert_eq!(all_rows(&again), all_rows(&log));
        }
    }
}

#[test]
fn an_input_is_read_again_from_where_its_flushed_events_end() {
    let read = |from: u64, to: u64| Request {
        key: None,
        read: Some(InputRead { input: INPUT.to_owned(), after: (from > 0).then_some(from), to }),
        ..request("", &(from..to).map(|n| event(&format!("n{n}"), n.cast_signed())).collect::<Vec<_>>())
    };
    let disk = SimDisk::default();
    let (mut log, _) = open_with(&disk, 1).unwrap();
    for (from, to) in [(0, 3), (3, 5), (5, 9)] {
        log.append(&[read(from, to)]).into_iter().for_each(|answer| drop(answer.unwrap()));
        if to == 5 {
            flush(&mut log, &disk).unwrap();
        }
    }
    // The journal that is opened again begins with a checkpoint of before the flush.
    drop(log);
    let (log, _) = open_with(&disk, 1).unwrap();
    assert_eq!(log.snapshot().inputs("events")[INPUT], 9);
    let archive = log.archive("events").unwrap();
    let new = restored(&archive, &copied(&disk, &archive));
    let (mut log, _) = open_with(&new, 1).unwrap();
    assert_eq!(log.snapshot().inputs("events")[INPUT], 5);
    log.append(&[read(5, 9)]).into_iter().for_each(|answer| drop(answer.unwrap()));
    let numbers: Vec<i64> = all_rows(&log).into_iter().map(|(.., n)| n).collect();
    assert_eq!(numbers, (0..9).collect::<Vec<_>>());
}

#[test]
fn a_log_is_not_replaced_and_damage_is_named() {
    let disk = SimDisk::default();
    let (mut log, _) = open_with(&disk, 1).unwrap();
    send(&mut log, 0);
    flush(&mut log, &disk).unwrap();
    let archive = log.archive("events").unwrap();
    let there: Arc<dyn Disk> = Arc::new(disk.clone());
    let none = &mut |_: &ArchivedFile| -> Result<Vec<u8>, DurableError> { panic!("no file of requests") };
    let error = restore(&there, std::slice::from_ref(&archive), none, (1, 2)).unwrap_err();
    assert!(error.to_string().contains("has a journal, and is not replaced"), "{error}");
    let empty: Arc<dyn Disk> = Arc::new(SimDisk::default());
    assert!(restore(&empty, &[], none, (1, 2)).is_err());
    let manifest = archive.to_bytes().unwrap();
    for at in (0..manifest.len()).step_by(7) {
        let mut damaged = manifest.clone();
        damaged[at] ^= 0x11;
        assert!(Archive::parse(&damaged, "manifest").is_err(), "byte {at}");
    }
}
