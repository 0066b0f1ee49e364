//! Handing out jobs until all of them have a result, whatever fails meanwhile.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use metricc_log::ReadStats;

use crate::{Job, JobError, JobHash, JobResult, JobStore, Note, Submit, SubmitError, Watch, Work};

/// Attempts in a row of which no job comes back before a run fails.
const MAX_ATTEMPTS: u32 = 4;

/// How long nobody may begin a job before it is said, and said again.
const IDLE: Duration = Duration::from_secs(20);

/// How long to wait before another attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// A job with its hash.
pub(crate) struct Planned {
    pub(crate) hash: JobHash,
    pub(crate) job: Job,
}

impl From<Job> for Planned {
    fn from(job: Job) -> Self {
        Planned { hash: job.hash(), job }
    }
}

/// A submission.
struct Submitted {
    at: Instant,
    /// How often it was said that nobody has begun a job of it.
    n_said: AtomicU32,
}

impl Submitted {
    /// For how long nobody has begun a job of it, each time that it is to be said.
    fn idle(&self, store: &JobStore, run: &str) -> Result<Option<Duration>, JobError> {
        let (n_said, elapsed) = (self.n_said.load(Ordering::Relaxed), self.at.elapsed());
        // Once somebody is there, the scheduler notices who dies.
        if elapsed < IDLE * (n_said + 1) || store.has_begun(run)? {
            return Ok(None);
        }
        self.n_said.store(n_said + 1, Ordering::Relaxed);
        Ok(Some(elapsed))
    }
}

/// What is counted of the results of a run.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) read_stats: ReadStats,
    pub(crate) workers: BTreeSet<String>,
    pub(crate) cpu: Duration,
}

/// A run that goes on.
pub(crate) struct Running<'a> {
    store: &'a JobStore,
    id: String,
    submit: &'a dyn Submit,
    is_cancelled: &'a (dyn Fn() -> bool + Sync),
    note: &'a (dyn Fn(Note) + Sync),
    pub(crate) totals: Totals,
}

impl<'a> Running<'a> {
    pub(crate) fn new(
        store: &'a JobStore,
        id: String,
        submit: &'a dyn Submit,
        is_cancelled: &'a (dyn Fn() -> bool + Sync),
        note: &'a (dyn Fn(Note) + Sync),
    ) -> Self {
        Running { store, id, submit, is_cancelled, note, totals: Totals::default() }
    }

    /// The results of jobs, in their order, once each has one.
    pub(crate) fn results(
        &mut self,
        jobs: &[Planned],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<JobResult>, JobError> {
        self.complete(jobs, &|submitted: &Submitted| {
            if let Some(time) = submitted.idle(self.store, &self.id)? {
                (self.note)(Note::Idle(time));
            }
            if (self.is_cancelled)() {
                return Err(JobError::Cancelled);
            }
            self.store.take_failures(&self.id)?.into_iter().for_each(|why| (self.note)(Note::Failed(why)));
            let done = done(self.store, &self.id)?;
            let n_positions = jobs.iter().filter(|planned| done.contains(&planned.hash));
            progress(n_positions.map(|planned| planned.job.n_positions()).sum());
            Ok(())
        })?;
        let result = |planned: &Planned| {
            let result = self.store.result(&self.id, &planned.hash)?;
            result.ok_or_else(|| JobError::Protocol(format!("the result of job {} is gone", planned.hash)))
        };
        let results = jobs.iter().map(result).collect::<Result<Vec<_>, _>>()?;
        jobs.iter().zip(&results).try_for_each(|(planned, result)| self.totals.add(planned, result))?;
        Ok(results)
    }

    /// Submits the jobs without a result, until there are none.
    fn complete(
        &self,
        jobs: &[Planned],
        watch: &(dyn Fn(&Submitted) -> Result<(), JobError> + Sync),
    ) -> Result<(), JobError> {
        let (mut n_attempts, mut n_left, mut reason) = (0, usize::MAX, String::new());
        loop {
            let submitted = Submitted { at: Instant::now(), n_said: AtomicU32::new(0) };
            let watch: Watch<'_> = &|| watch(&submitted);
            watch()?;
            let done = done(self.store, &self.id)?;
            let left = jobs.iter().filter(|planned| !done.contains(&planned.hash));
            let left: Vec<&Job> = left.map(|planned| &planned.job).collect();
            if left.is_empty() {
                return Ok(());
            }
            n_attempts = if left.len() < n_left { 1 } else { n_attempts + 1 };
            if n_attempts > MAX_ATTEMPTS {
                return Err(JobError::Unfinished { n_left: left.len(), n_jobs: jobs.len(), reason });
            }
            if n_left != usize::MAX {
                std::thread::sleep(PAUSE * n_attempts);
            }
            n_left = left.len();
            self.store.forget_begun(&self.id)?;
            // An executor that fails at once is free again first. So what was tried in vain is handed out
            // more than once at a time, that others get it too. Only one result counts.
            match self.submit.submit(&self.id, &left.repeat(n_attempts as usize), watch) {
                Ok(()) => {}
                Err(SubmitError::End(error)) => return Err(error),
                Err(SubmitError::Cluster(why)) => {
                    (self.note)(Note::Lost { n_left, reason: why.clone() });
                    reason = why;
                }
            }
            for why in self.store.take_failures(&self.id)? {
                reason.clone_from(&why);
                (self.note)(Note::Failed(why));
            }
        }
    }
}

/// The jobs of a run that have a result.
fn done(store: &JobStore, run: &str) -> Result<HashSet<JobHash>, JobError> {
    Ok(store.done(run)?.into_iter().collect())
}

impl Totals {
    /// Adds a result, after a look at whether it can be one of the job.
    fn add(&mut self, planned: &Planned, result: &JobResult) -> Result<(), JobError> {
        let hashes = &planned.job.meaning.state_hashes;
        let wanted = match &planned.job.work {
            Work::Interval(_) => &hashes[..],
            Work::Merge(merge) => hashes.get(merge.metric..=merge.metric).unwrap_or_default(),
        };
        let found = result.segments.iter().map(|file| &file.state_hash);
        if result.n_positions != planned.job.n_positions() || !found.eq(wanted) {
            let problem = format!("the result of job {} is not of its work", planned.hash);
            return Err(JobError::Protocol(problem));
        }
        self.read_stats.merge(result.read_stats.clone());
        self.workers.insert(result.worker.clone());
        self.cpu += Duration::from_millis(result.cpu_milliseconds);
        Ok(())
    }
}
