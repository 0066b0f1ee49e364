//! Jobs give what one process gives, however they are cut, handed out, repeated and lost; and a worker that
//! would give something else refuses.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::cell::Cell;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use metricc_compiler::{EngineOptions, Evaluation, SourcePlan};
use metricc_dsl::{SourceText, check};
use metricc_ir::Interval;
use metricc_ir::user_defined::Imports;
use metricc_jobs::{
    Build, Done, IntervalJob, JobError, JobOptions, JobStore, Note, PackageText, Run, RunOptions, Submit,
    SubmitError, Watch, Worker,
};
use metricc_log::{Binding, Log};
use metricc_runtime_batch::evaluate;

const PACKAGE: &str = "
source s { id: int key  at: timestamp time  k: string  v: float  w: decimal(9, 2)? }
metric total = sum(v) { from s by k every 1h }
metric users = distinct(id) { from s every 24h }
metric last_v = last(v) { from s by k }
metric high = quantile(v, 0.9, within: 1%) { from s by k }
";

/// A log of two files, with duplicates, and records that do not decode.
struct Given {
    folder: tempfile::TempDir,
    package: PackageText,
    plan: SourcePlan,
    log: Log,
}

fn given(n_events: usize) -> Given {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::create_dir(&log).unwrap();
    let mut texts = [String::new(), "id,at,k,v,w\n".to_owned()];
    for n in 0..n_events {
        let (id, k) = (if n % 13 == 12 { n - 7 } else { n }, ["a", "b", "c"][n * 5 % 3]);
        let at = format!("2026-04-{:02}T{:02}:00:00Z", 1 + n % 9, n * 7 % 24);
        let v = if n % 31 == 30 { "?".to_owned() } else { format!("{}.1", n * n % 997) };
        match n % 2 {
            0 => writeln!(texts[0], "{{\"id\":{id},\"at\":\"{at}\",\"k\":\"{k}\",\"v\":{v}}}").unwrap(),
            _ => writeln!(texts[1], "{id},{at},{k},{v},{n}.25").unwrap(),
        }
    }
    fs::write(log.join("a.ndjson"), &texts[0]).unwrap();
    fs::write(log.join("b.csv"), &texts[1]).unwrap();
    let text = SourceText { name: "s.metric".to_owned(), bytes: PACKAGE.into() };
    let checked = check(&text);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let package = PackageText::of_checked(&text, &checked).unwrap();
    let plan = SourcePlan::new(&checked.package.metrics, &Imports::default()).unwrap();
    let log = Log::open(&plan.source, &Binding::new(log.to_string_lossy())).unwrap();
    Given { folder, package, plan, log }
}

impl Given {
    fn whole(&self) -> Interval {
        Interval::new(self.log.start(), self.log.end()).unwrap()
    }

    fn alone(&self) -> Evaluation {
        evaluate(&self.plan, &self.log, &self.whole(), &EngineOptions::default(), &|_| ()).unwrap()
    }

    fn store(&self) -> JobStore {
        JobStore::in_folder(&self.folder.path().join("store")).unwrap()
    }

    fn run(&self, job_positions: u64, submit: &dyn Submit) -> Result<Done, JobError> {
        let options = RunOptions { job_positions, job: JobOptions { workers: 1, memory_bytes: 1 << 28 } };
        let (store, interval) = (self.store(), self.whole());
        let run = Run {
            store: &store,
            package: &self.package,
            plan: &self.plan,
            log: &self.log,
            interval: &interval,
            options: &options,
        };
        run.evaluate(submit, &Arc::default(), &|_| (), &|_: Note| ())
    }

    /// The jobs of a run, as whoever hands them out gets them.
    fn jobs(&self, job_positions: u64) -> Vec<IntervalJob> {
        struct Noted(Cell<Vec<IntervalJob>>);
        impl Submit for Noted {
            fn submit(&self, _: &str, jobs: &[&IntervalJob], _: Watch<'_>) -> Result<(), SubmitError> {
                self.0.set(jobs.iter().map(|job| (*job).clone()).collect());
                Err(JobError::Cancelled.into())
            }
        }
        let noted = Noted(Cell::default());
        assert!(matches!(self.run(job_positions, &noted), Err(JobError::Cancelled)));
        noted.0.take()
    }
}

