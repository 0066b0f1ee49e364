//! Handing out jobs until all of them have a result, whatever fails meanwhile.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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
    /// Results that were there before.
    pub(crate) n_found: usize,
    /// Who did the other jobs.
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
    /// Whether somebody who has the store has begun a job, in any submission.
    was_begun: AtomicBool,
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
        let (was_begun, totals) = (AtomicBool::new(false), Totals::default());
        Running { store, id, submit, is_cancelled, note, was_begun, totals }
    }

    /// Forgets what has failed in earlier runs of the same jobs.
    pub(crate) fn forget_failures(&self) -> Result<(), JobError> {
        self.store.take_failures(&self.id).map(|_| ())
    }

    /// The results of jobs, in their order, once each has one.
    pub(crate) fn results(
        &mut self,
        jobs: &[Planned],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<JobResult>, JobError> {
        let found = done(self.store, &self.id)?;
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
        for (planned, result) in jobs.iter().zip(&results) {
            self.totals.add(planned, result, found.contains(&planned.hash))?;
        }
        Ok(results)
    }

    /// Submits the jobs without a result, until there are none.
    fn complete(
        &self,
        jobs: &[Planned],
        watch: &(dyn Fn(&Submitted) -> Result<(), JobError> + Sync),
    ) -> Result<(), JobError> {
        let (mut n_attempts, mut n_left, mut reason) = (0, usize::MAX, None);
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
                let (n_left, n_jobs) = (left.len(), jobs.len());
                let reason = reason.unwrap_or_else(|| self.nothing_said());
                return Err(JobError::Unfinished { n_left, n_jobs, reason });
            }
            if n_left != usize::MAX {
                std::thread::sleep(PAUSE * n_attempts);
            }
            n_left = left.len();
            self.store.forget_begun(&self.id)?;
            // An executor that fails at once is free again first. So what was tried in vain is handed out
            // more than once at a time, that others get it too. Only one result counts.
            let submitted = self.submit.submit(&self.id, &left.repeat(n_attempts as usize), watch);
            if self.store.has_begun(&self.id)? {
                self.was_begun.store(true, Ordering::Relaxed);
            }
            if let Some(why) = submitted.map_or_else(|error| self.why(error), |()| Ok(None))? {
                (self.note)(Note::Lost { n_left, reason: why.clone() });
                reason = Some(why);
            }
            for why in self.store.take_failures(&self.id)? {
                reason = Some(why.clone());
                (self.note)(Note::Failed(why));
            }
        }
    }

    /// Why jobs were not tried.
    ///
    /// # Errors
    /// If that is the end of the run.
    fn why(&self, error: SubmitError) -> Result<Option<String>, JobError> {
        match error {
            SubmitError::End(error) => Err(error),
            SubmitError::Cluster(why) => Ok(Some(why)),
            SubmitError::OtherStore { executor, store } => {
                let own = self.store.name().to_owned();
                let error = JobError::OtherStore { who: format!("executor {executor}"), theirs: store, own };
                // Nobody who has the store of the run is there.
                if !self.was_begun.load(Ordering::Relaxed) {
                    return Err(error);
                }
                let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
                Ok(Some(format!("{}{help}", error.line())))
            }
        }
    }

    /// The reason if nobody gives one.
    fn nothing_said(&self) -> String {
        let store = self.store.name();
        format!(
            "executors have tried them, and left neither a result nor a reason in the store {store}: see what they \
             say themselves, and whether they have this store"
        )
    }
}

/// The jobs of a run that have a result.
fn done(store: &JobStore, run: &str) -> Result<HashSet<JobHash>, JobError> {
    Ok(store.done(run)?.into_iter().collect())
}

impl Totals {
    /// Adds a result, after a look at whether it can be one of the job.
    fn add(&mut self, planned: &Planned, result: &JobResult, was_found: bool) -> Result<(), JobError> {
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
        if was_found {
            self.n_found += 1;
            return Ok(());
        }
        self.workers.insert(result.worker.clone());
        self.cpu += Duration::from_millis(result.cpu_milliseconds);
        Ok(())
    }
}
