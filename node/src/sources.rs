//! The sources that a node has. A version of the package may bring another one while the node runs.
//!
//! Readers take the list as it is and never wait: the lock around it is held for as long as it takes to copy
//! or replace a pointer. Invariant: sources are only added, so those of a version that is served are there.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use crate::source::NodeSource;

/// The sources of a node, in the order in which they were opened. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    sources: Arc<[Arc<NodeSource>]>,
    is_closed: bool,
}

impl Sources {
    #[cfg(test)]
    pub(crate) fn new(sources: impl IntoIterator<Item = Arc<NodeSource>>) -> Self {
        let known = Known { sources: sources.into_iter().collect(), is_closed: false };
        Sources(Arc::new(RwLock::new(known)))
    }

    /// Those that there are now.
    pub(crate) fn now(&self) -> Arc<[Arc<NodeSource>]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).sources.clone()
    }

    /// The one of a name.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<NodeSource>> {
        self.now().iter().find(|source| source.name() == name).cloned()
    }

    /// Adds one. When the node is shutting down, it is stopped at once.
    pub(crate) fn add(&self, source: Arc<NodeSource>) {
        let mut known = self.write();
        if known.is_closed {
            source.stop();
        }
        known.sources = known.sources.iter().cloned().chain([source]).collect();
    }

    /// Stops all of them, and those that are added later.
    pub(crate) fn stop(&self) {
        let mut known = self.write();
        known.is_closed = true;
        known.sources.iter().for_each(|source| source.stop());
    }

    /// Whether the node is shutting down.
    pub(crate) fn are_stopping(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_closed
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
