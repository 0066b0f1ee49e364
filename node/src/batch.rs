//! The batch layer of a source: from time to time it evaluates the new events, and commits a version of the
//! view.

mod journal_work;
mod tables_of_view;
mod wanted_states;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use metricc_compiler::{CompileError, EngineOptions, EvaluateError, Segment, SegmentError};
use metricc_durable_log::{Disk, DurableError, LogSnapshot};
use metricc_log::{Frontier, Interval, Log, LogError};
use metricc_runtime_batch::evaluate;
use metricc_runtime_serve::IndexedSegment;
use metricc_views::{StoredSegment, View, ViewError, ViewStore};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::archiver::Archiver;
use crate::audit::{self, AuditError};
use crate::audit_line::{AuditLine, Audited};
use crate::backfill::BackfillError;
use crate::batch_cluster::{BatchCluster, Flushed, flushed_end};
use crate::changed::PacedWait;
use crate::config::WithoutCluster;
use crate::derived_tables::DerivedTables;
use crate::loaded_view::{self, LoadedView};
use crate::source::{FullAnswer, NodeSource};
use crate::states_of_log::{StatesError, start_of, states_of_log};
use crate::writer::{Ingest, IngestError};

/// Rows up to which a view is always one segment: so small a file is rewritten each time.
pub(crate) const SMALL_ROWS: u64 = 1_000_000;

/// Most segments of a view.
const MAX_SEGMENTS: usize = 8;

/// How long to wait after something went wrong.
const PAUSE: Duration = Duration::from_secs(5);

/// When batch runs, and how.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) every: Duration,
    pub(crate) n_events: u64,
    /// Positions in the journal from which on they are flushed to Parquet.
    pub(crate) flush_events: u64,
    /// See [`SMALL_ROWS`].
    pub(crate) small_rows: u64,
    pub(crate) options: EngineOptions,
    /// Threads that compute new states from the start of the log.
    pub(crate) backfill_workers: usize,
    /// Who evaluates, if it is not this process.
    pub(crate) cluster: Option<ByCluster>,
    /// Whether tables are written for other programs.
    pub(crate) has_tables: bool,
    /// Versions of the view that are kept besides the last one.
    pub(crate) n_kept_versions: u64,
}

/// A cluster that evaluates, and what to do without it.
#[derive(Debug, Clone)]
pub(crate) struct ByCluster {
    pub(crate) cluster: BatchCluster,
    pub(crate) without: WithoutCluster,
}

