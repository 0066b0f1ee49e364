//! One source of a node: its plan, what of it is served, and how its layers tell each other what they have done.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metricc_compiler::{MetricPlan, Segment, SourcePlan};
use metricc_log::Frontier;
use metricc_log::Log;
use metricc_log::durable::{DurableError, DurableLog};
use metricc_runtime_serve::{IndexedSegment, LocalServing};
use tokio::sync::oneshot;

use crate::audit::AuditLine;
use crate::status::Counters;

/// What making a view anew came to.
pub(crate) type FullAnswer = Result<Vec<AuditLine>, String>;

/// What all layers of a source share.
#[derive(Debug)]
pub struct NodeSource {
    /// The metrics of the source.
    pub plan: Arc<SourcePlan>,
    pub(crate) log: Arc<Mutex<DurableLog>>,
    pub(crate) serving: LocalServing,
    pub(crate) changed: Arc<Changed>,
    pub(crate) counters: Arc<Counters>,
    /// What batch has committed and the speed layer has not yet started from.
    next_view: Mutex<Option<Arc<LoadedView>>>,
    /// What batch has committed last.
    latest: Mutex<Option<Arc<LoadedView>>>,
    /// The view that is served, once there is one.
    served: Mutex<Option<Arc<LoadedView>>>,
    /// Who asks batch to make the view anew from the start of the log.
    full_asked: Mutex<Vec<oneshot::Sender<FullAnswer>>>,
    is_over: AtomicBool,
    /// Groups that are served, of all metrics; those that view and tail both have count twice.
    n_groups: AtomicU64,
    pub(crate) n_generations: AtomicU64,
}

/// A view in memory: for each metric of the plan its segments, from the start of the log to one frontier.
#[derive(Debug)]
pub(crate) struct LoadedView {
    pub(crate) frontier: Frontier,
    /// In the order of the plan's metrics: each merged to one; none where the view is empty.
    pub(crate) segments: Vec<IndexedSegment>,
}

impl NodeSource {
    pub(crate) fn new(
        plan: Arc<SourcePlan>,
        log: Arc<Mutex<DurableLog>>,
        serving: LocalServing,
        changed: Arc<Changed>,
        counters: Arc<Counters>,
    ) -> Self {
        NodeSource {
            plan,
            log,
            serving,
            changed,
            counters,
            next_view: Mutex::new(None),
            latest: Mutex::new(None),
            served: Mutex::new(None),
            full_asked: Mutex::default(),
            is_over: AtomicBool::new(false),
            n_groups: AtomicU64::new(0),
            n_generations: AtomicU64::new(0),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.plan.source.name
    }

    pub(crate) fn durable(&self) -> MutexGuard<'_, DurableLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log as it stands, from a frontier on.
    pub(crate) fn log_from(&self, from: &Frontier) -> Result<Log, DurableError> {
        self.durable().log(self.name(), from)
    }

    pub(crate) fn end(&self) -> Frontier {
        self.durable().end(self.name())
    }

    /// Serves a view and the tail that starts where it ends.
    pub(crate) fn publish(
        &self,
        view: &Arc<LoadedView>,
        tail: Vec<Segment>,
    ) -> Result<(), metricc_runtime_serve::ServeError> {
        let pairs: Vec<(&MetricPlan, Vec<IndexedSegment>)> = self
            .plan
            .metrics
            .iter()
            .zip(tail)
            .enumerate()
            .map(|(place, (metric, tail))| {
                let mut parts: Vec<IndexedSegment> = view.segments.get(place).cloned().into_iter().collect();
                parts.push(tail.into());
                (&**metric, parts)
            })
            .collect();
        let rows =
            pairs.iter().flat_map(|(_, parts)| parts).map(|part| part.segment().states.num_rows() as u64);
        self.n_groups.store(rows.sum(), Ordering::Relaxed);
        self.serving.publish(&pairs)?;
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
        Ok(())
    }

    /// Groups that are served, of all metrics: about what it takes in memory.
    pub(crate) fn n_groups(&self) -> u64 {
        self.n_groups.load(Ordering::Relaxed)
    }

    /// The view that is served; none before anything is.
    pub(crate) fn view(&self) -> Option<Arc<LoadedView>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands a view to the speed layer.
    pub(crate) fn offer(&self, view: Arc<LoadedView>) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
        *self.next_view.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
        self.changed.notify();
    }

    /// What batch has committed last, whether or not the speed layer has taken it; none if batch has not run.
    pub(crate) fn latest_view(&self) -> Option<Arc<LoadedView>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What batch has committed since the last call.
    pub(crate) fn take_offer(&self) -> Option<Arc<LoadedView>> {
        self.next_view.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Asks batch to make the view anew from the start of the log; what comes out is told.
    pub(crate) fn ask_full(&self) -> oneshot::Receiver<FullAnswer> {
        let (answer, answered) = oneshot::channel();
        self.lock_full().push(answer);
        if self.is_over() {
            // Nobody is left to do it.
            self.take_full();
        }
        self.changed.notify();
        answered
    }

    /// Who has asked for that since the last call.
    pub(crate) fn take_full(&self) -> Vec<oneshot::Sender<FullAnswer>> {
        std::mem::take(&mut *self.lock_full())
    }

    fn lock_full(&self) -> MutexGuard<'_, Vec<oneshot::Sender<FullAnswer>>> {
        self.full_asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        self.is_over.store(true, Ordering::Release);
        self.changed.notify();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

/// Tells threads that something has changed: the log has grown, a view was committed, the node goes down.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    count: Mutex<u64>,
    condition: Condvar,
}

impl Changed {
    pub(crate) fn notify(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.condition.notify_all();
    }

    /// Waits until something has changed since `seen`, or for a time; says what is seen now.
    pub(crate) fn wait(&self, seen: u64, most: Duration) -> u64 {
        let until = Instant::now() + most;
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count == seen {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            count = self.condition.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *count
    }
}
