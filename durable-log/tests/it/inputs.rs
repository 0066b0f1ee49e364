//! Inputs with positions of their own: what is read of them is in the log once, whatever happens to the disk.

use std::cell::Cell;

use metricc_durable_log::faulty_disk::{Dice, FAULTS, SimDisk};
use metricc_durable_log::{DurableError, InputRead, Request};

use crate::ledger::{all_rows, event, flush, open, request};

const INPUT: &str = "topic/0";
const N_EVENTS: u64 = 11;

thread_local! {
    static N_REQUESTS: Cell<u64> = const { Cell::new(0) };
}

/// The events of some positions of the input. No event has the identity of another one, so that nothing but
/// its position can tell that an event comes again.
fn read(after: Option<u64>, to: u64) -> Request {
    let number = N_REQUESTS.replace(N_REQUESTS.get() + 1);
    let records: Vec<_> =
        (after.unwrap_or(0)..to).map(|n| event(&format!("{number}-{n}"), n.cast_signed())).collect();
    let read = Some(InputRead { input: INPUT.to_owned(), after, to });
    Request { key: None, read, ..request("", &records) }
}

/// Reads on from what the log says, to the end of the input. Whether it is there.
fn run(disk: &SimDisk) -> bool {
    let Ok((mut log, _)) = open(disk) else { return false };
    let mut n_failed = 0;
    loop {
        let after = log.snapshot().inputs("events").get(INPUT).copied();
        let from = after.unwrap_or(0);
        if from >= N_EVENTS {
            return true;
        }
        let (middle, to) = ((from + 1).min(N_EVENTS), (from + 3).min(N_EVENTS));
        let group = [read(after, middle), read(Some(middle), to)];
        let failed = log.append(&group).into_iter().any(|answer| answer.is_err());
        let flushed = from == 3 && flush(&mut log, disk).is_err();
        if failed || flushed {
            if disk.is_down() || log.snapshot().stopped().is_some() {
                return false;
            }
            n_failed += 1;
            assert!(n_failed < 4, "a single fault goes by");
        }
    }
}

#[test]
fn events_of_an_input_are_in_the_log_once_whatever_fails() {
    let calm = SimDisk::default();
    assert!(run(&calm));
    for operation in 0..calm.n_operations() {
        for fault in FAULTS {
            let mut dice = Dice::new(operation);
            let mut disk = SimDisk::default().with_faults(&[(operation, fault)]);
            let mut n_runs = 0;
            while !run(&disk) {
                n_runs += 1;
                assert!(n_runs < 6, "the log comes back after {fault:?} at {operation}");
                disk = disk.after_crash(&mut dice);
            }
            let (log, _) = open(&disk.after_crash(&mut dice)).unwrap();
            let found: Vec<i64> = all_rows(&log).into_iter().map(|(.., n)| n).collect();
            let wanted: Vec<i64> = (0..N_EVENTS.cast_signed()).collect();
            assert_eq!(found, wanted, "{fault:?} at {operation}");
            assert_eq!(log.snapshot().inputs("events").get(INPUT), Some(&N_EVENTS));
        }
    }
}

#[test]
fn what_does_not_follow_is_rejected_and_leaves_nothing_behind() {
    let disk = SimDisk::default();
    let (mut log, _) = open(&disk).unwrap();
    assert!(log.append(&[read(None, 2)]).remove(0).is_ok());
    for (after, to) in [(None, 3), (Some(1), 3), (Some(3), 4), (Some(2), 1)] {
        let error = log.append(&[read(after, to)]).remove(0).unwrap_err();
        assert!(matches!(&*error, DurableError::Request(_)), "{error}");
        assert!(error.to_string().contains("up to 2 of input `topic/0`"), "{error}");
    }
    // Of a group, the first one alone follows.
    let answers = log.append(&[read(Some(2), 4), read(Some(2), 4)]);
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    let other = Some(InputRead { input: "topic/1".to_owned(), after: None, to: 70 });
    let nothing = Request { read: other, ..read(Some(4), 4) };
    assert!(log.append(&[nothing]).remove(0).is_ok(), "an input may have no events for a while");
    for _ in 0..2 {
        assert_eq!(all_rows(&log).len(), 4);
        let inputs: Vec<_> = log.snapshot().inputs("events").into_iter().collect();
        assert_eq!(inputs, [("topic/0".to_owned(), 4), ("topic/1".to_owned(), 70)]);
        drop(log);
        (log, _) = open(&disk).unwrap();
    }
}
