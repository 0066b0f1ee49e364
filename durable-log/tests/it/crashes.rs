//! F1, F5, F6, F7, F12, F17, F18: one run of a client and a log, with every fault at every operation of the
//! disk.

use std::collections::BTreeMap;

use crate::ledger::{Ledger, Record, event, flush, keep_requests, open, request};
use metricc_durable_log::faulty_disk::{Dice, FAULTS, Fault, SimDisk};

type Group = Vec<(&'static str, Vec<Record>)>;

enum Step {
    Send(Group),
    Flush,
    Keep,
}

/// Requests of one and of several events, broken ones, duplicates within and before the window, groups,
/// flushes between.
fn steps() -> Vec<Step> {
    vec![
        Step::Send(vec![("r0", vec![event("a", 1), event("b", 2), event("c", 3)])]),
        Step::Send(vec![
            ("r1", vec![event("d", 4), Record::Broken]),
            ("r2", vec![event("a", 1), event("b", 20), event("e", 5)]),
        ]),
        Step::Keep,
        Step::Flush,
        Step::Send(vec![("r3", vec![event("f", 6)]), ("r3", vec![event("f", 6)])]),
        Step::Send(vec![("r4", vec![event("a", 7), event("f", 6), Record::Broken])]),
        Step::Send(vec![("r5", vec![event("g", 8)]), ("r6", vec![event("g", 8), event("h", 9)])]),
        Step::Flush,
        Step::Keep,
        Step::Flush,
        Step::Send(vec![("r7", vec![event("h", 9), event("i", 10)])]),
    ]
}

/// Does the steps; a step that fails is done again, as a client would, until the log says that it takes no
/// more.
fn run(disk: &SimDisk, ledger: &mut Ledger) -> bool {
    let Ok((mut log, _)) = open(disk) else { return false };
    for step in steps() {
        let mut n_tries = 0;
        loop {
            let is_done = match &step {
                Step::Send(group) => ledger.send(&mut log, group),
                Step::Flush => flush(&mut log, disk).is_ok(),
                Step::Keep => keep_requests(&mut log, disk).is_ok(),
            };
            n_tries += 1;
            if is_done {
                break;
            }
            if disk.is_down() || log.snapshot().stopped().is_some() {
                return false;
            }
            assert!(n_tries < 4, "a single fault goes by");
        }
    }
    disk.paused(|| ledger.check(&log));
    true
}

/// One run with some faults, then as many more as it takes; afterwards everything is in the log once.
fn survive(faults: &[(u64, Fault)], seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let mut disk = SimDisk::default().with_faults(faults);
    let mut ledger = Ledger::default();
    let mut n_runs = 0;
    while !run(&disk, &mut ledger) {
        n_runs += 1;
        assert!(n_runs < 6, "the log comes back after {faults:?} (seed {seed})");
        disk = disk.after_crash(&mut dice);
    }
    let (mut log, cut) = open(&disk.after_crash(&mut dice)).unwrap();
    assert_eq!(cut, None);
    ledger.check(&log);
    let sent: BTreeMap<&String, &Vec<Record>> = ledger.sent.iter().collect();
    for (key, records) in sent {
        let receipt = log.append(&[request(key, records)]).remove(0).unwrap();
        assert!(receipt.is_repeated, "{key} is known after {faults:?} (seed {seed})");
    }
    disk.n_happened()
}

#[test]
fn f1_every_fault_at_every_operation_leaves_each_event_once() {
    let disk = SimDisk::default();
    assert!(run(&disk, &mut Ledger::default()));
    let n_operations = disk.n_operations();
    assert!(n_operations > 100, "{n_operations}");
    for at in 0..n_operations + 10 {
        for fault in FAULTS {
            // What a crash leaves is chance: try some.
            let n_seeds = if matches!(fault, Fault::CrashBefore | Fault::CrashAfter) { 3 } else { 1 };
            for seed in 0..n_seeds {
                survive(&[(at, fault)], seed);
            }
        }
    }
}

#[test]
fn f1_pairs_of_faults_leave_each_event_once() {
    let mut dice = Dice::new(11);
    for seed in 0..600 {
        let first = dice.below(200);
        let second = first + 1 + dice.below(60);
        let fault = |dice: &mut Dice| FAULTS[dice.below(FAULTS.len() as u64) as usize];
        let faults = [(first, fault(&mut dice)), (second, fault(&mut dice))];
        survive(&faults, seed);
    }
}

#[test]
fn f5_after_a_failed_sync_nothing_is_taken_until_the_log_is_opened_again() {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open(&disk).unwrap();
    ledger.send(&mut log, &[("r0", vec![event("a", 1)])]);
    // Reading the length of the file is an operation, the write another one, and its sync the next.
    let disk = disk.clone().with_faults(&[(disk.n_operations() + 2, Fault::Error)]);
    assert!(!ledger.send(&mut log, &[("r1", vec![event("b", 2)])]));
    let stopped = log.snapshot().stopped().unwrap().to_owned();
    assert!(stopped.contains("durable"), "{stopped}");
    assert!(!ledger.send(&mut log, &[("r1", vec![event("b", 2)])]));
    let n_operations = disk.n_operations();
    assert!(!ledger.send(&mut log, &[("r2", vec![event("c", 3)])]));
    assert_eq!(disk.n_operations(), n_operations, "the disk is left alone");
    ledger.check(&log);
    for seed in 0..8 {
        let (mut log, _) = open(&disk.after_crash(&mut Dice::new(seed))).unwrap();
        let mut ledger = Ledger { sent: ledger.sent.clone(), receipts: ledger.receipts.clone() };
        assert!(ledger.send(&mut log, &[("r1", vec![event("b", 2)])]));
        ledger.check(&log);
    }
}

#[test]
fn f6_a_full_disk_refuses_events_and_goes_on_by_itself() {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open(&disk).unwrap();
    ledger.send(&mut log, &[("r0", vec![event("a", 1)])]);
    // The disk stays full for a while: every operation fails that needs space.
    let start = disk.n_operations();
    let full: Vec<(u64, Fault)> = (start..start + 20).map(|at| (at, Fault::Full)).collect();
    let disk = disk.with_faults(&full);
    let mut n_refused = 0;
    while !ledger.send(&mut log, &[("r1", vec![event("b", 2)])]) {
        n_refused += 1;
        assert_eq!(log.snapshot().stopped(), None);
        disk.paused(|| ledger.check(&log));
    }
    assert!(n_refused > 3, "{n_refused}");
    assert_eq!(log.snapshot().stopped(), None);
    ledger.check(&log);
}
