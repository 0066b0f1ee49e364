//! How the rows of two versions differ, and which events make them differ. Both are read from one published
//! version, so they are compared at one frontier, while all else goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use metricc_comparison::causes::{Budget, RowsError};
use metricc_comparison::diff::data::{EvaluatedVersion, compare_rows, find_causes};
use metricc_comparison::diff::{Change, MetricChange, diff};
use metricc_comparison::report::MetricRows;
use metricc_compiler::{CompileError, EngineOptions};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_log::{Frontier, Interval, Log, LogError, RecordDecoder};
use metricc_runtime_serve::{Evaluated, Published, ReadOptions, ServeError};

use super::planned::Planned;
use super::{DeployError, Deployments, State, Version};
use crate::source::NodeSource;

/// What is to be compared.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The new version; the one that is on its way unless it is given.
    pub(crate) new: Option<u64>,
    /// The old version; the live one unless it is given.
    pub(crate) old: Option<u64>,
    /// The rows of this metric alone.
    pub(crate) metric: Option<String>,
    /// Most events to find for each metric.
    pub(crate) causes: usize,
    /// How long they are searched, for each metric.
    pub(crate) within: Duration,
}

/// Gets each metric: its change, and its rows if they are compared.
pub(crate) type Show<'a> =
    dyn FnMut(&MetricChange, Option<&MetricRows>) -> Result<(), serde_json::Error> + 'a;

/// What became of the metrics of two versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Metrics whose definitions differ, or that only the old version has.
    pub(crate) differ: usize,
    /// Metrics that only the new version has: they are no difference of numbers that there were.
    pub(crate) added: usize,
    /// Metrics whose rows were compared, and those of them of which all rows are equal.
    pub(crate) compared: usize,
    pub(crate) equal: usize,
    /// Metrics whose states are not there yet.
    pub(crate) missing: usize,
}

/// Two versions at one frontier.
pub(crate) struct Pair {
    old: Arc<Version>,
    new: Arc<Version>,
    published: Arc<Published>,
    sources: Arc<[Arc<NodeSource>]>,
    imports: Imports,
    changes: Vec<MetricChange>,
    wanted: Wanted,
}

impl Deployments {
    /// The two versions, with their states.
    ///
    /// # Errors
    /// [`DeployError`] if there are no such versions, or the states of the one metric that is to be compared are
    /// not there yet.
    pub(crate) fn pair(&self, wanted: Wanted) -> Result<Pair, DeployError> {
        let (old, new) = {
            let state = self.lock();
            let old = wanted.old.map_or_else(|| Ok(state.live()), |number| state.of(number))?.clone();
            (old, new_of(&state, wanted.new)?.clone())
        };
        if old.record.number == new.record.number {
            return Err(DeployError::Same { version: new.record.number });
        }
        let mut changes = self.changes(&old.planned, &new.planned)?;
        if let Some(metric) = &wanted.metric {
            let known = || changes.iter().map(|change| change.metric.clone()).collect();
            let is_wanted =
                |change: &MetricChange| change.metric == *metric || change.was.as_ref() == Some(metric);
            if !changes.iter().any(is_wanted) {
                return Err(DeployError::UnknownMetric { metric: metric.clone(), known: known() });
            }
            changes.retain(is_wanted);
        }
        let (sources, imports) = (self.sources.now(), self.imports.clone());
        let published = self.serving.published();
        let pair = Pair { old, new, published, sources, imports, changes, wanted };
        let only = pair.wanted.metric.as_ref().and_then(|_| pair.changes.first());
        match only.and_then(|change| Some((pair.lacking(change)?, change.metric.clone()))) {
            Some((version, metric)) => Err(DeployError::NotFollowed { version, metric }),
            None => Ok(pair),
        }
    }

    pub(super) fn changes(&self, old: &Planned, new: &Planned) -> Result<Vec<MetricChange>, CompileError> {
        let version =
            |planned: &Planned| metricc_comparison::diff::Version::of(&planned.metrics, &self.imports);
        Ok(diff(&version(old)?, &version(new)?))
    }
}

