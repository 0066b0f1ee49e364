//! Rows that are still in memory are the rows that the journal holds.

use std::sync::Arc;

use metricc_durable_log::faulty_disk::{Dice, SimDisk};
use metricc_durable_log::{Disk, DurableLog, DurableOptions, LogId};
use metricc_log::{Batch, Frontier, Slice};
use proptest::prelude::*;

use crate::ledger::{Record, event, options, request, sources};

fn open(recent_bytes: usize) -> (DurableLog, SimDisk) {
    let disk = SimDisk::default();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = DurableOptions { recent_bytes, ..options() };
    (DurableLog::open(shared, options, &sources(2), LogId { id: 1, seed: 2 }, 3).unwrap().0, disk)
}

/// All batches of a log, of some columns.
fn batches(log: &DurableLog, columns: &[usize], batch_rows: usize) -> Vec<Batch> {
    let snapshot = log.snapshot();
    let log = snapshot.log("events", &Frontier(vec![0; 2])).unwrap();
    let slices = (0u32..).zip(log.end().0).map(|(partition, to)| Slice { partition, from: 0, to });
    let read = |slice: Slice| log.read(&slice, columns, batch_rows).unwrap().map(Result::unwrap);
    slices.flat_map(read).collect()
}

fn records(dice: &mut Dice) -> Vec<Record> {
    let n_records = 1 + dice.below(9);
    let record = |_| match dice.below(8) {
        0 => Record::Broken,
        _ => event(&format!("e{}", dice.below(20)), dice.below(3) as i64),
    };
    (0..n_records).map(record).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn batches_are_equal_whether_rows_are_in_memory_or_read(
        seed in any::<u64>(),
        n_groups in 1usize..12,
        budget in 1usize..20_000,
    ) {
        let mut dice = Dice::new(seed);
        let mut logs = [0, budget, usize::MAX].map(open);
        for number in 0..n_groups {
            let group: Vec<_> = (0..1 + dice.below(3))
                .map(|part| request(&format!("r{number}-{part}"), &records(&mut dice)))
                .collect();
            let answers = logs.each_mut().map(|(log, _)| log.append(&group));
            prop_assert!(answers.iter().flatten().all(Result::is_ok));
        }
        for columns in [vec![], vec![0], vec![1, 3], vec![0, 1, 2, 3, 4]] {
            for batch_rows in [1, 3, 8192] {
                let [read, mixed, kept] = logs.each_ref().map(|(log, _)| batches(log, &columns, batch_rows));
                for other in [mixed, kept] {
                    prop_assert_eq!(read.len(), other.len());
                    for (read, other) in read.iter().zip(&other) {
                        prop_assert_eq!(&read.slice, &other.slice);
                        prop_assert_eq!(&read.rows, &other.rows);
                        prop_assert_eq!(&read.read_stats, &other.read_stats);
                    }
                }
            }
        }
        let bytes = logs.each_ref().map(|(_, disk)| {
            disk.paths().iter().map(|path| disk.bytes(path)).collect::<Vec<_>>()
        });
        prop_assert!(bytes[0] == bytes[1] && bytes[0] == bytes[2], "the budget changes nothing on disk");
    }
}

#[test]
fn rows_in_memory_are_read_without_the_disk() {
    let (mut log, disk) = open(usize::MAX);
    log.append(&[request("r0", &[event("a", 1), event("b", 2)])]).remove(0).unwrap();
    let n_operations = disk.n_operations();
    assert_eq!(batches(&log, &[1], 10).iter().map(|batch| batch.rows.num_rows()).sum::<usize>(), 2);
    assert_eq!(disk.n_operations(), n_operations);
    let (mut log, disk) = open(0);
    log.append(&[request("r0", &[event("a", 1), event("b", 2)])]).remove(0).unwrap();
    let n_operations = disk.n_operations();
    batches(&log, &[1], 10);
    assert!(disk.n_operations() > n_operations);
}
