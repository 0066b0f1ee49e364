//! Earlier versions of a view, from which an answer at an earlier frontier starts: without them it would
//! start at the beginning of the log.
//!
//! Invariant: a version is used only if the log still has all that it was made from, and its states are those
//! that were committed. What starts from it is then the same as what starts from the log, by the law.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metricc_durable_log::LogSnapshot;
use metricc_log::Frontier;
use metricc_views::{View, ViewStore};
use tokio::runtime::Handle;

use crate::loaded_view::{LoadedView, load_whole};
use crate::loss_proofs::check;
use crate::source_plans::SourcePlans;

/// The versions of one source.
#[derive(Debug)]
pub(crate) struct PastViews {
    store: ViewStore,
    runtime: Handle,
    /// Byte budget of those in memory.
    max_bytes: usize,
    /// The one that was used last comes first.
    loaded: Mutex<VecDeque<Arc<LoadedView>>>,
}

impl PastViews {
    pub(crate) fn new(store: ViewStore, runtime: Handle, max_bytes: usize) -> Self {
        PastViews { store, runtime, max_bytes, loaded: Mutex::default() }
    }

    /// The version that ends at a frontier or least before it; `None` if there is none that can be used.
    /// Blocks the calling thread, which must not be one of an async runtime.
    pub(crate) fn before(
        &self,
        plan: &Arc<SourcePlans>,
        log: &LogSnapshot,
        at: &Frontier,
    ) -> Option<Arc<LoadedView>> {
        let views = self.runtime.block_on(self.store.all());
        let views = views.inspect_err(|error| tracing::warn!(%error, "earlier views cannot be read")).ok()?;
        let ends_before = |view: &View| view.frontier.0.iter().zip(&at.0).all(|(offset, at)| offset <= at);
        let is_of_log = |view: &View| check(view, log, &plan.source().name).is_ok();
        let mut views: Vec<View> =
            views.into_iter().filter(|view| ends_before(view) && is_of_log(view)).collect();
        views.sort_by_key(|view| std::cmp::Reverse((view.frontier.n_positions(), view.version)));
        views.iter().find_map(|view| self.loaded(plan, view).or_else(|| self.load(plan, view)))
    }

    /// Forgets what is in memory: the versions were replaced.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<LoadedView>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loaded(&self, plan: &SourcePlans, view: &View) -> Option<Arc<LoadedView>> {
        let mut loaded = self.lock();
        let is_it =
            |known: &Arc<LoadedView>| known.stored.as_ref() == Some(view) && known.missing(plan).is_empty();
        let index = loaded.iter().position(is_it)?;
        let found = loaded.remove(index)?;
        loaded.push_front(found.clone());
        Some(found)
    }

    fn load(&self, plan: &Arc<SourcePlans>, view: &View) -> Option<Arc<LoadedView>> {
        let problem = match self.runtime.block_on(load_whole(&self.store, plan, view.clone())) {
            Ok(Ok(found)) => {
                let found = Arc::new(found);
                self.keep(found.clone());
                return Some(found);
            }
            Ok(Err(problem)) => problem,
            Err(error) => error.to_string(),
        };
        // Batch may have removed it just now, or it is of other metrics.
        tracing::debug!(
            source = plan.source().name,
            version = view.version,
            problem,
            "an earlier view is not used"
        );
        None
    }

    /// Keeps a version in memory, and drops those that were not used for longest beyond the budget.
    fn keep(&self, found: Arc<LoadedView>) {
        let mut loaded = self.lock();
        loaded.push_front(found);
        let n_bytes = |view: &Arc<LoadedView>| {
            let of_segments =
                view.segments.iter().map(|segment| segment.segment().states.get_array_memory_size());
            of_segments.sum::<usize>()
        };
        let mut kept = 0;
        loaded.retain(|view| {
            kept += n_bytes(view);
            kept <= self.max_bytes
        });
    }
}
