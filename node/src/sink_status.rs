//! What sinks hold, for status and counters.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::status::family;

/// A sink, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// `postgres`, `redis`, `kafka` or `webhook`.
    pub kind: &'static str,
    /// Its metrics.
    pub metrics: Vec<SinkMetricStatus>,
}

/// What a sink holds of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkMetricStatus {
    /// The metric.
    pub metric: String,
    /// The frontier of the version that it holds; `None` before it was asked, and where it holds rows of
    /// another definition.
    pub frontier: Option<Vec<u64>>,
    /// The number of that version; 0 if there is none.
    pub version: u64,
    /// Positions of the log that it does not hold yet.
    pub lag: u64,
    /// Why it is not written at present.
    pub problem: Option<String>,
    /// Versions that were written since the node started.
    pub n_versions: u64,
    /// Rows that were added, changed or removed since the node started.
    pub n_rows: u64,
}

/// What the thread of a sink shows.
#[derive(Debug)]
pub(crate) struct SinkState {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    metrics: Mutex<Vec<Shown>>,
}

#[derive(Debug)]
struct Shown {
    status: SinkMetricStatus,
    /// The sources of the metric, as soon as they are known.
    sources: Vec<String>,
}

#[cfg_attr(not(feature = "sinks"), expect(dead_code, reason = "there are no sinks"))]
impl SinkState {
    pub(crate) fn new(name: &str, kind: &'static str, metrics: &[String]) -> Self {
        let shown = metrics.iter().map(|metric| {
            let status = SinkMetricStatus { metric: metric.clone(), ..SinkMetricStatus::default() };
            Shown { status, sources: Vec::new() }
        });
        SinkState { name: name.to_owned(), kind, metrics: Mutex::new(shown.collect()) }
    }

    /// Shows these metrics from now on; what is known of those that were shown before stays.
    pub(crate) fn set_metrics(&self, metrics: &[String]) {
        let mut shown = self.lock();
        let mut before = std::mem::take(&mut *shown);
        for metric in metrics {
            let known = before.iter().position(|known| known.status.metric == *metric);
            shown.push(known.map_or_else(
                || Shown {
                    status: SinkMetricStatus { metric: metric.clone(), ..SinkMetricStatus::default() },
                    sources: Vec::new(),
                },
                |index| before.swap_remove(index),
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the sources of a metric, given by its number.
    pub(crate) fn reads(&self, index: usize, sources: impl IntoIterator<Item = String>) {
        if let Some(shown) = self.lock().get_mut(index) {
            shown.sources = sources.into_iter().collect();
        }
    }

    /// Changes what is shown of a metric, given by its number.
    pub(crate) fn change(&self, index: usize, change: impl FnOnce(&mut SinkMetricStatus)) {
        if let Some(shown) = self.lock().get_mut(index) {
            change(&mut shown.status);
        }
    }

    /// What is shown, where sources end as given.
    pub(crate) fn status(&self, end: impl Fn(&String) -> u64) -> SinkStatus {
        let shown = self.lock();
        let metrics = shown.iter().map(|shown| {
            let held = shown.status.frontier.iter().flatten().sum::<u64>();
            let lag = shown.sources.iter().map(&end).sum::<u64>().saturating_sub(held);
            SinkMetricStatus { lag, ..shown.status.clone() }
        });
        SinkStatus { name: self.name.clone(), kind: self.kind, metrics: metrics.collect() }
    }
}

/// A value of a metric in a sink: name, type, help, and how it is read.
type Value = (&'static str, &'static str, &'static str, fn(&SinkMetricStatus) -> u64);

const VALUES: [Value; 6] = [
    ("sink_positions", "gauge", "Positions that the sink holds.", |metric| {
        metric.frontier.iter().flatten().sum()
    }),
    ("sink_lag_positions", "gauge", "Positions of the log that the sink does not hold.", |metric| metric.lag),
    ("sink_version", "gauge", "Number of the version that the sink holds.", |metric| metric.version),
    ("sink_problem", "gauge", "Whether the sink is not written at present.", |metric| {
        u64::from(metric.problem.is_some())
    }),
    ("sink_versions_total", "counter", "Versions that were written.", |metric| metric.n_versions),
    ("sink_rows_total", "counter", "Rows that were added, changed or removed.", |metric| metric.n_rows),
];

/// The sinks in the text format of Prometheus.
pub(crate) fn text(sinks: &[SinkStatus]) -> String {
    let mut text = String::new();
    if sinks.is_empty() {
        return text;
    }
    for (name, kind, help, value) in VALUES {
        let samples = sinks.iter().flat_map(|sink| {
            // Names have no character that needs escaping.
            let labels = |metric: &str| format!("{{sink=\"{}\",metric=\"{metric}\"}}", sink.name);
            sink.metrics.iter().map(move |metric| (labels(&metric.metric), value(metric) as f64))
        });
        family(&mut text, name, kind, help, samples);
    }
    text
}
