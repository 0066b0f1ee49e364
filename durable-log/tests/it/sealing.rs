//! How long acknowledgements take while the journal is sealed and many identities and requests are
//! remembered.
//!
//! ```sh
//! METRICC_SEALING_KEYS=10000000 cargo test --release -p metricc-durable-log --test it -- \\
//!     --ignored --nocapture sealing
//! ```
//!
//! `METRICC_SEALING_GROUP=1000000000` writes all remembered requests into each checkpoint, as logs did
//! before.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use metricc_durable_log::{
    DedupWindow, Disk, DurableLog, DurableOptions, Flush, LocalDisk, LogId, Request, SourceOptions,
    WrittenRequests,
};
use metricc_log::{EventDecoder, Interval};

use crate::ledger::source;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect(name))
}

fn body(from: u64, n: u64) -> Request {
    let line = |id: u64| {
        format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"{id:012}\",\"n\":1,\"kind\":\"large\"}}\n")
    };
    let text: String = (from..from + n).map(line).collect();
    let events = EventDecoder::new(&source()).unwrap().ndjson(text.as_bytes());
    // As those of `metricc ingest`: the name of a file, a position and a digest.
    let key = format!("metricc/events-2026-04-25.ndjson/{from:020}/{:032x}", u128::from(from) << 64);
    Request { events, key: Some(key), digest: from, read: None }
}

enum Written {
    Requests(WrittenRequests),
    Flush(Flush),
}

/// Writes files as batch does, while the log goes on.
fn seal(log: &DurableLog, disk: &Arc<dyn Disk>) -> mpsc::Receiver<Written> {
    let (sender, receiver) = mpsc::channel();
    let (reader, disk) = (log.reader().clone(), disk.clone());
    std::thread::spawn(move || {
        while reader.snapshot().has_requests_to_write() {
            let written = reader.snapshot().write_requests(&disk).expect("requests");
            let _ = sender.send(Written::Requests(written));
            // Batch looks again after a while as well.
            std::thread::sleep(Duration::from_millis(50));
        }
        let snapshot = reader.snapshot();
        let interval =
            Interval::new(snapshot.flushed_to("events"), snapshot.end("events")).expect("an interval");
        for slice in interval.slices() {
            let flush = snapshot.write_flush(&disk, "events", &slice).expect("a flush");
            let _ = sender.send(Written::Flush(flush));
        }
    });
    receiver
}

#[test]
#[ignore = "a measurement"]
fn sealing() {
    let n_keys = setting("METRICC_SEALING_KEYS", 300_000);
    let request_group = setting("METRICC_SEALING_GROUP", 1024) as usize;
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(folder.path()));
    let options = DurableOptions { request_group, ..DurableOptions::default() };
    let window = DedupWindow::Positions(n_keys);
    let sources = vec![SourceOptions { source: source(), others: Vec::new(), n_partitions: 1, window }];
    let (mut log, _) =
        DurableLog::open(disk.clone(), options, &sources, LogId { id: 1, seed: 2 }, 3).unwrap();
    let mut next = 0;
    let mut add = |log: &mut DurableLog, n_requests: u64, n: u64| {
        let requests: Vec<Request> = (0..n_requests).map(|request| body(next + request * n, n)).collect();
        next += n_requests * n;
        let started = Instant::now();
        assert!(log.append(&requests).iter().all(Result::is_ok));
        started.elapsed()
    };
    // Remembered identities, then as many remembered requests as there may be.
    for _ in 0..n_keys.div_ceil(10_000) {
        add(&mut log, 1, 10_000);
    }
    for _ in 0..100 {
        add(&mut log, 1000, 1);
    }
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..3 {
        let sealed = seal(&log, &disk);
        loop {
            let started = Instant::now();
            let is_done = match sealed.try_recv() {
                Ok(Written::Requests(written)) => log.commit_requests(&written).map(|()| false).unwrap(),
                Ok(Written::Flush(flush)) => log.commit_flush(&flush).map(|()| false).unwrap(),
                Err(mpsc::TryRecvError::Empty) => false,
                Err(mpsc::TryRecvError::Disconnected) => true,
            };
            // What an event waits for that comes while something is committed.
            let waited = started.elapsed();
            took.push(waited + add(&mut log, 1, 10));
            if is_done {
                break;
            }
        }
        (0..20).for_each(|_| took.push(add(&mut log, 1, 10)));
    }
    took.sort_unstable();
    let at = |hundredths: usize| took[(took.len() - 1) * hundredths / 100];
    println!(
        "{n_keys} identities, 100000 requests, groups of {request_group}: {} acknowledgements, p50 {:?}, p99 {:?}, \
         slowest {:?}",
        took.len(),
        at(50),
        at(99),
        at(100)
    );
}