fn worker(store: JobStore, build: Build) -> Worker {
    Worker::new("here", build, store, Imports::default())
}

/// Workers of this process. Some attempts do a part of the jobs alone, or fail after it.
struct Here {
    worker: Worker,
    seed: Cell<u64>,
}

impl Here {
    fn next(&self) -> u64 {
        let mut seed = self.seed.get();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        self.seed.set(seed);
        seed
    }
}

impl Submit for Here {
    fn submit(&self, run: &str, jobs: &[&IntervalJob], watch: Watch<'_>) -> Result<(), SubmitError> {
        let is_sound = self.next().is_multiple_of(3);
        for job in jobs {
            if !is_sound && self.next().is_multiple_of(3) {
                continue;
            }
            // A job travels as text, and some are done twice.
            let job: IntervalJob = serde_json::from_str(&serde_json::to_string(job).unwrap()).unwrap();
            for _ in 0..=self.next() % 2 {
                self.worker.run(run, &job, &Arc::default())?;
            }
            watch()?;
        }
        if is_sound { Ok(()) } else { Err(SubmitError::Cluster("lost".to_owned())) }
    }
}

fn assert_equal(done: &Done, alone: &Evaluation) {
    assert_eq!(done.evaluation.read_stats, alone.read_stats);
    for (found, expected) in done.evaluation.segments.iter().zip(&alone.segments) {
        assert_eq!(found.interval, expected.interval);
        assert_eq!(found.first_difference(expected), None);
    }
}

#[test]
fn jobs_give_what_one_process_gives_however_they_are_cut_lost_and_repeated() {
    for (seed, n_events, job_positions) in
        [(1, 400, 1), (2, 3000, 70), (3, 5000, 1100), (4, 5000, 2500), (5, 50, 1000), (6, 0, 10)]
    {
        let given = given(n_events);
        let worker = worker(given.store(), Build::of_this_process());
        let here = Here { worker, seed: Cell::new(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed)) };
        let done = given.run(job_positions, &here).unwrap();
        assert_equal(&done, &given.alone());
        assert_eq!(done.n_jobs as u64, given.log.n_positions().div_ceil(job_positions));
    }
}

#[test]
fn what_has_a_result_is_not_done_again() {
    struct Nobody;
    impl Submit for Nobody {
        fn submit(&self, _: &str, _: &[&IntervalJob], _: Watch<'_>) -> Result<(), SubmitError> {
            Err(SubmitError::Cluster("nobody is here".to_owned()))
        }
    }
    let given = given(500);
    let here = Here { worker: worker(given.store(), Build::of_this_process()), seed: Cell::new(3) };
    given.run(100, &here).unwrap();
    assert_equal(&given.run(100, &Nobody).unwrap(), &given.alone());
    // Other jobs have none, and the run ends with the reason.
    let error = given.run(90, &Nobody).unwrap_err().to_string();
    assert_eq!(error, "6 of 6 jobs have no result: nobody is here");
}

fn refused(given: &Given, build: Build, change: impl Fn(&mut IntervalJob)) -> String {
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
    let error = refused(&given, own.clone(), |job| job.state_hashes[1] = "0".repeat(32));
    assert!(error.starts_with("metric `users` means "), "{error}");
    let error = refused(&given, own.clone(), |job| job.metrics[0] = "totals".to_owned());
    assert_eq!(error, "the package does not check: it has no metric `totals` over `s`");
    let error = refused(&given, own.clone(), |job| job.package = "0".repeat(64));
    assert!(error.contains("which the driver wrote"), "{error}");
    let error = refused(&given, own, |job| job.parts[0].slice.partition = 7);
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
