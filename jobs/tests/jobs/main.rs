//! Jobs give what one process gives, however they are cut, handed out, repeated and lost; and a worker that
//! would give something else refuses.
#![allow(clippy::unwrap_used, reason = "test code")]

mod durable;
mod given;
mod merges;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use metricc_jobs::{Build, IntervalWork, Job, Parts, Submit, SubmitError, Watch, Work};

use given::{Given, Here, assert_equal, given, worker};

#[test]
fn jobs_give_what_one_process_gives_however_they_are_cut_lost_and_repeated() {
    for (seed, n_events, job_positions) in
        [(1, 120, 1), (2, 3000, 70), (3, 5000, 1100), (4, 5000, 2500), (5, 50, 1000), (6, 0, 10)]
    {
        let given = given(n_events);
        let worker = worker(given.store(), Build::of_this_process());
        let here = Here { worker, seed: Cell::new(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed)) };
        let done = given.run(job_positions, &here).unwrap();
        assert_equal(&done, &given.alone());
        assert_eq!(done.n_jobs as u64, given.log.n_positions().div_ceil(job_positions));
    }
}

struct Nobody;

impl Submit for Nobody {
    fn submit(&self, _: &str, _: &[&Job], _: Watch<'_>) -> Result<(), SubmitError> {
        Err(SubmitError::Cluster("nobody is here".to_owned()))
    }
}

#[test]
fn what_has_a_result_is_not_done_again() {
    let given = given(500);
    let here = Here { worker: worker(given.store(), Build::of_this_process()), seed: Cell::new(3) };
    given.run(100, &here).unwrap();
    assert_equal(&given.run(100, &Nobody).unwrap(), &given.alone());
    // Other jobs have none, and the run ends with the reason.
    let error = given.run(90, &Nobody).unwrap_err().to_string();
    assert_eq!(error, "6 of 6 jobs have no result: nobody is here");
}

fn refused(given: &Given, build: Build, change: impl Fn(&mut Job)) -> String {
    let worker = worker(given.store(), build);
    let mut job = given.jobs(1000).swap_remove(0);
    change(&mut job);
    worker.run("run", &job, &Arc::default()).unwrap_err().line()
}

#[test]
fn a_worker_that_would_count_differently_refuses() {
    let given = given(100);
    let own = Build::of_this_process();
    let older = Build { tzdata: "2019a".to_owned(), ..own.clone() };
    let error = refused(&given, older, |_| ());
    assert!(error.contains("time zones 2019a, and the job is of metricc"), "{error}");
    let error = refused(&given, Build { version: "9.9.9".to_owned(), ..own.clone() }, |_| ());
    assert!(error.starts_with("this executor is metricc 9.9.9 with"), "{error}");
    let error = refused(&given, own.clone(), |job| job.meaning.state_hashes[1] = "0".repeat(32));
    assert!(error.starts_with("metric `users` means "), "{error}");
    let error = refused(&given, own.clone(), |job| job.meaning.metrics[0] = "totals".to_owned());
    assert_eq!(error, "the package does not check: it has no metric `totals` over `s`");
    let error = refused(&given, own.clone(), |job| job.meaning.package = "0".repeat(64));
    assert!(error.contains("does not have the package of the run"), "{error}");
    let error = refused(&given, own, |job| match &mut job.work {
        Work::Interval(IntervalWork { parts: Parts::Files(parts), .. }) => parts[0].slice.partition = 7,
        _ => unreachable!("it reads files"),
    });
    assert!(error.contains("there is no partition 7"), "{error}");
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path().to_string_lossy().into_owned()),
        }
    }
    all
}

#[test]
fn a_job_that_is_given_up_leaves_nothing() {
    let given = given(2000);
    let job = given.jobs(10_000).swap_remove(0);
    let before = files(given.folder.path());
    let given_up = Arc::new(AtomicBool::new(true));
    let worker = worker(given.store(), Build::of_this_process());
    let error = worker.run("run", &job, &given_up).unwrap_err();
    assert!(error.to_string().contains("given up"), "{error}");
    assert_eq!(files(given.folder.path()), before);
}

#[test]
fn damage_in_the_store_is_an_error_that_names_the_file() {
    let given = given(500);
    let here = Here { worker: worker(given.store(), Build::of_this_process()), seed: Cell::new(3) };
    given.run(100, &here).unwrap();
    let all = files(&given.folder.path().join("store").join("segments"));
    let bytes = fs::read(&all[0]).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 4;
    fs::write(&all[0], damaged).unwrap();
    let error = given.run(100, &here).unwrap_err().to_string();
    let name = Path::new(&all[0]).file_name().unwrap().to_string_lossy().into_owned();
    assert!(error.contains(&name) && error.contains("does not have its checksum"), "{error}");
    fs::write(&all[0], bytes).unwrap();
    assert_equal(&given.run(100, &here).unwrap(), &given.alone());
}

#[test]
fn old_results_are_removed_and_new_ones_stay() {
    let given = given(300);
    let here = Here { worker: worker(given.store(), Build::of_this_process()), seed: Cell::new(3) };
    given.run(100, &here).unwrap();
    assert_eq!(given.store().remove_older(Duration::from_secs(3600)).unwrap(), 0);
    let store = given.folder.path().join("store");
    let n_files = files(&store).len();
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    for file in files(&store) {
        fs::File::options().write(true).open(file).unwrap().set_modified(hours_ago).unwrap();
    }
    assert_eq!(given.store().remove_older(Duration::from_secs(3600)).unwrap(), n_files);
    assert_equal(&given.run(100, &here).unwrap(), &given.alone());
}
