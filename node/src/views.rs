//! A view from its store into memory, if it is one of this log and of these metrics.

use std::sync::Arc;

use metricc_compiler::SourcePlan;
use metricc_log::Frontier;
use metricc_log::durable::DurableLog;
use metricc_runtime_serve::{IndexedSegment, merge};
use metricc_views::{LogStamp, View, ViewError, ViewStore};

use crate::source::LoadedView;

/// What is found when a view is looked for.
pub(crate) enum Found {
    /// It can be served.
    View(View, Arc<LoadedView>),
    /// There is none yet.
    Nothing,
    /// What there is says nothing about this log or these metrics; why.
    Useless(String),
}

/// The stamp of what is now made from the log; none while nothing was ever written.
pub(crate) fn stamp(log: &DurableLog, source: &str) -> Option<LogStamp> {
    let (epoch, _) = log.epochs(source).pop()?;
    Some(LogStamp { id: format!("{:032x}", log.id()), epoch })
}

/// Whether a view was made from this log; otherwise, why not.
fn check(view: &View, id: u128, epochs: &[(String, Frontier)], end: &Frontier) -> Result<(), String> {
    if view.log.id != format!("{id:032x}") {
        return Err("it is a view of another log".to_owned());
    }
    let Some(place) = epochs.iter().position(|(epoch, _)| *epoch == view.log.epoch) else {
        return Err("the log went another way since: an older state of it was brought back".to_owned());
    };
    let end = epochs.get(place + 1).map_or(end, |(_, from)| from);
    let is_within = view.frontier.0.len() == end.0.len()
        && view.frontier.0.iter().zip(&end.0).all(|(offset, end)| offset <= end);
    if is_within {
        return Ok(());
    }
    Err(format!(
        "it goes to {}, where the log went to {end} then: an older state of the log was brought back",
        view.frontier
    ))
}

/// Looks for the view of a source.
///
/// # Errors
/// When the store cannot be read at all.
pub(crate) async fn find(
    store: &ViewStore,
    plan: &SourcePlan,
    id: u128,
    epochs: &[(String, Frontier)],
    end: &Frontier,
) -> Result<Found, ViewError> {
    let Some(view) = store.latest().await? else { return Ok(Found::Nothing) };
    if let Err(problem) = check(&view, id, epochs, end) {
        return Ok(Found::Useless(problem));
    }
    let mut segments: Vec<IndexedSegment> = Vec::with_capacity(plan.metrics.len());
    for metric in &plan.metrics {
        let Some(stored) = view.segments.get(&metric.state_hash.to_string()) else {
            return Ok(Found::Useless(format!("it does not have the states of `{}`", metric.metric.name)));
        };
        let mut parts = Vec::with_capacity(stored.len());
        for stored in stored {
            match store.read(metric, stored).await {
                Ok(segment) => parts.push(segment),
                Err(ViewError::Broken { path, problem }) => {
                    return Ok(Found::Useless(format!("`{path}`: {problem}")));
                }
                Err(error) => return Err(error),
            }
        }
        match merge(metric, &parts) {
            Ok(segment) if *segment.interval.to() == view.frontier => segments.push(segment.into()),
            Ok(segment) => {
                let to = segment.interval.to();
                return Ok(Found::Useless(format!("the segments of `{}` end at {to}", metric.metric.name)));
            }
            Err(error) => return Ok(Found::Useless(error.to_string())),
        }
    }
    let loaded = LoadedView { frontier: view.frontier.clone(), segments };
    Ok(Found::View(view, Arc::new(loaded)))
}
