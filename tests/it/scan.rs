//! One scan for several groupings: all of the log reaches each of them, or none has a result.

use std::fs::OpenOptions;
use std::sync::atomic::{AtomicU64, Ordering};

use metricc::{Engine, evaluate_interval};
use metricc_log::Interval;

use crate::layers::{bound, options, package, whole};

/// Three groupings, so that a reader has others to send to.
const PACKAGE: &str = "
    source events { at: timestamp time  user: int  country: string }
    metric by_user = count() { from events  by user }
    metric by_country = { n: count(), users: distinct(user) } { from events  by country }
    metric total = count() { from events }";

/// Two files of 1,000 events each.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in 0..2 {
        let line = |row: usize| {
            format!(
                "{{\"at\": \"2026-04-25T10:00:00Z\", \"user\": {}, \"country\": \"C{}\"}}\n",
                row % 50,
                (row + file) % 7
            )
        };
        let text: String = (0..1000).map(line).collect();
        std::fs::write(folder.path().join(format!("{file}.ndjson")), text).expect("the log is written");
    }
    folder
}

#[test]
fn every_position_is_told_as_progress_and_counted_once_in_each_grouping() {
    let folder = folder();
    let bound = bound(&package(PACKAGE), folder.path());
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    for engine in [Engine::Batch, Engine::Stream] {
        for workers in 1..=3 {
            let told = AtomicU64::new(0);
            let progress = |n| {
                told.fetch_add(n, Ordering::Relaxed);
            };
            evaluate_interval(&bound, engine, &interval, &options(workers, 7), &progress).expect("it runs");
            assert_eq!(told.into_inner(), 2000, "{engine:?} with {workers} workers");
        }
    }
    let (lines, _) = whole(&bound, Engine::Batch, &options(2, 7));
    assert_eq!(lines, whole(&bound, Engine::Stream, &options(1, 7)).0);
    assert!(lines[2][0].ends_with(r#""value":2000}"#), "{:?}", lines[2]);
}

#[test]
fn a_log_that_cannot_be_read_to_its_end_gives_no_result() {
    for engine in [Engine::Batch, Engine::Stream] {
        for workers in 1..=3 {
            let folder = folder();
            let bound = bound(&package(PACKAGE), folder.path());
            let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
            let file = OpenOptions::new().write(true).open(folder.path().join("1.ndjson"));
            file.and_then(|file| file.set_len(9000)).expect("the file is cut");
            let result = evaluate_interval(&bound, engine, &interval, &options(workers, 7), &|_| ());
            let error = result.expect_err("most of a file is missing").to_string();
            assert!(error.contains("1.ndjson` was changed"), "{engine:?} with {workers} workers: {error}");
        }
    }
}
