//! A log with a package, and workers of this process that sometimes fail.

use std::cell::Cell;
use std::fmt::Write;
use std::fs;
use std::sync::Arc;

use metricc_compiler::{EngineOptions, Evaluation, SourcePlan};
use metricc_dsl::{SourceText, check};
use metricc_ir::Interval;
use metricc_ir::user_defined::Imports;
use metricc_jobs::{
    Build, Done, Job, JobError, JobLog, JobOptions, JobStore, Note, PackageText, Run, RunOptions, Submit,
    SubmitError, Watch, Worker,
};
use metricc_log::{Binding, Log};
use metricc_runtime_batch::evaluate;

pub(crate) const PACKAGE: &str = "
source s { id: int key  at: timestamp time  k: string  v: float  w: decimal(9, 2)? }
metric total = sum(v) { from s by k every 1h }
metric users = distinct(id) { from s every 24h }
metric last_v = last(v) { from s by k }
metric of_id = sum(v) { from s by id every 1h }
metric high = quantile(v, 0.9, within: 1%) { from s by k }
";

/// A log of two files, with duplicates, and records that do not decode.
pub(crate) struct Given {
    pub(crate) folder: tempfile::TempDir,
    package: PackageText,
    pub(crate) plan: SourcePlan,
    pub(crate) log: Log,
}

pub(crate) fn given(n_events: usize) -> Given {
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
    let (package, plan) = package(PACKAGE);
    let log = Log::open(&plan.source, &Binding::new(log.to_string_lossy())).unwrap();
    Given { folder, package, plan, log }
}

/// A package and the plan of its metrics.
pub(crate) fn package(text: &str) -> (PackageText, SourcePlan) {
    let text = SourceText { name: "s.metric".to_owned(), bytes: text.into() };
    let checked = check(&text);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let package = PackageText::of_checked(&text, &checked).unwrap();
    (package, SourcePlan::new(&checked.package.metrics, &Imports::default()).unwrap())
}

impl Given {
    pub(crate) fn whole(&self) -> Interval {
        Interval::new(self.log.start(), self.log.end()).unwrap()
    }

    pub(crate) fn alone(&self) -> Evaluation {
        evaluate(&self.plan, &self.log, &self.whole(), &EngineOptions::default(), &|_| ()).unwrap()
    }

    pub(crate) fn store(&self) -> JobStore {
        JobStore::in_folder(&self.folder.path().join("store")).unwrap()
    }

    pub(crate) fn run(&self, job_positions: u64, submit: &dyn Submit) -> Result<Done, JobError> {
        self.run_merging(job_positions, 1 << 26, submit)
    }

    /// A run whose results are read as well.
    pub(crate) fn run_merging(
        &self,
        job_positions: u64,
        merge_bytes: u64,
        submit: &dyn Submit,
    ) -> Result<Done, JobError> {
        let job = JobOptions { workers: 1, memory_bytes: 1 << 28 };
        let options = RunOptions { job_positions, merge_bytes, job };
        let (store, interval) = (self.store(), self.whole());
        let run = Run {
            store: &store,
            package: &self.package,
            plan: &self.plan,
            log: &JobLog::of_files(&self.log),
            interval: &interval,
            options: &options,
        };
        let done = run.evaluate(submit, &|| false, &|_| (), &|_: Note| ())?;
        done.evaluation()?;
        Ok(done)
    }

    /// The jobs of a run, as whoever hands them out gets them.
    pub(crate) fn jobs(&self, job_positions: u64) -> Vec<Job> {
        struct Noted(Cell<Vec<Job>>);
        impl Submit for Noted {
            fn submit(&self, _: &str, jobs: &[&Job], _: Watch<'_>) -> Result<(), SubmitError> {
                self.0.set(jobs.iter().map(|job| (*job).clone()).collect());
                Err(JobError::Cancelled.into())
            }
        }
        let noted = Noted(Cell::default());
        assert!(matches!(self.run(job_positions, &noted), Err(JobError::Cancelled)));
        noted.0.take()
    }
}

pub(crate) fn worker(store: JobStore, build: Build) -> Worker {
    Worker::new("here", build, store, Imports::default())
}

/// Workers of this process. Some attempts do a part of the jobs alone, or fail after it.
pub(crate) struct Here {
    pub(crate) worker: Worker,
    pub(crate) seed: Cell<u64>,
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
    fn submit(&self, run: &str, jobs: &[&Job], watch: Watch<'_>) -> Result<(), SubmitError> {
        let is_sound = self.next().is_multiple_of(3);
        for job in jobs {
            if !is_sound && self.next().is_multiple_of(3) {
                continue;
            }
            // A job travels as text, and some are done twice.
            let job: Job = serde_json::from_str(&serde_json::to_string(job).unwrap()).unwrap();
            for _ in 0..=self.next() % 2 {
                self.worker.run(run, &job, &Arc::default())?;
            }
            watch()?;
        }
        if is_sound { Ok(()) } else { Err(SubmitError::Cluster("lost".to_owned())) }
    }
}

pub(crate) fn assert_equal(done: &Done, alone: &Evaluation) {
    let evaluation = done.evaluation().unwrap();
    assert_eq!(evaluation.read_stats, alone.read_stats);
    for (found, expected) in evaluation.segments.iter().zip(&alone.segments) {
        assert_eq!(found.interval, expected.interval);
        assert_eq!(found.first_difference(expected), None);
    }
}
