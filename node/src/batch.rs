//! The batch layer of a source: now and then it evaluates what has come since the last time, and commits it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_compiler::{Segment, SegmentError};
use metricc_log::durable::{Disk, DurableError, DurableLog};
use metricc_log::{Interval, LogError};
use metricc_runtime_batch::{BatchError, BatchOptions, evaluate};
use metricc_runtime_serve::IndexedSegment;
use metricc_views::{StoredSegment, View, ViewError, ViewStore};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::audit::{self, AuditError, AuditLine, Audited};
use crate::source::{FullAnswer, LoadedView, NodeSource};
use crate::{tables, views};

/// Rows up to which a view is always one segment: so small a file is written anew each time. Tests want several.
const SMALL_ROWS: u64 = if cfg!(test) { 4 } else { 1_000_000 };

/// Most segments of a view.
const MAX_SEGMENTS: usize = 8;

/// How long to wait after something went wrong.
const PAUSE: Duration = Duration::from_secs(5);

/// When batch runs, and how.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) every: Duration,
    pub(crate) n_events: u64,
    /// Positions in the journal from which on they are sealed.
    pub(crate) seal_events: u64,
    pub(crate) options: BatchOptions,
    /// Whether tables are written for other programs.
    pub(crate) has_tables: bool,
}

/// Why a batch came to nothing. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Log(#[from] DurableError),
    #[error(transparent)]
    Interval(#[from] LogError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Merge(#[from] SegmentError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// When batch last ran, and from when on it may seal.
struct Turns {
    last: Instant,
    sealing_from: Instant,
}

/// The batch layer of a source.
pub(crate) struct Batch {
    pub(crate) source: Arc<NodeSource>,
    pub(crate) store: ViewStore,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) runtime: Handle,
    pub(crate) schedule: Schedule,
    /// The last committed version, if there is one, and what it says.
    pub(crate) committed: Option<View>,
    pub(crate) loaded: Arc<LoadedView>,
}

impl Batch {
    /// Runs until the node goes down.
    pub(crate) fn run(mut self) {
        let (mut seen, mut turns) = (0, Turns { last: Instant::now(), sealing_from: Instant::now() });
        while !self.source.is_over() {
            // What is committed and loaded is only ever replaced as a whole; whatever else a panic left goes.
            if catch_unwind(AssertUnwindSafe(|| self.turn(&mut turns))).is_err() {
                self.source.counters.batch_failed(self.source.name());
                tracing::error!(source = self.source.name(), "batch panicked; the view stays as it is");
                self.pause();
            }
            let left = self
                .schedule
                .every
                .saturating_sub(turns.last.elapsed())
                .clamp(Duration::from_millis(50), PAUSE);
            seen = self.source.changed.wait(seen, left);
            // Events come by the thousand a second; looking at each write would be for nothing.
            std::thread::sleep(Duration::from_millis(20));
        }
        // Who still waits is told by that.
        self.source.take_full();
    }

    /// Does what is due.
    fn turn(&mut self, turns: &mut Turns) {
        let n_new = self.source.end().n_positions().saturating_sub(self.loaded.frontier.n_positions());
        let asked = self.source.take_full();
        if !asked.is_empty() {
            self.full(asked);
        }
        let is_due =
            n_new >= self.schedule.n_events || n_new > 0 && turns.last.elapsed() >= self.schedule.every;
        if is_due {
            turns.last = Instant::now();
            match self.step() {
                Ok(()) => self.source.counters.batch_done(self.source.name(), turns.last.elapsed(), n_new),
                Err(error) => {
                    self.source.counters.batch_failed(self.source.name());
                    tracing::error!(source = self.source.name(), %error, "batch failed; the view stays as it is");
                    self.pause();
                }
            }
        }
        // What cannot be sealed keeps nothing from being folded.
        if Instant::now() >= turns.sealing_from {
            turns.sealing_from = Instant::now() + PAUSE;
            match self.seal() {
                Ok(()) => turns.sealing_from = Instant::now(),
                Err(error) => {
                    tracing::error!(source = self.source.name(), %error, "sealing failed, and is tried again");
                }
            }
        }
    }

