//! The stream engine while it runs.

use std::time::{Duration, Instant};

use metricc::{Engine, EngineOptions, EvaluateError};
use metricc_compiler::Segment;
use metricc_log::{Frontier, Interval};
use metricc_runtime_stream::Stream;

use crate::layers::{bound, options, package};

const TEXT: &str = "\
source events { at: timestamp time  k: string  v: int }
metric total = { n: count(), sum: sum(v), seen: distinct(v) } { from events  by k }
metric latest = max(v) { from events  every 1h }
";
const N_EVENTS: u64 = 400;

/// Reads are requested after every batch, and answered while the next batches are processed.
#[test]
fn reads_while_rows_arrive_equal_batch_at_each_frontier() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.csv");
    let row = |n: u64| {
        format!(
            "2026-01-01T{:02}:00:00Z,{},{}\n",
            n % 24,
            ["a", "b", "long enough for the heap"][n as usize % 3],
            n * n % 97
        )
    };
    std::fs::write(&path, format!("at,k,v\n{}", (0..N_EVENTS).map(row).collect::<String>()))
        .expect("the log");
    let bound = bound(&package(TEXT), &path);
    for workers in 1..=3 {
        let mut stream =
            Stream::start(&bound.plan, bound.log.start(), &options(workers, 13)).expect("it starts");
        let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
        let mut reads = vec![(stream.frontier().clone(), stream.begin_read().expect("it reads"))];
        for slice in bound.log.slices(&whole, 1).iter().flatten() {
            for batch in bound.log.read(slice, &bound.plan.columns, 13).expect("it reads") {
                stream.feed(&batch.expect("it decodes")).expect("it feeds");
                reads.push((stream.frontier().clone(), stream.begin_read().expect("it reads")));
            }
        }
        assert_eq!(reads.len() as u64, N_EVENTS.div_ceil(13) + 1);
        for (frontier, read) in reads {
            let read = read.wait().expect("it is answered");
            let below = Interval::new(bound.log.start(), frontier.clone()).expect("an interval");
            let batch: Vec<Segment> =
                metricc::evaluate_interval(&bound, Engine::Batch, &below, &options(1, 50), &|_| ())
                    .expect("it evaluates")
                    .segments;
            for (batch, read) in batch.iter().zip(&read) {
                assert_eq!(batch.interval, read.interval);
                assert_eq!(batch.first_difference(read), None, "{workers} workers, read at {frontier}");
            }
        }
    }
}

#[test]
fn rows_that_do_not_continue_the_stream_are_rejected() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.csv");
    std::fs::write(&path, "at,k,v\n2026-01-01T00:00:00Z,a,1\n2026-01-01T00:00:00Z,a,2\n").expect("the log");
    let bound = bound(&package(TEXT), &path);
    let batches: Vec<_> = bound
        .log
        .slices(&Interval::new(Frontier(vec![0]), Frontier(vec![2])).expect("an interval"), 1)
        .iter()
        .flatten()
        .flat_map(|slice| bound.log.read(slice, &bound.plan.columns, 1).expect("it reads"))
        .map(|batch| batch.expect("it decodes"))
        .collect();
    let mut stream = Stream::start(&bound.plan, bound.log.start(), &options(2, 1)).expect("it starts");
    assert!(matches!(stream.feed(&batches[1]), Err(EvaluateError::Order { partition: 0, from: 1, .. })));
    stream.feed(&batches[0]).expect("the first comes first");
    assert!(matches!(stream.feed(&batches[0]), Err(EvaluateError::Order { .. })), "no position twice");
    stream.feed(&batches[1]).expect("then the second");
    assert_eq!(*stream.frontier(), bound.log.end());
}

/// An idle worker sleeps up to 100 ms. A read must wake it, also if it arrives just before the sleep.
#[test]
fn reads_of_an_idle_stream_are_answered_immediately() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.csv");
    std::fs::write(&path, "at,k,v\n2026-01-01T00:00:00Z,a,1\n").expect("the log");
    let bound = bound(&package(TEXT), &path);
    let mut stream =
        Stream::start(&bound.plan, bound.log.start(), &EngineOptions::default()).expect("it starts");
    stream.read().expect("it reads");
    let mut slow = 0;
    for _ in 0..200 {
        let start = Instant::now();
        stream.read().expect("it reads");
        slow += usize::from(start.elapsed() > Duration::from_millis(60));
    }
    assert!(slow < 5, "{slow} of 200 reads slept");
}
