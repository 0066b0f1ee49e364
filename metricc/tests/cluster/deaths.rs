//! F41: processes that die in the middle of a run.

use std::time::{Duration, Instant};

use super::Events;
use super::processes::{Cluster, scheduler};

/// Long enough for a process to die in the middle of it.
const EVENTS: usize = 300_000;

#[test]
fn f41_an_executor_that_is_killed_costs_time_alone() {
    let events = Events::new(EVENTS);
    let expected = events.expected();
    let mut cluster = Cluster::start(3);
    let run = cluster.spawn(&events, "cluster", 2000);
    cluster.wait_for_results(5);
    cluster.executors[1].kill();
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
    assert!(run.duration < Duration::from_secs(90), "{:?}", run.duration);
    // That jobs of the dead one ran twice is nothing to warn of.
    assert!(!run.stderr.contains("rows came back"), "{}", run.stderr);
}

#[test]
fn f41_executors_that_are_all_killed_may_come_back() {
    let events = Events::new(EVENTS);
    let expected = events.expected();
    let mut cluster = Cluster::start(2);
    let run = cluster.spawn(&events, "cluster", 2000);
    cluster.wait_for_results(5);
    cluster.executors.iter_mut().for_each(|executor| executor.kill());
    cluster.add_executor();
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
}

#[test]
fn f41_a_scheduler_that_is_killed_may_come_back() {
    let events = Events::new(EVENTS);
    let expected = events.expected();
    let mut cluster = Cluster::start(2);
    let run = cluster.spawn(&events, "cluster", 2000);
    cluster.wait_for_results(5);
    cluster.scheduler.kill();
    cluster.scheduler = scheduler(cluster.scheduler.port);
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
}

#[test]
fn f41_executors_wait_for_a_scheduler_that_is_away_for_long() {
    let events = Events::new(3000);
    let expected = events.expected();
    let mut cluster = Cluster::start(1);
    cluster.scheduler.kill();
    // Until after the executor has lost it.
    let lost = "the executor has lost scheduler";
    let start = Instant::now();
    while !cluster.executors[0].said().contains(lost) {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", cluster.executors[0].said());
        std::thread::sleep(Duration::from_millis(100));
    }
    cluster.scheduler = scheduler(cluster.scheduler.port);
    let run = cluster.run(&events, "cluster", 500);
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
}

#[test]
fn f41_a_run_that_is_killed_goes_on_where_it_was() {
    let events = Events::new(EVENTS);
    let expected = events.expected();
    let cluster = Cluster::start(2);
    let run = cluster.spawn(&events, "cluster", 2000);
    cluster.wait_for_results(10);
    run.signal("-KILL");
    assert!(!run.wait().status.success());
    let again = cluster.run(&events, "cluster", 2000);
    assert!(again.status.success(), "{}", again.stderr);
    assert_eq!(events.rows("cluster"), expected);
}

#[test]
fn f41_a_run_that_is_interrupted_leaves_no_jobs_behind() {
    let events = Events::new(EVENTS);
    let cluster = Cluster::start(2);
    let run = cluster.spawn(&events, "cluster", 2000);
    cluster.wait_for_results(5);
    run.signal("-INT");
    let ended = run.wait();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("giving up the jobs"), "{}", ended.stderr);
    assert!(!events.path().join("cluster").exists(), "half of a result was written");
    // What runs already may end; nothing begins.
    std::thread::sleep(Duration::from_secs(3));
    let n_results = cluster.results().len();
    assert!(n_results < 150, "all jobs were done before the run was given up");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(cluster.results().len(), n_results);
}