    fn pause(&self) {
        let until = Instant::now() + PAUSE;
        while !self.source.is_over() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes the view anew for those who asked, and tells them how it compares to the one that was there.
    fn full(&mut self, asked: Vec<oneshot::Sender<FullAnswer>>) {
        let started = Instant::now();
        let compared = self.compared();
        let answer = match compared.and_then(|(segments, lines)| Ok((self.commit_anew(segments)?, lines))) {
            Ok(((), lines)) => {
                audit::record(&self.source, &lines, started);
                Ok(lines)
            }
            Err(error) => {
                self.source.counters.batch_failed(self.source.name());
                tracing::error!(source = self.source.name(), %error, "the view was not made anew; it stays as it is");
                Err(error.to_string())
            }
        };
        for who in asked {
            // Whoever asked may have gone.
            let _ = who.send(answer.clone());
        }
    }

    /// The view as it comes out of the log, and how that compares to the one that is there.
    fn compared(&self) -> Result<(Vec<Segment>, Vec<AuditLine>), StepError> {
        let recomputed = audit::recomputed(&self.source, &self.loaded.frontier, &self.schedule.options)?;
        let pairs = self.loaded.segments.iter().zip(&recomputed);
        let lines = self.source.plan.metrics.iter().zip(pairs).map(|(metric, (kept, recomputed))| {
            audit::compare(Audited::View, metric, kept.segment(), recomputed)
        });
        let lines = lines.collect::<Result<_, _>>()?;
        Ok((recomputed, lines))
    }

    /// Goes on from a view that nothing is kept of in the store yet.
    fn commit_anew(&mut self, segments: Vec<Segment>) -> Result<(), StepError> {
        let segments = segments.into_iter().map(IndexedSegment::from).collect();
        let anew = Arc::new(LoadedView { frontier: self.loaded.frontier.clone(), segments });
        let (committed, loaded) = (self.committed.take(), std::mem::replace(&mut self.loaded, anew));
        self.step().inspect_err(|_| (self.committed, self.loaded) = (committed, loaded))
    }

    /// Evaluates what has come since the last version, commits the next one, and hands it to the speed layer.
    pub(crate) fn step(&mut self) -> Result<(), StepError> {
        let (log, stamp) = {
            let durable = self.source.durable();
            let log = durable.log(self.source.name(), &self.loaded.frontier)?;
            (log, views::stamp(&durable, self.source.name()))
        };
        let Some(stamp) = stamp else { return Ok(()) };
        let interval = Interval::new(self.loaded.frontier.clone(), log.end()).map_err(LogError::from)?;
        let plan = self.source.plan.clone();
        let fresh = evaluate(&plan, &log, &interval, &self.schedule.options, &|_| ())?.segments;
        let merged = self.merged(&fresh)?;
        let version = self.runtime.block_on(self.store.next_version())?;
        let mut segments: BTreeMap<String, Vec<StoredSegment>> = BTreeMap::new();
        for (place, metric) in plan.metrics.iter().enumerate() {
            let hash = metric.state_hash.to_string();
            if segments.contains_key(&hash) {
                continue;
            }
            let stored = self.committed.as_ref().and_then(|view| view.segments.get(&hash));
            let stored = stored.map_or(&[][..], Vec::as_slice);
            let (segment, mut kept) = match keeps(stored, &fresh[place], &merged[place]) {
                true => (&fresh[place], stored.to_vec()),
                false => (&merged[place], Vec::new()),
            };
            kept.push(self.runtime.block_on(self.store.write(metric, segment))?);
            segments.insert(hash, kept);
        }
        let view = View { version, log: stamp, frontier: log.end(), segments };
        self.runtime.block_on(self.store.commit(&view))?;
        let segments = merged.into_iter().map(IndexedSegment::from).collect();
        let loaded = Arc::new(LoadedView { frontier: view.frontier.clone(), segments });
        self.source.offer(loaded.clone());
        if self.schedule.has_tables {
            tables::write(&self.runtime, &self.store, &self.source, &view, &loaded);
        }
        (self.committed, self.loaded) = (Some(view), loaded);
        if let Err(error) = self.runtime.block_on(self.store.prune()) {
            tracing::warn!(source = self.source.name(), %error, "old views could not be removed");
        }
        Ok(())
    }

    fn merged(&self, fresh: &[Segment]) -> Result<Vec<Segment>, SegmentError> {
        if self.loaded.segments.is_empty() {
            return Ok(fresh.to_vec());
        }
        let metrics = self.source.plan.metrics.iter();
        let pairs = self.loaded.segments.iter().zip(fresh);
        metrics.zip(pairs).map(|(metric, (known, fresh))| known.segment().merge(fresh, metric)).collect()
    }

    /// Moves rows from the journal to Parquet when there are many.
    pub(crate) fn seal(&self) -> Result<(), DurableError> {
        let name = self.source.name();
        let (log, from, to) = {
            let durable = self.source.durable();
            let (from, to) = (durable.sealed_to(name), durable.end(name));
            if to.n_positions() - from.n_positions() < self.schedule.seal_events {
                return Ok(());
            }
            (durable.log(name, &from)?, from, to)
        };
        for slice in Interval::new(from, to).map_err(LogError::from)?.slices() {
            let seal = DurableLog::seal(&self.disk, &log, &slice)?;
            self.source.durable().adopt(&seal)?;
        }
        Ok(())
    }
}

/// Whether a fresh segment goes beside those that are stored, and not with them into one: then little is written for
/// large views, and segments stay few.
fn keeps(stored: &[StoredSegment], fresh: &Segment, merged: &Segment) -> bool {
    let (n_fresh, n_merged) = (fresh.states.num_rows() as u64, merged.states.num_rows() as u64);
    !stored.is_empty() && stored.len() < MAX_SEGMENTS && n_merged > SMALL_ROWS && n_fresh < n_merged / 4
}
