//! What a node counts, in the form of Prometheus (text format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricc_durable_log::{DurableError, Receipt};

/// The counters of a node.
#[derive(Debug, Default)]
pub struct Counters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    n_requests: u64,
    n_repeated: u64,
    n_refused: u64,
    n_failed: u64,
    n_accepted: u64,
    n_duplicates: u64,
    n_conflicts: u64,
    n_quarantined: u64,
    sources: BTreeMap<String, OfSource>,
}

#[derive(Debug, Default)]
struct OfSource {
    n_batches: u64,
    n_batches_failed: u64,
    n_tables_failed: u64,
    batch_seconds: f64,
    batch_positions: u64,
    n_tails_failed: u64,
    n_audits: u64,
    n_differences: u64,
    n_files: u64,
    n_files_refused: u64,
}

/// The state of a source at the moment of counting.
pub(crate) struct OfNow {
    pub(crate) name: String,
    pub(crate) end: u64,
    pub(crate) served: u64,
    pub(crate) view: u64,
    pub(crate) unsealed: u64,
    pub(crate) groups: u64,
    pub(crate) generations: u64,
}

impl Counters {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count_append(&self, result: &Result<Receipt, Arc<DurableError>>) {
        let mut inner = self.lock();
        inner.n_requests += 1;
        match result {
            Ok(receipt) if receipt.is_repeated => inner.n_repeated += 1,
            Ok(receipt) => {
                inner.n_accepted += receipt.accepted.n_accepted;
                inner.n_duplicates += receipt.accepted.n_duplicates;
                inner.n_conflicts += receipt.accepted.n_conflicts;
                inner.n_quarantined += receipt.accepted.n_quarantined;
            }
            Err(error) if matches!(**error, DurableError::Request(_)) => inner.n_refused += 1,
            Err(_) => inner.n_failed += 1,
        }
    }

    pub(crate) fn batch_done(&self, source: &str, took: Duration, n_positions: u64) {
        let mut inner = self.lock();
        let source = inner.sources.entry(source.to_owned()).or_default();
        source.n_batches += 1;
        source.batch_seconds += took.as_secs_f64();
        source.batch_positions += n_positions;
    }

    pub(crate) fn batch_failed(&self, source: &str) {
        self.lock().sources.entry(source.to_owned()).or_default().n_batches_failed += 1;
    }

    pub(crate) fn table_failed(&self, source: &str) {
        self.lock().sources.entry(source.to_owned()).or_default().n_tables_failed += 1;
    }

    pub(crate) fn tail_failed(&self, source: &str) {
        self.lock().sources.entry(source.to_owned()).or_default().n_tails_failed += 1;
    }

    pub(crate) fn audited(&self, source: &str, n_differences: u64) {
        let mut inner = self.lock();
        let source = inner.sources.entry(source.to_owned()).or_default();
        source.n_audits += 1;
        source.n_differences += n_differences;
    }

    pub(crate) fn file_done(&self, source: &str, is_taken: bool) {
        let mut inner = self.lock();
        let source = inner.sources.entry(source.to_owned()).or_default();
        *if is_taken { &mut source.n_files } else { &mut source.n_files_refused } += 1;
    }

    /// All counters as text.
    pub(crate) fn text(&self, now: &[OfNow]) -> String {
        let inner = self.lock();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, rows: &[(String, f64)]| {
            let _ = writeln!(text, "# HELP metricc_{name} {help}\n# TYPE metricc_{name} {kind}");
            for (labels, value) in rows {
                let _ = writeln!(text, "metricc_{name}{labels} {value}");
            }
        };
        let one = |value: u64| vec![(String::new(), value as f64)];
        family("ingest_requests_total", "counter", "Requests with events.", &one(inner.n_requests));
        family("ingest_repeated_total", "counter", "Requests that had come before.", &one(inner.n_repeated));
        family("ingest_refused_total", "counter", "Requests that made no sense.", &one(inner.n_refused));
        family("ingest_failed_total", "counter", "Requests that could not be written.", &one(inner.n_failed));
        family("events_accepted_total", "counter", "Records that are events.", &one(inner.n_accepted));
        family(
            "events_duplicate_total",
            "counter",
            "Records whose key an event had.",
            &one(inner.n_duplicates),
        );
        family(
            "events_conflict_total",
            "counter",
            "Duplicates that said something else.",
            &one(inner.n_conflicts),
        );
        family(
            "events_quarantined_total",
            "counter",
            "Records that did not decode.",
            &one(inner.n_quarantined),
        );
        let each = |value: &dyn Fn(&OfNow) -> u64| -> Vec<(String, f64)> {
            now.iter().map(|source| (label(&source.name), value(source) as f64)).collect()
        };
        family("log_positions", "gauge", "Positions of the log.", &each(&|source| source.end));
        family(
            "served_positions",
            "gauge",
            "Positions that answers contain.",
            &each(&|source| source.served),
        );
        family(
            "lag_positions",
            "gauge",
            "Positions that answers do not contain yet.",
            &each(&|source| source.end.saturating_sub(source.served)),
        );
        family(
            "view_positions",
            "gauge",
            "Positions in the view that is served.",
            &each(&|source| source.view),
        );
        family("groups", "gauge", "Groups in view and tail, of all metrics.", &each(&|source| source.groups));
        family("unsealed_positions", "gauge", "Positions in the journal.", &each(&|source| source.unsealed));
        family(
            "tail_generations_total",
            "counter",
            "Dataflows started.",
            &each(&|source| source.generations),
        );
        let kept = |value: &dyn Fn(&OfSource) -> f64| -> Vec<(String, f64)> {
            let default = OfSource::default();
            let of = |source: &OfNow| value(inner.sources.get(&source.name).unwrap_or(&default));
            now.iter().map(|source| (label(&source.name), of(source))).collect()
        };
        family(
            "tail_failures_total",
            "counter",
            "Dataflows that died.",
            &kept(&|source| source.n_tails_failed as f64),
        );
        family(
            "files_total",
            "counter",
            "Files of the watched folder that are in the log.",
            &kept(&|source| source.n_files as f64),
        );
        family(
            "files_refused_total",
            "counter",
            "Files of the watched folder that could not be taken.",
            &kept(&|source| source.n_files_refused as f64),
        );
        family("audits_total", "counter", "Audits against the log.", &kept(&|source| source.n_audits as f64));
        family(
            "audit_differences_total",
            "counter",
            "Groups that were not what the log says.",
            &kept(&|source| source.n_differences as f64),
        );
        family("batches_total", "counter", "Versions committed.", &kept(&|source| source.n_batches as f64));
        family(
            "batch_failures_total",
            "counter",
            "Batches that failed.",
            &kept(&|source| source.n_batches_failed as f64),
        );
        family(
            "table_failures_total",
            "counter",
            "Tables for other programs that could not be written.",
            &kept(&|source| source.n_tables_failed as f64),
        );
        family(
            "batch_seconds_total",
            "counter",
            "Time of all batches.",
            &kept(&|source| source.batch_seconds),
        );
        family(
            "batch_positions_total",
            "counter",
            "Positions of all batches.",
            &kept(&|source| source.batch_positions as f64),
        );
        text
    }
}

/// Names of sources have no character that would have to be escaped.
fn label(source: &str) -> String {
    format!("{{source=\"{source}\"}}")
}