/// Whether the rows of a metric are compared. Those of one meaning are the same.
fn is_compared(change: &MetricChange) -> bool {
    matches!(change.change, Change::Presentation | Change::States)
}

/// The version of a number, or the one that is on its way.
fn new_of(state: &State, number: Option<u64>) -> Result<&Arc<Version>, DeployError> {
    match number {
        Some(number) => state.of(number),
        None => state.candidate().ok_or_else(|| DeployError::NothingUnderway {
            kept: state.kept().map(|version| version.record.number).collect(),
        }),
    }
}

impl Pair {
    /// The numbers of the versions, the old one first.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (self.old.record.number, self.new.record.number)
    }

    /// The frontier of each source.
    pub(crate) fn frontiers(&self) -> BTreeMap<&str, &Frontier> {
        let mut frontiers = BTreeMap::new();
        for source in self.sources.iter() {
            if let Some(frontier) = self.published.frontier(source.name()) {
                frontiers.insert(source.name(), frontier);
            }
        }
        frontiers
    }

    fn n_groups_of(&self, metric: &str) -> u64 {
        let of_version = |version: &Version| -> usize {
            let bases = version.planned.bases_of(metric);
            bases.iter().map(|plan| self.published.n_groups(plan)).sum()
        };
        (of_version(&self.old) + of_version(&self.new)) as u64
    }

    /// The version that does not have the states of a metric yet, if it is compared.
    fn lacking(&self, change: &MetricChange) -> Option<u64> {
        let lacks = |version: &&Arc<Version>| {
            version.planned.bases_of(&change.metric).iter().any(|plan| !self.published.has(plan))
        };
        let lacking = [&self.old, &self.new].into_iter().find(lacks).filter(|_| is_compared(change));
        lacking.map(|version| version.record.number)
    }

    /// What is said of a metric that cannot be compared yet.
    fn not_yet(&self, change: &MetricChange) -> Option<MetricRows> {
        let version = self.lacking(change)?;
        let mut listed = self.new.planned.metrics.iter().chain(&self.old.planned.metrics);
        let metric = listed.find(|metric| metric.name() == change.metric)?.clone();
        let problem = format!("version {version} is still computing it from the log; try again");
        Some(MetricRows { metric, rows: Err(problem), causes: None })
    }

    /// Compares, one metric at a time: `show` gets the change of each metric, and its rows if they are
    /// compared. A metric with more rows than `max_rows` is not, nor one whose states are not there yet. Blocks
    /// the calling thread, until it is cancelled.
    ///
    /// # Errors
    /// [`ComparisonError`].
    pub(crate) fn compare(
        &self,
        max_rows: u64,
        is_cancelled: &AtomicBool,
        show: &mut Show<'_>,
    ) -> Result<Counts, ComparisonError> {
        let mut counts = Counts::default();
        let logs = [self.logs(&self.old)?, self.logs(&self.new)?];
        for change in &self.changes {
            let rows = match (is_compared(change), self.not_yet(change)) {
                (false, _) => None,
                (true, Some(not_yet)) => {
                    counts.missing += 1;
                    Some(not_yet)
                }
                (true, None) => self.rows_of(&change.metric, &logs, max_rows, is_cancelled)?,
            };
            match change.change {
                Change::Same => {}
                Change::Added => counts.added += 1,
                _ => counts.differ += 1,
            }
            if let Some(found) = rows.as_ref().filter(|found| found.rows.is_ok()) {
                counts.compared += 1;
                counts.equal += usize::from(!found.differ());
            }
            show(change, rows.as_ref())?;
        }
        Ok(counts)
    }

    /// The log of each source as a version declares it, up to the frontier of the rows.
    fn logs(&self, version: &Version) -> Result<Vec<(Log, Interval)>, ComparisonError> {
        let mut logs = Vec::new();
        for plan in &version.planned.sources {
            let name = &plan.source.name;
            let source = self.sources.iter().find(|source| source.name() == name);
            let (Some(source), Some(to)) = (source, self.published.frontier(name)) else { continue };
            let from = Frontier(vec![0; to.0.len()]);
            let log = source.log.snapshot().log_as(&RecordDecoder::new(&plan.source)?, &from)?;
            logs.push((log, Interval::new(from, to.clone()).map_err(LogError::from)?));
        }
        Ok(logs)
    }

    fn rows_of(
        &self,
        name: &str,
        logs: &[Vec<(Log, Interval)>; 2],
        max_rows: u64,
        is_cancelled: &AtomicBool,
    ) -> Result<Option<MetricRows>, ComparisonError> {
        let side = |version: &Version| -> Result<Option<(AnyMetric, Evaluated)>, ServeError> {
            let metric = version.planned.metrics.iter().find(|metric| metric.name() == name);
            let Some(metric) = metric else { return Ok(None) };
            let mut evaluated = Evaluated::default();
            for plan in version.planned.bases_of(name) {
                if let Some(segment) = self.published.segment(plan)? {
                    evaluated.add_one(plan, segment.clone());
                }
            }
            Ok(Some((metric.clone(), evaluated)))
        };
        let (Some(old), Some(new)) = (side(&self.old)?, side(&self.new)?) else { return Ok(None) };
        let n_rows = self.n_rows(name, [&old, &new])?;
        if n_rows > max_rows {
            let problem = format!(
                "it has about {n_rows} rows, and an answer may have {max_rows} (`max_rows` under `[reading]`): compare files with \
                 `metricc diff OLD NEW --source`"
            );
            return Ok(Some(MetricRows { metric: new.0, rows: Err(problem), causes: None }));
        }
        let version = |evaluated, logs| EvaluatedVersion { imports: &self.imports, evaluated, logs };
        let (old, new) = ((version(&old.1, &logs[0]), &old.0), (version(&new.1, &logs[1]), &new.0));
        Ok(Some(self.compared(old, new, is_cancelled)?))
    }

    /// About how many rows are in memory when a metric is compared.
    fn n_rows(&self, name: &str, sides: [&(AnyMetric, Evaluated); 2]) -> Result<u64, ServeError> {
        let mut n_rows = self.n_groups_of(name);
        for (metric, evaluated) in sides {
            let rows = evaluated.overlapping_rows(metric, &self.imports, &ReadOptions::default())?;
            n_rows = n_rows.saturating_add(rows.unwrap_or(0));
        }
        Ok(n_rows)
    }

    fn compared(
        &self,
        (old, old_metric): (EvaluatedVersion<'_>, &AnyMetric),
        (new, new_metric): (EvaluatedVersion<'_>, &AnyMetric),
        is_cancelled: &AtomicBool,
    ) -> Result<MetricRows, RowsError> {
        let go_on = |_| match is_cancelled.load(Ordering::Relaxed) {
            true => Err(RowsError::Cancelled),
            false => Ok(()),
        };
        go_on(0)?;
        let (old, new) = ((&old, old_metric), (&new, new_metric));
        let metric = new_metric.clone();
        let (report, common) = match compare_rows(old, new)? {
            Ok(found) => found,
            Err(problem) => return Ok(MetricRows { metric, rows: Err(problem), causes: None }),
        };
        let mut causes = None;
        if let (Some(size), true) = (report.comparison.size(), self.wanted.causes > 0) {
            let budget = Budget { events: self.wanted.causes, until: Instant::now() + self.wanted.within };
            let options = EngineOptions { workers: 1, ..EngineOptions::default() };
            causes = Some(find_causes(old, new, (&common, size), &options, budget, &go_on)?);
        }
        Ok(MetricRows { metric, rows: Ok(report), causes })
    }
}

/// Why versions could not be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComparisonError {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Log(#[from] metricc_durable_log::DurableError),
    #[error(transparent)]
    Interval(#[from] LogError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}
