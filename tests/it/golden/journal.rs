//! What a durable log writes for fixed requests: its journal and its flushed files.

use std::path::Path;
use std::sync::Arc;

use super::{
    DedupWindow, Disk, DurableLog, DurableOptions, EventDecoder, LocalDisk, LogId, Request, Slice, Source,
    SourceOptions, assert_golden, digest, files_below, package,
};

#[test]
fn a_log_keeps_the_bytes_of_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut lines = Vec::new();
    let mut note = |step: &str| {
        let files = files_below(folder.path()).into_iter();
        lines.extend(
            files.map(|(path, bytes)| format!("{step}: {path} {} bytes {}", bytes.len(), digest(&bytes))),
        );
    };
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(folder.path()));
    let mut log = open(&disk, 7);
    note("new");

    let first = [
        event("a", 1),
        event("b", 2),
        "{\"id\": 5}".to_owned(),
        event("a", 1),
        "no JSON".to_owned(),
        event("b", 3),
    ];
    let group = [
        request("events", Some("r0"), &first),
        request("ticks", None, &[tick(0), "{}".to_owned(), tick(0)]),
        request("pings", None, &[ping(1), ping(1)]),
        request("pings", Some("p1"), &[ping(2), ping(3), "{}".to_owned()]),
        request("events", Some("r0"), &first),
        request("events", None, &[event("c", 4), event("d", 5), event("e", 6), event("a", 7)]),
    ];
    assert_eq!(
        accepted(&mut log, &group),
        [
            (2, 2, 2, false),
            (1, 1, 1, false),
            (2, 0, 0, false),
            (2, 0, 1, false),
            (2, 2, 2, true),
            (3, 1, 0, false)
        ]
    );
    note("one group");

    let again = [request("events", Some("r0"), &first), request("ticks", Some("t1"), &[tick(1)])];
    assert_eq!(accepted(&mut log, &again), [(2, 2, 2, true), (1, 0, 0, false)]);
    note("a request again");

    drop(log);
    let mut log = open(&disk, 8);
    assert_eq!(
        accepted(&mut log, &[request("events", Some("r1"), &[event("a", 1), event("f", 8)])]),
        [(1, 1, 0, false)]
    );
    note("opened again");

    for source in ["events", "pings", "ticks"] {
        flush(&mut log, &disk, source);
        note(&format!("{source} sealed"));
    }
    let n_before = journal_files(folder.path());
    for number in 0..30 {
        let key = format!("k{number}");
        let records: Vec<String> = (0..9).map(|n| event(&format!("g{number}-{n}"), n)).collect();
        accepted(&mut log, &[request("events", (number % 2 == 0).then_some(key.as_str()), &records)]);
    }
    assert!(journal_files(folder.path()) > n_before, "the journal goes on in another file");
    note("rolled");
    drop(log);
    open(&disk, 9);
    note("read");
    assert_golden("journal.txt", &lines);
}

fn open(disk: &Arc<dyn Disk>, epoch: u128) -> DurableLog {
    let day = DedupWindow::EventTime { micros: 86_400_000_000 };
    let sources = [("events", 2, DedupWindow::Positions(100)), ("pings", 2, day), ("ticks", 1, day)];
    let sources = sources.map(|(name, n_partitions, window)| SourceOptions {
        source: source(name),
        others: Vec::new(),
        n_partitions,
        window,
    });
    let options = DurableOptions { max_requests: 8, file_bytes: 20_000, ..DurableOptions::default() };
    let fresh = LogId { id: 0xfeed, seed: 0x5eed };
    let (log, cut) = DurableLog::open(disk.clone(), options, &sources, fresh, epoch).expect("it opens");
    assert!(cut.is_none(), "{cut:?}");
    log
}

fn source(name: &str) -> Arc<Source> {
    let package = package();
    let mut sources = package.checked.package.sources.iter();
    sources.find(|source| source.name == name).expect("the source is there").clone()
}

fn event(id: &str, n: i64) -> String {
    format!(
        r#"{{"id":"{id}","at":"2026-04-25T10:0{n}:00Z","n":{n},"x":{n}.5,"d":{n}.25,"s":"naïve","ok":true,"kind":"high","tags":["a"],"due":"2026-04-25","took":"{n}s","local":"2026-04-25T10:00:00"}}"#
    )
}

fn tick(n: i64) -> String {
    format!(r#"{{"at":{n},"sent":{n},"taken":{n},"stored":null}}"#)
}

fn ping(n: i64) -> String {
    format!(r#"{{"at":"2026-04-2{n}","host":"h{n}"}}"#)
}

fn request(source_name: &str, key: Option<&str>, records: &[String]) -> Request {
    let body = records.join("\n");
    let events = EventDecoder::new(&source(source_name)).expect("a decoder").ndjson(body.as_bytes());
    Request { events, key: key.map(str::to_owned), digest: body.len() as u64, read: None }
}

/// Of each request: records that are accepted, duplicates and quarantined, and whether it had come before.
fn accepted(log: &mut DurableLog, requests: &[Request]) -> Vec<(u64, u64, u64, bool)> {
    let receipts = log.append(requests).into_iter().map(|answer| answer.expect("it is taken"));
    receipts
        .map(|receipt| {
            let of = &receipt.accepted;
            (of.n_accepted, of.n_duplicates, of.n_quarantined, receipt.is_repeated)
        })
        .collect()
}

/// Flushes all that is there, partition by partition.
fn flush(log: &mut DurableLog, disk: &Arc<dyn Disk>, source: &str) {
    let (from, end) = (log.snapshot().flushed_to(source), log.snapshot().end(source));
    for (partition, (&from, &to)) in from.0.iter().zip(&end.0).enumerate() {
        let slice = Slice { partition: partition as u32, from, to };
        assert!(from < to, "each partition has records");
        let flush = log.snapshot().write_flush(disk, source, &slice).expect("it is written");
        log.commit_flush(&flush).expect("it is committed");
    }
}

fn journal_files(folder: &Path) -> usize {
    files_below(folder).iter().filter(|(path, _)| path.ends_with(".journal")).count()
}
