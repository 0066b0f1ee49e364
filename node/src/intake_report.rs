//! What the records that come in are like: those that do not decode, by field and reason, and fields that
//! none of them has. Status reports it from the start of the node on.

use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{AbsentField, Events, Names, Quarantined, ReadStats, absent_fields, undeclared_names};

/// The most names that are kept of a source.
const MAX_NAMES: usize = 1000;

/// What one request is like.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) stats: ReadStats,
    /// All records that did not decode, in order.
    pub(crate) rejected: Vec<Quarantined>,
    /// Declared fields that none of its records has.
    pub(crate) absent: Vec<AbsentField>,
    /// Names of its columns and first records beside declared ones.
    pub(crate) names: Names,
    /// The names of the fields that tell its events apart.
    pub(crate) key: Vec<String>,
    /// Those of the names that are not declared.
    pub(crate) undeclared: Vec<String>,
}

impl Intake {
    /// What the events of a request are like. `shown` names it, and `line_of` tells where a record stands in
    /// it.
    pub(crate) fn of(events: &Events, shown: &Arc<str>, line_of: impl Fn(u64) -> Option<u64>) -> Self {
        let rejected = events.quarantined(shown, line_of);
        let stats = events.read_stats(&rejected);
        let absent = absent_fields(events.source(), &stats, events.names());
        let (names, undeclared) = (events.names().clone(), undeclared_names(events.source(), events.names()));
        let source = events.source();
        let key = source.identity.iter().map(|&field| source.fields[field].name.clone()).collect();
        Intake { key, stats, rejected, absent, names, undeclared }
    }
}

/// What came in since the start of the node.
#[derive(Debug, Default)]
pub(crate) struct SourceIntake {
    pub(crate) stats: ReadStats,
    names: Names,
}

impl SourceIntake {
    pub(crate) fn add(&mut self, intake: &Intake) {
        self.stats.merge(intake.stats.clone());
        self.names.merge(&intake.names, MAX_NAMES);
    }

    pub(crate) fn absent(&self, source: &Source) -> Vec<AbsentField> {
        absent_fields(source, &self.stats, &self.names)
    }
}
