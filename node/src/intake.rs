//! What the records that come in are like: those that do not decode, by field and reason, and fields that none of
//! them has. Status reports it from the start of the node on.

use std::collections::BTreeSet;
use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{Events, FieldStats, Quarantined, ReadStats, lookalike};

/// The most names beside the declared ones that are kept of a source.
const MAX_NAMES: usize = 1000;

/// What one request is like.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) stats: ReadStats,
    /// All records that did not decode, in order.
    pub(crate) rejected: Vec<Quarantined>,
    /// Declared fields that none of its records has.
    pub(crate) absent: Vec<String>,
    /// Names of its columns and first records that are not declared.
    pub(crate) undeclared: Vec<String>,
}

impl Intake {
    /// What the events of a request are like. `shown` names it, and `line_of` tells where a record stands in it.
    pub(crate) fn of(events: &Events, shown: &Arc<str>, line_of: impl Fn(u64) -> Option<u64>) -> Self {
        let rejected = events.quarantined(shown, line_of);
        let stats = events.read_stats(&rejected);
        let absent = absent(events.source(), &stats).map(str::to_owned).collect();
        Intake { stats, rejected, absent, undeclared: events.undeclared_names().map(str::to_owned).collect() }
    }
}

/// The fields that no record has; none before there are records.
fn absent<'a>(source: &'a Source, stats: &'a ReadStats) -> impl Iterator<Item = &'a str> {
    let fields = source.fields.iter().zip(&stats.fields).filter(|_| stats.n_records > 0);
    fields.filter(|(_, FieldStats { seen, .. })| !seen).map(|(field, _)| field.name.as_str())
}

/// What came in since the start of the node.
#[derive(Debug, Default)]
pub(crate) struct SourceIntake {
    pub(crate) stats: ReadStats,
    names: BTreeSet<String>,
}

/// A field that no record has had, and the name that it may have there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentField {
    /// The field.
    pub field: String,
    /// The name that records have for it, probably.
    pub lookalike: Option<String>,
}

impl SourceIntake {
    pub(crate) fn add(&mut self, intake: &Intake) {
        self.stats.merge(intake.stats.clone());
        let n_free = MAX_NAMES.saturating_sub(self.names.len());
        self.names.extend(intake.undeclared.iter().take(n_free).cloned());
    }

    pub(crate) fn absent(&self, source: &Source) -> Vec<AbsentField> {
        let names = || self.names.iter().map(String::as_str);
        let field = |field: &str| AbsentField {
            field: field.to_owned(),
            lookalike: lookalike(field, names()).map(str::to_owned),
        };
        absent(source, &self.stats).map(field).collect()
    }
}
