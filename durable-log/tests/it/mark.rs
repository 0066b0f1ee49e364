//! The mark beside a log: it is durable before the first event of an epoch, and names only what the log has.

use std::sync::Arc;

use metricc_durable_log::faulty_disk::{Dice, FAULTS, SimDisk};
use metricc_durable_log::{Disk, DurableLog, FoundMark, LogAndEpoch, LogId, LogMark, MARK_FILE};

use crate::ledger::{event, options, request, sources};

fn open(disk: &SimDisk, epoch: u128) -> Option<DurableLog> {
    let folder: Arc<dyn Disk> = Arc::new(disk.clone());
    let fresh = LogId { id: 0xfeed, seed: 0x5eed };
    let (mut log, _) = DurableLog::open(folder.clone(), options(), &sources(1), fresh, epoch).ok()?;
    log.keep_mark(folder, Vec::new());
    Some(log)
}

fn mark(disk: &SimDisk) -> FoundMark {
    let folder: Arc<dyn Disk> = Arc::new(disk.clone());
    disk.paused(|| LogMark::read(&folder)).unwrap()
}

/// Two openings, each of which takes two requests, the second one twice if it fails.
fn lives(disk: &SimDisk) -> u64 {
    let mut n_taken = 0;
    for epoch in 1..=2 {
        let Some(mut log) = open(disk, epoch) else { return n_taken };
        for number in 0..2 {
            let id = format!("{epoch}-{number}");
            let request = request(&id, &[event(&id, 1)]);
            let is_taken = (0..2).any(|_| log.append(std::slice::from_ref(&request)).remove(0).is_ok());
            n_taken += u64::from(is_taken);
        }
    }
    n_taken
}

#[test]
fn f34_whatever_fails_an_acknowledged_event_has_its_epoch_in_the_mark() {
    let disk = SimDisk::default();
    assert_eq!(lives(&disk), 4);
    let n_operations = disk.n_operations();
    for at in 0..n_operations {
        for (seed, fault) in (0u64..).zip(FAULTS) {
            let disk = SimDisk::default().with_faults(&[(at, fault)]);
            let n_taken = lives(&disk);
            let disk = disk.after_crash(&mut Dice::new(seed + at));
            let found = mark(&disk);
            let (log, shown) = (open(&disk, 9).unwrap(), format!("{fault:?} at {at}"));
            let epochs: Vec<String> = log.snapshot().epochs("events").into_iter().map(|(id, _)| id).collect();
            let FoundMark::Whole(LogMark { log: marked, .. }) = found else {
                assert_eq!((&found, n_taken), (&FoundMark::Nothing, 0), "{shown}");
                continue;
            };
            let LogAndEpoch { id, epoch } = marked;
            assert_eq!(id, format!("{:032x}", log.snapshot().id()), "{shown}");
            assert!(epochs.contains(&epoch), "the mark names what is not in the log: {shown}");
            if n_taken > 2 {
                assert_eq!(epoch, format!("{:032x}", 2), "{shown}");
            }
        }
    }
}

#[test]
fn f36_a_damaged_mark_is_not_believed() {
    let disk = SimDisk::default();
    lives(&disk);
    let whole = disk.bytes(MARK_FILE);
    let before = mark(&disk);
    assert!(matches!(before, FoundMark::Whole(_)));
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        disk.put(MARK_FILE, &damaged);
        assert!([FoundMark::Unreadable, before.clone()].contains(&mark(&disk)), "byte {at}");
        disk.put(MARK_FILE, &whole[..at]);
        assert_eq!(mark(&disk), FoundMark::Unreadable, "cut at {at}");
    }
}
