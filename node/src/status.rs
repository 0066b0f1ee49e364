//! The counters of a node, in the text format 0.0.4 of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricc_client::MetricCost;
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
    sources: BTreeMap<String, SourceCounters>,
}

#[derive(Debug, Default)]
struct SourceCounters {
    n_batches: u64,
    n_batches_failed: u64,
    n_tables_failed: u64,
    n_cluster_failed: u64,
    batch_seconds: f64,
    batch_positions: u64,
    backfill_positions: u64,
    asked_positions: u64,
    n_tails_failed: u64,
    n_audits: u64,
    n_differences: u64,
    n_files: u64,
    n_files_refused: u64,
    n_past_given_up: u64,
}

/// The state of a source when the counters are read.
pub(crate) struct SourceGauges {
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

    /// Positions were evaluated for new metrics.
    pub(crate) fn backfilled(&self, source: &str, n_positions: u64) {
        self.lock().sources.entry(source.to_owned()).or_default().backfill_positions += n_positions;
    }

    /// Positions were evaluated for questions.
    pub(crate) fn asked(&self, source: &str, n_positions: u64) {
        self.lock().sources.entry(source.to_owned()).or_default().asked_positions += n_positions;
    }

    pub(crate) fn batch_failed(&self, source: &str) {
        self.lock().sources.entry(source.to_owned()).or_default().n_batches_failed += 1;
    }

    pub(crate) fn cluster_failed(&self, source: &str) {
        self.lock().sources.entry(source.to_owned()).or_default().n_cluster_failed += 1;
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

    pub(crate) fn file_done(&self, source: &str, is_ingested: bool) {
        let mut inner = self.lock();
        let source = inner.sources.entry(source.to_owned()).or_default();
        *if is_ingested { &mut source.n_files } else { &mut source.n_files_refused } += 1;
    }

    /// An answer at an earlier frontier was given up, since its client is gone.
    pub(crate) fn past_given_up(&self, source: &str) {
        self.lock().sources.entry(source.to_owned()).or_default().n_past_given_up += 1;
    }

    /// All counters and gauges as text.
    pub(crate) fn text(&self, gauges: &[SourceGauges]) -> String {
        let inner = self.lock();
        let mut text = String::new();
        for (name, help, value) in NODE_COUNTERS {
            family(&mut text, name, "counter", help, [(String::new(), value(&inner) as f64)]);
        }
        for (name, kind, help, value) in SOURCE_GAUGES {
            let samples = gauges.iter().map(|source| (label(&source.name), value(source) as f64));
            family(&mut text, name, kind, help, samples);
        }
        let none = SourceCounters::default();
        for (name, help, value) in SOURCE_COUNTERS {
            let samples = gauges
                .iter()
                .map(|source| (label(&source.name), value(inner.sources.get(&source.name).unwrap_or(&none))));
            family(&mut text, name, "counter", help, samples);
        }
        text
    }
}

type Family<T, V> = (&'static str, &'static str, fn(&T) -> V);

const NODE_COUNTERS: [Family<Inner, u64>; 8] = [
    ("ingest_requests_total", "Requests with events.", |node| node.n_requests),
    ("ingest_repeated_total", "Requests that were in the log already.", |node| node.n_repeated),
    ("ingest_refused_total", "Requests that were not valid.", |node| node.n_refused),
    ("ingest_failed_total", "Requests that could not be written.", |node| node.n_failed),
    ("events_accepted_total", "Records that are events.", |node| node.n_accepted),
    ("events_duplicate_total", "Records with the key of an earlier event.", |node| node.n_duplicates),
    ("events_conflict_total", "Duplicates that differ from the earlier event.", |node| node.n_conflicts),
    ("events_quarantined_total", "Records that did not decode.", |node| node.n_quarantined),
];

type GaugeFamily = (&'static str, &'static str, &'static str, fn(&SourceGauges) -> u64);

const SOURCE_GAUGES: [GaugeFamily; 7] = [
    ("log_positions", "gauge", "Positions of the log.", |source| source.end),
    ("served_positions", "gauge", "Positions that answers contain.", |source| source.served),
    ("lag_positions", "gauge", "Positions that answers do not contain yet.", |source| {
        source.end.saturating_sub(source.served)
    }),
    ("view_positions", "gauge", "Positions in the view that is served.", |source| source.view),
    ("groups", "gauge", "Groups in view and tail, of all metrics.", |source| source.groups),
    ("unsealed_positions", "gauge", "Positions in the journal.", |source| source.unsealed),
    ("tail_generations_total", "counter", "Dataflows started.", |source| source.generations),
];

const SOURCE_COUNTERS: [Family<SourceCounters, f64>; 14] = [
    ("tail_failures_total", "Dataflows that failed.", |source| source.n_tails_failed as f64),
    ("files_total", "Files of the watched folder that are in the log.", |source| source.n_files as f64),
    ("files_refused_total", "Files of the watched folder that were rejected.", |source| {
        source.n_files_refused as f64
    }),
    ("past_answers_given_up_total", "Answers at earlier frontiers whose client was gone.", |source| {
        source.n_past_given_up as f64
    }),
    ("audits_total", "Audits against the log.", |source| source.n_audits as f64),
    ("audit_differences_total", "Groups that differed from the log in an audit.", |source| {
        source.n_differences as f64
    }),
    ("batches_total", "Versions of the view that were committed.", |source| source.n_batches as f64),
    ("batch_failures_total", "Batches that failed.", |source| source.n_batches_failed as f64),
    ("cluster_failures_total", "Batches that the cluster did not evaluate.", |source| {
        source.n_cluster_failed as f64
    }),
    ("table_failures_total", "Delta tables that could not be written.", |source| {
        source.n_tables_failed as f64
    }),
    ("batch_seconds_total", "Time of all batches.", |source| source.batch_seconds),
    ("batch_positions_total", "Positions of all batches.", |source| source.batch_positions as f64),
    ("backfill_positions_total", "Positions that were evaluated for new metrics.", |source| {
        source.backfill_positions as f64
    }),
    ("asked_positions_total", "Positions that were evaluated for questions.", |source| {
        source.asked_positions as f64
    }),
];

type CostFamily = (&'static str, &'static str, &'static str, [(&'static str, fn(&MetricCost) -> f64); 2]);

