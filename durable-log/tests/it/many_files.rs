//! Logs of many files: few of them are open at a time, and each is read as it was written, or not at all.

use std::sync::Arc;
use std::time::Instant;

use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{DedupWindow, Disk, DurableLog, DurableOptions, LocalDisk, LogId, SourceOptions};
use metricc_durable_log::{LogSnapshot, Request};
use metricc_ir::{Field, Kind, Source, Type};
use metricc_log::{EventDecoder, Frontier, Interval, LogError, RecordDecoder, Slice};

use crate::ledger::{Ledger, all_rows, event, field, flush, open_long, request, rows_of, source, whole};

/// Files that may be open: those that a log keeps open to read, the journal, and those that are being written.
const MOST_OPEN: usize = 64 + 8;

/// Another source of the same log, of which there are few events.
fn slow() -> Arc<Source> {
    Arc::new(Source { name: "slow".to_owned(), ..Source::clone(&source()) })
}

fn open(disk: &Arc<dyn Disk>, sources: &[Arc<Source>]) -> DurableLog {
    let of = |source: &Arc<Source>| SourceOptions {
        source: source.clone(),
        others: Vec::new(),
        n_partitions: 1,
        window: DedupWindow::Positions(1000),
    };
    let options = DurableOptions { recent_bytes: 0, ..DurableOptions::default() };
    let sources: Vec<_> = sources.iter().map(of).collect();
    DurableLog::open(disk.clone(), options, &sources, LogId { id: 1, seed: 2 }, 7).unwrap().0
}

fn send(log: &mut DurableLog, source: &Arc<Source>, body: &str) {
    let events = EventDecoder::new(source).unwrap().ndjson(body.as_bytes());
    log.append(&[Request { events, key: None, digest: 0, read: None }]).remove(0).unwrap();
}

/// An event, itself again, and something that does not decode: so that each flush writes three files.
fn body(number: usize) -> String {
    let event = format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{number}\",\"n\":{number}}}\n");
    format!("{event}{event}{{\"id\": 5}}\n")
}

fn flush_of(log: &mut DurableLog, disk: &Arc<dyn Disk>, name: &str) {
    let snapshot = log.snapshot();
    for slice in Interval::new(snapshot.flushed_to(name), snapshot.end(name)).unwrap().slices() {
        let flush = snapshot.write_flush(disk, name, &slice).unwrap();
        log.commit_flush(&flush).unwrap();
    }
}

fn numbers(log: &LogSnapshot) -> Vec<i64> {
    let end = log.end("events");
    let log = log.log_as(&RecordDecoder::new(&source()).unwrap(), &Frontier(vec![0])).unwrap();
    let slice = Slice { partition: 0, from: 0, to: end.0[0] };
    rows_of(&log, &slice, 8192).into_iter().map(|(.., n)| n).collect()
}

#[test]
fn few_files_are_open_whatever_a_log_has() {
    let sim = SimDisk::default();
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let with_x = |default| {
        let x = Field { default: Some(metricc_ir::Value::Int(default)), ..field("x", Type::of(Kind::Int)) };
        let mut source = Source::clone(&source());
        source.fields.push(x);
        Arc::new(source)
    };
    let mut log = open(&disk, &[source(), slow()]);
    // As long as this event is in the journal, no later file of it can be removed.
    send(&mut log, &slow(), &body(0));
    let mut declared = source();
    let mut snapshots = Vec::new();
    for number in 0..200 {
        if number % 10 == 9 {
            declared = with_x(number as i64);
            log.declare(&declared).unwrap();
        }
        send(&mut log, &declared, &body(number));
        flush_of(&mut log, &disk, "events");
        snapshots.push(log.reader().snapshot());
    }
    let of = |suffix: &str| sim.paths().iter().filter(|path| path.ends_with(suffix)).count();
    assert_eq!(
        (of("0.parquet") + of(".exceptions.parquet"), of(".requests")),
        (220, 200),
        "{:?}",
        sim.paths()
    );
    assert!(of(".journal") > 200, "{}", of(".journal"));
    assert!(sim.most_open() <= MOST_OPEN, "{}", sim.most_open());
    let expected: Vec<i64> = (0..200).collect();
    assert_eq!(numbers(&log.snapshot()), expected);
    for (number, snapshot) in snapshots.iter().enumerate().step_by(20) {
        assert_eq!(numbers(snapshot), expected[..=number]);
    }
    assert!(sim.most_open() <= MOST_OPEN);
    drop((log, snapshots));
    assert_eq!(sim.n_open(), 0);
    let mut log = open(&disk, &[declared, slow()]);
    assert!(sim.most_open() <= MOST_OPEN);
    assert_eq!(numbers(&log.snapshot()), expected);
    flush_of(&mut log, &disk, "slow");
    assert_eq!(of(".journal"), 1);
    assert!(sim.most_open() <= MOST_OPEN);
}

