//! A view in memory, and how it is loaded from the store of views.

use metricc_compiler::SourcePlan;
use metricc_durable_log::LogSnapshot;
use metricc_log::Frontier;
use metricc_runtime_serve::{IndexedSegment, merge};
use metricc_views::{LogStamp, View, ViewError, ViewStore};

/// A view in memory: for each metric of the plan its segment, from the start of the log to one frontier.
#[derive(Debug)]
pub(crate) struct LoadedView {
    pub(crate) frontier: Frontier,
    /// In the order of the plan's metrics; empty where the view is.
    pub(crate) segments: Vec<IndexedSegment>,
    /// The version that was committed, unless there is none to build on.
    pub(crate) stored: Option<View>,
}

impl LoadedView {
    /// The view of the start of a log.
    pub(crate) fn empty(n_partitions: usize) -> Self {
        LoadedView { frontier: Frontier(vec![0; n_partitions]), segments: Vec::new(), stored: None }
    }
}

/// The stamp of a view that is now made from the log; `None` while nothing was ever written.
pub(crate) fn stamp(log: &LogSnapshot, source: &str) -> Option<LogStamp> {
    let (epoch, _) = log.epochs(source).pop()?;
    Some(LogStamp { id: format!("{:032x}", log.id()), epoch })
}

/// Loads the states of a version; or says why it cannot be used.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn load(
    store: &ViewStore,
    plan: &SourcePlan,
    view: View,
) -> Result<Result<LoadedView, String>, ViewError> {
    let mut segments: Vec<IndexedSegment> = Vec::with_capacity(plan.metrics.len());
    for metric in &plan.metrics {
        let Some(stored) = view.segments.get(&metric.state_hash.to_string()) else {
            return Ok(Err(format!("it does not have the states of `{}`", metric.metric.name)));
        };
        let mut parts = Vec::with_capacity(stored.len());
        for stored in stored {
            match store.read(metric, stored).await {
                Ok(segment) => parts.push(segment),
                Err(ViewError::Corrupt { path, source }) => return Ok(Err(format!("`{path}`: {source}"))),
                Err(error) => return Err(error),
            }
        }
        match merge(metric, &parts) {
            Ok(segment) if *segment.interval.to() == view.frontier => segments.push(segment.into()),
            Ok(segment) => {
                let to = segment.interval.to();
                return Ok(Err(format!("the segments of `{}` end at {to}", metric.metric.name)));
            }
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    let frontier = view.frontier.clone();
    Ok(Ok(LoadedView { frontier, segments, stored: Some(view) }))
}
