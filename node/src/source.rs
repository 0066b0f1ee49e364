//! One source of a node: its plan, its log, its views, what is served, and how its layers tell each other of
//! changes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use metricc_client::{Layer, MetricCost};
use metricc_compiler::{MetricPlan, Segment, StateHash};
use metricc_durable_log::{DurableError, LogReader};
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_log::{AbsentField, Frontier, Log, ReadStats};
use metricc_runtime_serve::{IndexedSegment, LocalServing, ServeError};
use tokio::sync::oneshot;

use crate::archiver::ArchiveStatus;
use crate::asked_states::AskedStates;
use crate::audit_line::AuditLine;
use crate::batch_cluster::ClusterStatus;
use crate::changed::Changed;
use crate::evaluation_speed::EvaluationSpeed;
use crate::intake_report::{Intake, SourceIntake};
use crate::loaded_view::LoadedView;
use crate::past_views::PastViews;
use crate::source_plans::SourcePlans;
use crate::status::Counters;
use crate::topic_status::TopicStatus;

#[cfg(test)]
mod declaration_tests;
mod wanted;

use wanted::RunningBackfill;

/// The outcome of rebuilding a view.
pub(crate) type FullAnswer = Result<Vec<AuditLine>, Arc<dyn std::error::Error + Send + Sync>>;

/// What all layers of a source share.
#[derive(Debug)]
pub struct NodeSource {
    name: String,
    /// How its events are to be decoded.
    declaration: Mutex<Arc<Source>>,
    imports: Imports,
    pub(crate) log: LogReader,
    pub(crate) serving: LocalServing,
    pub(crate) changed: Arc<Changed>,
    pub(crate) counters: Arc<Counters>,
    views: Mutex<Views>,
    /// The states that are to be kept. Batch brings the view to them.
    wanted: Mutex<Arc<SourcePlans>>,
    backfill: Mutex<Option<RunningBackfill>>,
    speed: EvaluationSpeed,
    /// The states of questions that were asked.
    pub(crate) asked: AskedStates,
    /// Earlier versions of the view; there are none without a store.
    past: OnceLock<PastViews>,
    /// What was wrong with the view that the node found when it started.
    view_problem: Mutex<Option<String>>,
    /// The cluster that evaluates for batch, if there is one.
    cluster: Mutex<Option<ClusterStatus>>,
    /// The topic that its events come from, if there is one.
    topic: Mutex<Option<TopicStatus>>,
    /// The copy of its flushed events in an object store, if there is one.
    archive: Mutex<Option<ArchiveStatus>>,
    /// Requests to rebuild the view from the start of the log, until batch takes them.
    full_requests: Mutex<Vec<oneshot::Sender<FullAnswer>>>,
    /// What came in since the node started.
    intake: Mutex<SourceIntake>,
    is_stopping: AtomicBool,
    /// Whether other metrics have tables than when these were written last.
    has_other_tables: AtomicBool,
    /// Groups of the live version; those that view and tail both have count twice. Whoever changes what is
    /// published or live counts them, under the lock, so the last count has seen both changes.
    n_groups: Mutex<u64>,
    pub(crate) n_generations: AtomicU64,
}

/// The views of a source. Batch replaces the latest one; the tail that continues from it catches up, and then
/// that pair is served.
#[derive(Debug)]
struct Views {
    latest: Arc<LoadedView>,
    /// The view that is served and the frontier of the answers; `None` before there are any.
    served: Option<(Arc<LoadedView>, Frontier)>,
}

