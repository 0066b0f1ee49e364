//! The metric hash: what makes two definitions the same metric.
//!
//! It covers the hash of the definition (the typed metric without names of locals and docs, and the time zone
//! database), and the name and state version of each monoid, since all of them decide what a state means.
//! Reformatting does not change it; meaning does. Segments of different hashes never merge.

use std::fmt;

use metricc_algebra::Monoid;
use metricc_dsl::ir;
use sha2::{Digest, Sha256};

/// SHA-256 of a metric's meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricHash([u8; 32]);

impl MetricHash {
    /// Hashes a metric with the monoids that hold its states.
    pub(crate) fn of<'a>(metric: &ir::Metric, monoids: impl Iterator<Item = &'a dyn Monoid>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"metricc metric 2\n");
        hasher.update(metric.definition_hash().as_bytes());
        for monoid in monoids {
            hasher.update(format!("\n{} v{}", monoid.name(), monoid.version()).as_bytes());
        }
        MetricHash(hasher.finalize().into())
    }
}

impl fmt::Display for MetricHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MetricHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricHash({self})")
    }
}
