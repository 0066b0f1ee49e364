//! The metric hash: what makes two definitions the same metric.
//!
//! It covers the typed metric (without names of locals and docs), the name and state version of each
//! monoid, and the time zone database, since all three decide what a state means. Reformatting does
//! not change it; meaning does. Segments of different hashes never merge.

use std::fmt;

use metricc_algebra::Monoid;
use metricc_dsl::{calendar, ir};
use sha2::{Digest, Sha256};

use crate::CompileError;

/// SHA-256 of a metric's meaning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricHash([u8; 32]);

impl MetricHash {
    /// Hashes a metric with the monoids that hold its states.
    pub(crate) fn of<'a>(
        metric: &ir::Metric,
        monoids: impl Iterator<Item = &'a dyn Monoid>,
    ) -> Result<Self, CompileError> {
        let text =
            serde_json::to_string(metric).map_err(|error| CompileError::engine(&metric.name, error))?;
        let mut hasher = Sha256::new();
        hasher.update(b"metricc metric 1\n");
        hasher.update(text.as_bytes());
        for monoid in monoids {
            hasher.update(format!("\n{} v{}", monoid.name(), monoid.version()).as_bytes());
        }
        hasher.update(format!("\ntzdb {}", calendar::tzdb_version()).as_bytes());
        Ok(MetricHash(hasher.finalize().into()))
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