/// Why a step of batch failed. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Log(#[from] DurableError),
    #[error(transparent)]
    Commit(#[from] IngestError),
    #[error(transparent)]
    Interval(#[from] LogError),
    #[error(transparent)]
    Batch(#[from] EvaluateError),
    #[error("the cluster {name} does not evaluate: {problem}")]
    Cluster { name: String, problem: String },
    #[error(transparent)]
    States(#[from] StatesError),
    #[error(transparent)]
    Backfill(#[from] BackfillError),
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    #[error(transparent)]
    Plan(#[from] CompileError),
    #[error(transparent)]
    Merge(#[from] SegmentError),
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// When batch last ran, and when it may flush next.
struct Timing {
    last: Instant,
    /// See [`Batch::is_overdue`].
    is_overdue: bool,
    next_flush: Instant,
    next_declaration: Instant,
    next_archive: Instant,
    /// When states may be computed from the start of the log again, after that has failed.
    next_backfill: Instant,
}

/// The batch layer of a source.
pub(crate) struct Batch {
    pub(crate) source: Arc<NodeSource>,
    pub(crate) store: ViewStore,
    pub(crate) disk: Arc<dyn Disk>,
    /// Whether it is this source that writes the requests of all to files.
    pub(crate) keeps_requests: bool,
    pub(crate) runtime: Handle,
    pub(crate) schedule: Schedule,
    /// Whether there is a view of events that the log has lost. Another one takes its place at once, even of
    /// no events, so that the next start does not find the loss again.
    pub(crate) is_loss_accepted: bool,
    /// Whether there were events and no view when the node started: then none is waited for.
    pub(crate) is_overdue: bool,
    /// Where flushed events are copied to, if they are.
    pub(crate) archive: Option<Archiver>,
    /// The tables of derived metrics, which all sources write.
    pub(crate) derived: Option<Arc<DerivedTables>>,
}

impl Batch {
    /// Runs until the node is shutting down.
    pub(crate) fn run(&self, ingest: &Ingest) {
        let (mut changes, is_overdue) = (PacedWait::new(), self.is_overdue);
        let now = Instant::now();
        let mut timing = Timing {
            last: now,
            is_overdue,
            next_flush: now,
            next_declaration: now,
            next_archive: now,
            next_backfill: now,
        };
        let mut backfill = None;
        if catch_unwind(AssertUnwindSafe(|| self.start_tables())).is_err() {
            tracing::error!(source = self.source.name(), "writing tables panicked; they stay as they are");
        }
        while !self.source.is_stopping() {
            // The view is only ever replaced as a whole, so a panic leaves the one that was there.
            let due = || {
                self.follow_wanted(&mut backfill, &mut timing.next_backfill);
                self.run_due(&mut timing, ingest);
            };
            if catch_unwind(AssertUnwindSafe(due)).is_err() {
                self.source.counters.batch_failed(self.source.name());
                tracing::error!(source = self.source.name(), "batch panicked; the view stays as it is");
                self.pause();
            }
            let left = self
                .schedule
                .every
                .saturating_sub(timing.last.elapsed())
                .clamp(Duration::from_millis(50), PAUSE);
            changes.wait(&self.source.changed, left);
        }
        // Dropping the requests tells those who wait.
        self.source.take_full_requests();
    }

    /// Does what is due.
    fn run_due(&self, timing: &mut Timing, ingest: &Ingest) {
        let latest = self.source.latest_view();
        let (viewed, n_new) = (latest.frontier.n_positions(), self.n_new(&latest.frontier));
        let requests = self.source.take_full_requests();
        if !requests.is_empty() {
            self.rebuild(requests);
        }
        if self.source.take_tables_changed() {
            self.write_tables(&self.source.latest_view());
        }
        self.source.asked.forget_old();
        // First, since a view may have to wait for its store.
        self.flush_due(timing, ingest);
        self.declare_due(timing, ingest);
        self.archive(timing, ingest);
        let is_time = std::mem::take(&mut timing.is_overdue) || timing.last.elapsed() >= self.schedule.every;
        let has_new = n_new > 0 || self.is_loss_accepted && viewed == 0 && latest.stored.is_none();
        let is_due = n_new >= self.schedule.n_events || has_new && is_time;
        if is_due {
            timing.last = Instant::now();
            match self.step() {
                Ok(()) => {
                    self.archive.iter().for_each(|archive| archive.show(&self.source));
                    self.source.counters.batch_done(self.source.name(), timing.last.elapsed(), n_new);
                }
                Err(error) => {
                    self.source.counters.batch_failed(self.source.name());
                    if let (Some(archive), StepError::View(_)) = (&self.archive, &error) {
                        archive.views_failed(&self.source, &error.to_string());
                    }
                    tracing::error!(source = self.source.name(), %error, "batch failed; the view stays as it is");
                    self.pause();
                }
            }
        }
    }

    fn pause(&self) {
        let until = Instant::now() + PAUSE;
        while !self.source.is_stopping() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Rebuilds the view, and answers how it compares to the one that was there.
    fn rebuild(&self, requests: Vec<oneshot::Sender<FullAnswer>>) {
        let started = Instant::now();
        let known = self.source.latest_view();
        let rebuilt = self.compared(&known).and_then(|(segments, lines)| {
            let segments = segments.into_iter().map(IndexedSegment::from).collect();
            let (plan, costs, frontier) = (known.plan.clone(), known.costs.clone(), known.frontier.clone());
            // Without a stored version, all of it is written.
            let rebuilt = LoadedView { plan, costs, frontier, segments, stored: None };
            self.step_from(&rebuilt).map(|()| lines)
        });
        let answer: FullAnswer = match rebuilt {
            Ok(lines) => {
                audit::record(&self.source, &lines, started);
                Ok(lines)
            }
            Err(error) => {
                self.source.counters.batch_failed(self.source.name());
                tracing::error!(source = self.source.name(), %error, "the view was not rebuilt; it stays as it is");
                Err(Arc::new(error))
            }
        };
        for request in requests {
            // The client may have gone.
            let _ = request.send(answer.clone());
        }
    }

    /// A view as it comes out of the log, and how that compares to the one that is there.
    fn compared(&self, known: &LoadedView) -> Result<(Vec<Segment>, Vec<AuditLine>), StepError> {
        let recomputed = states_of_log(
            &self.source,
            &known.plan,
            (&start_of(&known.frontier), &known.frontier),
            &self.schedule.options,
        )?;
        let pairs = known.segments.iter().zip(&recomputed);
        let lines = known.plan.metrics.iter().zip(pairs).map(|(metric, (kept, recomputed))| {
            audit::compare(Audited::View, metric, kept.segment(), recomputed)
        });
        let lines = lines.collect::<Result<_, _>>()?;
        Ok((recomputed, lines))
    }

    /// How many events after the view a batch would evaluate.
    fn n_new(&self, viewed: &Frontier) -> u64 {
        let end = match &self.schedule.cluster {
            Some(_) => self.source.log.snapshot().flushed_to(self.source.name()),
            None => self.source.end(),
        };
        end.0.iter().zip(&viewed.0).map(|(end, viewed)| end.saturating_sub(*viewed)).sum()
    }

    /// The states of the view's plan over an interval: by the cluster, if there is one.
    fn evaluated(
        &self,
        known: &LoadedView,
        snapshot: &LogSnapshot,
        log: &Log,
        interval: &Interval,
    ) -> Result<Vec<Segment>, StepError> {
        let cluster = self.schedule.cluster.as_ref().filter(|_| interval.n_positions() > 0);
        // A node with a cluster takes no deployments, and keeps no other versions.
        if let (Some(ByCluster { cluster, without }), [only]) = (cluster, known.plan.declared()) {
            let plan = &only.plan;
            let flushed = Flushed { plan, snapshot, disk: &self.disk, log, interval };
            match cluster.evaluate(&flushed, &|| self.source.is_stopping()) {
                Ok(segments) => {
                    self.source.cluster_answered(None);
                    return Ok(segments);
                }
                Err(error) => {
                    let problem = error.line();
                    self.source.cluster_answered(Some(&problem));
                    if self.source.is_stopping() || *without == WithoutCluster::Wait {
                        return Err(StepError::Cluster { name: cluster.name.clone(), problem });
                    }
                    let (source, cluster) = (self.source.name(), &cluster.name);
                    tracing::warn!(source, cluster, problem, "batch runs here, since the cluster does not");
                }
            }
        }
        known.plan.evaluate(|index, declared| {
            let log = declared.log(snapshot, interval.from())?;
            let cpu_times = Some(known.costs.times(index).batch.clone());
            let options = EngineOptions { cpu_times, ..self.schedule.options.clone() };
            let started = Instant::now();
            let segments = evaluate(&declared.plan, &log, interval, &options, &|_| ())?.segments;
            self.source.evaluation_took(interval.n_positions(), started.elapsed());
            Ok(segments)
        })
    }

    /// Evaluates the events after the latest view, and commits the next version.
    pub(crate) fn step(&self) -> Result<(), StepError> {
        self.step_from(&self.source.latest_view())
    }

    fn step_from(&self, known: &LoadedView) -> Result<(), StepError> {
        let snapshot = self.source.log.snapshot();
        let log = snapshot.log(self.source.name(), &known.frontier)?;
        let stamp = loaded_view::stamp(&snapshot, self.source.name());
        let Some(stamp) = stamp else { return Ok(()) };
        let end = match &self.schedule.cluster {
            Some(_) => flushed_end(&snapshot, self.source.name(), &known.frontier)?,
            None => log.end(),
        };
        let is_stored = known.stored.as_ref().is_some_and(|stored| {
            let hashes = known.plan.metrics.iter().map(|metric| metric.state_hash.to_string());
            hashes.into_iter().all(|hash| stored.segments.contains_key(&hash))
        });
        if end == known.frontier && is_stored && self.schedule.cluster.is_some() {
            return Ok(());
        }
        let interval = Interval::new(known.frontier.clone(), end.clone()).map_err(LogError::from)?;
        let plan = known.plan.clone();
        let fresh = self.evaluated(known, &snapshot, &log, &interval)?;
        let merged = self.merged(known, &fresh)?;
        let version = self.runtime.block_on(self.store.next_version())?;
        let mut segments: BTreeMap<String, Vec<StoredSegment>> = BTreeMap::new();
        for (index, metric) in plan.metrics.iter().enumerate() {
            let hash = metric.state_hash.to_string();
            if segments.contains_key(&hash) {
                continue;
            }
            let stored = known.stored.as_ref().and_then(|view| view.segments.get(&hash));
            let stored = stored.map_or(&[][..], Vec::as_slice);
            let (segment, mut kept) = match self.keeps(stored, &fresh[index], &merged[index]) {
                true => (&fresh[index], stored.to_vec()),
                false => (&merged[index], Vec::new()),
            };
            kept.push(self.runtime.block_on(self.store.write(metric, segment))?);
            segments.insert(hash, kept);
        }
        let view = View { version, log: stamp, frontier: end, segments };
        self.runtime.block_on(self.store.commit(&view))?;
        let segments = merged.into_iter().map(IndexedSegment::from).collect();
        let frontier = view.frontier.clone();
        let costs = known.costs.clone();
        let has_same_states = Arc::ptr_eq(&plan, &self.source.latest_view().plan);
        let loaded = Arc::new(LoadedView { plan, costs, frontier, segments, stored: Some(view) });
        if has_same_states {
            self.source.set_latest_view(loaded.clone());
        } else if !self.source.adopt(loaded.clone()) {
            // Other states are wanted by now. What the view before names stays.
            return Ok(());
        }
        self.write_tables(&loaded);
        // One that is built anew is there because those before it are doubted.
        let n_kept = if known.stored.is_none() { 0 } else { self.schedule.n_kept_versions };
        if n_kept == 0 {
            self.source.forget_past();
        }
        if let Err(error) = self.runtime.block_on(self.store.prune(n_kept)) {
            tracing::warn!(source = self.source.name(), %error, "old views could not be removed");
        }
        Ok(())
    }

    fn merged(&self, known: &LoadedView, fresh: &[Segment]) -> Result<Vec<Segment>, SegmentError> {
        if known.segments.is_empty() {
            return Ok(fresh.to_vec());
        }
        let metrics = known.plan.metrics.iter();
        let pairs = known.segments.iter().zip(fresh);
        metrics.zip(pairs).map(|(metric, (known, fresh))| known.segment().merge(fresh, metric)).collect()
    }

    /// Whether a fresh segment is stored beside the others, and not merged with them into one: then little is
    /// written for large views, and segments stay few.
    fn keeps(&self, stored: &[StoredSegment], fresh: &Segment, merged: &Segment) -> bool {
        let (n_fresh, n_merged) = (fresh.states.num_rows() as u64, merged.states.num_rows() as u64);
        let is_large = n_merged > self.schedule.small_rows;
        !stored.is_empty() && stored.len() < MAX_SEGMENTS && is_large && n_fresh < n_merged / 4
    }
}
