//! Jobs over a durable log: what is flushed can be handed out, and the journal cannot.

use std::cell::Cell;
use std::fmt::Write;
use std::fs;
use std::sync::Arc;

use metricc_compiler::EngineOptions;
use metricc_durable_log::{
    DedupWindow, Disk, DurableLog, DurableOptions, LocalDisk, LogId, Request, SourceOptions,
};
use metricc_ir::{Frontier, Interval};
use metricc_jobs::{Build, Done, JobError, JobLog, JobOptions, JobStore, PackageText, Run, RunOptions};
use metricc_log::EventDecoder;
use metricc_runtime_batch::evaluate;

use crate::given::{Here, PACKAGE, assert_equal, package, worker};

/// A durable log of two partitions, which was flushed after some of its requests.
struct Durable {
    folder: tempfile::TempDir,
    disk: Arc<dyn Disk>,
    log: DurableLog,
    plan: metricc_compiler::SourcePlan,
    package: PackageText,
}

/// Events of which some come twice, and some do not decode.
fn events(from: usize, to: usize) -> String {
    let mut text = String::new();
    for n in from..to {
        let (id, k) = (if n % 13 == 12 { n - 7 } else { n }, ["a", "b", "c"][n * 5 % 3]);
        let at = format!("2026-04-{:02}T{:02}:00:00Z", 1 + n % 9, n * 7 % 24);
        let v = if n % 31 == 30 { "\"?\"".to_owned() } else { format!("{}.5", n * n % 997) };
        writeln!(text, "{{\"id\":{id},\"at\":\"{at}\",\"k\":\"{k}\",\"v\":{v}}}").unwrap();
    }
    text
}

impl Durable {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(folder.path().join("log")));
        let (package, plan) = package(PACKAGE);
        let source = SourceOptions {
            source: plan.source.clone(),
            others: Vec::new(),
            n_partitions: 2,
            window: DedupWindow::Positions(1_000_000),
        };
        let fresh = LogId { id: 1, seed: 2 };
        let options = DurableOptions::default();
        let (log, _) = DurableLog::open(disk.clone(), options, &[source], fresh, 3).unwrap();
        Durable { folder, disk, log, plan, package }
    }

    fn append(&mut self, from: usize, to: usize) {
        let decoder = EventDecoder::new(&self.plan.source).unwrap();
        for start in (from..to).step_by(100) {
            let events = decoder.ndjson(events(start, to.min(start + 100)).as_bytes());
            self.log.append(&[Request { events, key: None, digest: 0, read: None }])[0].as_ref().unwrap();
        }
    }

    fn flush(&mut self) {
        let snapshot = self.log.snapshot();
        let interval = Interval::new(snapshot.flushed_to("s"), snapshot.end("s")).unwrap();
        for slice in interval.slices() {
            let flush = self.log.snapshot().write_flush(&self.disk, "s", &slice).unwrap();
            self.log.commit_flush(&flush).unwrap();
        }
    }

    fn run(&self, interval: &Interval, job_positions: u64) -> Result<Done, JobError> {
        let store = JobStore::in_folder(&self.folder.path().join("store")).unwrap();
        let here = Here {
            worker: worker(store.clone(), Build::of_this_process()),
            seed: Cell::new(job_positions | 1),
        };
        let snapshot = self.log.snapshot();
        let log = snapshot.log("s", interval.from()).unwrap();
        let job = JobOptions { workers: 1, memory_bytes: 1 << 28 };
        let run = Run {
            store: &store,
            package: &self.package,
            plan: &self.plan,
            log: &JobLog::Durable { log: &log, snapshot: &snapshot, disk: &self.disk },
            interval,
            options: &RunOptions { job_positions, merge_bytes: 1 << 20, job },
        };
        run.evaluate(&here, &|| false, &|_| (), &|_| ())
    }

    /// Jobs give what the log itself gives.
    fn assert_runs(&self, interval: &Interval, job_positions: u64) {
        let done = self.run(interval, job_positions).unwrap();
        let log = self.log.snapshot().log("s", interval.from()).unwrap();
        let alone = evaluate(&self.plan, &log, interval, &EngineOptions::default(), &|_| ()).unwrap();
        assert_equal(&done, &alone);
    }
}

#[test]
fn what_is_flushed_gives_what_the_log_gives_wherever_it_is_cut() {
    let mut durable = Durable::new();
    for round in 0..4 {
        durable.append(round * 700, round * 700 + 700);
        durable.flush();
    }
    let Ok([first, second]) = <[u64; 2]>::try_from(durable.log.snapshot().flushed_to("s").0) else {
        panic!("it has two partitions");
    };
    assert!(first > 1100 && second > 1100 && first + second == 2800, "{first} and {second}");
    // More events come, and stay in the journal.
    durable.append(2800, 3000);
    for (from, to, job_positions) in [
        ([0, 0], [first, second], 10_000),
        ([0, 0], [first, second], 300),
        ([13, 0], [first - 1, second], 450),
        ([351, 699], [352, 701], 1),
        ([700, 5], [700, 1100], 97),
        ([700, 700], [700, 700], 97),
    ] {
        let interval = Interval::new(Frontier(from.to_vec()), Frontier(to.to_vec())).unwrap();
        durable.assert_runs(&interval, job_positions);
    }
}

#[test]
fn the_journal_is_not_handed_out_and_damage_is_named() {
    let mut durable = Durable::new();
    durable.append(0, 400);
    durable.flush();
    durable.append(400, 500);
    let snapshot = durable.log.snapshot();
    let whole = Interval::new(Frontier(vec![0, 0]), snapshot.end("s")).unwrap();
    let error = durable.run(&whole, 100).unwrap_err().line();
    assert!(error.contains("are in the journal, which stays with its log"), "{error}");
    let flushed = Interval::new(Frontier(vec![0, 0]), snapshot.flushed_to("s")).unwrap();
    let folder = durable.folder.path().join("log/events/s");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "parquet"));
    files.sort();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(file, damaged).unwrap();
        let error = durable.run(&flushed, 10_000).unwrap_err().line();
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(error.contains(&*name) && error.contains("checksum mismatch"), "{error}");
        fs::write(file, bytes).unwrap();
    }
    durable.assert_runs(&flushed, 10_000);
}
