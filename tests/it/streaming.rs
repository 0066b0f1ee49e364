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

/// Partitions are fed one after the other, the last one first, in turn, and with one of them late.
#[test]
fn f19_answers_depend_on_partition_and_offset_whatever_comes_first() {
    const KEYED: &str = "\
source events { at: timestamp time  id: int key  k: string  v: int }
metric total = { n: count(), sum: sum(v), seen: distinct(v), last: last(v), first: first(v) } { from events  by k }
metric latest = arg_max(v, at) { from events  every 1h }
";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let row = |n: u64| {
        // Many events of one time, so that positions decide; and some that are there twice.
        format!("2026-01-01T{:02}:00:00Z,{},{},{}\n", n % 3, n % 150, ["a", "b"][n as usize % 2], n * n % 97)
    };
    for partition in 0..3 {
        let rows: String = (0..70).map(|n| row(partition * 60 + n)).collect();
        let path = folder.path().join(format!("{partition}.csv"));
        std::fs::write(path, format!("at,id,k,v\n{rows}")).expect("the log");
    }
    let bound = bound(&package(KEYED), folder.path());
    let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    assert_eq!(whole.to().0.len(), 3, "each file is a partition");
    let expected = metricc::evaluate_interval(&bound, Engine::Batch, &whole, &options(1, 50), &|_| ());
    let expected: Vec<Segment> = expected.expect("it evaluates").segments;
    let batches: Vec<Vec<_>> = whole
        .slices()
        .map(|slice| {
            let read = bound.log.read(&slice, &bound.plan.columns, 7).expect("it reads");
            read.map(|batch| batch.expect("it decodes")).collect()
        })
        .collect();
    let in_turn = (0..batches[0].len()).flat_map(|at| (0..3).map(move |partition| (partition, at)));
    let one_by_one = |order: [usize; 3]| {
        let lengths: Vec<usize> = batches.iter().map(Vec::len).collect();
        order.into_iter().flat_map(move |partition| (0..lengths[partition]).map(move |at| (partition, at)))
    };
    let orders: [Vec<(usize, usize)>; 4] = [
        one_by_one([0, 1, 2]).collect(),
        one_by_one([2, 1, 0]).collect(),
        in_turn.clone().collect(),
        in_turn
            .clone()
            .filter(|(partition, _)| *partition != 1)
            .chain(one_by_one([1, 0, 2]).filter(|(partition, _)| *partition == 1))
            .collect(),
    ];
    for (number, order) in orders.into_iter().enumerate() {
        for workers in 1..=2 {
            let mut stream =
                Stream::start(&bound.plan, bound.log.start(), &options(workers, 7)).expect("it starts");
            for &(partition, at) in &order {
                stream.feed(&batches[partition][at]).expect("it feeds");
            }
            let read = stream.read().expect("it is answered");
            for (batch, read) in expected.iter().zip(&read) {
                assert_eq!(batch.first_difference(read), None, "order {number}, {workers} workers");
            }
        }
    }
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
