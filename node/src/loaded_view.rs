//! A view in memory, and how it is loaded from the store of views.
//!
//! A view holds states, and a state is found by the hash of its meaning: so a package that has other metrics
//! finds what it shares with the one that the view was made for.

use std::sync::Arc;

use metricc_compiler::{MetricPlan, Segment};
use metricc_durable_log::LogSnapshot;
use metricc_log::Frontier;
use metricc_runtime_serve::{IndexedSegment, merge};
use metricc_views::{LogStamp, View, ViewError, ViewStore};

use crate::costs::Costs;
use crate::source_plans::SourcePlans;

/// A view in memory: for each metric of its plan a segment, from the start of the log to one frontier.
#[derive(Debug)]
pub(crate) struct LoadedView {
    /// Whose states it has.
    pub(crate) plan: Arc<SourcePlans>,
    /// What keeping these states takes.
    pub(crate) costs: Arc<Costs>,
    pub(crate) frontier: Frontier,
    /// In the order of the plan's metrics; empty where the view is.
    pub(crate) segments: Vec<IndexedSegment>,
    /// The version that was committed, unless there is none to build on. It may have states of other metrics
    /// as well.
    pub(crate) stored: Option<View>,
}

impl LoadedView {
    /// The view of the start of a log.
    pub(crate) fn empty(plan: Arc<SourcePlans>, n_partitions: usize) -> Self {
        LoadedView {
            costs: Arc::new(Costs::new(&plan)),
            plan,
            frontier: Frontier(vec![0; n_partitions]),
            segments: Vec::new(),
            stored: None,
        }
    }

    /// Whether it keeps the states of a metric.
    pub(crate) fn keeps(&self, metric: &MetricPlan) -> bool {
        self.plan.metrics.iter().any(|kept| kept.state_hash == metric.state_hash)
    }

    /// The segment of a metric; `None` if the view does not keep its states, or is empty.
    pub(crate) fn segment_of(&self, metric: &MetricPlan) -> Option<&IndexedSegment> {
        let index = self.plan.metrics.iter().position(|kept| kept.state_hash == metric.state_hash)?;
        self.segments.get(index)
    }

    /// The metrics of a plan whose states it does not keep.
    pub(crate) fn missing(&self, plan: &SourcePlans) -> Vec<Arc<MetricPlan>> {
        plan.metrics.iter().filter(|metric| !self.keeps(metric)).cloned().collect()
    }

    /// The same view for another plan; `more` has segments of those metrics that this view does not keep, up
    /// to its frontier. `None` if one is in neither.
    pub(crate) fn of_plan(&self, plan: &Arc<SourcePlans>, more: &[Segment]) -> Option<Self> {
        let segment = |metric: &Arc<MetricPlan>| {
            let new = || more.iter().find(|segment| segment.hash == metric.state_hash);
            self.segment_of(metric).cloned().or_else(|| new().cloned().map(IndexedSegment::from))
        };
        // An empty view has no segments, whatever its plan.
        let is_empty = self.segments.is_empty() && more.is_empty();
        let segments = match is_empty {
            true => Vec::new(),
            false => plan.metrics.iter().map(segment).collect::<Option<_>>()?,
        };
        Some(LoadedView {
            plan: plan.clone(),
            costs: Arc::new(Costs::new(plan)),
            frontier: self.frontier.clone(),
            segments,
            stored: self.stored.clone(),
        })
    }
}

/// The stamp of a view that is now made from the log; `None` while nothing was ever written.
pub(crate) fn stamp(log: &LogSnapshot, source: &str) -> Option<LogStamp> {
    let (epoch, _) = log.epochs(source).pop()?;
    Some(LogStamp { id: format!("{:032x}", log.id()), epoch })
}

/// What a version has of the metrics of a plan.
pub(crate) struct Loaded {
    /// The metrics whose states it has, with their segments up to the frontier of the version.
    pub(crate) found: Vec<(Arc<MetricPlan>, IndexedSegment)>,
    /// The other metrics, and why their states cannot be used if the version has them.
    pub(crate) missing: Vec<(Arc<MetricPlan>, Option<String>)>,
}

/// Loads the states of a version, metric by metric.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn load(store: &ViewStore, plan: &SourcePlans, view: &View) -> Result<Loaded, ViewError> {
    let mut loaded = Loaded { found: Vec::with_capacity(plan.metrics.len()), missing: Vec::new() };
    for metric in &plan.metrics {
        if !view.segments.contains_key(&metric.state_hash.to_string()) {
            loaded.missing.push((metric.clone(), None));
            continue;
        }
        match load_one(store, metric, view).await? {
            Ok(segment) => loaded.found.push((metric.clone(), segment)),
            Err(problem) => loaded.missing.push((metric.clone(), Some(problem))),
        }
    }
    Ok(loaded)
}

/// Loads the states of a version for all metrics of a plan; or says why it cannot be used.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn load_whole(
    store: &ViewStore,
    plan: &Arc<SourcePlans>,
    view: View,
) -> Result<Result<LoadedView, String>, ViewError> {
    let Loaded { found, missing } = load(store, plan, &view).await?;
    if let Some((metric, problem)) = missing.into_iter().next() {
        let absent = || format!("it does not have the states of `{}`", metric.metric.name);
        return Ok(Err(problem.unwrap_or_else(absent)));
    }
    let segments = found.into_iter().map(|(_, segment)| segment).collect();
    let (frontier, costs) = (view.frontier.clone(), Arc::new(Costs::new(plan)));
    Ok(Ok(LoadedView { plan: plan.clone(), costs, frontier, segments, stored: Some(view) }))
}

async fn load_one(
    store: &ViewStore,
    metric: &Arc<MetricPlan>,
    view: &View,
) -> Result<Result<IndexedSegment, String>, ViewError> {
    let stored = view.segments.get(&metric.state_hash.to_string()).map(Vec::as_slice).unwrap_or_default();
    let mut parts = Vec::with_capacity(stored.len());
    for stored in stored {
        match store.read(metric, stored).await {
            Ok(segment) => parts.push(segment),
            Err(ViewError::Corrupt { path, source }) => return Ok(Err(format!("`{path}`: {source}"))),
            Err(error) => return Err(error),
        }
    }
    Ok(match merge(metric, &parts) {
        Ok(segment) if *segment.interval.to() == view.frontier => Ok(segment.into()),
        Ok(segment) => {
            let to = segment.interval.to();
            Err(format!("the segments of `{}` end at {to}", metric.metric.name))
        }
        Err(error) => Err(error.to_string()),
    })
}