#[test]
fn f36_a_file_that_is_replaced_cut_or_deleted_while_the_log_is_open_is_not_read_as_if_it_were_there() {
    let disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let (mut log, _) = open_long(&disk).unwrap();
    for number in 0..100 {
        ledger.send(&mut log, &[(&format!("r{number}"), vec![event(&format!("e{number}"), number)])]);
        flush(&mut log, &disk).unwrap();
    }
    assert_eq!(all_rows(&log).len(), 100);
    let is_rows = |path: &String| path.ends_with(".parquet") && path.starts_with("events/");
    let files: Vec<String> = disk.paths().into_iter().filter(is_rows).collect();
    let (path, bytes) = (&files[7], disk.bytes(&files[7]));
    // Others were read since, so it is not open any more.
    for other in [None, Some(disk.bytes(&files[8])), Some(bytes[..bytes.len() / 2].to_vec())] {
        disk.lose(path);
        other.into_iter().for_each(|bytes| disk.put(path, &bytes));
        let log = whole(&log);
        let read = log.read(&Slice { partition: 0, from: 5, to: 10 }, &[1], 8192).unwrap();
        let error = read.collect::<Result<Vec<_>, LogError>>().unwrap_err();
        assert!(error.to_string().contains(path), "{error}");
    }
    disk.put(path, &bytes);
    ledger.check(&log);
    // It goes on.
    assert!(log.append(&[request("r100", &[event("e100", 100)])]).remove(0).is_ok());
}

/// How long a log of many files takes to open and to read, and what it keeps in memory.
///
/// ```sh
/// METRICC_FILES=2000 cargo test -p metricc-durable-log --test it -- --ignored --nocapture many_files
/// ```
///
/// `METRICC_FILES_IN=FOLDER` leaves the log there.
#[test]
#[ignore = "a measurement"]
fn opening_many_files() {
    let n_files: usize = std::env::var("METRICC_FILES").map_or(2000, |text| text.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("METRICC_FILES_IN").map_or(temporary.path().to_owned(), Into::into);
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(&folder));
    let started = Instant::now();
    let mut log = open(&disk, &[source()]);
    for number in log.snapshot().end("events").n_positions() as usize / 3..n_files.div_ceil(3) {
        send(&mut log, &source(), &body(number));
        flush_of(&mut log, &disk, "events");
    }
    println!("written in {:?}", started.elapsed());
    drop(log);
    let memory = |field: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        status.lines().find(|line| line.starts_with(field)).unwrap_or_default().to_owned()
    };
    let before = memory("VmRSS");
    let started = Instant::now();
    let log = open(&disk, &[source()]);
    let opened = started.elapsed();
    let n_open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let after = memory("VmRSS");
    let started = Instant::now();
    let n_rows = numbers(&log.snapshot()).len();
    println!(
        "opened in {opened:?}, {n_open} open files, {before} then {after}; {n_rows} rows read in {:?}, then {}",
        started.elapsed(),
        memory("VmRSS")
    );
}