const METRIC_COSTS: [CostFamily; 3] = [
    (
        "metric_groups",
        "gauge",
        "Groups of a metric.",
        [("view", |cost| cost.view.groups as f64), ("tail", |cost| cost.tail.groups as f64)],
    ),
    (
        "metric_state_bytes",
        "gauge",
        "Bytes of the states of a metric in memory.",
        [("view", |cost| cost.view.bytes as f64), ("tail", |cost| cost.tail.bytes as f64)],
    ),
    (
        "metric_cpu_seconds_total",
        "counter",
        "Processor time of a metric; metrics that are computed together have equal parts.",
        [
            ("batch", |cost| cost.batch_cpu_us as f64 / 1e6),
            ("stream", |cost| cost.stream_cpu_us as f64 / 1e6),
        ],
    ),
];

/// What metrics cost as text: of each its source, its name and its cost.
pub(crate) fn metric_costs(metrics: &[(&str, &str, MetricCost)]) -> String {
    let mut text = String::new();
    for (name, kind, help, layers) in METRIC_COSTS {
        let samples = metrics.iter().flat_map(|(source, metric, cost)| {
            layers.map(|(layer, value)| {
                // Names have no character that needs escaping.
                let labels = format!("{{source=\"{source}\",metric=\"{metric}\",layer=\"{layer}\"}}");
                (labels, value(cost))
            })
        });
        family(&mut text, name, kind, help, samples);
    }
    text
}

/// Adds a family of samples, each with its labels.
pub(crate) fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    samples: impl IntoIterator<Item = (String, f64)>,
) {
    let _ = writeln!(text, "# HELP metricc_{name} {help}\n# TYPE metricc_{name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "metricc_{name}{labels} {value}");
    }
}

/// The label of a source. Its name has no character that needs escaping.
fn label(source: &str) -> String {
    format!("{{source=\"{source}\"}}")
}
