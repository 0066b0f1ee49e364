//! Doing a job: plan, compare, evaluate, write.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metricc_compiler::{EngineOptions, Evaluation, SourcePlan};
use metricc_ir::user_defined::Imports;
use metricc_log::{Checksums, ReadStats, thread_time};
use metricc_runtime_batch::evaluate_unless;

use crate::{Build, IntervalWork, Job, JobError, JobResult, JobStore, Meaning, MergeWork, SegmentFile, Work};

/// Plans that a worker remembers. A run has one for each of its sources.
const MAX_PLANS: usize = 16;

/// What identifies a plan: the hash of the package, the source and the metrics.
type PlanKey = (String, String, Vec<String>);

/// What came of a job.
struct Made {
    segments: Vec<SegmentFile>,
    read_stats: ReadStats,
    cpu: Duration,
}

/// Does jobs, in this process.
#[derive(Debug)]
pub struct Worker {
    name: String,
    build: Build,
    store: JobStore,
    imports: Imports,
    checksums: Checksums,
    plans: Mutex<HashMap<PlanKey, Arc<SourcePlan>>>,
}

impl Worker {
    /// A worker with the user-defined functions of its program. `name` is for messages.
    pub fn new(name: &str, build: Build, store: JobStore, imports: Imports) -> Self {
        let (checksums, plans) = (Checksums::default(), Mutex::default());
        Worker { name: name.to_owned(), build, store, imports, checksums, plans }
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does a job of a run, unless it has a result already; the result that it has then. Gives up once
    /// `is_cancelled` is set.
    ///
    /// # Errors
    /// [`JobError`]; nothing of the job is visible then.
    pub fn run(&self, run: &str, job: &Job, is_cancelled: &Arc<AtomicBool>) -> Result<JobResult, JobError> {
        self.check_build(&job.meaning)?;
        let hash = job.hash();
        if let Some(done) = self.store.result(run, &hash)? {
            return Ok(done);
        }
        let plan = self.plan(&job.meaning)?;
        let made = match &job.work {
            Work::Interval(interval) => self.evaluated(&plan, interval, is_cancelled)?,
            Work::Merge(merge) => self.merged(&plan, merge, is_cancelled)?,
        };
        let result = JobResult {
            job: hash,
            worker: self.name.clone(),
            segments: made.segments,
            n_positions: job.n_positions(),
            read_stats: made.read_stats,
            cpu_milliseconds: u64::try_from(made.cpu.as_millis()).unwrap_or(u64::MAX),
        };
        self.commit(run, &result)
    }

    /// Refuses the jobs of other builds.
    pub(crate) fn check_build(&self, meaning: &Meaning) -> Result<(), JobError> {
        if meaning.build == self.build {
            return Ok(());
        }
        let (own, wanted) = (Box::new(self.build.clone()), Box::new(meaning.build.clone()));
        Err(JobError::Build { own, wanted })
    }

    /// The checksums of files that this worker has read.
    pub(crate) fn checksums(&self) -> &Checksums {
        &self.checksums
    }

    /// Writes the segments of an evaluation.
    pub(crate) fn written(
        &self,
        plan: &SourcePlan,
        evaluation: &Evaluation,
    ) -> Result<Vec<SegmentFile>, JobError> {
        let written = plan.metrics.iter().zip(&evaluation.segments);
        written.map(|(metric, segment)| self.store.write_states(&segment.states, metric)).collect()
    }

    /// Writes a result, unless there is one: then both have to be equal.
    pub(crate) fn commit(&self, run: &str, result: &JobResult) -> Result<JobResult, JobError> {
        let kept = self.store.commit(run, result)?;
        if kept.segments == result.segments {
            return Ok(kept);
        }
        let (first, second) = (names(&kept.segments), names(&result.segments));
        Err(JobError::Unequal { job: result.job.clone(), first, second })
    }

    fn evaluated(
        &self,
        plan: &SourcePlan,
        work: &IntervalWork,
        is_cancelled: &Arc<AtomicBool>,
    ) -> Result<Made, JobError> {
        let log = work.parts.open(&plan.source, work.n_partitions, &self.checksums)?;
        let options = EngineOptions {
            workers: work.options.workers,
            memory_bytes: work.options.memory_bytes,
            ..EngineOptions::default()
        };
        let interval = work.interval()?;
        let (evaluation, cpu) = evaluate_unless(is_cancelled, plan, &log, &interval, &options, &|_| ())?;
        Ok(Made { segments: self.written(plan, &evaluation)?, read_stats: evaluation.read_stats, cpu })
    }

    fn merged(
        &self,
        plan: &SourcePlan,
        work: &MergeWork,
        is_cancelled: &Arc<AtomicBool>,
    ) -> Result<Made, JobError> {
        let before = thread_time();
        let Some(metric) = plan.metrics.get(work.metric) else {
            return Err(JobError::Form(format!("there is no metric {}", work.metric)));
        };
        let is_given_up = || is_cancelled.load(Ordering::Relaxed);
        let merged = self.store.merged(&work.inputs, &work.range, metric, &is_given_up)?;
        let segments = vec![self.store.write_states(&merged, metric)?];
        let cpu = thread_time().saturating_sub(before);
        Ok(Made { segments, read_stats: ReadStats::default(), cpu })
    }

    /// Notes in the store that a job was begun, for the driver: somebody is there.
    ///
    /// # Errors
    /// [`JobError::Store`].
    pub fn note_begin(&self, run: &str, job: &Job) -> Result<(), JobError> {
        self.store.note_begin(run, &job.hash())
    }

    /// Notes in the store why a job was not done, for the driver.
    ///
    /// # Errors
    /// [`JobError::Store`].
    pub fn note_failure(&self, run: &str, job: &Job, error: &JobError) -> Result<(), JobError> {
        let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
        let why = format!("executor {}: {}{help}", self.name, error.line());
        self.store.note_failure(run, &job.hash(), &self.name, &why)
    }

    pub(crate) fn plan(&self, meaning: &Meaning) -> Result<Arc<SourcePlan>, JobError> {
        let key = (meaning.package.clone(), meaning.source.clone(), meaning.metrics.clone());
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let plan = match known {
            Some(plan) => plan,
            None => {
                let package = self.store.package(&meaning.package)?;
                let plan = Arc::new(package.plan(&meaning.source, &meaning.metrics, &self.imports)?);
                let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
                if plans.len() >= MAX_PLANS {
                    plans.clear();
                }
                plans.insert(key, plan.clone());
                plan
            }
        };
        meaning.check(&plan)?;
        Ok(plan)
    }
}

fn names(segments: &[SegmentFile]) -> String {
    segments.iter().map(|segment| segment.path.as_str()).collect::<Vec<_>>().join(", ")
}