impl NodeSource {
    /// A source whose latest view is empty, and whose events are to be decoded as it is declared.
    pub(crate) fn new(
        declaration: &Arc<Source>,
        plans: Arc<SourcePlans>,
        imports: Imports,
        log: LogReader,
        serving: LocalServing,
        changed: Arc<Changed>,
        counters: Arc<Counters>,
    ) -> Self {
        let n_partitions = log.snapshot().end(&declaration.name).0.len();
        let latest = Arc::new(LoadedView::empty(plans.clone(), n_partitions));
        NodeSource {
            name: declaration.name.clone(),
            declaration: Mutex::new(declaration.clone()),
            imports,
            log,
            serving,
            changed,
            counters,
            views: Mutex::new(Views { latest, served: None }),
            wanted: Mutex::new(plans),
            backfill: Mutex::default(),
            speed: EvaluationSpeed::default(),
            asked: AskedStates::default(),
            past: OnceLock::new(),
            view_problem: Mutex::default(),
            cluster: Mutex::default(),
            topic: Mutex::default(),
            archive: Mutex::default(),
            full_requests: Mutex::default(),
            intake: Mutex::default(),
            is_stopping: AtomicBool::new(false),
            has_other_tables: AtomicBool::new(false),
            n_groups: Mutex::default(),
            n_generations: AtomicU64::new(0),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What keeping the states of its metrics takes.
    pub(crate) fn cost_of(&self, metric: &MetricPlan) -> Option<MetricCost> {
        self.latest_view().costs.of(metric)
    }

    /// Adds a request that is in the log to what came in.
    pub(crate) fn take_in(&self, intake: &Intake) {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner).add(intake);
    }

    /// Sets where earlier versions of the view are.
    pub(crate) fn keep_past(&self, past: PastViews) {
        // A source is opened once.
        let _ = self.past.set(past);
    }

    /// The view that an answer of some metrics at a frontier starts from: the one that is served, if it ends
    /// before, or else an earlier version. It keeps the states of all of them. Blocks the calling thread.
    pub(crate) fn view_before(&self, plan: &Arc<SourcePlans>, at: &Frontier) -> Option<Arc<LoadedView>> {
        let ends_before =
            |view: &Arc<LoadedView>| view.frontier.0.iter().zip(&at.0).all(|(offset, at)| offset <= at);
        self.view()
            .filter(|view| ends_before(view) && view.missing(plan).is_empty())
            .or_else(|| self.past.get()?.before(plan, &self.log.snapshot(), at))
    }

    /// Forgets the earlier versions, which were replaced.
    pub(crate) fn forget_past(&self) {
        self.past.get().into_iter().for_each(PastViews::forget);
    }

    /// Keeps what was wrong with the view that was found, for the status.
    pub(crate) fn view_was_unusable(&self, problem: String) {
        *self.view_problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }

    /// What was wrong with the view that the node found when it started.
    pub(crate) fn view_problem(&self) -> Option<String> {
        self.view_problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says that a cluster evaluates for batch.
    pub(crate) fn has_cluster(&self, name: &str) {
        *self.lock_cluster() = Some(ClusterStatus { name: name.to_owned(), problem: None });
    }

    /// Notes that the cluster has evaluated, or why it has not.
    pub(crate) fn cluster_answered(&self, problem: Option<&str>) {
        if problem.is_some() && !self.is_stopping() {
            self.counters.cluster_failed(self.name());
        }
        if let Some(cluster) = &mut *self.lock_cluster() {
            cluster.problem = problem.map(str::to_owned);
        }
    }

    /// The cluster that evaluates for batch, if there is one.
    pub(crate) fn cluster(&self) -> Option<ClusterStatus> {
        self.lock_cluster().clone()
    }

    fn lock_cluster(&self) -> MutexGuard<'_, Option<ClusterStatus>> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far the copy of flushed events is, or what is wrong with it.
    pub(crate) fn set_archive(&self, status: ArchiveStatus) {
        *self.archive.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// The copy of its flushed events in an object store, if there is one.
    pub(crate) fn archive(&self) -> Option<ArchiveStatus> {
        self.archive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how far the topic of the source is, from the first call on.
    #[cfg(feature = "kafka")]
    pub(crate) fn topic_changed(&self, change: impl FnOnce(&mut TopicStatus)) {
        let mut topic = self.topic.lock().unwrap_or_else(PoisonError::into_inner);
        change(topic.get_or_insert_default());
    }

    /// Notes why the topic is not read. Whether that is new.
    #[cfg(feature = "kafka")]
    pub(crate) fn topic_problem(&self, problem: &str, is_stopped: bool) -> bool {
        let mut is_new = true;
        self.topic_changed(|status| {
            is_new = status.problem.as_deref() != Some(problem);
            (status.problem, status.is_stopped) = (Some(problem.to_owned()), is_stopped);
        });
        is_new
    }

    /// The topic that its events come from, if there is one.
    pub(crate) fn topic(&self) -> Option<TopicStatus> {
        self.topic.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The records that came in since the node started, and the fields that none of them has.
    pub(crate) fn intake(&self) -> (ReadStats, Vec<AbsentField>) {
        let intake = self.intake.lock().unwrap_or_else(PoisonError::into_inner);
        (intake.stats.clone(), intake.absent(&self.wanted_declaration()))
    }

    /// The log as it stands, from a frontier on.
    pub(crate) fn log_from(&self, from: &Frontier) -> Result<Log, DurableError> {
        self.log.snapshot().log(self.name(), from)
    }

    /// Positions in the journal that are not flushed to Parquet.
    pub(crate) fn n_unflushed(&self) -> u64 {
        let log = self.log.snapshot();
        log.end(self.name()).n_positions() - log.flushed_to(self.name()).n_positions()
    }

    pub(crate) fn end(&self) -> Frontier {
        self.log.snapshot().end(self.name())
    }

    /// Serves a view and the tail that starts where it ends. A panic here ends the tail, which is then
    /// started again.
    ///
    /// # Panics
    /// If the tail does not start where the view ends, or ends before the frontier that is served.
    pub(crate) fn publish(&self, view: &Arc<LoadedView>, tail: Vec<Segment>) -> Result<(), ServeError> {
        let frontier = self.check_publishable(view, &tail);
        let pairs: Vec<(&MetricPlan, Vec<IndexedSegment>)> = view
            .plan
            .metrics
            .iter()
            .zip(tail)
            .enumerate()
            .map(|(index, (metric, tail))| {
                let in_view = view.segments.get(index).cloned();
                let in_view = in_view.map(|segment| segment.with_layer(Layer::Batch));
                let tail = IndexedSegment::from(tail).with_layer(Layer::Tail);
                (&**metric, in_view.into_iter().chain([tail]).collect())
            })
            .collect();
        view.costs.note(pairs.iter().map(|(_, parts)| parts.as_slice()));
        self.serving.publish(&pairs)?;
        self.count_groups();
        self.views().served = Some((view.clone(), frontier));
        Ok(())
    }

    /// The frontier at which the tail ends, if nothing speaks against serving it.
    fn check_publishable(&self, view: &LoadedView, tail: &[Segment]) -> Frontier {
        let frontier = tail.first().map_or(&view.frontier, |segment| segment.interval.to()).clone();
        for segment in tail {
            let interval = &segment.interval;
            assert!(
                *interval.from() == view.frontier && *interval.to() == frontier,
                "the tail {interval:?} does not continue the view up to {}",
                view.frontier
            );
        }
        if let Some((_, served)) = &self.views().served {
            let goes_back = frontier.0.iter().zip(&served.0).any(|(next, served)| next < served);
            assert!(!goes_back, "the frontier would go back from {served} to {frontier}");
        }
        frontier
    }

    /// Counts the groups of the live version: versions that are not live take nothing from what events may fill.
    pub(crate) fn count_groups(&self) {
        let mut n_groups = self.n_groups.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.serving.base_metrics_of(self.name());
        let states: BTreeSet<StateHash> = live.iter().map(|metric| metric.state_hash).collect();
        let parts = self.serving.published_of(self.name()).map(|(_, parts)| parts).unwrap_or_default();
        let of_live = parts.iter().filter(|(hash, _)| states.contains(hash)).flat_map(|(_, parts)| parts);
        *n_groups = of_live.map(|part| part.segment().states.num_rows() as u64).sum();
    }

    /// Groups of the metrics of the live version, in view and tail.
    pub(crate) fn n_groups(&self) -> u64 {
        *self.n_groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn views(&self) -> MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view that is served; `None` before anything is.
    pub(crate) fn view(&self) -> Option<Arc<LoadedView>> {
        self.views().served.as_ref().map(|(view, _)| view.clone())
    }

    /// The view that was opened or committed last, whether or not it is served already.
    pub(crate) fn latest_view(&self) -> Arc<LoadedView> {
        self.views().latest.clone()
    }

    /// Replaces the latest view.
    pub(crate) fn set_latest_view(&self, view: Arc<LoadedView>) {
        self.views().latest = view;
        self.changed.notify();
    }

    /// Lets batch rebuild the view from the start of the log. The receiver gets the outcome, or an error when
    /// the node is shutting down.
    pub(crate) fn request_full(&self) -> oneshot::Receiver<FullAnswer> {
        let (answer, answered) = oneshot::channel();
        self.lock_full().push(answer);
        if self.is_stopping() {
            // Batch may have ended.
            self.take_full_requests();
        }
        self.changed.notify();
        answered
    }

    /// The requests since the last call.
    pub(crate) fn take_full_requests(&self) -> Vec<oneshot::Sender<FullAnswer>> {
        std::mem::take(&mut *self.lock_full())
    }

    fn lock_full(&self) -> MutexGuard<'_, Vec<oneshot::Sender<FullAnswer>>> {
        self.full_requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that other metrics are to have tables.
    pub(crate) fn tables_changed(&self) {
        self.has_other_tables.store(true, Ordering::Release);
        self.changed.notify();
    }

    /// Whether other metrics are to have tables than at the last call.
    pub(crate) fn take_tables_changed(&self) -> bool {
        self.has_other_tables.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.changed.notify();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }
}
